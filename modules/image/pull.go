package image

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
	"github.com/adbsql/antdbctl/modules/image/registry"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// origin is a registry as a node's engine sees it, and one image there.
type origin struct {
	scheme string // http or https
	host   string // with the port
	ref    string // HOST/REPOSITORY@DIGEST: the engine itself refuses any other content
	auth   secret.Value
	ids    []string // what the engine may call the image
}

// basic is what registries take as the credentials of a user.
func basic(user string, password secret.Value) secret.Value {
	return secret.New(base64.StdEncoding.EncodeToString([]byte(user + ":" + password.Reveal())))
}

// pull makes the node's engine fetch the image by itself: from the registry that
// the step names, else from one inside this process that the node reaches
// through its SSH connection. The names are given to nothing but the image, and
// no other name of it stays. With a registry, img is not asked for and may be nil.
func (s *Ship) pull(ctx context.Context, env *module.Env, img *store.Image) error {
	if s.Registry != "" {
		from, err := s.push(ctx, env)
		if err != nil {
			return err
		}
		return s.pullFrom(ctx, env, from)
	}
	from, stop, err := s.serve(ctx, env, img)
	if err != nil {
		return err
	}
	defer stop()
	return s.pullFrom(ctx, env, from)
}

// serve serves the image on the node's loopback, where everybody may knock and
// only who has the password gets in.
func (s *Ship) serve(ctx context.Context, env *module.Env, img *store.Image) (from origin, stop func(), err error) {
	host, ok := conn.As[conn.Listener](env.Host)
	if !ok {
		return from, nil, module.At("via", module.Explain(conn.NotSupported(env.Target.String(), "serve a registry there"),
			`give a registry that the node reaches, or use via = "star"`))
	}
	far, err := host.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return from, nil, module.At("via", err)
	}
	repository := "antdbctl/" + short(img.ID)
	r := registry.New(registry.Image{Repository: repository, Tag: "latest", Image: img})
	sent := &handedOut{env: env, total: s.missing(img)}
	r.Sent = sent.add
	server := &http.Server{Handler: r, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(far) // a node that is lost fails the pull, which says more
	}()
	stop = func() {
		_ = server.Close()
		<-served
		s.Bytes += sent.n
	}
	digest := r.Digest(repository)
	return origin{
		scheme: "http", host: far.Addr().String(), ref: far.Addr().String() + "/" + repository + "@" + digest,
		auth: basic(registry.User, r.Password()), ids: []string{img.ID, digest},
	}, stop, nil
}

// missing is how many bytes of layers the node lacks, as far as is known.
func (s *Ship) missing(img *store.Image) (n int64) {
	var digests []string
	for _, l := range img.Layers {
		digests = append(digests, l.Digest)
	}
	there := s.node.layersThere(digests)
	for _, l := range img.Layers {
		if !there[l.Digest] {
			n += l.Size
		}
	}
	return n
}

// handedOut reports the bytes that a registry hands out, to several
// connections at once.
type handedOut struct {
	env   *module.Env
	total int64

	mu      sync.Mutex
	n, told int64
}

func (h *handedOut) add(n int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.n += int64(n)
	if h.n-h.told >= 1<<20 || h.n >= h.total {
		h.told = h.n
		h.env.Progress(h.n, max(h.n, h.total), "B")
	}
}

// pullFrom pulls, looks whether it got the image, and names it.
func (s *Ship) pullFrom(ctx context.Context, env *module.Env, from origin) error {
	env.Phase("pull")
	engine := s.node.engine
	defer s.dropInterim(ctx, env, from.ref)
	cmd := s.node.ctr(pullScripts[engine], s.Namespace, from.scheme, from.host, from.ref)
	credentials := from.auth
	if engine == "containerd" {
		credentials = from.authorization(ctx, env)
	}
	cmd.Stdin = strings.NewReader(credentials.Reveal())
	_, err := env.Run(ctx, cmd)
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
		return module.At(s.pullArgument(), explainPull(exit, fmt.Sprintf("pull %s into %s of %s", s.names()[0], engine, env.Target), from.host))
	}
	if err != nil {
		return err
	}
	n, err := lookAt(ctx, env, s.Runtime, s.Namespace, from.ids[0], []string{from.ref})
	if err != nil {
		return err
	}
	if !n.has(from.ref, from.ids...) {
		return fmt.Errorf("%s of %s pulled %s and got another image than %s", engine, env.Target, from.ref, short(from.ids[0]))
	}
	_, err = env.Run(ctx, s.node.ctr(nameScripts[engine], append([]string{s.Namespace, from.ref}, s.names()...)...))
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
		return explain(exit, fmt.Sprintf("name %s on %s", s.names()[0], env.Target))
	}
	return err
}

// pullArgument is the argument that a failed pull is about.
func (s *Ship) pullArgument() string {
	if s.Registry != "" {
		return "registry"
	}
	return "via"
}

// dropInterim takes the name away under which the image was pulled; where the
// pull failed there is none.
func (s *Ship) dropInterim(ctx context.Context, env *module.Env, ref string) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer stop()
	_, _ = env.Run(ctx, s.node.ctr(dropScripts[s.node.engine], s.Namespace, ref))
}

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
		"podman": asUser + `set -- "$2" "$3" "$4"
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
		"podman":     nameByDocker("podman"),
		"containerd": `ns=$1 ref=$2; shift 2; for name; do ctr -n "$ns" images tag --force "$ref" "$name" >/dev/null || exit 1; done`,
	}
	dropScripts = map[string]string{
		"docker":     `docker image rm "$2" >/dev/null`,
		"podman":     `podman image untag "$2" "$2" >/dev/null`,
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
