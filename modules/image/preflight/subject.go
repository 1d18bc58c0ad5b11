package preflight

import (
	"context"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/adbsql/antdbctl/modules/image/elf"
	"github.com/adbsql/antdbctl/modules/image/rootfs"
)

// operatorUser is the uid that the operator's images run as.
const operatorUser = 26

// operatorPreload is what the operator's settings preload.
var operatorPreload = []string{"pgaudit.so", "pg_stat_statements.so"}

// subject is the image under judgement.
type subject struct {
	tree   *rootfs.Tree
	config *v1.ConfigFile
	want   Want
	env    map[string]string
	files  *files
	loader *elf.Loader
	server server
	preset []preset // libraries that settings in the image preload
	broken []broken // ELF files of the server that would not load
	python packages
}

func newSubject(ctx context.Context, tree *rootfs.Tree, config *v1.ConfigFile, want Want) (*subject, error) {
	if want.User == 0 {
		want.User = operatorUser
	}
	s := &subject{tree: tree, config: config, want: want, env: map[string]string{}, files: &files{ctx: ctx, tree: tree}}
	for _, pair := range config.Config.Env {
		name, value, _ := strings.Cut(pair, "=")
		s.env[name] = value
	}
	var err error
	if s.loader, err = elf.NewLoader(s.files, s.env["LD_LIBRARY_PATH"]); err != nil {
		return nil, err
	}
	s.server = s.findServer()
	s.preset = s.readSettings()
	s.python = s.findPackages()
	s.broken = s.loadAll()
	return s, nil
}

// program finds a command in the image's PATH.
func (s *subject) program(name string) (rootfs.Entry, bool) {
	for _, dir := range strings.Split(s.searchPath(), ":") {
		if e, ok := s.tree.Stat(path.Join("/", dir, name)); ok && e.Mode.IsRegular() {
			return e, true
		}
	}
	return rootfs.Entry{}, false
}

func (s *subject) searchPath() string {
	if p := s.env["PATH"]; p != "" {
		return p
	}
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
}

// label is what one of the image's labels says.
func (s *subject) label(name string) string { return s.config.Config.Labels[name] }

// may reports whether the containers' user can use an entry: bit is 4 to read,
// 2 to write, 1 to execute or enter.
func (s *subject) may(e rootfs.Entry, bit uint32) bool {
	perm := uint32(e.Mode.Perm())
	switch {
	case e.UID == s.want.User:
		return perm>>6&bit == bit
	case e.GID == s.group():
		return perm>>3&bit == bit
	}
	return perm&bit == bit
}

// group is the primary group of the containers' user.
func (s *subject) group() int {
	if text, ok := s.files.text("/etc/passwd"); ok {
		for _, a := range parseAccounts(text) {
			if a.uid == s.want.User {
				return a.gid
			}
		}
	}
	return 0 // as for a uid that no one knows
}

// libraryName is how a server finds a preloaded library: without a folder it is
// one of its own, and ".so" may be left out.
func libraryName(name string) string {
	name = strings.TrimPrefix(strings.TrimSpace(name), "$libdir/")
	if !strings.HasSuffix(name, ".so") {
		name += ".so"
	}
	return name
}

// preload is what the server of a container would preload, in order.
func (s *subject) preload() []string {
	if s.want.Preload != nil {
		return names(s.want.Preload)
	}
	var all []string
	for _, p := range s.preset {
		all = append(all, p.libraries...)
	}
	return names(append(all, operatorPreload...))
}

func names(list []string) []string {
	var out []string
	for _, l := range list {
		if l = libraryName(l); !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

// packages are the Python packages that matter.
type packages struct {
	patroni    string // its version
	patroniAt  string // where that stands
	kubernetes string
	psycopg    []string // the libraries of its drivers
}

var packageVersion = regexp.MustCompile(`(?m)^Version:\s*(\S+)`)

// findPackages looks through the folders of Python packages.
func (s *subject) findPackages() packages {
	var p packages
	for _, dir := range s.packageDirs() {
		for _, e := range s.tree.Dir(dir) {
			name := path.Base(e.Path)
			switch {
			case isMetadata(name, "patroni") && p.patroni == "":
				p.patroni, p.patroniAt = s.metadata(e), e.Path
			case isMetadata(name, "kubernetes") && p.kubernetes == "":
				p.kubernetes = s.metadata(e)
			case name == "psycopg2" || name == "psycopg2_binary" || name == "psycopg_c" || name == "psycopg_binary":
				for _, lib := range s.tree.Dir(e.Path) {
					if strings.HasSuffix(lib.Path, ".so") {
						p.psycopg = append(p.psycopg, lib.Path)
					}
				}
			}
		}
	}
	return p
}

// packageDirs are the places where Pythons look, and virtual environments of
// Patroni's own.
func (s *subject) packageDirs() []string {
	dirs := map[string]bool{}
	for _, base := range []string{"/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64", "/opt"} {
		for _, e := range s.tree.Dir(base) {
			roots := []string{e.Path}
			if base == "/opt" {
				for _, lib := range append(s.tree.Dir(e.Path+"/lib"), s.tree.Dir(e.Path+"/lib64")...) {
					roots = append(roots, lib.Path)
				}
			}
			for _, root := range roots {
				if strings.HasPrefix(path.Base(root), "python") {
					dirs[root+"/site-packages"], dirs[root+"/dist-packages"] = true, true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(dirs))
}

// isMetadata reports whether a name is the folder or file with the metadata of
// a package: patroni-3.0.2.dist-info, patroni-1.6.3-py3.6.egg-info.
func isMetadata(name, pkg string) bool {
	return strings.HasPrefix(strings.ToLower(name), pkg+"-") &&
		(strings.HasSuffix(name, ".dist-info") || strings.HasSuffix(name, ".egg-info"))
}

func (s *subject) metadata(e rootfs.Entry) string {
	for _, at := range []string{e.Path + "/METADATA", e.Path + "/PKG-INFO", e.Path} {
		if text, ok := s.files.text(at); ok {
			if m := packageVersion.FindStringSubmatch(text); m != nil {
				return m[1]
			}
		}
	}
	return ""
}
