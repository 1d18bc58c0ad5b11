package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// store keeps the parts of images on this machine, each under its digest, so
// that an image is saved once for many nodes and a layer once for many images.
// Nothing but the parts is kept: an image's configuration names its layers.
// Files appear whole or not at all, so processes may share a store.
type store struct{ dir string }

// unusedFor is how long parts stay that no one asks for.
const unusedFor = 14 * 24 * time.Hour

// openStore opens the store of this user.
func openStore() (store, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return store{}, err
	}
	s := store{filepath.Join(cache, "antdbctl", "images")}
	return s, os.MkdirAll(s.path("blobs"), 0o700)
}

func (s store) path(names ...string) string {
	return filepath.Join(append([]string{s.dir}, names...)...)
}

// blob is a part of an image: its configuration or a layer, uncompressed.
type blob struct {
	Digest string // sha256:…
	Size   int64
}

func (s store) file(digest string) string {
	return s.path("blobs", strings.TrimPrefix(digest, "sha256:"))
}

// stored is an image of which the store has every part.
type stored struct {
	ID     string // digest of the configuration
	Config blob
	Layers []blob // from the base up
	store  store
}

// lookup finds an image by its ID; fs.ErrNotExist when a part is missing.
func (s store) lookup(id string) (*stored, error) {
	config, err := os.ReadFile(s.file(id))
	if err != nil {
		return nil, err
	}
	var body struct {
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	if err := json.Unmarshal(config, &body); err != nil {
		return nil, fmt.Errorf("configuration of image %s: %w", short(id), err)
	}
	img := &stored{ID: id, Config: blob{id, int64(len(config))}, store: s}
	for _, digest := range body.RootFS.DiffIDs {
		info, err := os.Stat(s.file(digest))
		if err != nil {
			return nil, err
		}
		img.Layers = append(img.Layers, blob{digest, info.Size()})
	}
	return img, nil
}

// touch marks the parts of the image as used today.
func (i *stored) touch() {
	now := time.Now()
	for _, b := range append(i.Layers, i.Config) {
		_ = os.Chtimes(i.store.file(b.Digest), now, now) // a mark alone: pruning too early costs a save
	}
}

// size is that of all layers together.
func (i *stored) size() (n int64) {
	for _, l := range i.Layers {
		n += l.Size
	}
	return n
}

// put keeps what r gives and says what it was.
func (s store) put(r io.Reader) (blob, error) {
	tmp, err := os.CreateTemp(s.dir, "incoming-")
	if err != nil {
		return blob{}, err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(tmp, sum), r)
	if err != nil {
		return blob{}, err
	}
	b := blob{"sha256:" + hex.EncodeToString(sum.Sum(nil)), n}
	if err := tmp.Sync(); err != nil {
		return b, err
	}
	return b, os.Rename(tmp.Name(), s.file(b.Digest))
}

// prune drops what nobody used for long, and what interrupted saves left.
func (s store) prune() error {
	return filepath.WalkDir(s.dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		limit := unusedFor
		if strings.HasPrefix(d.Name(), "incoming-") {
			limit = 24 * time.Hour
		}
		if time.Since(info.ModTime()) > limit {
			return os.Remove(p)
		}
		return nil
	})
}

// saves lets one image be saved once at a time in this process.
var saves = &turns{busy: map[string]chan struct{}{}}

// turns hands out one turn at a time for each key.
type turns struct {
	mu   sync.Mutex
	busy map[string]chan struct{}
}

// take waits for the turn; done gives it on.
func (t *turns) take(ctx context.Context, key string) (done func(), err error) {
	for {
		t.mu.Lock()
		wait, busy := t.busy[key]
		if !busy {
			mine := make(chan struct{})
			t.busy[key] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.busy, key)
				t.mu.Unlock()
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
