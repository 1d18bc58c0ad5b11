package elf

import (
	"bytes"
	"encoding/binary"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// dir is a folder of this machine as a tree.
type dir string

func (d dir) Open(name string) (io.ReaderAt, string, error) {
	for range 40 {
		at := "/"
		parts := strings.Split(strings.Trim(filepath.Clean(name), "/"), "/")
		name = ""
		for i, part := range parts {
			at = filepath.Join(at, part)
			if to, err := os.Readlink(filepath.Join(string(d), at)); err == nil {
				if !filepath.IsAbs(to) {
					to = filepath.Join(filepath.Dir(at), to)
				}
				name = filepath.Join(append([]string{to}, parts[i+1:]...)...)
				break
			}
		}
		if name == "" {
			content, err := os.ReadFile(filepath.Join(string(d), at))
			return bytes.NewReader(content), at, err
		}
	}
	return nil, "", fs.ErrNotExist
}

// server finds the folder of this machine's PostgreSQL.
func server(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	require.NoError(t, err)
	if len(found) == 0 && testing.Short() {
		t.Skip("needs PostgreSQL")
	}
	require.NotEmpty(t, found, "the tests look into a real PostgreSQL server")
	return filepath.Dir(filepath.Dir(found[len(found)-1]))
}

func read(t *testing.T, path string) *File {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	f, err := Read(bytes.NewReader(content))
	require.NoError(t, err)
	return f
}

func TestReadTellsWhatTheLoaderNeeds(t *testing.T) {
	root := server(t)
	postgres := read(t, root+"/bin/postgres")
	require.Equal(t, "program", postgres.Kind)
	require.Contains(t, postgres.Interp, "/ld-linux")
	require.Contains(t, postgres.Needed, "libc.so.6")
	require.NotEmpty(t, postgres.Wanted("GLIBC"))
	require.Positive(t, Compare(postgres.Wanted("GLIBC"), "2.2.4"))
	has, err := postgres.Exports("palloc")
	require.NoError(t, err)
	require.True(t, has, "a server exports its functions for extensions")

	receiver := read(t, root+"/lib/libpqwalreceiver.so")
	require.Equal(t, "library", receiver.Kind)
	require.Equal(t, postgres.Arch, receiver.Arch)
	require.Contains(t, receiver.Needed, "libpq.so.5")
	imports, err := receiver.Imports()
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(imports, func(s Symbol) bool { return s.Name == "PQconninfo" }))
}

func TestReadRefusesWhatIsNoELF(t *testing.T) {
	for _, text := range []string{"", "\x7fEL", "#!/bin/sh\n"} {
		_, err := Read(strings.NewReader(text))
		require.ErrorIs(t, err, ErrNotELF, text)
	}
	whole, err := os.ReadFile(server(t) + "/lib/libpqwalreceiver.so")
	require.NoError(t, err)
	for _, n := range []int{4, 40, 64, 1000, len(whole) / 2, len(whole) - 1} {
		_, err := Read(bytes.NewReader(whole[:n]))
		require.ErrorContains(t, err, "damaged ELF file", "cut to %d bytes", n)
	}
}

func TestMagicIsWhatTheServerCompares(t *testing.T) {
	root := server(t)
	version, err := exec.Command(root+"/bin/postgres", "--version").Output()
	require.NoError(t, err)
	major := regexp.MustCompile(`(\d+)\.`).FindStringSubmatch(string(version))[1]
	of := read(t, root+"/bin/postgres")
	want, err := of.ServerMagic()
	require.NoError(t, err)
	require.Equal(t, major, want.Major())
	require.Equal(t, 64, want.NameDataLen)

	libraries, err := filepath.Glob(root + "/lib/*.so")
	require.NoError(t, err)
	extensions := 0
	for _, path := range libraries {
		got, err := read(t, path).Magic()
		if strings.HasPrefix(filepath.Base(path), "lib") && err != nil {
			continue // of the server's own that need none
		}
		require.NoError(t, err, path)
		require.Equal(t, want, got, path)
		extensions++
	}
	require.Greater(t, extensions, 40)

	psql := read(t, root+"/bin/psql")
	_, err = psql.Magic()
	require.ErrorIs(t, err, ErrNoMagic)
	_, err = psql.ServerMagic()
	require.ErrorIs(t, err, ErrMagicUnknown)
}

func TestMagicOfEveryMajor(t *testing.T) {
	block := func(words ...uint32) []byte {
		var out []byte
		for _, w := range words {
			out = binary.LittleEndian.AppendUint32(out, w)
		}
		return append(out, make([]byte, 80)...)
	}
	abi := []byte("PostgreSQL")
	pg15 := append(block(56, 1500, 100, 32, 64, 1)[:24], append(abi, make([]byte, 80)...)...)
	pg18 := append(block(72, 1800, 100, 32, 64, 1)[:24], append(abi, make([]byte, 80)...)...)
	for major, data := range map[string][]byte{
		"9.6": block(28, 906, 100, 32, 64, 1, 1), "11": block(28, 1100, 100, 32, 64, 1, 1),
		"13": block(24, 1300, 100, 32, 64, 1), "15": pg15, "18": pg18,
	} {
		m, ok := parseMagic(data, binary.LittleEndian)
		require.True(t, ok, major)
		require.Equal(t, major, m.Major())
		require.Equal(t, 1, m.Float8ByVal)
	}
	for _, data := range [][]byte{nil, block(28, 1500, 100, 32, 64, 1), block(56, 1500, 0, 32, 64, 1), block(28, 1100, 100, 32, 64, 7, 1), pg18[:60]} {
		_, ok := parseMagic(data, binary.LittleEndian)
		require.False(t, ok)
	}
}

func TestReturnedAddressOfEveryShapeOfCode(t *testing.T) {
	for name, code := range map[string]string{
		"plain":       "\x48\x8d\x05\x79\x92\x00\x00\xc3",
		"marked":      "\xf3\x0f\x1e\xfa\x48\x8d\x05\x75\x92\x00\x00\xc3",
		"with frames": "\x55\x48\x89\xe5\x48\x8d\x05\x75\x92\x00\x00\x5d\xc3",
	} {
		got, ok := returnedX86([]byte(code), 0x238c0)
		require.True(t, ok, name)
		require.Equal(t, uint64(0x2cb40), got, name)
	}
	_, ok := returnedX86([]byte("\x31\xc0\xc3"), 0)
	require.False(t, ok)
	// adrp x0, +2 pages; add x0, x0, #0x123; ret
	code := binary.LittleEndian.AppendUint32(nil, 0xd0000000)
	code = binary.LittleEndian.AppendUint32(code, 0x91048c00)
	code = binary.LittleEndian.AppendUint32(code, 0xd65f03c0)
	got, ok := returnedARM(code, 0x4abc)
	require.True(t, ok)
	require.Equal(t, uint64(0x6123), got)
	// one page back
	binary.LittleEndian.PutUint32(code, 0xf0ffffe0)
	got, ok = returnedARM(code, 0x4abc)
	require.True(t, ok)
	require.Equal(t, uint64(0x3123), got)
}

func TestConstantsTellTheServersVersion(t *testing.T) {
	f := read(t, server(t)+"/bin/postgres")
	got, err := f.Constant("postgres (", regexp.MustCompile(`PostgreSQL\) (\d+)`))
	require.NoError(t, err)
	require.Len(t, got, 2)
	require.Equal(t, filepath.Base(server(t)), got[1])
	got, err = f.Constant("ostgres (", regexp.MustCompile(`PostgreSQL\) (\d+)`))
	require.NoError(t, err)
	require.Nil(t, got, "a text within another")
	for text, want := range map[string]bool{"PostgreSQL) ": true, "Postgres-XC node name is mandatory": false} {
		holds, err := f.Holds(text)
		require.NoError(t, err)
		require.Equal(t, want, holds, text)
	}
}

func TestVersionsCompareByNumber(t *testing.T) {
	require.Negative(t, Compare("2.9", "2.17"))
	require.Zero(t, Compare("2.17", "2.17"))
	require.Positive(t, Compare("2.17", ""))
	require.Positive(t, Compare("2.2.5", "PRIVATE"))
}
