// Package rootfs looks into the file system that the layers of an image make
// together, without starting a container.
package rootfs

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/store"
)

// found is an entry of a layer at a path that someone asked for.
type found struct {
	layer int
	typ   byte
	mode  int64
	size  int64
	link  string // where a link points, absolute
}

// search looks for paths in the file system that an image's layers make
// together. It keeps nothing but what was asked for, however large the image.
type search struct {
	img  *store.Image
	want map[string]bool
	have map[string]*found
}

// maxLinks is where following symbolic links ends, as in the kernel.
const maxLinks = 40

// Find tells what the image has at each of the paths. A link on the way leads
// to paths that nobody asked for before; then the layers are read once more,
// headers only.
func Find(ctx context.Context, i *store.Image, paths []string) (map[string]File, error) {
	s := &search{img: i, want: map[string]bool{}}
	for _, p := range paths {
		s.ask(path.Clean(p))
	}
	for range maxLinks {
		if err := s.scan(ctx); err != nil {
			return nil, err
		}
		files, complete := map[string]File{}, true
		for _, p := range paths {
			f, ok := s.resolve(path.Clean(p))
			files[p] = f
			complete = complete && ok
		}
		if complete {
			return files, nil
		}
	}
	return nil, fmt.Errorf("image %s: too many symbolic links on the way to %s", i.ID, strings.Join(paths, ", "))
}

// ask wants a path and all folders above it. It says whether they were wanted
// before.
func (s *search) ask(p string) (known bool) {
	known = true
	for ; p != "/"; p = path.Dir(p) {
		known = known && s.want[p]
		s.want[p] = true
	}
	return known
}

// scan reads the headers of all layers, from the base up.
func (s *search) scan(ctx context.Context) error {
	s.have = map[string]*found{}
	for n, l := range s.img.Layers {
		if err := s.scanLayer(ctx, n, l); err != nil {
			return fmt.Errorf("layer %d of image %s: %w", n+1, s.img.ID, err)
		}
	}
	return nil
}

func (s *search) scanLayer(ctx context.Context, n int, l store.Blob) error {
	f, err := s.img.Open(l)
	if err != nil {
		return err
	}
	defer f.Close()
	tr := tar.NewReader(f) // seeks over the contents
	for ctx.Err() == nil {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		s.entry(n, h)
	}
	return ctx.Err()
}

// entry lets one entry of layer n have its effect. Names beginning ".wh." take
// away what lower layers have.
func (s *search) entry(n int, h *tar.Header) {
	p := path.Clean("/" + h.Name)
	dir, base := path.Split(p)
	dir = path.Clean(dir)
	switch {
	case base == ".wh..wh..opq":
		s.hide(dir, n)
		return
	case strings.HasPrefix(base, ".wh."):
		gone := path.Join(dir, strings.TrimPrefix(base, ".wh."))
		if f := s.have[gone]; f != nil && f.layer < n {
			delete(s.have, gone)
		}
		s.hide(gone, n)
		return
	case !s.want[p]:
		return
	}
	f := &found{layer: n, typ: h.Typeflag, mode: h.Mode & 0o7777, size: h.Size}
	switch h.Typeflag {
	case tar.TypeSymlink:
		f.link = h.Linkname
		if !path.IsAbs(f.link) {
			f.link = path.Join(dir, f.link)
		}
		f.link = path.Clean(f.link)
	case tar.TypeLink:
		f.link = path.Clean("/" + h.Linkname)
	}
	if h.Typeflag != tar.TypeDir {
		s.hide(p, n)
	}
	s.have[p] = f
}

// hide drops what layers below n have under a folder.
func (s *search) hide(dir string, n int) {
	prefix := strings.TrimSuffix(dir, "/") + "/"
	for p, f := range s.have {
		if f.layer < n && strings.HasPrefix(p, prefix) {
			delete(s.have, p)
		}
	}
}

// resolve follows a path from the root. It is not complete when a link leads to
// where the last scan did not look.
func (s *search) resolve(p string) (file File, complete bool) {
	at, rest := "/", strings.TrimPrefix(p, "/")
	if rest == "" {
		return File{Exists: true, Type: "directory", Mode: "0755"}, true
	}
	for hops := 0; ; {
		part, more, _ := strings.Cut(rest, "/")
		at, rest = path.Join(at, part), more
		f := s.have[at]
		switch {
		case f == nil && rest == "":
			return File{}, true
		case f == nil: // an archive may leave a folder out that it has files of
		case f.link != "":
			if hops++; hops > maxLinks {
				return File{}, true // a ring of links leads nowhere
			}
			target := path.Join(f.link, rest)
			if !s.ask(target) {
				return File{}, false
			}
			at, rest = "/", strings.TrimPrefix(target, "/")
			if rest == "" {
				return File{Exists: true, Type: "directory", Mode: "0755"}, true
			}
		case rest == "":
			return File{Exists: true, Type: typeName(f.typ), Size: f.size, Mode: fmt.Sprintf("%04o", f.mode)}, true
		case f.typ != tar.TypeDir:
			return File{}, true
		}
	}
}

func typeName(typ byte) string {
	switch typ {
	case tar.TypeReg:
		return "file"
	case tar.TypeDir:
		return "directory"
	}
	return "other"
}

// File is what an image has at a path.
type File struct {
	Exists bool   `cty:"exists"`
	Type   string `cty:"type"`
	Size   int64  `cty:"size"`
	Mode   string `cty:"mode"`
}
