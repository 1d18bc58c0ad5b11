package shell_test

import (
	"context"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/conn/shell"
	"github.com/adbsql/antdbctl/engine/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place runs every command through Wrap and a shell, as the far doors do, and
// keeps files by sh alone.
type place struct {
	conn.Host
	shell string
}

func (p place) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	args, stdin, err := shell.Wrap(cmd, shell.Start{})
	if err != nil {
		return conn.Result{}, err
	}
	cmd.Args, cmd.Stdin = []string{p.shell, "-c", shell.Quote(args...)}, stdin
	cmd.Env, cmd.Dir = nil, ""
	return p.Host.Run(ctx, cmd)
}

func (p place) Files() (conn.Files, error) { return shell.Files(p), nil }

func TestShellsKeepTheContract(t *testing.T) {
	if testing.Short() {
		t.Skip("takes long; in short runs the doors that use a shell speak for it")
	}
	found := 0
	for _, name := range []string{"dash", "bash", "ksh", "zsh"} {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		found++
		t.Run(name, func(t *testing.T) {
			conntest.Suite(t, func(*testing.T) conn.Host { return place{local.New(), path} })
		})
	}
	require.NotZero(t, found)
}

// bare is a place with nothing but the utilities of POSIX: no stat, no getent.
type bare struct {
	conn.Host
	path string
}

func (b bare) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	cmd.Env = map[string]secret.Value{"PATH": secret.New(b.path)}
	return b.Host.Run(ctx, cmd)
}

func TestFilesWithPOSIXUtilitiesOnly(t *testing.T) {
	bin := t.TempDir()
	for _, name := range []string{"sh", "cat", "chgrp", "chmod", "chown", "cut", "ls", "mv", "rm", "rmdir", "sed", "tr", "wc"} {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(bin, name)))
	}
	f := shell.Files(bare{local.New(), bin})
	name := t.TempDir() + "/it's a file"
	require.NoError(t, f.Write(t.Context(), name, strings.NewReader("one"), conn.FileMeta{}))
	for _, mode := range []fs.FileMode{0o640, 0o755, 0o4711, 0o2750, 0o400} {
		bits := mode.Perm()
		if mode&0o4000 != 0 {
			bits |= fs.ModeSetuid
		}
		if mode&0o2000 != 0 {
			bits |= fs.ModeSetgid
		}
		require.NoError(t, os.Chmod(name, bits))
		require.NoError(t, f.Write(t.Context(), name, strings.NewReader("two"), conn.FileMeta{}))
		info, err := f.Stat(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, bits, info.Mode)
		require.EqualValues(t, 3, info.Size)
		real, err := os.Lstat(name)
		require.NoError(t, err)
		require.Equal(t, bits, real.Mode(), "zero keeps the mode without stat(1) too")
	}
	info, err := f.Stat(t.Context(), "/dev/null")
	require.NoError(t, err)
	require.Equal(t, fs.ModeDevice|fs.ModeCharDevice|0o666, info.Mode)
	require.Equal(t, "root", info.Owner)
	r, err := f.Open(t.Context(), name)
	require.NoError(t, err)
	text, err := io.ReadAll(r)
	require.NoError(t, err)
	require.Equal(t, "two", string(text))
	require.NoError(t, r.Close())
	require.NoError(t, f.Remove(t.Context(), name))
}

func TestQuoteLeavesPlainWordsAlone(t *testing.T) {
	require.Equal(t, `docker image inspect --format '{{.Id}}' a/b:1 ''`, shell.Quote("docker", "image", "inspect", "--format", "{{.Id}}", "a/b:1", ""))
	require.Equal(t, `'it'\''s'`, shell.Quote("it's"))
}

func TestWrapRefusesWhatNoEnvironmentCanHold(t *testing.T) {
	for _, name := range []string{"", "1A", "A B", "A=B", "A;rm"} {
		_, _, err := shell.Wrap(conn.Cmd{Args: []string{"x"}, Env: map[string]secret.Value{name: secret.New("v")}}, shell.Start{})
		require.ErrorContains(t, err, "cannot be the name", name)
	}
	_, _, err := shell.Wrap(conn.Cmd{Args: []string{"x"}, Env: map[string]secret.Value{"A": secret.New("a\x00b")}}, shell.Start{})
	require.ErrorContains(t, err, "zero byte")
	require.NotContains(t, err.Error(), "a\x00b")
}

func TestPasswordThatNobodyAskedForNeverReachesTheCommand(t *testing.T) {
	cmd := conn.Command("cat")
	cmd.Stdin = strings.NewReader("input")
	args, stdin, err := shell.Wrap(cmd, shell.Start{Password: secret.New("the password")})
	require.NoError(t, err)
	require.NotContains(t, strings.Join(args, " "), "the password")
	res, err := local.New().Run(t.Context(), conn.Cmd{Args: args, Stdin: stdin})
	require.NoError(t, err)
	require.Equal(t, "input", res.Stdout)
}
