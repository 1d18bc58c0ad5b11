package store

import (
	"archive/tar"
	"context"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
)

// walkTar gives the files of a tar to visit, in their order, and their links to
// the listing.
func walkTar(r io.Reader, l *listing, lim limits, visit func(name string, h *tar.Header, r io.Reader) error) error {
	l.links = map[string]string{}
	tr, last := tar.NewReader(r), "its beginning"
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return explain(err, last, "")
		}
		name, err := l.note(h.Name, lim.entries)
		if err != nil {
			return err
		}
		last = name
		delete(l.links, name) // as in every tar, the last one counts
		switch {
		case h.Typeflag == tar.TypeSymlink:
			l.links[name] = h.Linkname
			if !path.IsAbs(h.Linkname) {
				l.links[name] = path.Join(path.Dir(name), h.Linkname)
			}
		case h.Typeflag == tar.TypeLink:
			l.links[name] = path.Clean(h.Linkname)
		case h.Typeflag == tar.TypeGNUSparse, h.PAXRecords["GNU.sparse.major"] != "", h.PAXRecords["GNU.sparse.map"] != "":
			return suspicious("%s in the archive is a sparse file", name)
		case h.Typeflag == tar.TypeReg:
			err = visit(name, h, tr)
		}
		if err != nil {
			return err
		}
		if to, ok := l.links[name]; ok && !fs.ValidPath(to) {
			return suspicious("%s in the archive is a link out of it: %.100q", name, h.Linkname)
		}
	}
}

// tarFile is an archive that lies in a file, not packed: its parts can be read
// where they are.
type tarFile struct {
	in    *incoming
	f     *os.File
	index listing
	at    map[string]span
}

type span struct{ offset, size int64 }

func openTar(in *incoming, f *os.File) (*tarFile, error) {
	t := &tarFile{in: in, f: f, at: map[string]span{}}
	return t, walkTar(f, &t.index, in.limits, func(name string, h *tar.Header, _ io.Reader) error {
		offset, err := f.Seek(0, io.SeekCurrent) // a tar is read by blocks, so it is where the file's data begins
		t.at[name] = span{offset, h.Size}
		return err
	})
}

func (t *tarFile) about() *listing { return &t.index }

func (t *tarFile) open(name string) (io.Reader, error) {
	name, err := t.index.target(name)
	if err != nil {
		return nil, err
	}
	at, ok := t.at[name]
	if !ok {
		return nil, fs.ErrNotExist
	}
	return io.NewSectionReader(t.f, at.offset, at.size), nil
}

func (t *tarFile) small(name string) ([]byte, error) {
	r, err := t.open(name)
	if err != nil {
		return nil, err
	}
	return readSmall(r, name, t.in.limits.small)
}

func (t *tarFile) take(ctx context.Context, name, diffID string) (part, error) {
	r, err := t.open(name)
	if err != nil {
		return part{}, err
	}
	return t.in.take(t.in.count(ctx, r), name, wanted{plain: diffID})
}

// stream is an archive that can be read once only, so all that may be a part
// is kept until the end tells what is.
type stream struct {
	in    *incoming
	index listing
	parts map[string]part
}

func readStream(ctx context.Context, in *incoming, r io.Reader) (*stream, error) {
	s := &stream{in: in, parts: map[string]part{}}
	err := walkTar(r, &s.index, in.limits, func(name string, h *tar.Header, r io.Reader) error {
		if sideFile(name) {
			return nil
		}
		if isDescription(name) && h.Size > in.limits.small {
			_, err := readSmall(r, name, in.limits.small)
			return err
		}
		if old := s.parts[name]; old.fresh {
			_ = os.Remove(old.file) // the last one counts
		}
		p, err := in.take(r, name, wanted{raw: digestInName(name)})
		s.parts[name] = p
		return err
	})
	if err != nil {
		return nil, err
	}
	// the sum at the end of a packed file covers what comes after the tar, too
	_, err = io.Copy(io.Discard, r)
	return s, explain(err, "its end", in.store.dir)
}

// sideFile reports whether a file of an archive is no part of the image.
func sideFile(name string) bool {
	switch path.Base(name) {
	case "VERSION", "json", repositories, "oci-layout":
		return true
	}
	return strings.Count(name, "/") > 2
}

func isDescription(name string) bool { return name == "manifest.json" || name == "index.json" }

func (s *stream) about() *listing { return &s.index }

func (s *stream) find(name string) (part, error) {
	name, err := s.index.target(name)
	if err != nil {
		return part{}, err
	}
	p, ok := s.parts[name]
	if !ok {
		return part{}, fs.ErrNotExist
	}
	return p, p.err
}

func (s *stream) small(name string) ([]byte, error) {
	p, err := s.find(name)
	if err != nil {
		return nil, err
	}
	f, err := os.Open(p.file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readSmall(f, name, s.in.limits.small)
}

func (s *stream) take(_ context.Context, name, _ string) (part, error) { return s.find(name) }
