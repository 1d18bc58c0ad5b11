package preflight

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/modules/image/elf"
)

// server is the database server of the image. Without one, root is where it was
// looked for and postgres is nil.
type server struct {
	asked string // the folder as asked for or as the environment says
	root  string // the same without links
	bin   string
	lib   string // where the server's own libraries are: pg_config --pkglibdir
	share string // pg_config --sharedir
	err   error  // why postgres is nil

	postgres  *elf.Object
	scope     *elf.Scope
	major     string
	version   string // what `postgres --version` prints
	full      string // what SELECT version() tells, without the first word's rest
	antdb     string // its AntDB version; empty for PostgreSQL
	catalog   string // catalog version
	magic     elf.Magic
	magicErr  error
	isCluster bool // built for AntDB's distributed cluster
}

// Texts among the constants of the program. See F2 of the facts on AntDB for
// the two ways in which --version is printed.
var (
	versionLine  = regexp.MustCompile(`^postgres \(.{1,200}\n$`)
	versionFull  = regexp.MustCompile(`^(PostgreSQL .{1,120} on .{1,200}), compiled by `)
	versionAntDB = regexp.MustCompile(`^PostgreSQL \S+ ADB (\S+ [0-9a-f]{7,}|\S+)`)
	catalogOf    = regexp.MustCompile(`^PG_(\d+(?:\.\d+)?)_(\d{9})`)
	versionMajor = regexp.MustCompile(`(?:PostgreSQL\) |based on PostgreSQL\) )(9\.\d+|\d+)`)
)

// nodeName is what programs say that are built for AntDB's distributed cluster.
const nodeName = "Postgres-XC node name is mandatory"

func (s *subject) findServer() server {
	v := server{asked: s.askedRoot()}
	v.root = v.asked
	if e, ok := s.tree.Stat(v.asked); ok && e.IsDir() {
		v.root = e.Path
	}
	v.bin = path.Join(v.root, "bin")
	if e, ok := s.tree.Stat(path.Join(v.bin, "postgres")); ok {
		// the server looks for its files from where its program really is
		v.bin = path.Dir(e.Path)
		v.root = path.Dir(v.bin)
	}
	v.lib, v.share = s.firstWith("plpgsql.so", usualLibs(v.root)...), v.root+"/share"
	if v.postgres, v.err = s.loader.Object(path.Join(v.bin, "postgres")); v.err != nil {
		return v
	}
	v.scope = s.loader.Load(v.postgres, nil)
	v.readVersion()
	libs, shares := v.builtIn()
	if libs == nil {
		libs = usualLibs(v.root)
	}
	if shares == nil {
		shares = []string{v.root + "/share/postgresql", v.root + "/share", v.root + "/share/pgsql"}
	}
	v.lib, v.share = s.firstWith("plpgsql.so", libs...), s.firstWith("postgres.bki", shares...)
	return v
}

// usualLibs are where servers have their libraries.
func usualLibs(root string) []string {
	return []string{root + "/lib/postgresql", root + "/lib", root + "/lib64/postgresql", root + "/lib64", root + "/lib/pgsql"}
}

// Folders that configure built into the server.
var (
	builtBin   = regexp.MustCompile(`^/\S*/bin$`)
	builtLib   = regexp.MustCompile(`^/\S*/lib(?:64)?(?:/postgresql|/pgsql)?$`)
	builtShare = regexp.MustCompile(`^/\S*/share(?:/postgresql|/pgsql)?(?:/[\d.]+)?$`)
)

// builtIn are the folders where the server looks for its libraries and shared
// files, by what was built into it; nil where that is not among its texts. A
// server that lies elsewhere looks beside itself, as long as its own folder ends
// as the built-in one does: make_relative_path of PostgreSQL's path.c.
func (v *server) builtIn() (libs, shares []string) {
	all := func(pattern *regexp.Regexp) []string {
		found, err := v.postgres.Constants("/", pattern)
		if err != nil {
			return nil
		}
		return found
	}
	bins := all(builtBin)
	if len(bins) != 1 {
		return nil, nil
	}
	for _, lib := range all(builtLib) {
		libs = append(libs, relocated(lib, bins[0], v.bin))
	}
	for _, share := range all(builtShare) {
		shares = append(shares, relocated(share, bins[0], v.bin))
	}
	slices.SortStableFunc(libs, func(a, b string) int { return len(b) - len(a) }) // lib/postgresql before the lib for clients
	return libs, shares
}

// relocated is where a folder is looked for that was to be at target, by
// programs that were to be in bin and are in at.
func relocated(target, bin, at string) string {
	common := 0
	for i := 0; i < min(len(target), len(bin)) && target[i] == bin[i]; i++ {
		if target[i] == '/' {
			common = i
		}
	}
	if prefix, ok := strings.CutSuffix(at, bin[common:]); ok {
		return path.Join("/", prefix, target[common:])
	}
	return target
}

// askedRoot is where the server should be, from the best source there is.
func (s *subject) askedRoot() string {
	if s.want.Root != "" {
		return path.Clean(s.want.Root)
	}
	if root := s.env["PGROOT"]; root != "" {
		return path.Clean(root)
	}
	if e, ok := s.program("postgres"); ok {
		return path.Dir(path.Dir(e.Path))
	}
	for _, base := range []string{"/usr", "/usr/lib/postgresql", "/usr/local"} {
		for _, e := range s.tree.Dir(base) {
			if _, ok := s.tree.Stat(e.Path + "/bin/postgres"); ok {
				return e.Path
			}
		}
	}
	return "/usr/pgsql"
}

// firstWith is the first of the folders that has a file, else the second, which
// is the more usual one, or the only.
func (s *subject) firstWith(name string, dirs ...string) string {
	for _, dir := range dirs {
		if _, ok := s.tree.Stat(path.Join(dir, name)); ok {
			e, _ := s.tree.Stat(dir)
			return e.Path
		}
	}
	return dirs[min(1, len(dirs)-1)]
}

func (v *server) readVersion() {
	text := func(prefix string, pattern *regexp.Regexp) []string {
		m, err := v.postgres.Constant(prefix, pattern)
		if err != nil {
			return nil
		}
		return m
	}
	if m := text("postgres (", versionLine); m != nil {
		v.version = m[0]
	}
	if m := text("PostgreSQL ", versionFull); m != nil {
		v.full = m[1]
	}
	if m := versionAntDB.FindStringSubmatch(v.full); m != nil {
		v.antdb = m[1]
	}
	if m := text("PG_", catalogOf); m != nil {
		v.major, v.catalog = m[1], m[2]
	}
	if m := versionMajor.FindStringSubmatch(v.version); m != nil {
		v.major = m[1]
	}
	v.isCluster, _ = v.postgres.Holds(nodeName)
	v.magic, v.magicErr = v.postgres.ServerMagic()
	if v.major == "" && v.magicErr == nil {
		v.major = v.magic.Major()
	}
	if strings.Contains(v.version, "based on PostgreSQL") && v.antdb == "" {
		v.antdb = strings.Fields(strings.TrimPrefix(v.version, "postgres ("))[0]
	}
}

// name is how people call the server.
func (v *server) name() string {
	switch {
	case v.postgres == nil:
		return "no server"
	case v.antdb != "":
		return fmt.Sprintf("AntDB %s (PostgreSQL %s)", v.antdb, v.major)
	}
	return "PostgreSQL " + v.major
}
