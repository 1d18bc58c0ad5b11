package image

import (
	"fmt"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// asUser is how a script gets credentials without an argument vector, and
// without a place where they would stay: they come by stdin, and lie in a folder
// of the user's own, in memory where there is such a file system, for as long as
// the script runs. A docker that finds another
// configuration needs to be told of its current context and certificates.
const asUser = `umask 077
dir=$(mktemp -d /dev/shm/antdbctl.XXXXXX 2>/dev/null) || dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM
auth=$(cat)
login() { printf '{"auths":{"%s":{"auth":"%s"}}}\n' "$1" "$auth" >"$dir/config.json"; }
docker_login() {
	[ -n "$auth" ] || return 0
	login "$1" || exit 1
	: "${DOCKER_HOST:=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null)}"
	: "${DOCKER_CERT_PATH:=${DOCKER_CONFIG:-$HOME/.docker}}"
	[ -z "$DOCKER_TLS_VERIFY" ] || export DOCKER_CERT_PATH
	export DOCKER_HOST DOCKER_CONFIG="$dir"
}
`

// podmanAlone lets one script of ours at a time change podman's images: tag and
// untag write back all names of an image as they were read, and so undo what
// another does meanwhile. The lock is on podman's own folder and ends with the
// script; what podman starts must not inherit it.
const podmanAlone = `if command -v flock >/dev/null; then
	exec 9<"$(podman info --format '{{.Store.GraphRoot}}')" && flock 9 || exit 1
	podman() { command podman "$@" 9<&-; }
fi
`

// Scripts by engine. pull: NAMESPACE SCHEME HOST REF, and on stdin credentials
// or, for ctr, the whole header.
// name: NAMESPACE REF NAME…. drop: NAMESPACE REF.
//
// ctr takes a password on its command line alone, where everybody on the node
// could read it; but it sends headers that a hosts.toml asks for.
var (
	pullScripts = map[string]string{
		"docker": asUser + `docker_login "$3"
docker image pull "$4" >/dev/null`,
		"podman": asUser + podmanAlone + `set -- "$2" "$3" "$4"
tls=true
[ "$1" = https ] || tls=false
if [ -n "$auth" ]; then
	login "$2" || exit 1
	podman image pull --quiet --tls-verify=$tls --authfile "$dir/config.json" "$3" >/dev/null
else
	podman image pull --quiet --tls-verify=$tls "$3" >/dev/null
fi`,
		"containerd": asUser + `ns=$1 url=$2://$3 host=$3 ref=$4
mkdir "$dir/$host" || exit 1
{
	printf 'server = "%s"\n\n[host."%s"]\n  capabilities = ["pull", "resolve"]\n' "$url" "$url"
	for ca in "/etc/containerd/certs.d/$host/ca.crt" "/etc/docker/certs.d/$host/ca.crt"; do
		[ -r "$ca" ] || continue
		printf '  ca = "%s"\n' "$ca"
		break
	done
	[ -z "$auth" ] || printf '  [host."%s".header]\n    Authorization = "%s"\n' "$url" "$auth"
} >"$dir/$host/hosts.toml" || exit 1
hosts=$dir
if [ -z "$auth" ] && [ -r "/etc/containerd/certs.d/$host/hosts.toml" ]; then hosts=/etc/containerd/certs.d; fi
ctr -n "$ns" images pull --hosts-dir "$hosts" "$ref" >/dev/null`,
	}
	nameScripts = map[string]string{
		"docker":     nameByDocker("docker"),
		"podman":     podmanAlone + nameByDocker("podman"),
		"containerd": `ns=$1 ref=$2; shift 2; for name; do ctr -n "$ns" images tag --force "$ref" "$name" >/dev/null || exit 1; done`,
	}
	dropScripts = map[string]string{
		"docker":     `docker image rm "$2" >/dev/null`,
		"podman":     podmanAlone + `podman image untag "$2" "$2" >/dev/null`,
		"containerd": `ctr -n "$1" images rm "$2" >/dev/null`,
	}
)

func nameByDocker(cli string) string {
	return `ref=$2; shift 2; for name; do ` + cli + ` image tag "$ref" "$name" || exit 1; done`
}

// refusals are what engines say of a registry, with what an operator can do.
var refusals = []struct {
	says          []string
	means, remedy string // %s is the registry's host
}{
	{[]string{"http response to https client"}, "the registry %s speaks plain http, and this engine wants https",
		`add "%s" to insecure-registries in /etc/docker/daemon.json there; other engines only need registry = "http://…"`},
	{[]string{"signed by unknown authority", "certificate is not trusted"}, "this engine does not trust the certificate of %s",
		"put its authority's certificate into /etc/docker/certs.d/%[1]s/ca.crt there (containerd: /etc/containerd/certs.d/%[1]s/ca.crt)"},
	{[]string{"hosts-dir"}, "this ctr is older than 1.5, and can only be told of %s with the password on its command line",
		`update containerd there, or use via = "star"`},
	{[]string{"unauthorized", "authentication required", "no basic auth credentials", "access denied", "denied: ", "403 forbidden", "authorization failed", "insufficient_scope"},
		"the registry %s refuses these credentials", "check registry_user and registry_password, and the rights of that user to the project"},
	{[]string{"no such host", "connection refused", "i/o timeout", "no route to host", "deadline exceeded"}, "the registry %s cannot be reached from there",
		`check its name and port, and the firewalls in between; with via = "star" the node needs no registry`},
	{[]string{"unexpected eof", "transport is closing", "connection reset"}, "the engine, or the registry %s, went away meanwhile",
		"see whether the engine runs there (systemctl status docker containerd), then apply again"},
}

func explainPull(exit *conn.ExitError, what, host string) error {
	text := strings.ToLower(exit.Stderr)
	for _, r := range refusals {
		for _, says := range r.says {
			if strings.Contains(text, says) {
				return module.Explain(&failure{what + ": " + fmt.Sprintf(r.means, host), exit}, withHost(r.remedy, host))
			}
		}
	}
	return explain(exit, what)
}

func withHost(remedy, host string) string {
	if !strings.Contains(remedy, "%") {
		return remedy
	}
	return fmt.Sprintf(remedy, host)
}
