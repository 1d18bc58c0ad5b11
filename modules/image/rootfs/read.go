package rootfs

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/store"
)

// Layer is what one layer does to the tree.
type Layer struct {
	Digest  string
	Size    int64 // of its tar
	Added   int   // entries that were not there before
	Changed int   // entries that were
	Deleted int   // entries taken away, each thing in a folder counted
	Odd     []string

	changes []change
}

// limits bound what an image may make Read keep.
type limits struct {
	entries int // headers, and folders that were not listed
	bytes   int // of names and link targets
	steps   int // on the way from the root to an entry
}

// The largest images in use have some 500,000 entries of 60 bytes each. An entry
// takes 250 bytes and its name; reading the most takes half a gigabyte.
var most = limits{entries: 1 << 20, bytes: 256 << 20, steps: 1 << 28}

const (
	maxPath = 4096 // PATH_MAX: nothing longer can be unpacked
	maxOdd  = 20
)

// Source gives an image's layers as tars, wherever they lie.
type Source interface {
	// Parts are the layers, from the base up.
	Parts() []store.Blob
	// OpenLayer opens a layer by its index. With headersOnly, what is read of
	// the contents of files need not be true.
	OpenLayer(n int, headersOnly bool) (LayerReader, error)
}

// LayerReader reads a layer's tar at any offset.
type LayerReader interface {
	io.ReaderAt
	io.Closer
}

// Read reads the headers of all layers of an image in the store, from the base up.
func Read(ctx context.Context, img *store.Image) (*Tree, error) {
	t, err := ReadFrom(ctx, img.ID, stored{img})
	if err != nil {
		return nil, err
	}
	t.Image = img
	return t, nil
}

// stored is an image in the store as a Source.
type stored struct{ img *store.Image }

func (s stored) Parts() []store.Blob { return s.img.Layers }

func (s stored) OpenLayer(n int, _ bool) (LayerReader, error) { return s.img.Open(s.img.Layers[n]) }

// ReadFrom reads the headers of all layers of the image id, from the base up.
func ReadFrom(ctx context.Context, id string, from Source) (*Tree, error) {
	t := &Tree{from: from, limit: most}
	t.root = &node{meta: &meta{mode: fs.ModeDir | 0o755, implied: true, names: 1}}
	for n, l := range from.Parts() {
		t.Layers = append(t.Layers, Layer{Digest: l.Digest, Size: l.Size})
		if err := t.readLayer(ctx, n, l); err != nil {
			return nil, fmt.Errorf("layer %d of image %s: %w", n+1, id, err)
		}
	}
	return t, nil
}

// header is what is kept of a tar header until its layer is read.
type header struct {
	dir, base string // of its name; both empty for the root
	hard      string // target of a hard link
	meta      *meta
}

func (t *Tree) readLayer(ctx context.Context, n int, l store.Blob) error {
	f, err := t.from.OpenLayer(n, true)
	if err != nil {
		return err
	}
	defer f.Close()
	var gone, come []header // whatever their order, what goes is of lower layers
	in := newSkipper(f, l.Size)
	tr := tar.NewReader(in)
	for index := 0; ; index++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if index%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		kept, err := t.keep(n, h)
		if err != nil {
			return err
		}
		kept.meta.offset, kept.meta.index = in.at, index
		if strings.HasPrefix(kept.base, whiteout) {
			gone = append(gone, kept)
			continue
		}
		come = append(come, kept)
	}
	return t.apply(ctx, n, gone, come)
}

// keep takes from a header what the tree needs. Strings are copied: those of
// the tar reader may hold a whole megabyte of extended header.
func (t *Tree) keep(n int, h *tar.Header) (header, error) {
	t.limit.entries--
	t.limit.bytes -= len(h.Name) + len(h.Linkname)
	switch {
	case t.limit.entries < 0:
		return header{}, fmt.Errorf("the image has more than %d entries: no more is read", most.entries)
	case t.limit.bytes < 0:
		return header{}, fmt.Errorf("the names in the image are longer than %d MiB together: no more is read", most.bytes>>20)
	case len(h.Name) > maxPath || len(h.Linkname) > maxPath:
		return header{}, fmt.Errorf("%.60q…: a name of %d bytes, where no system takes more than %d", h.Name, max(len(h.Name), len(h.Linkname)), maxPath)
	}
	p := path.Clean("/" + h.Name)
	if name := strings.TrimPrefix(strings.TrimSuffix(h.Name, "/"), "./"); name != "." && "/"+name != p {
		t.odd(n, h.Name)
	}
	dir, base := path.Split(strings.Clone(p))
	kept := header{dir: dir, base: base, meta: &meta{
		mode: mode(h), uid: h.Uid, gid: h.Gid, mtime: h.ModTime.Unix(), layer: n, sparse: sparse(h),
	}}
	switch h.Typeflag {
	case tar.TypeLink:
		kept.hard = path.Clean("/" + strings.Clone(h.Linkname))
	case tar.TypeSymlink:
		kept.meta.link = strings.Clone(h.Linkname)
	}
	if kept.meta.mode.IsRegular() {
		kept.meta.size = h.Size
	}
	return kept, nil
}

// odd notes a name that is not written as names in layers are.
func (t *Tree) odd(n int, name string) {
	if l := &t.Layers[n]; len(l.Odd) < maxOdd {
		l.Odd = append(l.Odd, strings.Clone(name))
	}
}

func mode(h *tar.Header) fs.FileMode {
	m := fs.FileMode(h.Mode & 0o777)
	for i, bit := range []fs.FileMode{fs.ModeSticky, fs.ModeSetgid, fs.ModeSetuid} {
		if h.Mode&(0o1000<<i) != 0 {
			m |= bit
		}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		m |= fs.ModeDir
	case tar.TypeSymlink:
		m |= fs.ModeSymlink
	case tar.TypeChar:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case tar.TypeBlock:
		m |= fs.ModeDevice
	case tar.TypeFifo:
		m |= fs.ModeNamedPipe
	case tar.TypeReg, tar.TypeLink, tar.TypeGNUSparse, tar.TypeCont:
	default:
		m |= fs.ModeIrregular
	}
	return m
}

// sparse reports whether the layer leaves holes of the file out, so that its
// content does not lie there in one piece.
func sparse(h *tar.Header) bool {
	if h.Typeflag == tar.TypeGNUSparse {
		return true
	}
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}
