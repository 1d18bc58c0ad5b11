package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain plays, when it is told a store, another process that reads an
// archive from its standard input.
func TestMain(m *testing.M) {
	if dir := os.Getenv("INGEST_INTO"); dir != "" {
		s, err := At(dir)
		if err == nil {
			_, err = s.Ingest(context.Background(), os.Stdin, "")
		}
		if err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestAKilledProcessLeavesNothingForLong(t *testing.T) {
	s := fresh(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "INGEST_INTO="+s.dir)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	archive := tarOf(classic(make1("x:1", string(make([]byte, 8<<20))))...)
	_, err = in.Write(archive[:len(archive)/2])
	require.NoError(t, err)
	require.Eventually(t, func() bool { return len(left(t, s)) == 1 }, 10*time.Second, 5*time.Millisecond)

	_, err = s.Ingest(t.Context(), bytes.NewReader(tarOf(classic(twoLayers)...)), "")
	require.NoError(t, err)
	require.NoError(t, s.Prune())
	require.Len(t, left(t, s), 1, "the other process is at work")

	require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
	require.Error(t, cmd.Wait())
	require.NoError(t, s.Prune())
	require.Empty(t, left(t, s))
	holds(t, s, twoLayers)
}

func left(t *testing.T, s Store) []string {
	names, err := filepath.Glob(s.path("incoming-*"))
	require.NoError(t, err)
	return names
}

func TestPruneDropsWhatNobodyUsed(t *testing.T) {
	s := fresh(t)
	old, used := make1("old:1", "shared", "old"), make1("used:1", "shared", "used")
	for _, m := range []made{old, used} {
		_, err := read(t, s, tarOf(classic(m)...), "")
		require.NoError(t, err)
		require.NoError(t, s.SetConfigOf("sha256:of-"+m.names[0], m.id()))
	}
	long := time.Now().Add(-unusedFor - time.Hour)
	require.NoError(t, filepath.WalkDir(s.dir, func(p string, d fs.DirEntry, err error) error {
		return errors.Join(err, os.Chtimes(p, long, long))
	}))
	img, err := s.Lookup(used.id())
	require.NoError(t, err)
	img.Touch()
	require.NoError(t, s.Prune())
	holds(t, s, used)
	_, err = s.Lookup(old.id())
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Equal(t, "sha256:of-old:1", s.ConfigOf("sha256:of-old:1"), "forgotten")
}

func TestPutKeepsBytesAsTheyAre(t *testing.T) {
	s := fresh(t)
	packed := gzipOf([]byte("x"))
	b, err := s.Put(bytes.NewReader(packed))
	require.NoError(t, err)
	require.Equal(t, Blob{sumOf(packed), int64(len(packed))}, b)
	_, err = s.Put(io.MultiReader(bytes.NewReader(packed), readerFunc(func([]byte) (int, error) { return 0, io.ErrUnexpectedEOF })))
	require.Error(t, err)
	require.Empty(t, left(t, s))
}

func TestADiskThatFillsUpLeavesTheStoreAsItWas(t *testing.T) {
	if testing.Short() {
		t.Skip("mounts a disk")
	}
	dir := t.TempDir()
	require.NoError(t, syscall.Mount("none", dir, "tmpfs", 0, "size=4m"))
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	s, err := At(dir)
	require.NoError(t, err)
	s.limits.free = 0
	fits := make1("fits:1", string(make([]byte, 1<<20)))
	_, err = read(t, s, tarOf(classic(fits)...), "")
	require.NoError(t, err)
	for _, files := range [][]file{classic(make1("large:1", string(make([]byte, 8<<20)))), layoutOf(gzipOf, make1("large:1", string(make([]byte, 8<<20))))} {
		_, err = read(t, s, tarOf(files...), "")
		require.ErrorContains(t, err, "the disk of "+dir+" is full")
		require.ErrorIs(t, err, syscall.ENOSPC)
		remedy(t, err)
		holds(t, s, fits)
	}
}

func TestWhatASuddenStopMayHaveCutIsNotKept(t *testing.T) {
	s := fresh(t)
	_, err := read(t, s, tarOf(classic(twoLayers)...), "")
	require.NoError(t, err)
	old := make1("old:1", "base", "settled")
	_, err = read(t, s, tarOf(classic(old)...), "")
	require.NoError(t, err)
	past := time.Now().Add(-2 * settled)
	for _, b := range append(old.layers, old.config) {
		require.NoError(t, os.Chtimes(s.mark(sumOf(b)), past, past))
	}
	require.NoError(t, s.Prune())
	again, err := At(s.dir)
	require.NoError(t, err)
	holds(t, again, twoLayers, old)

	boots := s.path("unsettled") + "/"
	host, _, _ := strings.Cut(s.boot, "@")
	require.NoError(t, os.Rename(boots+s.boot, boots+"elsewhere@0000"))
	again, err = At(s.dir)
	require.NoError(t, err)
	holds(t, again, twoLayers, old)

	require.NoError(t, os.Rename(boots+"elsewhere@0000", boots+host+"@0000"))
	again, err = At(s.dir)
	require.NoError(t, err)
	holds(t, again, old)
	require.NoDirExists(t, boots+host+"@0000")
}
