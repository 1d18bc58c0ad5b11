// Package store keeps the parts of images on this machine, each under its
// digest, so that an image is saved once for many nodes and a layer once for
// many images. It reads the archives of all container engines and writes those
// that engines load, without the layers that they have.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Store is a folder of parts. Nothing but the parts is kept: an image's
// configuration names its layers. Processes may share a store, and it is safe
// for concurrent use.
//
// Callers may rely on this: a file of a part is whole and has the digest that
// names it. Its bytes were hashed while they were written, before it got its
// name, and are never written again; see settle.go for sudden stops. Parts of an archive get their
// names when all of them are there and its image is proved by its digest, so a
// bad archive leaves nothing behind.
type Store struct {
	dir  string
	boot string // see settle.go
	limits
}

// unusedFor is how long parts stay that no one asks for.
const unusedFor = 14 * 24 * time.Hour

// Open opens the store of this user.
func Open() (Store, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return Store{}, err
	}
	return At(filepath.Join(cache, "antdbctl", "images"))
}

// At opens the store in a folder, which it makes where there is none.
func At(dir string) (Store, error) {
	s := Store{dir, thisBoot(), defaults}
	if err := os.MkdirAll(s.path("blobs"), 0o700); err != nil {
		return s, err
	}
	return s, s.afterCrash()
}

// Dir is the store's folder, for messages.
func (s Store) Dir() string { return s.dir }

func (s Store) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

// Blob is a part of an image: its configuration or a layer, uncompressed.
type Blob struct {
	Digest string // sha256:…
	Size   int64
}

func (s Store) file(digest string) string {
	return s.path("blobs", strings.TrimPrefix(digest, "sha256:"))
}

// Image is an image of which the store has every part.
type Image struct {
	ID     string   // digest of the configuration
	Names  []string // in the archive that it was read from; none by Lookup
	Config Blob
	Layers []Blob // from the base up
	store  Store
}

// Lookup finds an image by its ID; fs.ErrNotExist when a part is missing.
func (s Store) Lookup(id string) (*Image, error) {
	config, err := os.ReadFile(s.file(id))
	if err != nil {
		return nil, err
	}
	diffIDs, err := parseConfig(config)
	if err != nil {
		return nil, fmt.Errorf("configuration of image %s: %w", digest12(id), err)
	}
	img := &Image{ID: id, Config: Blob{id, int64(len(config))}, store: s}
	for _, digest := range diffIDs {
		info, err := os.Stat(s.file(digest))
		if err != nil {
			return nil, err
		}
		img.Layers = append(img.Layers, Blob{digest, info.Size()})
	}
	return img, nil
}

// Open reads one of the image's parts: its configuration or a layer.
func (i *Image) Open(b Blob) (*os.File, error) { return os.Open(i.store.file(b.Digest)) }

// ConfigFile is the image's configuration, with its history.
func (i *Image) ConfigFile() (*v1.ConfigFile, error) {
	f, err := i.Open(i.Config)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return v1.ParseConfigFile(f)
}

// Touch marks the parts of the image as used today.
func (i *Image) Touch() {
	for _, b := range append(i.Layers, i.Config) {
		_ = touch(i.store.file(b.Digest)) // a mark alone: pruning too early costs a save
	}
}

// Size is that of all layers together.
func (i *Image) Size() (n int64) {
	for _, l := range i.Layers {
		n += l.Size
	}
	return n
}

// Put keeps what r gives, as it is, and says what it was.
func (s Store) Put(r io.Reader) (Blob, error) {
	in, err := s.receive()
	if err != nil {
		return Blob{}, err
	}
	defer in.discard()
	p, err := in.write(in.count(context.Background(), r))
	if err != nil {
		return Blob{}, explain(err, "a part", s.dir)
	}
	return p.Blob, in.enter(p)
}

// Prune drops what nobody used for long, and what interrupted saves left.
func (s Store) Prune() error {
	s.sweep()
	if err := s.settle(); err != nil {
		return err
	}
	return filepath.WalkDir(s.dir, func(p string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), "incoming-"):
			return fs.SkipDir // someone's who receives just now
		case d.IsDir():
			return nil
		}
		info, err := d.Info()
		if err == nil && time.Since(info.ModTime()) > unusedFor {
			err = os.Remove(p)
		}
		if errors.Is(err, fs.ErrNotExist) { // another process was faster
			return nil
		}
		return err
	})
}

// digest12 is a digest as people read it.
func digest12(digest string) string {
	digest = strings.TrimPrefix(digest, "sha256:")
	return digest[:min(len(digest), 12)]
}
