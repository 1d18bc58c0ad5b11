package preflight

import (
	"path"
	"slices"
	"strconv"
	"strings"
)

// The operator's images start this way.
const (
	operatorEntrypoint = "/opt/cpm/bin/bootstrap-postgres-ha.sh"
	operatorCommand    = "/usr/local/bin/patroni"
)

// B6.16: containers start as the operator's images do. A rebuild loses these
// settings easily: an ENTRYPOINT takes the base's CMD away, an ENV without its
// argument is half empty.
func (s *subject) settings(f *finding) {
	s.startup(f)
	s.user(f)
	s.environment(f)
}

func (s *subject) startup(f *finding) {
	c := s.config.Config
	entry := slices.Concat(c.Entrypoint, c.Cmd)
	switch {
	case len(entry) == 0:
		f.failf(`ENTRYPOINT ["`+operatorEntrypoint+`"] and CMD ["`+operatorCommand+`"]`, "the image has no ENTRYPOINT and no CMD")
		return
	case len(c.Entrypoint) == 0:
		f.failf(`ENTRYPOINT ["`+operatorEntrypoint+`"]: the operator's pods start the image without a command.`, "the image has no ENTRYPOINT, only CMD %q", c.Cmd)
	case !slices.Equal(c.Entrypoint, []string{operatorEntrypoint}):
		f.warnf(`ENTRYPOINT ["`+operatorEntrypoint+`"], unless this one does the same.`, "ENTRYPOINT is %q, the operator's images have %q", c.Entrypoint, operatorEntrypoint)
	default:
		f.notef("ENTRYPOINT %q", c.Entrypoint)
	}
	switch {
	case len(c.Cmd) == 0 && len(c.Entrypoint) > 0:
		f.failf(`CMD ["`+operatorCommand+`"] after ENTRYPOINT: an ENTRYPOINT takes the base's CMD away.`, "the image has no CMD: the entrypoint starts no Patroni")
	case !slices.Equal(c.Cmd, []string{operatorCommand}):
		f.warnf(`CMD ["`+operatorCommand+`"], unless this one does the same.`, "CMD is %q, the operator's images have %q", c.Cmd, operatorCommand)
	default:
		f.notef("CMD %q", c.Cmd)
	}
	for _, list := range [][]string{c.Entrypoint, c.Cmd} {
		if len(list) == 0 || !path.IsAbs(list[0]) {
			continue
		}
		e, ok := s.tree.Stat(list[0])
		if !ok {
			f.failf("Copy it into the image, or correct the path.", "%s is not in the image", list[0])
			f.absent(list[0], path.Dir(list[0]))
			continue
		}
		s.runnable(f, e)
	}
}

func (s *subject) user(f *finding) {
	name, _, _ := strings.Cut(s.config.Config.User, ":")
	uid, err := strconv.Atoi(name)
	if err != nil {
		uid = 0
		text, _ := s.files.text("/etc/passwd")
		for _, a := range parseAccounts(text) {
			if a.name == name && name != "" {
				uid = a.uid
			}
		}
	}
	want := strconv.Itoa(s.want.User)
	switch {
	case uid == 0:
		f.failf("End the Dockerfile with USER "+want+".", "containers run as root (USER %q): PostgreSQL refuses to", s.config.Config.User)
	case uid != s.want.User:
		f.failf("End the Dockerfile with USER "+want+": the volumes belong to that uid.", "containers run as uid %d (USER %q)", uid, s.config.Config.User)
	default:
		f.notef("USER %s", s.config.Config.User)
	}
}

func (s *subject) environment(f *finding) {
	root := s.env["PGROOT"]
	switch {
	case root == "":
		f.failf("ENV PGROOT="+s.server.asked+": the scripts find the server by it.", "the environment has no PGROOT")
	case strings.HasSuffix(root, "-"):
		f.failf("Build with --build-arg PG_MAJOR=<major>.", "PGROOT is %q: it was put together from an argument without a value", root)
	case s.server.postgres == nil && s.want.Root == "":
		f.failf("Correct PGROOT, or put the server there.", "PGROOT is %s, where there is no server", root)
	default:
		f.notef("PGROOT=%s", root)
	}
	if bin := path.Join(s.server.asked, "bin"); !slices.ContainsFunc(strings.Split(s.searchPath(), ":"), func(dir string) bool {
		e, ok := s.tree.Stat(dir)
		return dir == bin || ok && e.Path == s.server.bin
	}) {
		f.failf("ENV PATH="+bin+":${PATH}", "PATH does not lead to the server's programs: %s", s.searchPath())
	}
	if s.env["LC_ALL"] == "" && s.env["LANG"] == "" {
		f.warnf("ENV LC_ALL="+operatorLocale+" LANG="+operatorLocale, "the environment sets no locale: databases are made in C")
	}
}
