package preflight

import (
	"context"
	"io"

	"github.com/adbsql/antdbctl/modules/image/elf"
	"github.com/adbsql/antdbctl/modules/image/rootfs"
)

// files opens an image's files for readers that never close them. Each costs a
// file descriptor while it is open, so only the last few stay open.
type files struct {
	ctx  context.Context
	tree *rootfs.Tree
	open []*file
}

const maxOpen = 64

var _ elf.Tree = (*files)(nil)

// Open gives the content behind a path, and the path without links.
func (s *files) Open(name string) (io.ReaderAt, string, error) {
	f := &file{of: s, path: name}
	real, err := f.reopen()
	return f, real, err
}

func (s *files) close() {
	for _, f := range s.open {
		_ = f.content.Close() // it was only read
		f.content = nil
	}
	s.open = nil
}

// file is one of the image's, open or not.
type file struct {
	of      *files
	path    string
	content *rootfs.File
}

func (f *file) reopen() (real string, err error) {
	if f.content, err = f.of.tree.Open(f.of.ctx, f.path); err != nil {
		return "", err
	}
	if len(f.of.open) == maxOpen {
		oldest := f.of.open[0]
		_ = oldest.content.Close()
		oldest.content, f.of.open = nil, f.of.open[1:]
	}
	f.of.open = append(f.of.open, f)
	return f.content.Entry.Path, nil
}

// ReadAt reads, after opening the file once more if need be.
func (f *file) ReadAt(p []byte, at int64) (int, error) {
	if f.content == nil {
		if _, err := f.reopen(); err != nil {
			return 0, err
		}
	}
	return f.content.ReadAt(p, at)
}

// text reads a small file whole; false when there is none that could be read.
func (s *files) text(path string) (string, bool) {
	f, err := s.tree.Open(s.ctx, path)
	if err != nil {
		return "", false
	}
	defer f.Close()
	all, err := io.ReadAll(io.LimitReader(f, 4<<20))
	return string(all), err == nil
}
