package rootfs

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// File is an open file of an image: a reader, also at any offset, of its content.
type File struct {
	*io.SectionReader
	Entry Entry
	layer LayerReader // nil when whoever opened it closes it
}

// Close ends reading.
func (f *File) Close() error {
	if f.layer == nil {
		return nil
	}
	return f.layer.Close()
}

// maxSparse bounds the files with holes that are read: those are made whole in
// memory, and a tar of a few bytes may have one of many terabytes.
const maxSparse = 64 << 20

// Open opens the file at a path, following symbolic links in the image. Nothing
// but what the reader asks for is read.
func (t *Tree) Open(ctx context.Context, p string) (*File, error) {
	n, err := t.file(p)
	if err != nil {
		return nil, err
	}
	layer, err := t.from.OpenLayer(n.meta.layer, false)
	if err != nil {
		return nil, err
	}
	f, err := t.within(ctx, layer, n)
	if err != nil {
		_ = layer.Close()
		return nil, err
	}
	f.layer = layer
	return f, nil
}

// file finds a regular file; the errors are those of a file system.
func (t *Tree) file(p string) (*node, error) {
	n := t.find(p, true)
	switch {
	case n == nil:
		return nil, &fs.PathError{Op: "open", Path: p, Err: fs.ErrNotExist}
	case n.isDir():
		return nil, &fs.PathError{Op: "open", Path: p, Err: errors.New("is a directory")}
	case !n.meta.mode.IsRegular():
		return nil, &fs.PathError{Op: "open", Path: p, Err: errors.New("is not a regular file")}
	}
	return n, nil
}

func (t *Tree) within(ctx context.Context, layer LayerReader, n *node) (*File, error) {
	f := &File{Entry: n.entry(n.path())}
	if !n.meta.sparse {
		f.SectionReader = io.NewSectionReader(layer, n.meta.offset, n.meta.size)
		return f, nil
	}
	if n.meta.size > maxSparse {
		return nil, fmt.Errorf("%s: a file with holes of %d MiB is not read", f.Entry.Path, n.meta.size>>20)
	}
	tr := tar.NewReader(io.NewSectionReader(layer, 0, t.Layers[n.meta.layer].Size))
	for range n.meta.index + 1 {
		if _, err := tr.Next(); err != nil {
			return nil, fmt.Errorf("%s: %w", f.Entry.Path, err)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	content, err := io.ReadAll(tr)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Entry.Path, err)
	}
	f.SectionReader = io.NewSectionReader(bytes.NewReader(content), 0, int64(len(content)))
	return f, nil
}

// Each reads many files in the order in which they lie in the layers, which is
// fastest. It calls read once for each path, with the path as given; the
// file is closed after that. A path without a regular file ends it, before
// anything is read.
func (t *Tree) Each(ctx context.Context, paths []string, read func(p string, f *File) error) error {
	type item struct {
		path string
		node *node
	}
	items := make([]item, 0, len(paths))
	for _, p := range paths {
		n, err := t.file(p)
		if err != nil {
			return err
		}
		items = append(items, item{p, n})
	}
	slices.SortStableFunc(items, func(a, b item) int {
		return cmp.Or(a.node.meta.layer-b.node.meta.layer, cmp.Compare(a.node.meta.offset, b.node.meta.offset))
	})
	var layer LayerReader
	open := -1
	shut := func() {
		if layer != nil {
			_ = layer.Close() // it was only read
		}
	}
	defer func() { shut() }()
	for _, i := range items {
		if err := ctx.Err(); err != nil {
			return err
		}
		if n := i.node.meta.layer; n != open {
			shut()
			layer = nil
			var err error
			if layer, err = t.from.OpenLayer(n, false); err != nil {
				return err
			}
			open = n
		}
		f, err := t.within(ctx, layer, i.node)
		if err != nil {
			return err
		}
		if err := read(i.path, f); err != nil {
			return err
		}
	}
	return nil
}
