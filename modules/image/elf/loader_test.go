package elf

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// tree makes a folder of files copied from this machine: path in the tree → path here.
func tree(t *testing.T, files map[string]string) dir {
	t.Helper()
	root := t.TempDir()
	for at, from := range files {
		content, err := os.ReadFile(from)
		require.NoError(t, err, from)
		put(t, root, at, content)
	}
	return dir(root)
}

func put(t *testing.T, root, at string, content []byte) {
	t.Helper()
	p := filepath.Join(root, at)
	require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
	require.NoError(t, os.WriteFile(p, content, 0o755))
}

// library finds where this machine has a library.
func library(t *testing.T, name string) string {
	t.Helper()
	l, err := NewLoader(dir("/"), "")
	require.NoError(t, err)
	require.NotEmpty(t, l.Cached(name), name)
	return l.Cached(name)[0]
}

func faults(t *testing.T, root dir, ldLibraryPath, program string) []string {
	t.Helper()
	l, err := NewLoader(root, ldLibraryPath)
	require.NoError(t, err)
	o, err := l.Object(program)
	require.NoError(t, err)
	var out []string
	for _, f := range l.Load(o, nil).Faults {
		out = append(out, f.String())
	}
	return out
}

func TestThisMachinesProgramsLoad(t *testing.T) {
	root := server(t)
	for _, program := range []string{root + "/bin/postgres", root + "/bin/psql", root + "/lib/libpqwalreceiver.so"} {
		require.Empty(t, faults(t, "/", "", program), program)
	}
}

func TestExtensionsFindTheServersSymbols(t *testing.T) {
	root := server(t)
	l, err := NewLoader(dir("/"), "")
	require.NoError(t, err)
	postgres, err := l.Object(root + "/bin/postgres")
	require.NoError(t, err)
	psql, err := l.Object(root + "/bin/psql")
	require.NoError(t, err)
	for _, name := range []string{"pgaudit.so", "pg_stat_statements.so", "plpgsql.so", "libpqwalreceiver.so"} {
		extension, err := l.Object(root + "/lib/" + name)
		require.NoError(t, err)
		scope := l.Load(extension, l.Load(postgres, nil))
		require.Empty(t, scope.Faults, name)
		missing, err := scope.Undefined(extension)
		require.NoError(t, err)
		require.Empty(t, missing, name)
		missing, err = l.Load(extension, l.Load(psql, nil)).Undefined(extension)
		require.NoError(t, err)
		require.Contains(t, missing, "palloc", "%s is for the server, not for psql", name)
	}
}

func TestLibrariesAreLookedForWhereLdSoLooks(t *testing.T) {
	receiver, libpq, libc := server(t)+"/lib/libpqwalreceiver.so", library(t, "libpq.so.5"), library(t, "libc.so.6")
	at := func(place string) dir {
		return tree(t, map[string]string{"/pg/lib/r.so": receiver, "/usr/lib/x86_64-linux-gnu/libc.so.6": libc, place + "/libpq.so.5": libpq})
	}
	lacksLibpq := func(list []string) bool {
		return len(list) > 0 && strings.HasPrefix(list[0], "/pg/lib/r.so wants libpq.so.5, which is not found")
	}
	require.False(t, lacksLibpq(faults(t, at("/usr/lib64"), "", "/pg/lib/r.so")), "a default folder")
	require.True(t, lacksLibpq(faults(t, at("/pg/lib"), "", "/pg/lib/r.so")), "no folder of the loader's")
	require.False(t, lacksLibpq(faults(t, at("/pg/lib"), "/nowhere:/pg/lib", "/pg/lib/r.so")), "LD_LIBRARY_PATH")

	cached := at("/pg/lib")
	put(t, string(cached), "/etc/ld.so.cache", cache(map[string]string{"libpq.so.5": "/pg/lib/libpq.so.5"}))
	require.False(t, lacksLibpq(faults(t, cached, "", "/pg/lib/r.so")), "ld.so.cache")
	require.NoError(t, os.Remove(filepath.Join(string(cached), "/pg/lib/libpq.so.5")))
	require.Contains(t, faults(t, cached, "", "/pg/lib/r.so"),
		"/pg/lib/r.so wants libpq.so.5, which is not found (/etc/ld.so.cache still names /pg/lib/libpq.so.5)")

	foreign := at("/usr/lib64")
	content, err := os.ReadFile(libpq)
	require.NoError(t, err)
	binary.LittleEndian.PutUint16(content[18:], 183) // aarch64, by the hand of this test
	put(t, string(foreign), "/usr/lib64/libpq.so.5", content)
	require.Contains(t, faults(t, foreign, "", "/pg/lib/r.so"),
		"/pg/lib/r.so wants libpq.so.5, which is not found (/usr/lib64/libpq.so.5 is for arm64)")
}

func TestRunPathAndOriginLeadToLibraries(t *testing.T) {
	lib := func(rpath, runpath []string) *Object {
		return &Object{&File{Arch: "amd64", RPath: rpath, RunPath: runpath}, "/pg/lib/ext.so"}
	}
	l := &Loader{env: []string{"/env"}, cache: map[string][]string{"x": {"/cached/x"}}}
	by := &Object{&File{Arch: "amd64", RPath: []string{"$ORIGIN/../lib"}}, "/pg/bin/postgres"}
	require.Equal(t, []string{"/pg/lib/x", "/env/x", "/cached/x"}, l.candidates("x", lib(nil, nil), []*Object{by})[:3],
		"a program's RPATH serves its libraries")
	require.Equal(t, []string{"/env/x", "/pg/own/x", "/cached/x"}, l.candidates("x", lib(nil, []string{"${ORIGIN}/../own"}), []*Object{by})[:3],
		"with RUNPATH it does not")
	musl := &Object{&File{Arch: "amd64", Interp: "/lib/ld-musl-x86_64.so.1"}, "/bin/p"}
	l = &Loader{tree: dir(t.TempDir()), cache: map[string][]string{"x": {"/cached/x"}}}
	require.Equal(t, []string{"/lib/x", "/usr/local/lib/x", "/usr/lib/x"}, l.candidates("x", musl, nil))
}

func TestVersionsThatALibraryLacksAreTold(t *testing.T) {
	receiver, libpq := server(t)+"/lib/libpqwalreceiver.so", library(t, "libpq.so.5")
	root := tree(t, map[string]string{"/lib64/r.so": receiver, "/lib64/libpq.so.5": libpq})
	content, err := os.ReadFile(library(t, "libc.so.6"))
	require.NoError(t, err)
	// the versions of a C library as old as CentOS 7's: the test renames the later ones
	for _, v := range []string{"2.34", "2.33", "2.32", "2.28", "2.25"} {
		content = bytes.ReplaceAll(content, []byte("\x00GLIBC_"+v+"\x00"), []byte("\x00OLDER_"+v+"\x00"))
	}
	put(t, string(root), "/lib64/libc.so.6", content)
	wanted := read(t, libpq).Wanted("GLIBC")
	require.Contains(t, faults(t, root, "", "/lib64/r.so"), "/lib64/libpq.so.5 wants GLIBC_"+wanted+", which /lib64/libc.so.6 does not define")
}

func TestDamagedCachesAreRefused(t *testing.T) {
	whole := cache(map[string]string{"a.so": "/a.so", "b.so": "/b.so"})
	got, err := parseCache(append([]byte("ld.so-1.7.0 and an older table before it"), whole...))
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"a.so": {"/a.so"}, "b.so": {"/b.so"}}, got)
	for n := range whole {
		_, err := parseCache(whole[:n])
		require.Error(t, err, n)
	}
}

// cache is a ld.so.cache as ldconfig writes it.
func cache(libs map[string]string) []byte {
	var table, texts []byte
	start := uint32(48 + 24*len(libs))
	for name, file := range libs {
		table = binary.LittleEndian.AppendUint32(table, 0x303)
		table = binary.LittleEndian.AppendUint32(table, start+uint32(len(texts)))
		texts = append(append(texts, name...), 0)
		table = binary.LittleEndian.AppendUint32(table, start+uint32(len(texts)))
		texts = append(append(texts, file...), 0)
		table = append(table, make([]byte, 12)...)
	}
	head := binary.LittleEndian.AppendUint32([]byte("glibc-ld.so.cache1.1"), uint32(len(libs)))
	head = binary.LittleEndian.AppendUint32(head, uint32(len(texts)))
	head = append(head, make([]byte, 48-len(head))...)
	return append(append(head, table...), texts...)
}
