package preflight

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/elf"
	"github.com/adbsql/antdbctl/modules/image/rootfs"
)

// B6.14: Patroni is installed, with what it needs, in the version the image says.
func (s *subject) patroni(f *finding) {
	e, ok := s.program("patroni")
	if !ok {
		f.failf("Install Patroni: pip3 install 'patroni[kubernetes]==1.6.3', or the distribution's package.", "there is no patroni in %s", s.searchPath())
		return
	}
	s.runnable(f, e)
	version := s.python.patroni
	if version == "" {
		f.unknownf("%s is there; no metadata of a package tells its version", e.Path)
		return
	}
	f.notef("Patroni %s (%s)", version, s.python.patroniAt)
	if want := s.label("patroni.version"); want != "" && want != version && !strings.HasPrefix(version, want+".") {
		f.failf("Install the version that the label names, or correct the label.", "the label patroni.version says %s, the image has %s", want, version)
		f.at(s.layerOf(s.python.patroniAt))
	}
	switch {
	case s.python.kubernetes != "":
		f.notef("the Python package kubernetes is there, version %s", s.python.kubernetes)
	case elf.Compare(version, "2.0.0") >= 0:
		f.notef("this Patroni speaks to Kubernetes by itself")
	default:
		f.failf("pip3 install 'patroni[kubernetes]=="+version+"'", "Patroni %s needs the Python package kubernetes, and there is none", version)
		f.at(s.layerOf(s.python.patroniAt))
	}
}

// runnable checks that a program can be started: executable by the user, for
// this machine or with an interpreter that is there.
func (s *subject) runnable(f *finding, e rootfs.Entry) {
	if !s.may(e, 1) {
		f.failf("chmod 755 "+e.Path, "%s is not executable by uid %d: owner %d:%d, mode %s", e.Path, s.want.User, e.UID, e.GID, e.Octal())
		f.at(e.Layer)
		return
	}
	o, err := s.loader.Object(e.Path)
	if err == nil {
		if want := s.wantedArch(); o.Arch != want {
			f.failf("Take the program for "+want+".", "%s is for %s", e.Path, o.Arch)
			f.at(e.Layer)
		}
		return
	}
	interpreter := s.interpreter(e)
	switch {
	case interpreter == "":
		f.failf("Begin it with a line such as #!/bin/bash.", "%s is neither a program nor a script: it has no #! line", e.Path)
		f.at(e.Layer)
	case !s.isThere(interpreter):
		f.failf("Install "+interpreter+".", "%s is run by %s, which is not in the image", e.Path, interpreter)
		f.at(e.Layer)
	}
}

func (s *subject) isThere(program string) bool {
	if !path.IsAbs(program) {
		_, ok := s.program(program)
		return ok
	}
	e, ok := s.tree.Stat(program)
	return ok && e.Mode.IsRegular()
}

var shebang = regexp.MustCompile(`^#!\s*(\S+)(?:\s+(?:-S\s+)?(\S+))?`)

// interpreter is the program that runs a script, from its first line.
func (s *subject) interpreter(e rootfs.Entry) string {
	text, _ := s.files.text(e.Path)
	first, _, _ := strings.Cut(text, "\n")
	m := shebang.FindStringSubmatch(first)
	switch {
	case m == nil:
		return ""
	case path.Base(m[1]) == "env":
		return m[2]
	}
	return m[1]
}

// scriptsDir is where the operator's images keep their scripts.
const scriptsDir = "/opt/cpm/bin"

// tools are programs that scripts of the operator's images call, and how a call
// looks.
var tools = []struct {
	name string
	call *regexp.Regexp
}{
	{"yq", regexp.MustCompile(`(?m)(^|[\s;&|(/])yq (r|w|m|d|eval|-)`)},
	{"curl", regexp.MustCompile(`(?m)(^|[\s;&|(])curl `)},
	{"pgbackrest", regexp.MustCompile(`(?m)(^|[\s;&|(])pgbackrest `)},
	{"python3", regexp.MustCompile(`(?m)(^|[\s;&|(])python3 `)},
}

// B6.15: the scripts can be executed, and the tools that they call are there.
func (s *subject) scripts(f *finding) {
	var calls []string
	found := 0
	for e := range s.tree.Under(scriptsDir) {
		if !e.Mode.IsRegular() || path.Ext(e.Path) != ".sh" && !strings.HasPrefix(path.Ext(e.Path), ".py") && path.Ext(e.Path) != "" {
			continue
		}
		found++
		if s.sourced(e) {
			continue
		}
		s.runnable(f, e)
		if text, ok := s.files.text(e.Path); ok {
			for _, t := range tools {
				if t.call.MatchString(text) && !slices.Contains(calls, t.name) {
					calls = append(calls, t.name)
				}
			}
		}
	}
	if found == 0 {
		f.failf("Take the scripts from the operator's image (or images/antdb-ha): the pods' commands and probes call them.", "there are no scripts in %s", scriptsDir)
		return
	}
	f.notef("%s in %s", plural(found, "file"), scriptsDir)
	for _, name := range calls {
		e, ok := s.program(name)
		if own, ours := s.tree.Stat(path.Join(scriptsDir, name)); !ok && ours {
			e, ok = own, true
		}
		if !ok {
			f.failf("Install "+name+": the scripts call it.", "a script calls %s, which is not in the image", name)
			continue
		}
		s.runnable(f, e)
		f.notef("%s, which scripts call, is %s", name, e.Path)
	}
}

// sourced reports whether a script is one that others only read: it has neither
// a first line of its own nor anybody's right to execute it.
func (s *subject) sourced(e rootfs.Entry) bool {
	return e.Mode.Perm()&0o111 == 0 && (s.interpreter(e) == "" || strings.HasPrefix(path.Base(e.Path), "common"))
}
