package host

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/engine/secret"
)

func TestFileExampleParses(t *testing.T) { moduletest.Example(t, module.Of[File]()) }

func TestFileIsCreatedAndThenLeftAlone(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		step := stepOn[File](t, h, dir, `
			path    = "DIR/app.conf"
			content = "port = 5432\nname = 'ü'\n"`)
		change := onlyLooks(t, step, dir)
		require.Equal(t, module.Create, change.Action)
		require.Equal(t, "create "+dir+"/app.conf (0644, 24 B)", change.Summary)
		require.Equal(t, []module.Diff{{Path: "content", After: "port = 5432\nname = 'ü'\n"}}, change.Diff)

		out := step.Converge(module.Create)
		onlyLooks(t, step, dir)
		require.Equal(t, "port = 5432\nname = 'ü'\n", read(t, dir+"/app.conf"))
		require.Equal(t, os.FileMode(0o644), mode(t, dir+"/app.conf"))
		require.Len(t, out.GetAttr("sha256").AsString(), 64)
		require.Len(t, tree(t, dir), 2, "a temporary file was left behind")

		require.NoError(t, step.Destroy())
		require.NoFileExists(t, dir+"/app.conf")
		require.NoError(t, step.Destroy())
	})
}

func TestFileThatDiffersShowsHow(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		write(t, dir+"/app.conf", "port = 5433\n", 0o600)
		step := stepOn[File](t, h, dir, `
			path    = "DIR/app.conf"
			content = "port = 5432\n"
			mode    = "0640"`)
		change := onlyLooks(t, step, dir)
		require.Equal(t, module.Update, change.Action)
		require.Equal(t, dir+"/app.conf: content, mode 0600 → 0640", change.Summary)
		require.Equal(t, []module.Diff{
			{Path: "content", Before: "port = 5433\n", After: "port = 5432\n"},
			{Path: "mode", Before: "0600", After: "0640"},
		}, change.Diff)
		step.Converge(module.Update)
		require.Equal(t, "port = 5432\n", read(t, dir+"/app.conf"))
		require.Equal(t, os.FileMode(0o640), mode(t, dir+"/app.conf"))
	})
}

func TestFileWithoutModeKeepsTheOneItHas(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		write(t, dir+"/x", "a", 0o750)
		stepOn[File](t, h, dir, "path = \"DIR/x\"\ncontent = \"b\"").Converge(module.Update)
		require.Equal(t, os.FileMode(0o750), mode(t, dir+"/x"))
	})
}

func TestFileWithRightContentGetsItsModeWithoutBeingWritten(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		write(t, dir+"/x", "a", 0o600)
		before := stat(t, dir+"/x")
		for _, m := range []string{"0644", "4755", "0000"} {
			stepOn[File](t, h, dir, "path = \"DIR/x\"\ncontent = \"a\"\nmode = \""+m+"\"").Converge(module.Update)
		}
		require.True(t, os.SameFile(before, stat(t, dir+"/x")))
	})
}

func TestFileCanHaveSpecialModeBitsFromTheStart(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		stepOn[File](t, h, dir, "path = \"DIR/x\"\ncontent = \"a\"\nmode = \"2750\"").Converge(module.Create)
		require.Equal(t, os.FileMode(0o750)|os.ModeSetgid, stat(t, dir+"/x").Mode())
	})
}

func TestFileCanBeEmpty(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		stepOn[File](t, h, dir, "path = \"DIR/x\"\ncontent = \"\"").Converge(module.Create)
		require.Empty(t, read(t, dir+"/x"))
	})
}

func TestBinaryAndLargeContentIsShownByItsHash(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		source := filepath.Join(t.TempDir(), "big.bin")
		require.NoError(t, os.WriteFile(source, bytes.Repeat([]byte("0123456789abcdef"), 200_000), 0o600))
		write(t, dir+"/big.bin", "\x00\xff", 0o644)
		step := stepOn[File](t, h, dir, "path = \"DIR/big.bin\"\nsource = \""+source+"\"")
		var last, total int64
		step.Env().Progress = func(d, n int64, unit string) {
			require.Equal(t, "B", unit)
			last, total = d, n
		}
		change := onlyLooks(t, step, dir)
		require.Len(t, change.Diff, 1)
		require.Regexp(t, `^\(2 B, sha256 [0-9a-f]{64}\)$`, change.Diff[0].Before)
		require.Regexp(t, `^\(3\.1 MiB, sha256 [0-9a-f]{64}\)$`, change.Diff[0].After)
		step.Converge(module.Update)
		require.Equal(t, int64(3_200_000), last)
		require.Equal(t, total, last)
		require.Equal(t, read(t, source), read(t, dir+"/big.bin"))
	})
}

func TestRelativeSourceStartsAtTheRunbook(t *testing.T) {
	step := stepOn[File](t, local.New(), t.TempDir(), "path = \"DIR/x\"\nsource = \"x.txt\"")
	_, _, err := step.Check()
	aboutArg(t, err, "source", "x.txt", "no such file")
	write(t, filepath.Join(step.Env().Dir, "x.txt"), "here", 0o644)
	step.Converge(module.Create)
}

func TestSecretContentIsNeverShown(t *testing.T) {
	const text = "hunter2-hunter2"
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		counted := &counter{Host: h}
		step := stepOn[File](t, counted, dir, "path = \"DIR/pw\"\nsecret_content = \""+text+"\"")
		create := onlyLooks(t, step, dir)
		out := step.Converge(module.Create)
		require.Equal(t, text, read(t, dir+"/pw"))
		require.Equal(t, os.FileMode(0o600), mode(t, dir+"/pw"))
		require.Empty(t, out.GetAttr("sha256").AsString())

		write(t, dir+"/pw", "another-secret", 0o600)
		update := onlyLooks(t, step, dir)
		for _, change := range []module.Change{create, update} {
			require.Equal(t, []module.Diff{{Path: "content", Before: secret.Hidden, After: secret.Hidden}}, change.Diff)
			require.NotContains(t, change.Summary, text)
		}
		step.Converge(module.Update)
		m := step.Module().(*File)
		_, err := m.wanted(step.Env())
		require.NoError(t, err)
		argv := strings.Join(counted.args, " ")
		require.NotContains(t, argv, text)
		require.NotContains(t, argv, m.hash, "a hash of a short secret gives the secret away")
	})
}

func TestSymbolicLinkIsReplacedAndSaidSo(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		write(t, dir+"/target", "kept", 0o600)
		require.NoError(t, os.Symlink("target", dir+"/link"))
		step := stepOn[File](t, h, dir, "path = \"DIR/link\"\ncontent = \"new\"")
		change := onlyLooks(t, step, dir)
		require.Contains(t, change.Summary, "a symbolic link to target")
		step.Converge(module.Replace)
		require.Equal(t, "kept", read(t, dir+"/target"))
		require.Equal(t, "new", read(t, dir+"/link"))
		require.Equal(t, os.FileMode(0o644), mode(t, dir+"/link"))
	})
}

func TestDirectoryInTheWayOfAFileIsAnError(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		_, _, err := stepOn[File](t, h, dir, "path = \"DIR\"\ncontent = \"x\"").Check()
		aboutArg(t, err, "path", "is a directory")
	})
}

func TestFileWithoutFolderSaysSo(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		_, _, err := stepOn[File](t, h, dir, "path = \"DIR/no/such/x\"\ncontent = \"x\"").Apply()
		aboutArg(t, err, "path", "the folder "+dir+"/no/such does not exist")
		require.Contains(t, remedyOf(t, err), "host.directory")
		write(t, dir+"/plain", "", 0o644)
		_, _, err = stepOn[File](t, h, dir, "path = \"DIR/plain/x\"\ncontent = \"x\"").Apply()
		aboutArg(t, err, "path", dir+"/plain", "is no folder")
	})
}

func TestFileForNobodyNamesTheArgument(t *testing.T) {
	needsRoot(t)
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		step := stepOn[File](t, h, dir, "path = \"DIR/x\"\ncontent = \"x\"\nowner = \"nobody-at-all\"")
		require.Equal(t, module.Create, onlyLooks(t, step, dir).Action, "a step before may make the user")
		_, _, err := step.Apply()
		aboutArg(t, err, "owner", `no user "nobody-at-all"`)
		_, _, err = stepOn[File](t, h, dir, "path = \"DIR/x\"\ncontent = \"x\"\ngroup = \"no-group-at-all\"").Apply()
		aboutArg(t, err, "group", `no group "no-group-at-all"`)
		require.Len(t, tree(t, dir), 1, "something was left behind")
		write(t, dir+"/x", "x", 0o644)
		_, _, err = stepOn[File](t, h, dir, "path = \"DIR/x\"\ncontent = \"x\"\nowner = \"nobody-at-all\"").Apply()
		aboutArg(t, err, "owner", `no user "nobody-at-all"`)
	})
}

func TestFileIsGivenToItsOwnerByNameOrNumber(t *testing.T) {
	needsRoot(t)
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		stepOn[File](t, h, dir, "path = \"DIR/x\"\ncontent = \"x\"\nowner = \"daemon\"\ngroup = \"daemon\"").Converge(module.Create)
		again, _, err := stepOn[File](t, h, dir, "path = \"DIR/x\"\ncontent = \"x\"\nowner = \"1\"\ngroup = \"1\"").Check()
		require.NoError(t, err)
		require.False(t, again.Wanted())
		stepOn[File](t, h, dir, "path = \"DIR/x\"\ncontent = \"x\"\nowner = \"root\"\ngroup = \"root\"").Converge(module.Update)
		stepOn[File](t, h, dir, "path = \"DIR/x\"\ncontent = \"y\"\nowner = \"daemon\"").Converge(module.Update)
	})
}

func TestFileOnAFullDiskLeavesNothingBehind(t *testing.T) {
	needsRoot(t)
	small := func(t *testing.T) string {
		dir := t.TempDir()
		out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", dir).CombinedOutput()
		if err != nil {
			t.Skipf("needs the right to mount: %s", out)
		}
		t.Cleanup(func() { require.NoError(t, exec.Command("umount", dir).Run()) })
		return dir
	}
	everywhereIn(t, small, func(t *testing.T, h conn.Host, dir string) {
		write(t, dir+"/big", "old content", 0o644)
		source := filepath.Join(t.TempDir(), "big")
		require.NoError(t, os.WriteFile(source, make([]byte, 1<<20), 0o600))
		before := tree(t, dir)
		_, _, err := stepOn[File](t, h, dir, "path = \"DIR/big\"\nsource = \""+source+"\"").Apply()
		aboutArg(t, err, "path", "no space left on "+dir, "1.0 MiB needed")
		require.Equal(t, before, tree(t, dir))
		stepOn[File](t, h, dir, "path = \"DIR/big\"\ncontent = \"it goes on\"").Converge(module.Update)
	})
}

func TestFileWithoutRightsAsksForSudo(t *testing.T) {
	needsRoot(t) // to become somebody else
	dir := openDir(t)
	h := asUser{local.New(), "daemon"}
	_, _, err := stepOn[File](t, h, dir, "path = \"DIR/x\"\ncontent = \"x\"").Apply()
	aboutArg(t, err, "path", "daemon may not write in "+dir)
	require.Contains(t, remedyOf(t, err), "sudo = true")

	require.NoError(t, os.Mkdir(dir+"/closed", 0o700))
	_, _, err = stepOn[File](t, h, dir, "path = \"DIR/closed/x\"\ncontent = \"x\"").Check()
	aboutArg(t, err, "path", dir+"/closed may not be entered")

	write(t, dir+"/secret", "x", 0o600)
	_, _, err = stepOn[File](t, h, dir, "path = \"DIR/secret\"\ncontent = \"x\"").Check()
	aboutArg(t, err, "path", "may not be read")
	require.Contains(t, remedyOf(t, err), "sudo = true")
}

func TestFileIsComparedWithoutAHashToolToo(t *testing.T) {
	dir, bin := t.TempDir(), t.TempDir()
	for _, tool := range []string{"sh", "stat", "wc", "cat", "readlink"} {
		at, err := exec.LookPath(tool)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(at, filepath.Join(bin, tool)))
	}
	h := withPath{local.New(), bin}
	write(t, dir+"/x", "same size 1", 0o644)
	stepOn[File](t, h, dir, "path = \"DIR/x\"\ncontent = \"same size 2\"").Converge(module.Update)
	require.Equal(t, "same size 2", read(t, dir+"/x"))
}

func TestFileTakesOneContent(t *testing.T) {
	text := "x"
	require.NoError(t, (&File{Path: "/x", Content: &text}).Validate())
	require.ErrorContains(t, (&File{Path: "/x"}).Validate(), "exactly one")
	require.ErrorContains(t, (&File{Path: "/x", Content: &text, Source: "y"}).Validate(), "2 are given")
	aboutArg(t, (&File{Path: "x", Content: &text}).Validate(), "path", "not absolute")
	aboutArg(t, (&File{Path: "/x", Content: &text, Mode: "rwx"}).Validate(), "mode", "not octal")
}
