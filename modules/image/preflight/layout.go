package preflight

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/elf"
)

// B6.1: the server's folder holds bin, lib and share, and not one more folder
// that holds them.
func (s *subject) layout(f *finding) {
	v := s.server
	if v.root != v.asked {
		f.notef("%s is %s", v.asked, v.root)
	}
	if v.postgres == nil {
		f.noServer()
		return
	}
	f.notef("programs in %s", v.bin)
	for _, part := range []struct{ what, dir, witness string }{
		{"the server's libraries", v.lib, "plpgsql.so"},
		{"the server's shared files", v.share, "postgres.bki"},
	} {
		if _, ok := s.tree.Stat(path.Join(part.dir, part.witness)); !ok {
			f.failf("Install the server whole: bin, lib and share side by side.",
				"%s are not where %s looks: there is no %s", part.what, v.name(), path.Join(part.dir, part.witness))
			f.absent(path.Join(part.dir, part.witness), path.Join(v.bin, "postgres"))
			continue
		}
		f.notef("%s in %s", part.what, part.dir)
	}
}

// noServer fails a check for which there must be a server.
func (f *finding) noServer() {
	s := f.subject
	v, p := s.server, path.Join(s.server.bin, "postgres")
	if v.err != nil && !errors.Is(v.err, fs.ErrNotExist) {
		f.failf("Put a server for Linux there, built for the nodes' architecture.", "%s cannot be read: %s", p, v.err)
		if e, ok := s.tree.Stat(p); ok {
			f.at(e.Layer)
		}
		return
	}
	remedy := "Unpack the server there, or set pg_root to where it is."
	if strings.HasSuffix(v.asked, "-") {
		remedy = "Build with --build-arg PG_MAJOR=<major>: the environment's PGROOT was put together without it."
	}
	f.failf(remedy, "there is no %s", p)
	for e := range s.tree.Under(v.root) {
		if path.Base(e.Path) == "postgres" && path.Base(path.Dir(e.Path)) == "bin" && e.Mode.IsRegular() {
			f.Remedy = "The archive has one folder too many: unpack it with tar --strip-components=1, or set pg_root = \"" + path.Dir(path.Dir(e.Path)) + "\"."
			f.notef("there is a %s", e.Path)
			f.at(e.Layer)
			return
		}
	}
	f.absent(p, v.root)
}

// seeServer leaves a check open for which there must be a server.
func (f *finding) seeServer() { f.unknownf("there is no server to look at: see B6.1") }

// B6.2: the server is of the wanted major.
func (s *subject) version(f *finding) {
	v := s.server
	if v.postgres == nil {
		f.seeServer()
		return
	}
	if v.version == "" && v.full == "" {
		f.unknownf("%s/postgres has no version among its texts", v.bin)
		return
	}
	f.notef("%s", strings.TrimSpace(v.version))
	if v.full != "" {
		f.notef("%s", v.full)
	}
	want, source := s.wantedMajor()
	if want == "" {
		f.notef("no other major is asked for")
		return
	}
	if want != v.major {
		f.failf("Build with the server of major "+want+", or set pg_major = \""+v.major+"\".", "%s is not of major %s, which %s", v.name(), want, source)
		f.ofServer()
		return
	}
	f.notef("major %s, as %s", v.major, source)
}

// wantedMajor is the major that the server should be of, and who says so.
func (s *subject) wantedMajor() (major, source string) {
	switch {
	case s.want.Major != "":
		return s.want.Major, "pg_major asks for"
	case s.env["PGVERSION"] != "":
		return s.env["PGVERSION"], "the environment's PGVERSION says"
	case s.label("postgresql.version.major") != "":
		return s.label("postgresql.version.major"), "the label postgresql.version.major says"
	}
	if _, number, ok := strings.Cut(path.Base(s.server.asked), "pgsql-"); ok && number != "" {
		return number, "the folder's name says"
	}
	return "", ""
}

// ofServer puts the layer of the server at fault.
func (f *finding) ofServer() {
	if e, ok := f.subject.tree.Stat(path.Join(f.subject.server.bin, "postgres")); ok {
		f.at(e.Layer)
	}
}

var (
	neededPrograms = []string{"postgres", "initdb", "pg_ctl", "psql", "pg_isready", "pg_basebackup", "pg_rewind", "pg_controldata"}
	otherPrograms  = []string{"pg_config"} // for building extensions alone
)

// B6.3: the programs that Patroni and the scripts call are there.
func (s *subject) programs(f *finding) {
	if s.server.postgres == nil {
		f.seeServer()
		return
	}
	found := 0
	for _, name := range slices.Concat(neededPrograms, otherPrograms) {
		p := path.Join(s.server.bin, name)
		e, ok := s.tree.Stat(p)
		switch {
		case !ok && slices.Contains(otherPrograms, name):
			f.warnf("Add it where extensions are to be built.", "%s is missing: no extension can be built in this image", p)
		case !ok:
			f.failf("Install the client programs with the server: Patroni and the operator's scripts call them.", "%s is missing", p)
			f.absent(p, path.Join(s.server.bin, "postgres"))
		case !e.Mode.IsRegular() || !s.may(e, 1):
			f.failf("chmod 755 "+p, "%s cannot be executed by uid %d: mode %s", p, s.want.User, e.Octal())
			f.at(e.Layer)
		default:
			found++
		}
	}
	f.notef("%d programs in %s", found, s.server.bin)
}

// B6.4: initdb is one for a single server. A build for AntDB's distributed
// cluster wants a node's name, which Patroni does not give.
func (s *subject) initdb(f *finding) {
	v := s.server
	if v.postgres == nil {
		f.seeServer()
		return
	}
	remedy := "Build AntDB with --disable-cluster for a single server."
	cluster := v.isCluster
	o, err := s.loader.Object(path.Join(v.bin, "initdb"))
	if err == nil {
		holds, err := o.Holds(nodeName)
		cluster = cluster || err == nil && holds
	}
	switch {
	case err != nil && !errors.Is(err, elf.ErrNotELF): // a script around it is fine
		f.failf("Install initdb with the server.", "%s/initdb: %s", v.bin, err)
		f.absent(path.Join(v.bin, "initdb"), path.Join(v.bin, "postgres"))
	case cluster:
		f.failf(remedy, "this is a build for AntDB's distributed cluster: its initdb stops with \"Postgres-XC node name is mandatory\"")
		f.at(s.layerOf(path.Join(v.bin, "initdb")))
	default:
		f.notef("initdb asks for no node's name")
	}
	if _, ok := s.tree.Stat(path.Join(v.share, "postgresql.conf.sample")); !ok {
		f.failf("Install the server whole: bin, lib and share side by side.", "initdb finds no %s/postgresql.conf.sample", v.share)
		f.absent(path.Join(v.share, "postgresql.conf.sample"), path.Join(v.bin, "postgres"))
	}
}
