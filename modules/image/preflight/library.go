package preflight

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/elf"
)

// broken is an ELF file of the server that would not load.
type broken struct {
	path   string
	fault  elf.Fault // zero when err is set
	err    error     // the file itself cannot be read
	layer  int
	isLibc bool // the C library is too old, not missing
}

func (b broken) String() string {
	if b.err != nil {
		return fmt.Sprintf("%s: %s", b.path, b.err)
	}
	return b.fault.String()
}

// loadAll tries to load every program and library of the server.
func (s *subject) loadAll() []broken {
	var found []broken
	seen := map[string]bool{}
	for _, dir := range []string{s.server.bin, s.server.lib, path.Join(s.server.root, "lib"), path.Join(s.server.root, "lib64")} {
		for _, e := range s.tree.Dir(dir) {
			if !e.Mode.IsRegular() || seen[e.Path] {
				continue
			}
			seen[e.Path] = true
			o, err := s.loader.Object(e.Path)
			if errors.Is(err, elf.ErrNotELF) {
				if strings.HasSuffix(e.Path, ".so") && e.Size < 64 {
					found = append(found, broken{path: e.Path, err: err, layer: e.Layer})
				}
				continue
			}
			if err != nil {
				found = append(found, broken{path: e.Path, err: err, layer: e.Layer})
				continue
			}
			for _, fault := range s.faultsOf(o) {
				if b := (broken{path: e.Path, fault: fault, layer: e.Layer, isLibc: strings.HasPrefix(fault.Version, "GLIBC_")}); !slices.ContainsFunc(found,
					func(other broken) bool { return other.fault == fault }) {
					found = append(found, b)
				}
			}
		}
	}
	return found
}

// faultsOf loads an object as it is used: a library of the server into the
// server.
func (s *subject) faultsOf(o *elf.Object) []elf.Fault {
	if o.Kind == "library" && s.server.scope != nil {
		return s.loader.Load(o, s.server.scope).Faults
	}
	return s.loader.Load(o, nil).Faults
}

// B6.9: what speaks to the server finds its libpq.
func (s *subject) clients(f *finding) {
	drivers := s.python.psycopg
	if len(drivers) == 0 {
		f.failf("Install python3-psycopg2: Patroni speaks to the server with it.", "there is no psycopg2 for Patroni")
	}
	for _, p := range drivers {
		s.loads(f, p, "psycopg2")
	}
	if e, ok := s.program("pgbackrest"); ok {
		s.loads(f, e.Path, "pgBackRest")
	} else {
		f.failf("Install pgBackRest: the operator archives and backs up with it.", "there is no pgbackrest in %s", s.searchPath())
	}
}

// loads checks that a client loads with all its libraries.
func (s *subject) loads(f *finding, p, who string) {
	o, err := s.loader.Object(p)
	if err != nil {
		if !errors.Is(err, elf.ErrNotELF) {
			f.failf("Install "+who+" again.", "%s: %s", p, err)
		}
		return
	}
	scope := s.loader.Load(o, nil)
	for _, fault := range scope.Faults {
		remedy := "Add the library and run ldconfig."
		if strings.HasPrefix(fault.Library, "libpq.so") {
			remedy = "Keep a libpq.so.5 where the loader looks: it went away with the old server. Add the new server's lib folder to /etc/ld.so.conf.d and run ldconfig, or install the package of libpq."
		}
		f.failf(remedy, "%s: %s", who, fault)
		s.lostLibrary(f, fault)
	}
	if i := slices.IndexFunc(scope.Objects, func(o *elf.Object) bool { return strings.HasPrefix(o.Soname, "libpq.so") }); i >= 0 {
		f.notef("%s takes %s", who, scope.Objects[i].Path)
	} else if len(scope.Faults) == 0 {
		f.notef("%s needs no libpq of the image: %s", who, p)
	}
}

// lostLibrary says what became of a library that is not found.
func (s *subject) lostLibrary(f *finding, fault elf.Fault) {
	if fault.Version != "" {
		return
	}
	for _, other := range s.elsewhere(fault.Library) {
		f.notef("there is %s, where the loader does not look: /etc/ld.so.cache does not name it", other)
	}
	for _, cached := range s.loader.Cached(fault.Library) {
		if by, from, ok := s.dropped(cached); ok {
			f.at(by)
			f.notef("%s deletes %s, which came with %s", s.layerName(by), cached, s.layerName(from))
		}
	}
	if by, ok := s.droppedName(fault.Library); ok && f.Layer == 0 {
		f.at(by)
		f.notef("%s deletes a %s", s.layerName(by), fault.Library)
	}
}

// B6.10: the server's receiver of WAL loads, with a libpq that has all it
// calls. A standby does not start without.
func (s *subject) walreceiver(f *finding) {
	v := s.server
	if v.postgres == nil {
		f.seeServer()
		return
	}
	p := path.Join(v.lib, "libpqwalreceiver.so")
	o, err := s.loader.Object(p)
	if err != nil {
		f.failf("Install the server's libraries whole: no standby starts without it.", "%s: %s", p, readError(err))
		f.absent(p, path.Join(v.bin, "postgres"))
		return
	}
	scope := s.loader.Load(o, v.scope)
	for _, fault := range scope.Faults {
		if fault.By == o.Path || strings.HasPrefix(path.Base(fault.By), "libpq.so") {
			f.failf("Add the libpq.so.5 that came with this server and run ldconfig.", "%s", fault)
			s.lostLibrary(f, fault)
		}
	}
	missing, err := scope.Undefined(o)
	if err != nil {
		f.unknownf("%s", err)
		return
	}
	if len(missing) > 0 && f.Verdict == string(Pass) {
		f.failf("Another, older libpq is found first: put this server's libpq.so.5 before it.", "%s: undefined symbol: %s", p, some(missing, 3))
		f.at(s.layerOf(o.Path))
	}
	for _, lib := range scope.Objects {
		if strings.HasPrefix(lib.Soname, "libpq.so") {
			f.notef("takes %s", lib.Path)
		}
	}
}

func (s *subject) layerOf(p string) int {
	e, _ := s.tree.Stat(p)
	return e.Layer
}

// B6.12: the image's C library is as new as the server wants.
func (s *subject) glibc(f *finding) {
	v := s.server
	if v.postgres == nil {
		f.seeServer()
		return
	}
	for _, b := range s.broken {
		if b.isLibc {
			f.failf("Build the server on a system as old as the image's base, or take a newer base.", "%s", b)
			f.at(b.layer)
		}
	}
	wanted := v.postgres.Wanted("GLIBC")
	for _, o := range v.scope.Objects {
		if o.Soname == "libc.so.6" {
			f.notef("the image has glibc %s, the server wants %s or newer", o.Highest("GLIBC"), wanted)
			return
		}
	}
	switch {
	case len(v.postgres.Needed) == 0:
		f.notef("the server is linked statically")
	case wanted != "":
		f.failf("Install the C library that the server was built for.", "the server wants glibc %s, and the image has none where its loader looks", wanted)
		f.ofServer()
	default:
		f.notef("the server needs no glibc")
	}
}

// B6.13: everything of the server finds its libraries.
func (s *subject) libraries(f *finding) {
	if s.server.postgres == nil {
		f.seeServer()
		return
	}
	for _, b := range s.broken {
		if b.isLibc {
			continue
		}
		if s.optional(b) {
			f.warnf("Install the library where that part of the server is used.", "%s", b)
			continue
		}
		f.failf("Install the packages with these libraries, or build the server without them; then run ldconfig.", "%s", b)
		f.at(b.layer)
	}
	f.notef("%s and %s looked at", plural(len(s.tree.Dir(s.server.bin)), "program"), plural(len(s.tree.Dir(s.server.lib)), "library"))
}

// optional are parts of the server that are loaded on demand alone.
func (s *subject) optional(b broken) bool {
	if b.err != nil || !strings.HasPrefix(b.path, s.server.lib+"/") {
		return false
	}
	name := path.Base(b.path)
	return !slices.Contains(s.preload(), name) && name != "libpqwalreceiver.so" && name != "plpgsql.so" && !strings.HasPrefix(name, "libpq.so")
}

func plural(n int, what string) string {
	switch {
	case n == 1:
		return "1 " + what
	case strings.HasSuffix(what, "y"):
		what = strings.TrimSuffix(what, "y") + "ie"
	}
	return fmt.Sprintf("%d %ss", n, what)
}
