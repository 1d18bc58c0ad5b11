package image

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// buildContext is a folder of this machine that an image is built from.
type buildContext struct {
	root       string
	dockerfile string // its path in the archive
	outside    string // its path on this machine, when it lies outside root
	ignore     ignore
}

// outsideName is what a Dockerfile from outside the context is called inside.
const outsideName = ".antdbctl.Dockerfile"

func openContext(root, dockerfile string) (*buildContext, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is no folder", root)
	}
	c := &buildContext{root: root, dockerfile: filepath.ToSlash(filepath.Clean(dockerfile))}
	if abs := dockerfile; filepath.IsAbs(abs) {
		rel, err := filepath.Rel(root, abs)
		if err != nil {
			return nil, err
		}
		c.dockerfile = filepath.ToSlash(rel)
	}
	if c.dockerfile == ".." || strings.HasPrefix(c.dockerfile, "../") {
		c.outside, c.dockerfile = filepath.Join(root, c.dockerfile), outsideName
	}
	// as BuildKit has it, an ignore file of the Dockerfile's own comes first
	for _, name := range []string{c.file() + ".dockerignore", filepath.Join(root, ".dockerignore")} {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		c.ignore, err = parseIgnore(f)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		break
	}
	return c, nil
}

// file is where the Dockerfile lies on this machine.
func (c *buildContext) file() string {
	if c.outside != "" {
		return c.outside
	}
	return filepath.Join(c.root, filepath.FromSlash(c.dockerfile))
}

// entry is one file, folder or symbolic link of the context.
type entry struct {
	name string // slash-separated, relative to the context
	path string // on this machine
	info fs.FileInfo
	link string // where a symbolic link points
}

// walk calls fn for all that is sent, in the order of names. The Dockerfile and
// the ignore file are always sent: the engine needs them, and drops them itself
// when they are ignored.
func (c *buildContext) walk(fn func(entry) error) error {
	err := filepath.WalkDir(c.root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == c.root {
			return err
		}
		rel, _ := filepath.Rel(c.root, p)
		name := filepath.ToSlash(rel)
		if name != c.dockerfile && name != ".dockerignore" && c.ignore.rule(name) != nil {
			if d.IsDir() && !c.ignore.exceptions() && !strings.HasPrefix(c.dockerfile, name+"/") {
				return filepath.SkipDir
			}
			return nil
		}
		e, err := newEntry(name, p)
		if err != nil || e.info.Mode()&(fs.ModeSocket|fs.ModeNamedPipe|fs.ModeDevice) != 0 {
			return err
		}
		return fn(e)
	})
	if err != nil || c.outside == "" {
		return err
	}
	e, err := newEntry(c.dockerfile, c.outside)
	if err != nil {
		return err
	}
	return fn(e)
}

func newEntry(name, path string) (entry, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return entry{}, err
	}
	e := entry{name: name, path: path, info: info}
	if info.Mode()&fs.ModeSymlink != 0 {
		e.link, err = os.Readlink(path)
	}
	return e, err
}

// writeTo writes the context as a tar archive. Files belong to root there, as
// with docker's own client.
func (c *buildContext) writeTo(w io.Writer) error {
	tw := tar.NewWriter(w)
	// docker looks for an archive in the first 512 bytes alone, where a header of extended attributes is none
	if err := tw.WriteHeader(&tar.Header{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755, Format: tar.FormatUSTAR}); err != nil {
		return err
	}
	err := c.walk(func(e entry) error {
		h, err := tar.FileInfoHeader(e.info, e.link)
		if err != nil {
			return err
		}
		h.Name = e.name
		h.Uid, h.Gid, h.Uname, h.Gname = 0, 0, "", ""
		if e.info.IsDir() {
			h.Name += "/"
		}
		if err := tw.WriteHeader(h); err != nil || !e.info.Mode().IsRegular() {
			return err
		}
		return copyFile(tw, e.path)
	})
	if err != nil {
		return err
	}
	return tw.Close()
}

// hashTo feeds h with all of the context that an image can depend on: names,
// modes, link targets and contents; no times and no owners.
func (c *buildContext) hashTo(h hash.Hash) (total int64, err error) {
	err = c.walk(func(e entry) error {
		fmt.Fprintf(h, "%q %o %q\n", e.name, e.info.Mode(), e.link)
		if !e.info.Mode().IsRegular() {
			return nil
		}
		total += e.info.Size()
		sum := sha256.New()
		if err := copyFile(sum, e.path); err != nil {
			return err
		}
		fmt.Fprintf(h, "%x\n", sum.Sum(nil))
		return nil
	})
	return total, err
}

// digest identifies a build by all that goes into it. bases are the IDs of the
// images it starts from.
func (b *Build) digest(c *buildContext, bases map[string]string) (string, int64, error) {
	h := sha256.New()
	fmt.Fprintf(h, "1 %q %q\n", c.dockerfile, b.Stage)
	for _, part := range []map[string]string{b.Args, b.Labels, bases} {
		for _, k := range slices.Sorted(maps.Keys(part)) {
			fmt.Fprintf(h, "%q=%q\n", k, part[k])
		}
		fmt.Fprintln(h)
	}
	total, err := c.hashTo(h)
	return hex.EncodeToString(h.Sum(nil)), total, err
}

func copyFile(w io.Writer, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// missing finds the sources of COPY and ADD lines that the context does not
// have. Sources with variables or wildcards are left to the engine.
func (c *buildContext) missing(list []instruction) error {
	for _, in := range list {
		for _, src := range in.sources() {
			name := path.Clean(strings.TrimPrefix(src, "/"))
			if rule := c.ignore.rule(name); rule != nil && !c.ignore.exceptions() {
				return fmt.Errorf("%s:%d copies %s, which line %d of .dockerignore leaves out", c.dockerfile, in.line, src, rule.line)
			}
			if _, err := os.Lstat(filepath.Join(c.root, filepath.FromSlash(name))); errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("%s:%d copies %s, which is not in %s", c.dockerfile, in.line, src, c.root)
			}
		}
	}
	return nil
}
