package image

import (
	"archive/tar"
	"bytes"
	"context"
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

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// archiveEntry is one image in the manifest.json of an archive.
type archiveEntry struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// id is the digest of the image's configuration, which names the file: as
// "<hex>.json" up to Docker 24, as "blobs/sha256/<hex>" since.
func (e archiveEntry) id() string {
	return "sha256:" + strings.TrimSuffix(path.Base(e.Config), ".json")
}

// fetch gives the image from the store, after saving it from where docker has
// it if need be.
func (s store) fetch(ctx context.Context, env *module.Env, d docker, info imageInfo) (*stored, error) {
	done, err := saves.take(ctx, info.ID)
	if err != nil {
		return nil, err
	}
	defer done()
	if img, err := s.lookup(s.configOf(info.ID)); err == nil {
		img.touch()
		return img, nil
	}
	env.Phase("save")
	var id string
	err = drain(ctx, d, conn.Command("docker", "image", "save", info.ID), func(r io.Reader) (err error) {
		id, err = s.ingest(&progressReader{r, env, info.Size, 0})
		return err
	})
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
		return nil, d.explain(err, "save "+short(info.ID))
	}
	if err != nil {
		return nil, module.Explain(fmt.Errorf("save %s into %s: %w", short(info.ID), s.dir, err),
			"the folder must be writable and have room for the image; XDG_CACHE_HOME says where it lies")
	}
	if id != info.ID {
		if err := s.setConfigOf(info.ID, id); err != nil {
			return nil, err
		}
	}
	if err := s.prune(); err != nil {
		env.Logf("warning: %s", err)
	}
	return s.lookup(id)
}

// configOf is the digest of an image's configuration. It is the ID itself,
// except where Docker keeps its images in containerd's store: there the ID is
// the manifest's digest, and only a save has told us.
func (s store) configOf(id string) string {
	if text, err := os.ReadFile(s.path("ids", short64(id))); err == nil {
		return string(text)
	}
	return id
}

func (s store) setConfigOf(id, config string) error {
	if err := os.MkdirAll(s.path("ids"), 0o700); err != nil {
		return err
	}
	return os.WriteFile(s.path("ids", short64(id)), []byte(config), 0o600)
}

func short64(id string) string { return strings.TrimPrefix(id, "sha256:") }

// ingest takes an archive of one image apart and gives the image's ID. It reads
// the layouts of all Docker versions.
func (s store) ingest(r io.Reader) (id string, err error) {
	parts, manifest := map[string]blob{}, []byte(nil)
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
			if parts[name], err = s.put(tr); err != nil {
				return "", err
			}
		}
	}
	entries, err := parseManifest(manifest)
	if err != nil {
		return "", err
	}
	if len(entries) != 1 {
		return "", fmt.Errorf("the archive holds %d images, not one", len(entries))
	}
	return entries[0].id(), s.complete(entries[0], parts)
}

// sideFile reports whether a file of an archive is no part of the image.
func sideFile(name string) bool {
	switch path.Base(name) {
	case "VERSION", "json", "repositories", "oci-layout", "index.json":
		return true
	}
	return false
}

func parseManifest(text []byte) ([]archiveEntry, error) {
	if text == nil {
		return nil, errors.New("the archive has no manifest.json: it was not made by docker save")
	}
	var entries []archiveEntry
	if err := json.Unmarshal(text, &entries); err != nil {
		return nil, fmt.Errorf("manifest.json of the archive: %w", err)
	}
	return entries, nil
}

// complete unpacks layers that came compressed, so that every layer is kept
// under the digest by which the configuration calls it.
func (s store) complete(e archiveEntry, parts map[string]blob) error {
	if got := parts[path.Clean(e.Config)].Digest; got != e.id() {
		return fmt.Errorf("the archive is damaged: the configuration %s has the digest %s", e.Config, got)
	}
	if _, err := s.lookup(e.id()); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, layer := range e.Layers {
		if err := s.unpack(parts[path.Clean(layer)].Digest); err != nil {
			return fmt.Errorf("layer %s: %w", layer, err)
		}
	}
	_, err := s.lookup(e.id())
	return err
}

func (s store) unpack(digest string) error {
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
	_, err = s.put(plain)
	return err
}

// progressReader reports how much was read.
type progressReader struct {
	r     io.Reader
	env   *module.Env
	total int64
	n     int64
}

func (p *progressReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.n += int64(n)
	p.env.Progress(p.n, max(p.total, p.n), "B")
	return n, err
}
