package store

import (
	"os"
	"strings"
)

// ConfigOf is the digest of an image's configuration. It is the ID itself,
// except where Docker keeps its images in containerd's store: there the ID is
// the manifest's digest, and only a save has told us.
func (s Store) ConfigOf(id string) string {
	if text, err := os.ReadFile(s.path("ids", short64(id))); err == nil {
		return string(text)
	}
	return id
}

// SetConfigOf remembers the digest of the configuration of the image that an
// engine calls id.
func (s Store) SetConfigOf(id, config string) error {
	if err := os.MkdirAll(s.path("ids"), 0o700); err != nil {
		return err
	}
	return os.WriteFile(s.path("ids", short64(id)), []byte(config), 0o600)
}

func short64(id string) string { return strings.TrimPrefix(id, "sha256:") }
