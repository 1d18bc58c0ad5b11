package preflight

import (
	"errors"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/elf"
)

// B6.6: the libraries that are preloaded, and the files with which their
// extensions are created.
func (s *subject) extensions(f *finding) {
	if s.server.postgres == nil {
		f.seeServer()
		return
	}
	for _, library := range operatorPreload {
		if s.want.Preload != nil && !slices.Contains(s.preload(), library) {
			f.notef("%s is not preloaded, so it is not needed", library)
			continue
		}
		name := strings.TrimSuffix(library, ".so")
		if !s.hasLibrary(f, library) {
			continue
		}
		control := path.Join(s.server.share, "extension", name+".control")
		version := s.defaultVersion(control)
		if version == "" {
			f.warnf("Install the whole of it (make install), not the library alone.",
				"%s is missing: CREATE EXTENSION %s fails", control, name)
			f.absent(control, path.Join(s.server.lib, library))
			continue
		}
		if !s.hasScript(name, version) {
			f.warnf("Install the whole of it (make install), not the library alone.",
				"no script in %s leads to version %s of %s: CREATE EXTENSION fails", path.Dir(control), version, name)
			f.absent(path.Join(path.Dir(control), name+"--"+version+".sql"), control)
			continue
		}
		f.notef("%s %s", name, version)
	}
}

// hasLibrary fails the check unless the server's folder has the library.
func (s *subject) hasLibrary(f *finding, library string) bool {
	p := path.Join(s.server.lib, library)
	e, ok := s.tree.Stat(p)
	if ok && e.Mode.IsRegular() {
		f.notef("%s, %d bytes", p, e.Size)
		return true
	}
	name := strings.TrimSuffix(library, ".so")
	remedy := "Build " + name + " with this server's pg_config and install it: make install USE_PGXS=1 PG_CONFIG=" + path.Join(s.server.bin, "pg_config") + "."
	if library == "pgaudit.so" {
		remedy += " Or preload without it by a custom configuration of the operator."
	}
	f.failf(remedy, "%s is missing: the server stops with 'could not access file \"%s\"'", p, library)
	f.absent(p, path.Join(s.server.bin, "postgres"))
	for _, other := range s.elsewhere(library) {
		f.notef("there is one in %s, where this server does not look", other)
	}
	return false
}

var defaultVersion = regexp.MustCompile(`(?m)^\s*default_version\s*=\s*'([^']+)'`)

// defaultVersion is the version that a control file names; empty without one.
func (s *subject) defaultVersion(control string) string {
	text, _ := s.files.text(control)
	if m := defaultVersion.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// hasScript reports whether scripts lead to a version, directly or by updates
// from one that has a script.
func (s *subject) hasScript(name, version string) bool {
	from := map[string][]string{} // version → those it is reached from
	for _, e := range s.tree.Dir(path.Join(s.server.share, "extension")) {
		base, isSQL := strings.CutSuffix(path.Base(e.Path), ".sql")
		rest, ours := strings.CutPrefix(base, name+"--")
		if !isSQL || !ours {
			continue
		}
		if a, b, update := strings.Cut(rest, "--"); update {
			from[b] = append(from[b], a)
		} else {
			from[rest] = append(from[rest], "")
		}
	}
	seen := map[string]bool{}
	var reached func(v string) bool
	reached = func(v string) bool {
		if v == "" {
			return true
		}
		if seen[v] {
			return false
		}
		seen[v] = true
		return slices.ContainsFunc(from[v], reached)
	}
	return reached(version)
}

// B6.7: preloaded libraries were built for this server.
func (s *subject) fit(f *finding) {
	v := s.server
	if v.postgres == nil {
		f.seeServer()
		return
	}
	for _, name := range s.preload() {
		o, err := s.loader.Object(path.Join(v.lib, name))
		if errors.Is(err, fs.ErrNotExist) {
			f.notef("%s is missing: see B6.6", name)
			if f.Verdict == string(Pass) {
				f.Verdict = string(Unknown)
			}
			continue
		}
		if err != nil {
			f.failf(rebuild(name), "%s: %s", path.Join(v.lib, name), err)
			f.ofLibrary(name)
			continue
		}
		s.fits(f, name, o)
	}
	if v.antdb != "" {
		f.notef("AntDB's magic block is PostgreSQL's, so a build for PostgreSQL passes here, too; only an audited statement tells them apart")
	}
}

func rebuild(name string) string {
	return "Build " + strings.TrimSuffix(name, ".so") + " again, with this server's pg_config."
}

func (f *finding) ofLibrary(name string) {
	if e, ok := f.subject.tree.Stat(path.Join(f.subject.server.lib, name)); ok {
		f.at(e.Layer)
	}
}

// fits judges one library as the server would when it loads it.
func (s *subject) fits(f *finding, name string, o *elf.Object) {
	v, before := s.server, f.Verdict
	if o.Arch != v.postgres.Arch {
		f.failf(rebuild(name), "%s is built for %s, the server for %s: it cannot be loaded", o.Path, o.Arch, v.postgres.Arch)
		f.ofLibrary(name)
		return
	}
	s.sameMagic(f, name, o)
	scope := s.loader.Load(o, v.scope)
	for _, fault := range scope.Faults {
		if !slices.Contains(v.scope.Faults, fault) {
			f.failf("Add the library, or build "+name+" without it.", "%s", fault)
			f.ofLibrary(name)
		}
	}
	missing, err := scope.Undefined(o)
	switch {
	case err != nil:
		f.unknownf("%s: %s", name, err)
	case len(missing) > 0:
		f.failf(rebuild(name), "%s wants %s, which neither %s nor its libraries define: it stops with \"undefined symbol\"",
			o.Path, some(missing, 3), v.name())
		f.ofLibrary(name)
	case f.Verdict == before:
		f.notef("%s: magic block of major %s, every symbol is defined", name, v.major)
	}
}

func (s *subject) sameMagic(f *finding, name string, o *elf.Object) {
	v := s.server
	got, err := o.Magic()
	switch {
	case errors.Is(err, elf.ErrNoMagic):
		f.failf(rebuild(name), "%s has no PG_MODULE_MAGIC: it stops with \"missing magic block\"", o.Path)
		f.ofLibrary(name)
	case err != nil:
		f.unknownf("%s: %s", o.Path, err)
	case v.magicErr != nil:
		if v.major != "" && got.Major() != v.major {
			f.failf(rebuild(name), "%s is built for major %s, the server is %s", o.Path, got.Major(), v.name())
			f.ofLibrary(name)
		}
	case got != v.magic && got.Major() != v.magic.Major():
		f.failf(rebuild(name), "%s is built for major %s, the server is of %s: it stops with \"version mismatch\"", o.Path, got.Major(), v.magic.Major())
		f.ofLibrary(name)
	case got != v.magic:
		f.failf(rebuild(name), "%s is built for a server of other limits: %+v, this one has %+v", o.Path, got, v.magic)
		f.ofLibrary(name)
	}
}

// some are the first of a list and how many more there are.
func some(list []string, n int) string {
	if len(list) <= n {
		return strings.Join(list, ", ")
	}
	return strings.Join(list[:n], ", ") + " and " + plural(len(list)-n, "other")
}

// pgauditBranches pair PostgreSQL's majors with the branch of pgaudit for each.
var pgauditBranches = map[string]string{
	"9.5": "1.0", "9.6": "1.1", "10": "1.2", "11": "1.3", "12": "1.4", "13": "1.5", "14": "1.6", "15": "1.7", "16": "16", "17": "17", "18": "18",
}

// B6.8: pgaudit is of the branch for the server's major.
func (s *subject) pgauditBranch(f *finding) {
	v := s.server
	control := path.Join(v.share, "extension", "pgaudit.control")
	got := s.defaultVersion(control)
	want := pgauditBranches[v.major]
	switch {
	case got == "" && s.want.Preload != nil && !slices.Contains(s.preload(), "pgaudit.so"):
		f.notef("pgaudit is not preloaded")
	case got == "":
		f.unknownf("there is no %s: see B6.6", control)
	case v.major == "" || want == "":
		f.unknownf("pgaudit %s; which branch is for major %q is not known", got, v.major)
	case got != want && !strings.HasPrefix(got, want+"."):
		f.failf("Build pgaudit's branch "+want+" for major "+v.major+".", "pgaudit %s is for another major: %s wants %s", got, v.name(), want)
		if e, ok := s.tree.Stat(control); ok {
			f.at(e.Layer)
		}
	default:
		f.notef("pgaudit %s is for major %s", got, v.major)
	}
}
