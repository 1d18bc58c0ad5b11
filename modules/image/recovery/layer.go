package recovery

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/modules/image/rootfs"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// layer is what one layer adds, by clean names without a leading slash.
type layer struct {
	entries []*tar.Header
	gone    []string // taken away
}

const whiteout = ".wh."

// readLayer reads the headers of a layer. Names cannot lead out of it.
func readLayer(ctx context.Context, img *store.Image, n int) (*layer, error) {
	l := &layer{}
	err := eachEntry(ctx, img, n, func(h *tar.Header, _ io.Reader) error {
		dir, base := path.Split(h.Name)
		if name, ok := strings.CutPrefix(base, whiteout); ok {
			if !strings.HasPrefix(name, whiteout) {
				l.gone = append(l.gone, dir+name)
			}
			return nil
		}
		if h.Name != "" {
			l.entries = append(l.entries, h)
		}
		return nil
	})
	return l, err
}

// eachEntry goes over a layer's archive. Names come clean.
func eachEntry(ctx context.Context, img *store.Image, n int, fn func(*tar.Header, io.Reader) error) error {
	f, err := img.Open(img.Layers[n])
	if err != nil {
		return err
	}
	defer f.Close()
	tr := tar.NewReader(f)
	for ctx.Err() == nil {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("layer %d: %w", n+1, err)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		h.Name = clean(h.Name)
		if h.Typeflag == tar.TypeLink {
			h.Linkname = clean(h.Linkname)
		}
		if err := fn(h, tr); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// clean makes a name relative to the root, which it cannot leave.
func clean(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// release reads what tells the system of the image's first layer.
func release(ctx context.Context, img *store.Image) (osRelease, detail string, err error) {
	if len(img.Layers) == 0 {
		return "", "", nil
	}
	first := *img
	first.Layers = img.Layers[:1]
	tree, err := rootfs.Read(ctx, &first)
	if err != nil {
		return "", "", err
	}
	if osRelease, err = readSmall(ctx, tree, "/etc/os-release"); err != nil {
		return "", "", err
	}
	detail, err = readSmall(ctx, tree, "/etc/centos-release")
	return osRelease, detail, err
}

func readSmall(ctx context.Context, tree *rootfs.Tree, name string) (string, error) {
	if e, ok := tree.Stat(name); !ok || !e.Mode.IsRegular() {
		return "", nil
	}
	f, err := tree.Open(ctx, name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 64<<10))
	return string(text), err
}

// writeBase writes what the first layers make together as an archive.
func writeBase(ctx context.Context, img *store.Image, layers int, w io.Writer) error {
	if layers == 1 { // as it is, with all that a tree does not keep
		f, err := img.Open(img.Layers[0])
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	}
	base := *img
	base.Layers = img.Layers[:layers]
	tree, err := rootfs.Read(ctx, &base)
	if err != nil {
		return err
	}
	tw := tar.NewWriter(w)
	var files []string
	entries := map[string]rootfs.Entry{}
	for e := range tree.All() {
		if e.Mode.IsRegular() {
			files = append(files, e.Path)
			entries[e.Path] = e
			continue
		}
		h, err := tar.FileInfoHeader(entryInfo{e}, e.Link)
		if err != nil {
			continue // a socket has no place in an archive
		}
		if err := tw.WriteHeader(placed(h, e)); err != nil {
			return err
		}
	}
	err = tree.Each(ctx, files, func(p string, f *rootfs.File) error {
		e := entries[p]
		h, err := tar.FileInfoHeader(entryInfo{e}, "")
		if err != nil {
			return err
		}
		if err := tw.WriteHeader(placed(h, e)); err != nil {
			return err
		}
		_, err = io.Copy(tw, f)
		return err
	})
	return errors.Join(err, tw.Close())
}

func placed(h *tar.Header, e rootfs.Entry) *tar.Header {
	h.Name = strings.TrimPrefix(e.Path, "/")
	if e.IsDir() {
		h.Name += "/"
	}
	h.Uid, h.Gid = e.UID, e.GID
	return h
}

// entryInfo is an entry as a file's description.
type entryInfo struct{ e rootfs.Entry }

func (i entryInfo) Name() string       { return path.Base(i.e.Path) }
func (i entryInfo) Size() int64        { return i.e.Size }
func (i entryInfo) Mode() fs.FileMode  { return i.e.Mode }
func (i entryInfo) ModTime() time.Time { return i.e.ModTime }
func (i entryInfo) IsDir() bool        { return i.e.IsDir() }
func (i entryInfo) Sys() any           { return nil }

// flatten writes the base's files beside the Dockerfile.
func (p *placer) flatten(layers int) (name string, err error) {
	if layers == 0 {
		return "", errors.New("its rows made no layer")
	}
	name = p.claim("base.tar")
	if err := p.open(); err != nil {
		return "", err
	}
	f, err := p.root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return "", err
	}
	err = writeBase(p.ctx, p.img, layers, f)
	return name, errors.Join(err, f.Close())
}
