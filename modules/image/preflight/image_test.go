package preflight

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/modules/image/rootfs"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// The images of these tests are made of this machine's own PostgreSQL, pgaudit
// and libraries. What stands in for Patroni, psycopg2, pgBackRest and the
// locale's data is said where it is made. Layers are put into a store directly;
// no engine is needed.

// entry is a file of a layer.
type entry struct {
	from    string // file of this machine
	content []byte
	link    string
	dir     bool
	mode    int64
	uid     int
	gid     int
}

// layer is the files of a layer by path; one named ".wh.x" deletes x.
type layer map[string]entry

func text(s string) entry           { return entry{content: []byte(s), mode: 0o644} }
func script(s string) entry         { return entry{content: []byte(s), mode: 0o755} }
func program(from string) entry     { return entry{from: from, mode: 0o755} }
func owned(uid, gid, m int64) entry { return entry{dir: true, uid: int(uid), gid: int(gid), mode: m} }

func (l layer) tar(t testing.TB) []byte {
	t.Helper()
	var out bytes.Buffer
	tw := tar.NewWriter(&out)
	var names []string
	for name := range l {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		e := l[name]
		h := &tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: e.mode, Uid: e.uid, Gid: e.gid, Typeflag: tar.TypeReg}
		content := e.content
		switch {
		case e.dir:
			h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
		case e.link != "":
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		case e.from != "":
			var err error
			content, err = os.ReadFile(e.from)
			require.NoError(t, err)
		}
		h.Size = int64(len(content))
		require.NoError(t, tw.WriteHeader(h))
		_, err := tw.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, tw.Close())
	return out.Bytes()
}

// sample is the image that passes, in layers that tests build upon.
var sample struct {
	once    sync.Once
	store   store.Store
	major   string
	root    string // of PostgreSQL on this machine
	digests []string
	lines   []string
	dir     string
}

func TestMain(m *testing.M) {
	code := m.Run()
	if sample.dir != "" {
		_ = os.RemoveAll(sample.dir)
	}
	os.Exit(code)
}

// root and share are the server's in the image: where it was built for, as on
// this machine.
var root, share string

// made prepares the layers of the sample once.
func made(t testing.TB) {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	require.NoError(t, err)
	if len(found) == 0 && testing.Short() {
		t.Skip("needs PostgreSQL")
	}
	require.NotEmpty(t, found, "the tests look into a real PostgreSQL server")
	sample.once.Do(func() {
		sample.root = filepath.Dir(filepath.Dir(found[len(found)-1]))
		sample.major = filepath.Base(sample.root)
		root, share = sample.root, "/usr/share/postgresql/"+sample.major
		sample.dir, err = os.MkdirTemp("", "antdbctl-preflight-")
		require.NoError(t, err)
		sample.store, err = store.At(sample.dir)
		require.NoError(t, err)
		for _, l := range []struct {
			line  string
			files layer
		}{{"ADD base.tar /", base(t)}, {"COPY --from=server /out/ /", serverLayer(t)}, {"COPY cpm/ /opt/cpm/", operatorLayer()}} {
			b, err := sample.store.Put(bytes.NewReader(l.files.tar(t)))
			require.NoError(t, err)
			sample.digests, sample.lines = append(sample.digests, b.Digest), append(sample.lines, l.line)
		}
	})
	require.Len(t, sample.digests, 3)
}

var lddLine = regexp.MustCompile(`(?m)=> (/\S+) \(|^\s+(/\S+) \(`)

// base is a system: the libraries of everything, accounts, a locale, and
// stand-ins for the Python packages and programs.
func base(t testing.TB) layer {
	l := layer{
		"/etc/passwd": {content: []byte("root:x:0:0::/root:/bin/sh\npostgres:x:26:26::/:/bin/sh\n"), mode: 0o664},
		"/etc/group":  {content: []byte("root:x:0:\npostgres:x:26:\n"), mode: 0o664},
		"/bin":        {link: "usr/bin"}, "/lib": {link: "usr/lib"}, "/lib64": {link: "usr/lib64"},
		"/usr/bin/bash": program("/bin/bash"), "/usr/bin/sh": {link: "bash"}, "/usr/bin/python3": program("/bin/bash"),
		// psql stands in for pgBackRest, and the receiver for psycopg2's driver: both want libpq, as they do
		"/usr/bin/pgbackrest": program(sample.root + "/bin/psql"),
		"/usr/lib/python3/dist-packages/psycopg2/_psycopg.so":             {from: sample.root + "/lib/libpqwalreceiver.so", mode: 0o644},
		"/usr/lib/python3/dist-packages/patroni-3.0.2.dist-info/METADATA": text("Metadata-Version: 2.1\nName: patroni\nVersion: 3.0.2\n"),
		"/usr/local/bin/patroni":                                          script("#!/usr/bin/python3\n"),
		"/usr/lib/locale/en_US.utf8/LC_CTYPE":                             text("where the locale's data would be"),
	}
	for _, name := range []string{"/bin/postgres", "/bin/psql", "/bin/pg_basebackup", "/lib/libpqwalreceiver.so"} {
		out, err := exec.Command("ldd", sample.root+name).Output()
		require.NoError(t, err)
		for _, m := range lddLine.FindAllStringSubmatch(string(out), -1) {
			p := m[1] + m[2]
			at := p
			if !strings.HasPrefix(at, "/usr/") {
				at = "/usr" + at // /lib is a link in the image
			}
			l[at] = program(p)
		}
	}
	l["/tmp"] = owned(0, 0, 0o1777)
	for _, dir := range dataDirs {
		l[dir] = owned(26, 26, 0o770)
	}
	return l
}

// serverLayer is this machine's server, laid out as the operator's images have it.
func serverLayer(t testing.TB) layer {
	l := layer{}
	for from, to := range map[string]string{sample.root: root, share: share} {
		err := filepath.WalkDir(from, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				if d != nil && (d.Name() == "bitcode" || d.Name() == "pgxs") {
					return fs.SkipDir
				}
				return err
			}
			if info, err := os.Stat(p); err == nil && info.Mode().IsRegular() && keep(p) {
				l[to+strings.TrimPrefix(p, from)] = entry{from: p, mode: int64(info.Mode().Perm())}
			}
			return nil
		})
		require.NoError(t, err)
	}
	require.Contains(t, l, root+"/lib/pgaudit.so", "the tests need postgresql-"+sample.major+"-pgaudit")
	return l
}

// keep leaves out what is large or needs libraries that servers seldom have.
func keep(p string) bool {
	name := path.Base(p)
	if path.Ext(name) == ".so" {
		return slices.Contains([]string{"pgaudit.so", "pg_stat_statements.so", "plpgsql.so", "libpqwalreceiver.so", "dblink.so"}, name)
	}
	return !strings.Contains(p, "/tsearch_data/") && name != "pgbench"
}

func operatorLayer() layer {
	return layer{
		"/opt/cpm/bin/bootstrap-postgres-ha.sh": script("#!/bin/bash\nsource /opt/cpm/bin/common.sh\npgbackrest version\nexec \"$@\"\n"),
		"/opt/cpm/bin/common.sh":                text("# read by others\n"),
		"/opt/cpm/conf/postgres-ha.yaml":        text("bootstrap:\n  dcs:\n    postgresql:\n      parameters:\n        shared_preload_libraries: pgaudit.so,pg_stat_statements.so\n"),
	}
}

// settings of the image as the configuration has them.
type settings map[string]any

func usual() settings {
	return settings{
		"User": "26", "Entrypoint": []string{operatorEntrypoint}, "Cmd": []string{operatorCommand},
		"Env": []string{"PGROOT=" + root, "PGVERSION=" + sample.major, "PATH=" + root + "/bin:/usr/local/bin:/usr/bin:/bin", "LC_ALL=en_US.utf-8", "LANG=en_US.utf-8"},
	}
}

// addition is a layer on top of the sample and the line that makes it.
type addition struct {
	line  string
	files layer
}

// image puts an image into the store: the sample with layers on top.
func image(t testing.TB, config settings, more ...addition) *store.Image {
	t.Helper()
	made(t)
	if config == nil {
		config = usual()
	}
	digests, lines := slices.Clone(sample.digests), slices.Clone(sample.lines)
	for _, m := range more {
		b, err := sample.store.Put(bytes.NewReader(m.files.tar(t)))
		require.NoError(t, err)
		digests, lines = append(digests, b.Digest), append(lines, m.line)
	}
	history := []map[string]any{}
	for _, line := range lines {
		history = append(history, map[string]any{"created_by": line})
	}
	history = append(history, map[string]any{"created_by": "USER 26", "empty_layer": true})
	body, err := json.Marshal(map[string]any{
		"os": "linux", "architecture": "amd64", "config": config, "history": history,
		"rootfs": map[string]any{"type": "layers", "diff_ids": digests},
	})
	require.NoError(t, err)
	b, err := sample.store.Put(bytes.NewReader(body))
	require.NoError(t, err)
	img, err := sample.store.Lookup(b.Digest)
	require.NoError(t, err)
	return img
}

// judge runs all checks and gives their findings by ID.
func judge(t testing.TB, img *store.Image, want Want) map[string]Finding {
	t.Helper()
	tree, err := rootfs.Read(t.Context(), img)
	require.NoError(t, err)
	config, err := img.ConfigFile()
	require.NoError(t, err)
	list, _, err := Run(t.Context(), tree, config, want)
	require.NoError(t, err)
	out := map[string]Finding{}
	for _, f := range list {
		out[f.ID] = f
	}
	return out
}
