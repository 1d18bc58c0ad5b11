package preflight

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/rootfs"
)

// account is a line of /etc/passwd.
type account struct {
	name     string
	uid, gid int
}

func parseAccounts(text string) []account {
	var list []account
	for line := range strings.Lines(text) {
		fields := strings.Split(strings.TrimSpace(line), ":")
		if len(fields) < 4 {
			continue
		}
		uid, err1 := strconv.Atoi(fields[2])
		gid, err2 := strconv.Atoi(fields[3])
		if err1 == nil && err2 == nil {
			list = append(list, account{fields[0], uid, gid})
		}
	}
	return list
}

// dataDirs are where the operator's pods write, for those that have them.
var dataDirs = []string{"/pgdata", "/pgwal", "/backrestrepo", "/crunchyadm"}

// B6.11: the containers' user is known, may read the server, and may write where
// data goes.
func (s *subject) owners(f *finding) {
	s.userKnown(f)
	s.serverReadable(f)
	if e, ok := s.tree.Stat("/tmp"); !ok || !s.may(e, 7) {
		f.failf("RUN mkdir -p /tmp && chmod 1777 /tmp", "uid %d may not write to /tmp: the server's socket and the scripts' files are there", s.want.User)
		if ok {
			f.at(e.Layer)
		}
	}
	for _, dir := range dataDirs {
		e, ok := s.tree.Stat(dir)
		switch {
		case !ok:
			f.notef("there is no %s; a pod mounts its own", dir)
		case !s.may(e, 7):
			f.failf(fmt.Sprintf("chown -R %d:%[1]d %s && chmod -R g=u %[2]s", s.want.User, dir), "%s is not writable by uid %d: owner %d:%d, mode %s", dir, s.want.User, e.UID, e.GID, e.Octal())
			f.at(e.Layer)
		case e.Mode.Perm()>>6&7 != e.Mode.Perm()>>3&7:
			f.warnf("chmod -R g=u "+dir, "%s: its group has not the owner's rights (mode %s), so another uid of the group cannot write there", dir, e.Octal())
			f.at(e.Layer)
		default:
			f.notef("%s: owner %d:%d, mode %s", dir, e.UID, e.GID, e.Octal())
		}
	}
}

func (s *subject) userKnown(f *finding) {
	text, ok := s.files.text("/etc/passwd")
	known := ""
	for _, a := range parseAccounts(text) {
		if a.uid == s.want.User {
			known = a.name
			break
		}
	}
	switch {
	case !ok:
		f.failf(fmt.Sprintf("Add a user postgres with uid %d.", s.want.User), "there is no /etc/passwd")
	case known == "":
		f.failf(fmt.Sprintf("RUN groupadd -g %d postgres && useradd -u %[1]d -g %[1]d postgres", s.want.User),
			"/etc/passwd has no uid %d: initdb stops with \"could not look up effective user ID %[1]d\"", s.want.User)
		f.at(s.layerOf("/etc/passwd"))
	default:
		f.notef("uid %d is %s", s.want.User, known)
	}
	if e, ok := s.tree.Stat("/etc/passwd"); ok && e.Mode.Perm()&0o020 == 0 {
		f.notef("/etc/passwd is not writable by its group (mode %s): only uid %d can run, not another uid of group 0", e.Octal(), s.want.User)
	}
}

// serverReadable checks that all of the server can be read, and its programs
// executed.
func (s *subject) serverReadable(f *finding) {
	var closed []rootfs.Entry
	total := 0
	look := func(e rootfs.Entry) {
		total++
		bit := uint32(4)
		if e.IsDir() {
			bit = 5
		}
		if !s.may(e, bit) {
			closed = append(closed, e)
		}
	}
	for p := s.server.root; p != "/"; p = path.Dir(p) {
		if e, ok := s.tree.Stat(p); ok {
			look(e)
		}
	}
	for e := range s.tree.Under(s.server.root) {
		if e.Mode.IsRegular() || e.IsDir() {
			look(e)
		}
	}
	if len(closed) == 0 {
		f.notef("uid %d may read all %s of %s", s.want.User, plural(total, "entry"), s.server.root)
		return
	}
	first := closed[0]
	f.failf("chmod -R a+rX "+s.server.root, "uid %d may not read %s (owner %d:%d, mode %s)%s", s.want.User, first.Path, first.UID, first.GID, first.Octal(), andOthers(len(closed)-1))
	f.at(first.Layer)
}

func andOthers(n int) string {
	if n == 0 {
		return ""
	}
	return " and " + plural(n, "other")
}
