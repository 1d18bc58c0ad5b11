// Package image builds, looks into and distributes container images.
//
// Its modules speak the command lines of the container engines (docker, ctr,
// podman) over a conn.Runner, so an image is handled in the same way on this
// machine, on a host over SSH and inside a node. Identity is always the digest
// of the image's configuration: it is what Docker calls the image ID, and it
// survives save and load on every engine, where manifest digests and archive
// checksums do not.
package image

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
)

var (
	idPattern   = regexp.MustCompile(`^(sha256:)?[0-9a-f]{64}$`)
	namePattern = regexp.MustCompile(`^((localhost|[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|[A-Za-z0-9.-]+:[0-9]+)(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$`)
)

// isID reports whether ref is an image ID and not a name.
func isID(ref string) bool { return idPattern.MatchString(ref) }

// fullName is a name as containerd and the kubelet keep it: "antdb" becomes
// "docker.io/library/antdb:latest". IDs stay as they are.
func fullName(ref string) string {
	if ref == "" || isID(ref) {
		return ref
	}
	domain, rest, ok := strings.Cut(ref, "/")
	if !ok || !(strings.ContainsAny(domain, ".:") || domain == "localhost") {
		domain, rest = "docker.io", ref
	}
	if domain == "docker.io" && !strings.Contains(rest, "/") {
		rest = "library/" + rest
	}
	if !strings.Contains(rest, ":") && !strings.Contains(rest, "@") {
		rest += ":latest"
	}
	return domain + "/" + rest
}

// familiar is fullName backwards: the name as Docker shows it.
func familiar(ref string) string {
	ref = strings.TrimPrefix(ref, "docker.io/")
	return strings.TrimPrefix(ref, "library/")
}

// sameName reports whether two names mean the same image for Docker.
func sameName(a, b string) bool { return fullName(a) == fullName(b) }

// checkNames refuses what no engine would take as an image's name.
func checkNames(arg string, refs ...string) error {
	for _, ref := range refs {
		if isID(ref) || !namePattern.MatchString(ref) {
			return module.At(arg, fmt.Errorf("%q is no image name: it is written [registry/]repository[:tag], the repository in lower case", ref))
		}
	}
	return nil
}

// short is an ID as people read it.
func short(id string) string {
	id = strings.TrimPrefix(id, "sha256:")
	if len(id) > 12 {
		id = id[:12]
	}
	return id
}

// size is a number of bytes as people read it.
func size(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for f >= 1024 && i < len(units)-1 {
		f, i = f/1024, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}
