package recovery

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/history"
)

// copyFiles puts the entries into the context under the names that the history
// has for them, or else under names that tell where they go.
func (p *placer) copyFiles(s *history.Step, n int, dest string, found []*tar.Header) error {
	if to, ok := named(s.Copy, dest, found); ok {
		err := p.write(n, to)
		if err == nil {
			for _, target := range to {
				p.claims[target] = "source"
			}
			if s.Dialect == history.BuildKit && strings.HasPrefix(s.Copy.Sources[0], "/") {
				s.Guesses = append(s.Guesses, "the source has an absolute path: it may have been built in another stage, which no history shows")
			}
			return nil
		}
		if !errors.Is(err, errClash) {
			return err
		}
		s.Guesses = append(s.Guesses, "other files of the history have this source's name, "+strings.Join(s.Copy.Sources, " "))
	} else if len(s.Copy.Sources) > 0 {
		s.Notes = append(s.Notes, "its source was "+strings.Join(s.Copy.Sources, " "))
	}
	to := map[string]string{}
	if h := onlyFile(found); h != nil && s.Copy.Kind != "dir" {
		name := p.claim("files/" + h.Name)
		to[h.Name] = name
		s.Copy.Sources = []string{name}
		if h.Name != dest && !strings.HasSuffix(s.Copy.Dest, "/") {
			s.Copy.Dest += "/" // it went into a folder
		}
		return p.write(n, to)
	}
	base := dest
	if base == "" {
		base = "rootfs"
	}
	folder := p.claim("files/" + base)
	for _, h := range found {
		to[h.Name] = path.Join(folder, strings.TrimPrefix(h.Name, dest))
	}
	s.Copy.Sources = []string{folder + "/"}
	if !strings.HasSuffix(s.Copy.Dest, "/") {
		s.Copy.Dest += "/"
	}
	return p.write(n, to)
}

// onlyFile is the one entry that is no folder.
func onlyFile(found []*tar.Header) (only *tar.Header) {
	for i, h := range found {
		switch {
		case h.Typeflag != tar.TypeDir && only == nil:
			only = h
		case h.Typeflag != tar.TypeDir:
			return nil
		case !leads(h.Name, found[i:]):
			return nil // an empty folder of its own
		}
	}
	return only
}

// named finds which source each entry came from. ok is false when the sources
// have no names, or names that are no paths within a context.
func named(c *history.Copy, dest string, found []*tar.Header) (to map[string]string, ok bool) {
	if len(c.Sources) == 0 {
		return nil, false
	}
	to = map[string]string{}
	folder := ""
	for _, source := range c.Sources {
		name := clean(source)
		if name == "" || name == "Dockerfile" || strings.ContainsAny(source, "*?[<$") || strings.Contains(source, "://") || strings.Contains(source, "..") {
			return nil, false
		}
		inside := path.Join(dest, path.Base(name))
		if h := entry(found, inside); h != nil && h.Typeflag != tar.TypeDir {
			to[inside] = name
			continue
		}
		if h := entry(found, dest); h != nil && h.Typeflag != tar.TypeDir && len(c.Sources) == 1 {
			to[dest] = name
			continue
		}
		if folder != "" {
			return nil, false // two folders went into one
		}
		folder = name
	}
	for _, h := range found {
		if _, done := to[h.Name]; done {
			continue
		}
		switch {
		case folder != "":
			to[h.Name] = path.Join(folder, strings.TrimPrefix(h.Name, dest))
		case h.Typeflag != tar.TypeDir:
			return nil, false
		}
	}
	return to, true
}

func entry(found []*tar.Header, name string) *tar.Header {
	if i := slices.IndexFunc(found, func(h *tar.Header) bool { return h.Name == name }); i >= 0 {
		return found[i]
	}
	return nil
}

// write puts entries of a layer into the context. to has their paths there. A
// path that is taken by the same content is no fault.
func (p *placer) write(n int, to map[string]string) error {
	if err := p.open(); err != nil {
		return err
	}
	for _, target := range to {
		if target == "Dockerfile" || target == ".dockerignore" || p.buried(target, to) {
			return errClash
		}
	}
	links := map[string][]string{} // hard links: the file → more places for it
	var folders []*tar.Header
	err := eachEntry(p.ctx, p.img, n, func(h *tar.Header, _ io.Reader) error {
		if target, ok := to[h.Name]; ok && h.Typeflag == tar.TypeLink {
			links[h.Linkname] = append(links[h.Linkname], target)
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = eachEntry(p.ctx, p.img, n, func(h *tar.Header, r io.Reader) error {
		target, wanted := to[h.Name]
		targets := slices.Clone(links[h.Name])
		if wanted {
			targets = append([]string{target}, targets...)
		}
		if len(targets) == 0 {
			return nil
		}
		switch h.Typeflag {
		case tar.TypeDir:
			folders = append(folders, h)
			return p.root.MkdirAll(target, 0o755)
		case tar.TypeSymlink:
			return p.symlink(h.Linkname, target)
		case tar.TypeReg:
			return p.files(targets, h, r)
		}
		return nil
	})
	for _, h := range slices.Backward(folders) {
		err = errors.Join(err, p.root.Chmod(to[h.Name], fs.FileMode(h.Mode&0o777)|0o700), p.root.Chtimes(to[h.Name], h.ModTime, h.ModTime))
	}
	return err
}

// buried reports whether a path lies in what another step's folder has, without
// being one of its files.
func (p *placer) buried(target string, to map[string]string) bool {
	if _, err := p.root.Lstat(target); err == nil {
		return false // compared when it is written
	}
	for have := range p.claims {
		if p.claims[have] == "source" && strings.HasPrefix(target, have+"/") {
			return true
		}
		if strings.HasPrefix(have, target+"/") {
			return true
		}
	}
	return false
}

func (p *placer) symlink(link, target string) error {
	if have, err := p.root.Readlink(target); err == nil && have == link {
		return nil
	}
	if err := p.root.MkdirAll(path.Dir(target), 0o755); err != nil {
		return err
	}
	err := p.root.Symlink(link, target)
	if errors.Is(err, fs.ErrExist) {
		return errClash
	}
	return err
}

// files writes one content to its places.
func (p *placer) files(targets []string, h *tar.Header, r io.Reader) error {
	if err := p.file(targets[0], h, r); err != nil {
		return err
	}
	for _, more := range targets[1:] {
		f, err := p.root.Open(targets[0])
		if err != nil {
			return err
		}
		err = p.file(more, h, f)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

func (p *placer) file(target string, h *tar.Header, r io.Reader) error {
	if err := p.root.MkdirAll(path.Dir(target), 0o755); err != nil {
		return err
	}
	f, err := p.root.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return p.same(target, h, r)
	}
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	mode := fs.FileMode(h.Mode & 0o777)
	for bit, m := range map[int64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if h.Mode&bit != 0 {
			mode |= m
		}
	}
	return errors.Join(p.root.Chmod(target, mode), p.root.Chtimes(target, h.ModTime, h.ModTime))
}

// same reports, as errClash, that the file there is another one.
func (p *placer) same(target string, h *tar.Header, r io.Reader) error {
	f, err := p.root.Open(target)
	if err != nil {
		return errClash // a link or a folder
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() != h.Size || info.Mode().Perm() != fs.FileMode(h.Mode&0o777) {
		return errClash
	}
	a, b := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := io.ReadFull(r, a)
		m, _ := io.ReadFull(f, b)
		if !bytes.Equal(a[:n], b[:m]) {
			return errClash
		}
		if err != nil {
			return nil
		}
	}
}
