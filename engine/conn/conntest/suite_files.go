package conntest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
)

func files(t *testing.T, s suite) {
	t.Run("files round trip", s.filesRoundTrip)
	t.Run("missing files", s.filesMissing)
	t.Run("file meta", s.filesMeta)
	t.Run("stat", s.filesStat)
	t.Run("refused files", s.filesRefused)
	t.Run("readers see the old file or the new one", s.filesAtomic)
	t.Run("a failed write changes nothing", s.filesFailedWrite)
	t.Run("an open file can be left", s.filesLeave)
}

func door(t *testing.T, h conn.Host) conn.Files {
	t.Helper()
	f, err := h.Files()
	require.NoError(t, err)
	return f
}

func read(t *testing.T, f conn.Files, name string) []byte {
	t.Helper()
	r, err := f.Open(deadline(t), name)
	require.NoError(t, err)
	all, err := io.ReadAll(r)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	return all
}

func (s suite) filesRoundTrip(t *testing.T) {
	h := s.open(t)
	f, dir := door(t, h), folder(t, h)
	for i, size := range []int{0, 1, 4096, 128 << 10, 128<<10 + 1, 5 << 20} {
		content := make([]byte, size)
		_, _ = rand.Read(content)
		name := fmt.Sprintf("%s/it's file %d 数", dir, i)
		// An io.Reader of unknown length, as most are.
		require.NoError(t, f.Write(deadline(t), name, io.MultiReader(bytes.NewReader(content)), conn.FileMeta{}))
		require.True(t, bytes.Equal(content, read(t, f, name)), "%d bytes", size)
		info, err := f.Stat(deadline(t), name)
		require.NoError(t, err)
		require.EqualValues(t, size, info.Size)
		require.NoError(t, f.Remove(deadline(t), name))
		_, err = f.Stat(deadline(t), name)
		require.ErrorIs(t, err, fs.ErrNotExist)
	}
	require.Empty(t, sh(t, h, `ls -A "$1"`, dir), "nothing temporary is left")
}

func (s suite) filesMissing(t *testing.T) {
	h := s.open(t)
	f, dir := door(t, h), folder(t, h)
	for _, name := range []string{dir + "/missing", dir + "/no/folder/either"} {
		_, err := f.Stat(deadline(t), name)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorContains(t, err, name)
		_, err = f.Open(deadline(t), name)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.ErrorIs(t, f.Remove(deadline(t), name), fs.ErrNotExist)
	}
	err := f.Write(deadline(t), dir+"/no/folder", strings.NewReader("x"), conn.FileMeta{})
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.Error(t, f.Write(deadline(t), dir, strings.NewReader("x"), conn.FileMeta{}), "a folder is no file")
	require.Empty(t, sh(t, h, `ls -A "$1"`, dir))
}

func (s suite) filesMeta(t *testing.T) {
	h := s.open(t)
	f, dir := door(t, h), folder(t, h)
	name := dir + "/file"
	look := func() conn.FileInfo {
		t.Helper()
		info, err := f.Stat(deadline(t), name)
		require.NoError(t, err)
		return info
	}
	put := func(meta conn.FileMeta) {
		t.Helper()
		require.NoError(t, f.Write(deadline(t), name, strings.NewReader("x"), meta))
	}
	put(conn.FileMeta{})
	plain := sh(t, h, `umask 022; : >"$1/plain"; umask`, dir)
	require.Zero(t, look().Mode.Perm()&0o111, "a new file has the usual mode (umask %s)", plain)
	require.NotZero(t, look().Mode.Perm()&0o400)

	put(conn.FileMeta{Mode: 0o640})
	require.Equal(t, fs.FileMode(0o640), look().Mode)
	put(conn.FileMeta{})
	require.Equal(t, fs.FileMode(0o640), look().Mode, "zero keeps the mode")
	put(conn.FileMeta{Mode: 0o400})
	put(conn.FileMeta{})
	require.Equal(t, fs.FileMode(0o400), look().Mode)

	if !isRoot(t, h) {
		return
	}
	put(conn.FileMeta{Mode: 0o600, Owner: "daemon", Group: "nogroup"})
	info := look()
	require.Equal(t, []string{"daemon", "nogroup"}, []string{info.Owner, info.Group})
	put(conn.FileMeta{})
	info = look()
	require.Equal(t, []string{"daemon", "nogroup"}, []string{info.Owner, info.Group}, "zero keeps the owner")
	require.Equal(t, fs.FileMode(0o600), info.Mode)
	err := f.Write(deadline(t), name, strings.NewReader("y"), conn.FileMeta{Owner: "conntest-nobody"})
	require.Error(t, err)
	require.Equal(t, "x", string(read(t, f, name)), "an owner that is not there leaves the file alone")
	put(conn.FileMeta{Owner: "54321", Group: "54322"})
	info = look()
	require.Equal(t, []string{"54321", "54322"}, []string{info.Owner, info.Group}, "numbers without a name")
}

func (s suite) filesStat(t *testing.T) {
	h := s.open(t)
	f, dir := door(t, h), folder(t, h)
	sh(t, h, `cd "$1" && mkdir -m 1777 d && ln -s d link && echo x >f && chmod 4755 f`, dir)
	mode := func(name string) fs.FileMode {
		info, err := f.Stat(deadline(t), dir+"/"+name)
		require.NoError(t, err)
		return info.Mode
	}
	require.Equal(t, fs.ModeDir|fs.ModeSticky|0o777, mode("d"))
	require.Equal(t, fs.ModeSymlink, mode("link").Type(), "a link is not followed")
	require.Equal(t, fs.ModeSetuid|0o755, mode("f"))
	info, err := f.Stat(deadline(t), dir+"/f")
	require.NoError(t, err)
	require.Equal(t, strings.TrimSpace(sh(t, h, "id -un")), info.Owner)
	require.Equal(t, strings.TrimSpace(sh(t, h, "id -gn")), info.Group)
	require.WithinDuration(t, time.Now(), info.ModTime, 10*time.Minute)
	require.NoError(t, f.Remove(deadline(t), dir+"/link"))
	require.NoError(t, f.Remove(deadline(t), dir+"/d"), "an empty folder goes too")
}

func (s suite) filesRefused(t *testing.T) {
	h := s.open(t)
	if isRoot(t, h) {
		t.Skip("root is refused nothing; the suite also runs as others")
	}
	f, dir := door(t, h), folder(t, h)
	sh(t, h, `cd "$1" && echo x >f && chmod 0 f && mkdir -m 555 ro && mkdir closed && echo y >closed/f && chmod 0 closed`, dir)
	t.Cleanup(func() {
		_, err := h.Run(context.WithoutCancel(t.Context()), conn.Command("chmod", "755", dir+"/closed"))
		require.NoError(t, err)
	})
	_, err := f.Open(deadline(t), dir+"/f")
	require.ErrorIs(t, err, fs.ErrPermission)
	_, err = f.Stat(deadline(t), dir+"/closed/f")
	require.ErrorIs(t, err, fs.ErrPermission)
	_, err = f.Open(deadline(t), dir+"/closed/f")
	require.ErrorIs(t, err, fs.ErrPermission)
	err = f.Write(deadline(t), dir+"/ro/new", strings.NewReader("x"), conn.FileMeta{})
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, dir+"/ro/new")
	require.ErrorIs(t, f.Remove(deadline(t), "/etc/passwd"), fs.ErrPermission)
}

func (s suite) filesAtomic(t *testing.T) {
	h := s.open(t)
	f, dir := door(t, h), folder(t, h)
	name := dir + "/file"
	version := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, 200<<10) }
	require.NoError(t, f.Write(deadline(t), name, bytes.NewReader(version(0)), conn.FileMeta{}))
	ctx, stop := context.WithCancel(deadline(t))
	var wg sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		wg.Go(func() { errs[i] = watch(ctx, f, name, len(version(0))) })
	}
	for i := range 12 {
		require.NoError(t, f.Write(deadline(t), name, bytes.NewReader(version(i)), conn.FileMeta{}))
	}
	stop()
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
}

// watch reads name again and again and complains when it is not one version.
func watch(ctx context.Context, f conn.Files, name string, size int) error {
	for ctx.Err() == nil {
		r, err := f.Open(ctx, name)
		if ctx.Err() != nil {
			if err == nil {
				_ = r.Close()
			}
			return nil
		}
		if err != nil {
			return err
		}
		all, err := io.ReadAll(r)
		_ = r.Close()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if len(all) != size || bytes.Count(all, all[:1]) != size {
			return fmt.Errorf("read a mixture: %d bytes", len(all))
		}
	}
	return nil
}

func (s suite) filesFailedWrite(t *testing.T) {
	h := s.open(t)
	f, dir := door(t, h), folder(t, h)
	name := dir + "/file"
	require.NoError(t, f.Write(deadline(t), name, strings.NewReader("old"), conn.FileMeta{}))
	broken := errors.New("the source broke")
	for _, size := range []int{10, 1 << 20} {
		r := io.MultiReader(bytes.NewReader(make([]byte, size)), failing{broken})
		require.ErrorIs(t, f.Write(deadline(t), name, r, conn.FileMeta{}), broken)
		require.Equal(t, "old", string(read(t, f, name)))
	}
	require.Equal(t, "file\n", sh(t, h, `ls -A "$1"`, dir), "nothing temporary is left")
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func (s suite) filesLeave(t *testing.T) {
	h := s.open(t)
	f, dir := door(t, h), folder(t, h)
	name := dir + "/large"
	require.NoError(t, f.Write(deadline(t), name, io.LimitReader(rand.Reader, 8<<20), conn.FileMeta{}))
	r, err := f.Open(deadline(t), name)
	require.NoError(t, err)
	_, err = io.CopyN(io.Discard, r, 1000)
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.Equal(t, "on\n", sh(t, h, "echo on"))
}
