package elf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Tree is the file system in which libraries are looked for.
type Tree interface {
	// Open gives the content behind an absolute path and the path without
	// links; fs.ErrNotExist where there is no such file. The content stays
	// readable until the tree is closed.
	Open(name string) (content io.ReaderAt, real string, err error)
}

// Loader finds libraries in a tree as the dynamic loader of that tree would:
// glibc's ld.so with its cache, or musl's. It keeps what it has read and is for
// one goroutine.
type Loader struct {
	tree   Tree
	env    []string // of LD_LIBRARY_PATH
	cache  map[string][]string
	musl   []string
	files  map[string]*Object
	faults map[string]error
}

// Object is a file of the tree.
type Object struct {
	*File
	Path string // without links
}

// NewLoader reads the loader's settings. ldLibraryPath is the value of
// LD_LIBRARY_PATH under which programs of the tree start.
func NewLoader(tree Tree, ldLibraryPath string) (*Loader, error) {
	l := &Loader{tree: tree, files: map[string]*Object{}, faults: map[string]error{}}
	l.env = strings.FieldsFunc(ldLibraryPath, func(r rune) bool { return r == ':' || r == ';' })
	text, err := l.readAll("/etc/ld.so.cache", 64<<20)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if l.cache, err = parseCache(text); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *Loader) readAll(name string, limit int64) ([]byte, error) {
	r, _, err := l.tree.Open(name)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(io.NewSectionReader(r, 0, limit))
}

// Object reads a file of the tree.
func (l *Loader) Object(name string) (*Object, error) {
	content, real, err := l.tree.Open(name)
	if err != nil {
		return nil, err
	}
	if o := l.files[real]; o != nil {
		return o, nil
	}
	if err := l.faults[real]; err != nil {
		return nil, err
	}
	f, err := Read(content)
	if err != nil {
		l.faults[real] = err
		return nil, err
	}
	o := &Object{f, real}
	l.files[real] = o
	return o, nil
}

// Cached are the files that ld.so's cache names for a library.
func (l *Loader) Cached(library string) []string { return l.cache[library] }

// Fault is a reason why a program or library cannot be loaded.
type Fault struct {
	By      string // the file that wants it
	Library string // what it wants
	Version string // that the library found lacks; empty when there is no library
	Found   string // the library that lacks the version
	Passed  string // a file of that name that was passed over, and why
}

func (f Fault) String() string {
	switch {
	case f.Version != "":
		return fmt.Sprintf("%s wants %s, which %s does not define", f.By, f.Version, f.Found)
	case f.Passed != "":
		return fmt.Sprintf("%s wants %s, which is not found (%s)", f.By, f.Library, f.Passed)
	}
	return fmt.Sprintf("%s wants %s, which is not found", f.By, f.Library)
}

// Scope is what is in memory once a program is loaded, in the order in which
// symbols are looked up.
type Scope struct {
	Objects []*Object
	Faults  []Fault
	names   map[string]*Object // by the name that asked, and by soname
}

// Load loads a program or a library with all it needs. into, which may be nil,
// is a program that runs already, such as the server that an extension is for;
// it stays as it is.
func (l *Loader) Load(root *Object, into *Scope) *Scope {
	s := &Scope{names: map[string]*Object{}}
	if into != nil {
		s.Objects = slices.Clone(into.Objects)
		for name, o := range into.names {
			s.names[name] = o
		}
	}
	type item struct {
		o     *Object
		chain []*Object // who asked for it, the root last
	}
	s.add(root, root.Soname)
	for queue := []item{{root, nil}}; len(queue) > 0; queue = queue[1:] {
		it := queue[0]
		for _, name := range it.o.Needed {
			found, have := s.names[name]
			if !have {
				var passed string
				if found, passed = l.find(name, it.o, it.chain); found == nil {
					s.Faults = append(s.Faults, Fault{By: it.o.Path, Library: name, Passed: passed})
					s.names[name] = nil
					continue
				}
				s.names[name] = found
				if s.add(found, found.Soname) {
					queue = append(queue, item{found, append([]*Object{it.o}, it.chain...)})
				}
			}
			s.Faults = append(s.Faults, lacking(it.o, name, found)...)
		}
	}
	return s
}

// add says whether the object is new.
func (s *Scope) add(o *Object, soname string) bool {
	if soname != "" && s.names[soname] == nil {
		s.names[soname] = o
	}
	if slices.Contains(s.Objects, o) {
		return false
	}
	s.Objects = append(s.Objects, o)
	return true
}

// lacking are the versions that by wants of the library and it does not define.
func lacking(by *Object, library string, found *Object) []Fault {
	if found == nil || len(found.Defines) == 0 { // a library without versions serves all, with a warning
		return nil
	}
	var faults []Fault
	for _, v := range by.Wants {
		if v.Library == library && !v.Weak && !slices.Contains(found.Defines, v.Name) {
			faults = append(faults, Fault{By: by.Path, Library: library, Version: v.Name, Found: found.Path})
		}
	}
	return faults
}

// Undefined are the symbols that an object wants and nothing in the scope
// defines. Those of a version are the affair of that version's library.
func (s *Scope) Undefined(o *Object) ([]string, error) {
	imports, err := o.Imports()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", o.Path, err)
	}
	var missing []string
	for _, sym := range imports {
		if sym.Weak {
			continue
		}
		defined, err := s.defines(sym.Name)
		if err != nil {
			return nil, err
		}
		if !defined {
			missing = append(missing, sym.Name)
		}
	}
	slices.Sort(missing)
	return slices.Compact(missing), nil
}

func (s *Scope) defines(name string) (bool, error) {
	for _, o := range s.Objects {
		has, err := o.Exports(name)
		if err != nil {
			return false, fmt.Errorf("%s: %w", o.Path, err)
		}
		if has {
			return true, nil
		}
	}
	return false, nil
}

// find looks for a library that o wants. passed tells of the last file of that
// name which will not do.
func (l *Loader) find(name string, o *Object, chain []*Object) (found *Object, passed string) {
	candidates := []string{name}
	if !strings.Contains(name, "/") {
		candidates = l.candidates(name, o, chain)
	}
	for _, p := range candidates {
		lib, err := l.Object(p)
		switch {
		case errors.Is(err, fs.ErrNotExist):
		case err != nil:
			passed = p + ": " + err.Error()
		case lib.Arch != o.Arch:
			passed = fmt.Sprintf("%s is for %s", p, lib.Arch)
		default:
			return lib, ""
		}
	}
	if passed == "" && len(l.cache[name]) > 0 {
		passed = "/etc/ld.so.cache still names " + l.cache[name][0]
	}
	return nil, passed
}

// candidates are the places where the loader looks, in its order.
func (l *Loader) candidates(name string, o *Object, chain []*Object) []string {
	var dirs []string
	if len(o.RunPath) == 0 {
		for _, by := range append([]*Object{o}, chain...) {
			dirs = append(dirs, expand(by.RPath, by)...)
		}
	}
	dirs = append(dirs, l.env...)
	dirs = append(dirs, expand(o.RunPath, o)...)
	var out []string
	in := func(dirs []string) {
		for _, dir := range dirs {
			out = append(out, path.Join("/", dir, name))
		}
	}
	in(dirs)
	if l.isMusl(o, chain) {
		in(l.muslPath(o.Arch))
		return out
	}
	out = append(out, l.cache[name]...)
	in(defaultDirs(o.Arch))
	return out
}

// expand replaces what ld.so replaces in RPATH and RUNPATH.
func expand(dirs []string, o *Object) []string {
	lib := "lib64"
	if o.Arch == "386" || o.Arch == "arm" {
		lib = "lib"
	}
	origin := path.Dir(o.Path)
	replace := strings.NewReplacer("$ORIGIN", origin, "${ORIGIN}", origin, "$LIB", lib, "${LIB}", lib)
	out := make([]string, len(dirs))
	for i, dir := range dirs {
		out[i] = replace.Replace(dir)
	}
	return out
}

// triplets name Debian's folders of libraries.
var triplets = map[string]string{
	"amd64": "x86_64-linux-gnu", "386": "i386-linux-gnu", "arm64": "aarch64-linux-gnu", "arm": "arm-linux-gnueabihf",
	"ppc64le": "powerpc64le-linux-gnu", "s390x": "s390x-linux-gnu", "riscv64": "riscv64-linux-gnu", "loong64": "loongarch64-linux-gnu",
}

// defaultDirs are those that glibc is built with, by Debian or by Red Hat.
func defaultDirs(arch string) []string {
	dirs := []string{"/lib64", "/usr/lib64", "/lib", "/usr/lib"}
	if t := triplets[arch]; t != "" {
		dirs = append([]string{"/lib/" + t, "/usr/lib/" + t}, dirs...)
	}
	return dirs
}

func (l *Loader) isMusl(o *Object, chain []*Object) bool {
	for _, by := range append([]*Object{o}, chain...) {
		if strings.Contains(by.Interp, "/ld-musl-") {
			return true
		}
	}
	return slices.ContainsFunc(o.Needed, func(n string) bool { return strings.HasPrefix(n, "libc.musl-") })
}

// muslPath reads the list of folders that musl looks in.
func (l *Loader) muslPath(arch string) []string {
	if l.musl != nil {
		return l.musl
	}
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64", "386": "i386"}[arch]
	l.musl = []string{"/lib", "/usr/local/lib", "/usr/lib"}
	if text, err := l.readAll("/etc/ld-musl-"+machine+".path", 1<<16); err == nil {
		l.musl = strings.FieldsFunc(string(text), func(r rune) bool { return r == ':' || r == '\n' })
	}
	return l.musl
}
