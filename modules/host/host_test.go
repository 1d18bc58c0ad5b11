package host

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/conn/ssh"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// everywhere runs test on each kind of place that a host module works on. dir
// is a folder of that place, which is on this machine.
func everywhere(t *testing.T, test func(t *testing.T, h conn.Host, dir string)) {
	t.Helper()
	everywhereIn(t, func(t *testing.T) string { return t.TempDir() }, test)
}

// everywhereIn is everywhere with a way to make dir, before the place is opened.
func everywhereIn(t *testing.T, mkdir func(t *testing.T) string, test func(t *testing.T, h conn.Host, dir string)) {
	t.Helper()
	t.Run("local", func(t *testing.T) { test(t, local.New(), mkdir(t)) })
	if testing.Short() {
		return
	}
	// The shells of other systems: CentOS has bash as sh, Alpine and small
	// images have busybox, tools and all.
	if _, err := exec.LookPath("bash"); err == nil {
		t.Run("bash", func(t *testing.T) { test(t, withShell{local.New(), []string{"bash", "--posix"}}, mkdir(t)) })
	}
	if _, err := exec.LookPath("busybox"); err == nil {
		t.Run("busybox", func(t *testing.T) {
			bin := t.TempDir()
			require.NoError(t, exec.Command("busybox", "--install", "-s", bin).Run())
			test(t, withPath{withShell{local.New(), []string{"busybox", "sh"}}, bin + ":" + os.Getenv("PATH")}, mkdir(t))
		})
	}
	t.Run("ssh", func(t *testing.T) {
		dir := mkdir(t)
		server := conntest.StartSSH(t, conntest.SSHOptions{})
		test(t, dial(t, server.Target(""), server.Settings), dir)
	})
	t.Run("ssh with sudo and without sftp", func(t *testing.T) {
		needsRoot(t) // for the account
		dir := mkdir(t)
		server := conntest.StartSSH(t, conntest.SSHOptions{Users: true, NoSFTP: true})
		settings := server.Settings
		settings.Sudo = true
		test(t, dial(t, server.Target(conntest.Ops), settings), dir)
	})
}

func dial(t *testing.T, target conn.Target, settings conn.Settings) conn.Host {
	t.Helper()
	h, err := ssh.Open(context.Background(), target, settings, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}

// stepOn decodes a step; DIR in args is dir.
func stepOn[T any, P interface {
	*T
	module.Module
}](t *testing.T, h conn.Host, dir, args string) *moduletest.Step {
	t.Helper()
	step := moduletest.New(t, module.Of[T, P](), h, strings.ReplaceAll(args, "DIR", dir), nil)
	require.NoError(t, step.Validate())
	return step
}

// needsRoot skips what nobody else may do.
func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

// tree is every file below dir with its mode and content.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	require.NoError(t, filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		require.NoError(t, err)
		info, err := os.Lstat(p)
		require.NoError(t, err)
		all[p] = info.Mode().String()
		if info.Mode().IsRegular() {
			content, err := os.ReadFile(p)
			require.NoError(t, err)
			all[p] += " " + info.ModTime().String() + " " + string(content)
		}
		return nil
	}))
	return all
}

// onlyLooks requires that Check leaves dir alone and sends one command.
func onlyLooks(t *testing.T, step *moduletest.Step, dir string) module.Change {
	t.Helper()
	before := tree(t, dir)
	host := step.Env().Host
	counted := &counter{Host: conntest.ReadOnly(t, host)}
	step.Env().Host = counted
	defer func() { step.Env().Host = host }()
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, before, tree(t, dir), "Check wrote something")
	require.LessOrEqual(t, counted.commands, 1, "Check took more than one round trip")
	return change
}

// aboutArg requires that err speaks of the argument and has these words.
func aboutArg(t *testing.T, err error, arg string, words ...string) {
	t.Helper()
	var at *module.ArgError
	require.ErrorAs(t, err, &at)
	require.Equal(t, arg, at.Arg)
	for _, w := range words {
		require.ErrorContains(t, err, w)
	}
}

func remedyOf(t *testing.T, err error) string {
	t.Helper()
	var e *module.Explained
	require.ErrorAs(t, err, &e)
	return e.Remedy
}

func TestPathsAndModesAreHeldToTheirForm(t *testing.T) {
	for _, p := range []string{"", "etc/motd", "/etc//motd", "/etc/../motd", "/etc/", "/a\nb"} {
		require.Error(t, checkPath(p), p)
	}
	for _, p := range []string{"/", "/etc/motd", "/with blank/ü"} {
		require.NoError(t, checkPath(p), p)
	}
	for _, m := range []string{"rw", "99", "0888", "644 ", "00644", "17777", "7"} {
		require.Error(t, checkMode(m), m)
	}
	for _, m := range []string{"", "644", "0644", "4755", "0000"} {
		require.NoError(t, checkMode(m), m)
	}
}

func TestSizesCarryUnits(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 61: "61 B", 1536: "1.5 KiB", 1 << 30: "1.0 GiB", 5 << 50: "5.0 PiB"} {
		require.Equal(t, want, bytesText(n))
	}
}
