package store

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Entry is one image in the manifest.json of an archive.
type Entry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// ID is the digest of the image's configuration, which names the file: as
// "<hex>.json" up to Docker 24, as "blobs/sha256/<hex>" since.
func (e Entry) ID() string {
	return "sha256:" + strings.TrimSuffix(path.Base(e.Config), ".json")
}

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

// Ingest takes an archive of one image apart and gives the image's ID. It reads
// the layouts of all Docker versions.
func (s Store) Ingest(r io.Reader) (id string, err error) {
	parts, manifest := map[string]Blob{}, []byte(nil)
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", err
		}
		name := path.Clean(h.Name)
		switch {
		case name == "manifest.json":
			if manifest, err = io.ReadAll(io.LimitReader(tr, 1<<20)); err != nil {
				return "", err
			}
		case h.Typeflag == tar.TypeSymlink: // the same layer once more
			parts[name] = parts[path.Join(path.Dir(name), h.Linkname)]
		case h.Typeflag == tar.TypeReg && !sideFile(name):
			if parts[name], err = s.Put(tr); err != nil {
				return "", err
			}
		}
	}
	entries, err := ParseManifest(manifest)
	if err != nil {
		return "", err
	}
	if len(entries) != 1 {
		return "", fmt.Errorf("the archive holds %d images, not one", len(entries))
	}
	return entries[0].ID(), s.complete(entries[0], parts)
}

// sideFile reports whether a file of an archive is no part of the image.
func sideFile(name string) bool {
	switch path.Base(name) {
	case "VERSION", "json", "repositories", "oci-layout", "index.json":
		return true
	}
	return false
}

// ParseManifest reads the manifest.json of an archive.
func ParseManifest(text []byte) ([]Entry, error) {
	if text == nil {
		return nil, errors.New("the archive has no manifest.json: it was not made by docker save")
	}
	var entries []Entry
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, fmt.Errorf("manifest.json of the archive: %w", err)
	}
	return entries, nil
}

// complete unpacks layers that came compressed, so that every layer is kept
// under the digest by which the configuration calls it.
func (s Store) complete(e Entry, parts map[string]Blob) error {
	if got := parts[path.Clean(e.Config)].Digest; got != e.ID() {
		return fmt.Errorf("the archive is damaged: the configuration %s has the digest %s", e.Config, got)
	}
	if _, err := s.Lookup(e.ID()); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, layer := range e.Layers {
		if err := s.unpack(parts[path.Clean(layer)].Digest); err != nil {
			return fmt.Errorf("layer %s: %w", layer, err)
		}
	}
	_, err := s.Lookup(e.ID())
	return err
}

func (s Store) unpack(digest string) error {
	f, err := os.Open(s.file(digest))
	if err != nil {
		return err
	}
	defer f.Close()
	magic := make([]byte, 4)
	if _, err := io.ReadFull(f, magic); err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	var plain io.Reader
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		if plain, err = gzip.NewReader(f); err != nil {
			return err
		}
	case bytes.Equal(magic, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
		if err != nil {
			return err
		}
		defer z.Close()
		plain = z
	default:
		return nil
	}
	_, err = s.Put(plain)
	return err
}
