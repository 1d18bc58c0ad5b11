package host

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestDirectoryExampleParses(t *testing.T) { moduletest.Example(t, module.Of[Directory]()) }

func TestDirectoryIsMadeWithItsParents(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		step := stepOn[Directory](t, h, dir, "path = \"DIR/a/b c/d\"\nmode = \"0700\"")
		change := onlyLooks(t, step, dir)
		require.Equal(t, "create "+dir+"/a/b c/d (0700)", change.Summary)
		step.Converge(module.Create)
		onlyLooks(t, step, dir)
		require.Equal(t, os.FileMode(0o755), mode(t, dir+"/a/b c"))
		require.Equal(t, os.FileMode(0o700), mode(t, dir+"/a/b c/d"))

		require.NoError(t, step.Destroy())
		require.NoDirExists(t, dir+"/a/b c/d")
		require.DirExists(t, dir+"/a/b c", "parents may have other uses")
		require.NoError(t, step.Destroy())
	})
}

func TestDirectoryThatIsThereGetsModeAndOwner(t *testing.T) {
	needsRoot(t)
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		require.NoError(t, os.Mkdir(dir+"/d", 0o755))
		write(t, dir+"/d/x", "stays", 0o600)
		step := stepOn[Directory](t, h, dir, "path = \"DIR/d\"\nmode = \"2770\"\nowner = \"daemon\"\ngroup = \"1\"")
		change := onlyLooks(t, step, dir)
		require.Equal(t, dir+"/d: mode 0755 → 2770, owner root → daemon, group root → 1", change.Summary)
		step.Converge(module.Update)
		require.Equal(t, "stays", read(t, dir+"/d/x"))
	})
}

func TestDirectoryInASetgidParentGetsTheModeThatWasAskedFor(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		require.NoError(t, os.Chmod(dir, 0o755|os.ModeSetgid))
		stepOn[Directory](t, h, dir, "path = \"DIR/d\"\nmode = \"0750\"").Converge(module.Create)
		require.Equal(t, os.ModeDir|0o750, stat(t, dir+"/d").Mode())
		stepOn[Directory](t, h, dir, "path = \"DIR/d\"\nmode = \"2750\"").Converge(module.Update)
		stepOn[Directory](t, h, dir, "path = \"DIR/d\"\nmode = \"0755\"").Converge(module.Update)
	})
}

func TestDirectoryWithoutModeKeepsTheOneItHas(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		require.NoError(t, os.Mkdir(dir+"/d", 0o711))
		require.False(t, onlyLooks(t, stepOn[Directory](t, h, dir, "path = \"DIR/d\""), dir).Wanted())
	})
}

func TestLinkToADirectoryCountsAsOne(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		require.NoError(t, os.Mkdir(dir+"/d", 0o755))
		require.NoError(t, os.Symlink("d", dir+"/link"))
		require.False(t, onlyLooks(t, stepOn[Directory](t, h, dir, "path = \"DIR/link\""), dir).Wanted())
		require.NoError(t, os.Symlink("nowhere", dir+"/dangling"))
		_, _, err := stepOn[Directory](t, h, dir, "path = \"DIR/dangling\"").Check()
		aboutArg(t, err, "path", "a symbolic link to nowhere")
	})
}

func TestDirectoryWithSomethingInItIsNotDestroyed(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		step := stepOn[Directory](t, h, dir, "path = \"DIR/d\"")
		step.Converge(module.Create)
		write(t, dir+"/d/.data", "precious", 0o600)
		err := step.Destroy()
		aboutArg(t, err, "path", dir+"/d is not empty")
		var why *module.Explained
		require.ErrorAs(t, err, &why)
		require.Equal(t, []string{"it holds .data"}, why.Evidence)
		require.Equal(t, "precious", read(t, dir+"/d/.data"))
	})
}

func TestDirectoryErrorsNameTheirArgument(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		write(t, dir+"/file", "", 0o644)
		_, _, err := stepOn[Directory](t, h, dir, "path = \"DIR/file\"").Check()
		aboutArg(t, err, "path", "is a file")
		_, _, err = stepOn[Directory](t, h, dir, "path = \"DIR/file/d\"").Apply()
		aboutArg(t, err, "path", dir+"/file", "is no folder")
		_, _, err = stepOn[Directory](t, h, dir, "path = \"DIR/d\"\nowner = \"nobody-at-all\"").Apply()
		aboutArg(t, err, "owner", `no user "nobody-at-all"`)
	})
	aboutArg(t, (&Directory{Path: "d"}).Validate(), "path", "not absolute")
	aboutArg(t, (&Directory{Path: "/d", Mode: "a+x"}).Validate(), "mode", "not octal")
}

func TestDirectoryWithoutRightsAsksForSudo(t *testing.T) {
	needsRoot(t) // to become somebody else
	dir := openDir(t)
	h := asUser{local.New(), "daemon"}
	_, _, err := stepOn[Directory](t, h, dir, "path = \"DIR/d/e\"").Apply()
	aboutArg(t, err, "path", "daemon may not write in "+dir)
	require.Contains(t, remedyOf(t, err), "sudo = true")

	require.NoError(t, os.Chmod(dir, 0o777))
	_, _, err = stepOn[Directory](t, h, dir, "path = \"DIR/d\"\nowner = \"root\"").Apply()
	aboutArg(t, err, "owner", "daemon may not give "+dir+"/d to root")
}
