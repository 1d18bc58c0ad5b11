package preflight

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/rootfs"
)

// mostLayers is what Docker's overlay driver can mount.
const mostLayers = 127

var (
	// a NAME=value whose name says that the value is a secret
	secretPair = regexp.MustCompile(`(?i)\b([a-z0-9_]*(?:password|passwd|passphrase|secret|token|api_?key|access_?key|private_?key))=("[^"]*"|'[^']*'|[^\s"';&|]+)`)
	secretURL  = regexp.MustCompile(`\b([a-z][a-z0-9+.-]*)://[^\s/:@]+:([^\s/@]+)@`)
	secretText = regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{36}\b`)
	keyName    = regexp.MustCompile(`^(id_(rsa|dsa|ecdsa|ed25519)|ssh_host_[a-z0-9]+_key|\.pgpass|\.git-credentials|\.netrc|server\.key|.*\.p12)$`)
)

// B6.18: what everybody sees who has the image.
func (s *subject) exposure(f *finding) {
	var size int64
	for _, l := range s.tree.Layers {
		size += l.Size
	}
	f.notef("%d MiB in %s", size>>20, plural(len(s.tree.Layers), "layer"))
	if n := len(s.tree.Layers); n > mostLayers {
		f.failf("Join RUN lines: engines mount no more than 127 layers.", "%d layers", n)
	}
	_, err := rootfs.History(s.config)
	if err != nil {
		f.notef("%s", err)
	}
	s.secretsInHistory(f, err == nil)
	for _, pair := range s.config.Config.Env {
		if name := secretIn(pair); name != "" {
			f.failf(publicRemedy, "the environment holds a secret: %s", name)
		}
	}
	s.secretFiles(f)
}

const publicRemedy = "Give secrets at run time, or to the build with RUN --mount=type=secret; change this one, for it is public to all who have the image."

// secretsInHistory looks at every line of the history. named says that the
// history tells which line made which layer.
func (s *subject) secretsInHistory(f *finding, named bool) {
	layer := -1
	for _, h := range s.config.History {
		if !h.EmptyLayer {
			layer++
		}
		name := secretIn(h.CreatedBy)
		if name == "" {
			continue
		}
		f.failf(publicRemedy, "the history holds a secret: %s", name)
		if !h.EmptyLayer && named && f.Layer == 0 {
			f.Layer = layer + 1 // the line itself is not repeated
		}
	}
}

// secretIn tells the name of a secret in a text, and never the secret.
func secretIn(text string) string {
	for _, m := range secretPair.FindAllStringSubmatch(text, -1) {
		if value := strings.Trim(m[2], `"'`); isSecret(value) {
			return m[1] + "=…"
		}
	}
	if m := secretURL.FindStringSubmatch(text); m != nil && isSecret(m[2]) {
		return "a password in a " + m[1] + " address"
	}
	if secretText.MatchString(text) {
		return "a private key or token"
	}
	return ""
}

// isSecret leaves out what only stands for a value or says where it is.
func isSecret(value string) bool {
	switch strings.ToLower(value) {
	case "", "true", "false", "none", "null", "yes", "no", "md5", "scram-sha-256":
		return false
	}
	return !strings.HasPrefix(value, "$") && !strings.HasPrefix(value, "/") && !strings.HasPrefix(value, "<")
}

// secretFiles finds private keys and password files, also those that a later
// layer deletes: the layer is still in the image.
func (s *subject) secretFiles(f *finding) {
	for e := range s.tree.All() {
		if e.Mode.IsRegular() && keyName.MatchString(path.Base(e.Path)) && e.Size > 0 {
			f.warnf("Take it out of the layer that brings it, and make keys at run time.", "%s is in the image, the same for everybody who has it", e.Path)
			f.at(e.Layer)
		}
	}
	for n, l := range s.tree.Layers {
		if l.Deleted == 0 {
			continue
		}
		var gone []string
		for _, c := range s.tree.Changes(n) {
			if c.Op == rootfs.Deleted && c.Entry.Mode.IsRegular() && c.Entry.Size > 0 && keyName.MatchString(path.Base(c.Entry.Path)) {
				gone = append(gone, fmt.Sprintf("%s (in layer %d)", c.Entry.Path, c.Entry.Layer+1))
			}
		}
		slices.Sort(gone)
		for _, p := range gone {
			f.warnf("Delete it in the RUN that makes it.", "layer %d deletes %s, which stays in the image below it", n+1, p)
		}
	}
}
