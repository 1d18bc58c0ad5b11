// Package buildcontext turns a folder of this machine into the context of an
// image build: which of its files count, their digest, and the stream that a
// builder reads. The same tree gives the same stream, wherever the folder lies
// and whenever its files were written.
package buildcontext

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/dockerfile"
)

// Folder is a folder that an image is built from.
type Folder struct {
	Root       string
	Dockerfile string // its path in the context
	outside    string // its path on this machine, when it lies outside Root
	ignore     *ignore
	ignoreFile string // as messages call it
}

// stateDir is where runs keep their records, beside the runbook. It is no part
// of any context: it changes with each run, and is nobody else's business.
const stateDir = ".antdbctl"

// outsideName is what a Dockerfile from outside the context is called inside.
const outsideName = ".antdbctl.Dockerfile"

// Open looks at a context. The Dockerfile's path is absolute or relative to
// root, and may lie outside it.
func Open(root, file string) (*Folder, error) {
	info, err := os.Stat(root)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is no folder", root)
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, err
	}
	c := &Folder{Root: root, Dockerfile: filepath.ToSlash(filepath.Clean(file))}
	if filepath.IsAbs(file) {
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return nil, err
		}
		c.Dockerfile = filepath.ToSlash(rel)
	}
	if c.Dockerfile == ".." || strings.HasPrefix(c.Dockerfile, "../") {
		c.outside, c.Dockerfile = filepath.Join(root, c.Dockerfile), outsideName
	}
	return c, c.readIgnore()
}

// readIgnore takes, as BuildKit has it, the Dockerfile's own ignore file before
// that of the context.
func (c *Folder) readIgnore() error {
	for _, name := range []string{c.File() + ".dockerignore", filepath.Join(c.Root, ".dockerignore")} {
		f, err := os.Open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		c.ignore, err = parseIgnore(f)
		f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		c.ignoreFile = filepath.Base(name)
		return nil
	}
	return nil
}

// File is where the Dockerfile lies on this machine.
func (c *Folder) File() string {
	if c.outside != "" {
		return c.outside
	}
	return filepath.Join(c.Root, filepath.FromSlash(c.Dockerfile))
}

// Read parses the Dockerfile.
func (c *Folder) Read() (*dockerfile.File, error) {
	f, err := os.Open(c.File())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	file, err := dockerfile.Parse(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.File(), err)
	}
	if len(file.Instructions) == 0 {
		return nil, fmt.Errorf("%s has no instruction", c.File())
	}
	return file, nil
}

// Entry is one file, folder or symbolic link of the context.
type Entry struct {
	Name string // slash-separated, relative to the context
	Path string // on this machine
	Info fs.FileInfo
	Link string // where a symbolic link points

	content []byte // of a file that is not on this machine
}

// Walk calls fn for all that is sent, in an order that depends on the names
// alone. The Dockerfile is always sent, for the engine needs it. The classic
// builder drops it from the context when it is ignored, and for that it needs
// the ignore file; see Spills for BuildKit. Sockets, pipes, devices and the
// records of runs are never sent.
func (c *Folder) Walk(fn func(Entry) error) error {
	w := walker{c: c, fn: fn}
	err := filepath.WalkDir(c.Root, w.visit)
	if err != nil || c.outside == "" {
		return err
	}
	e, err := newEntry(c.Dockerfile, c.outside)
	if err != nil {
		return err
	}
	if err := fn(e); err != nil {
		return err
	}
	e, err = c.hides()
	if err != nil {
		return err
	}
	return fn(e)
}

// hides is the ignore file of a context that has got a Dockerfile from outside:
// it leaves that one out again, and itself when the context has none.
func (c *Folder) hides() (Entry, error) {
	text, err := os.ReadFile(filepath.Join(c.Root, ".dockerignore"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Entry{}, err
	}
	content := string(text) + "\n" + outsideName + "\n"
	if err != nil || c.ignore.out(".dockerignore") {
		content += ".dockerignore\n"
	}
	return Entry{Name: ".dockerignore", Info: made(len(content)), content: []byte(content)}, nil
}

// walker holds back the folders that are left out: they are sent after all when
// an exception brings something in them back.
type walker struct {
	c    *Folder
	fn   func(Entry) error
	held []Entry
}

func (w *walker) visit(p string, d fs.DirEntry, err error) error {
	if err != nil || p == w.c.Root {
		return err
	}
	rel, _ := filepath.Rel(w.c.Root, p)
	name := filepath.ToSlash(rel)
	for len(w.held) > 0 && !strings.HasPrefix(name, w.held[len(w.held)-1].Name+"/") {
		w.held = w.held[:len(w.held)-1]
	}
	if name == ".dockerignore" && w.c.outside != "" {
		return nil // see hides
	}
	if d.IsDir() && d.Name() == stateDir {
		return filepath.SkipDir
	}
	needed := name == w.c.Dockerfile || name == ".dockerignore" && w.c.ignore.out(w.c.Dockerfile)
	out := !needed && w.c.ignore.out(name)
	if out && d.IsDir() && !w.c.ignore.exceptions() && !strings.HasPrefix(w.c.Dockerfile, name+"/") {
		return filepath.SkipDir
	}
	if out && !d.IsDir() {
		return nil
	}
	e, err := newEntry(name, p)
	if err != nil || e.Info.Mode()&(fs.ModeSocket|fs.ModeNamedPipe|fs.ModeDevice) != 0 {
		return err
	}
	if out {
		w.held = append(w.held, e)
		return nil
	}
	for _, parent := range w.held {
		if err := w.fn(parent); err != nil {
			return err
		}
	}
	w.held = nil
	return w.fn(e)
}

func newEntry(name, path string) (Entry, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Name: name, Path: path, Info: info}
	if info.Mode()&fs.ModeSymlink != 0 {
		e.Link, err = os.Readlink(path)
	}
	return e, err
}

// Lookup finds what a COPY names; ok is false when the context does not have it
// or leaves it out.
func (c *Folder) Lookup(source string) (e Entry, ok bool) {
	name := inside(source)
	if c.ignore.out(name) {
		return e, false
	}
	e, err := newEntry(name, filepath.Join(c.Root, filepath.FromSlash(name)))
	return e, err == nil
}

// inside is the path in the context that a source means.
func inside(source string) string {
	return path.Clean(strings.TrimPrefix(path.Clean("/"+source), "/"))
}

// Missing finds the first source of a COPY or ADD that the context does not
// have. Sources with wildcards or unknown variables are left to the engine.
func (c *Folder) Missing(file *dockerfile.File, args map[string]string) (err error) {
	file.Each(args, func(in dockerfile.Instruction, vars map[string]string) {
		cp, ok := in.Copy()
		if err != nil || !ok || cp.From != "" {
			return
		}
		for _, source := range cp.Sources {
			if source = dockerfile.Expand(source, vars); err == nil && dockerfile.IsPlain(source) {
				err = c.missing(in, source)
			}
		}
	})
	return err
}

func (c *Folder) missing(in dockerfile.Instruction, source string) error {
	if p := path.Clean(strings.TrimPrefix(source, "/")); p == ".." || strings.HasPrefix(p, "../") {
		return fmt.Errorf("%s:%d copies %s, which lies outside of the context", c.Dockerfile, in.Line, source)
	}
	name := inside(source)
	info, err := os.Lstat(filepath.Join(c.Root, filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s:%d copies %s, which is not in %s", c.Dockerfile, in.Line, source, c.Root)
	}
	if err == nil && c.ignore.out(name) && !(info.IsDir() && c.ignore.exceptions()) {
		return fmt.Errorf("%s:%d copies %s, which line %d of %s leaves out", c.Dockerfile, in.Line, source, c.ignore.line(name), c.ignoreFile)
	}
	return nil
}

// Spills reports whether a line copies the Dockerfile although the ignore file
// leaves it out. BuildKit does that with a streamed context, whose ignore file
// it does not read; the classic builder does not.
func (c *Folder) Spills(file *dockerfile.File) bool {
	if !c.ignore.out(c.Dockerfile) && c.outside == "" {
		return false
	}
	return slices.ContainsFunc(file.Instructions, func(in dockerfile.Instruction) bool {
		cp, ok := in.Copy()
		return ok && cp.From == "" && slices.ContainsFunc(cp.Sources, func(source string) bool {
			name := inside(source)
			hit, _ := path.Match(name, c.Dockerfile)
			return name == "." || hit || strings.HasPrefix(c.Dockerfile, name+"/")
		})
	})
}
