// Package layerdb reads images where this machine's own Docker keeps them. An
// image need not be saved to be looked into: beside the unpacked files of each
// layer, Docker keeps the recipe by which `docker save` makes the layer's tar of
// them, byte for byte. Following it gives that tar, at any offset, of nothing
// but the parts that somebody reads.
//
// Layers are found by their chain IDs, which say what they and all below them
// contain, so what is found is the image's whichever daemon was asked for it.
// Only root may read Docker's folder, and newer Dockers may keep images in
// containerd's instead: then ErrNotHere says to save the image.
package layerdb

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/rootfs"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// ErrNotHere is in the error of Find when the image cannot be read this way.
var ErrNotHere = errors.New("Docker's folder cannot be read from here")

// drivers keep the files of each layer in a folder of their own, below this one.
var drivers = map[string]struct{ dir, files string }{
	"overlay2":       {"overlay2", "diff"},
	"fuse-overlayfs": {"fuse-overlayfs", "diff"},
	"vfs":            {"vfs/dir", ""},
}

// Image is an image in Docker's folder.
type Image struct {
	Config []byte // as its ID is the digest of

	layers []*layer
}

var _ rootfs.Source = (*Image)(nil)

// Find finds an image in Docker's folder, by its ID and the digests of its
// layers. driver is Docker's storage driver.
func Find(folder, driver, id string, diffIDs []string) (*Image, error) {
	d, ok := drivers[driver]
	if !ok {
		return nil, fmt.Errorf("%w: it has the storage driver %s", ErrNotHere, driver)
	}
	meta := filepath.Join(folder, "image", driver)
	config, err := os.ReadFile(filepath.Join(meta, "imagedb", "content", "sha256", hexOf(id)))
	if err != nil {
		return nil, errors.Join(ErrNotHere, err)
	}
	if got := digest(config); got != id {
		return nil, fmt.Errorf("%w: the configuration of %s has the digest %s", ErrNotHere, id, got)
	}
	img := &Image{Config: config}
	chain := ""
	for _, diffID := range diffIDs {
		chain = next(chain, diffID)
		l, err := findLayer(filepath.Join(meta, "layerdb", "sha256", hexOf(chain)), diffID)
		if err != nil {
			return nil, errors.Join(ErrNotHere, err)
		}
		l.files = filepath.Join(folder, d.dir, l.cacheID, d.files)
		img.layers = append(img.layers, l)
	}
	return img, nil
}

// next is the chain ID of a layer on top of a chain.
func next(chain, diffID string) string {
	if chain == "" {
		return diffID
	}
	return digest([]byte(chain + " " + diffID))
}

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}

func hexOf(digest string) string { return strings.TrimPrefix(digest, "sha256:") }

var cacheID = regexp.MustCompile(`^[0-9a-z][0-9a-zA-Z-]{10,127}$`)

// findLayer reads what Docker notes about a layer.
func findLayer(dir, diffID string) (*layer, error) {
	id, err := os.ReadFile(filepath.Join(dir, "cache-id"))
	if err != nil {
		return nil, err
	}
	diff, err := os.ReadFile(filepath.Join(dir, "diff"))
	if err != nil {
		return nil, err
	}
	if string(diff) != diffID || !cacheID.Match(id) {
		return nil, fmt.Errorf("%s is not about the layer %s", dir, diffID)
	}
	pieces, size, err := readRecipe(filepath.Join(dir, "tar-split.json.gz"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return &layer{cacheID: string(id), digest: diffID, size: size, pieces: pieces}, nil
}

// Parts are the layers, from the base up.
func (i *Image) Parts() []store.Blob {
	var out []store.Blob
	for _, l := range i.layers {
		out = append(out, store.Blob{Digest: l.digest, Size: l.size})
	}
	return out
}

// OpenLayer opens a layer's tar. With headersOnly, files read as zeros.
func (i *Image) OpenLayer(n int, headersOnly bool) (rootfs.LayerReader, error) {
	l := i.layers[n]
	if headersOnly {
		return &reader{layer: l}, nil
	}
	// a root, for names in an image may lead anywhere
	root, err := os.OpenRoot(l.files)
	if err != nil {
		return nil, err
	}
	return &reader{layer: l, root: root}, nil
}
