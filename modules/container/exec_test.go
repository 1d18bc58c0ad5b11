package container

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func executing(t *testing.T, host conn.Host, args string) *moduletest.Step {
	return moduletest.New(t, module.Of[Exec](), host, args, nil)
}

// pod is the container of a pod on the lab.
func pod(t *testing.T) conn.Host {
	c := kubetest.Lab(t)
	kubetest.LabPod(t, c, "box", "database")
	h, err := c.Container(t.Context(), "", "box", "")
	require.NoError(t, err)
	return h
}

func TestExample(t *testing.T) { moduletest.Example(t, module.Of[Exec]()) }

func TestInAPod(t *testing.T) {
	h := pod(t)
	t.Run("a command without guards runs each time and gives what it printed", func(t *testing.T) {
		change, out, err := executing(t, h, `
			script = "echo \"$1 $WORD\"; cat; echo aside >&2; id -un"
			args   = ["hello"]
			env    = { WORD = "world" }
			stdin  = "from stdin\n"
			user   = "postgres"`).Apply()
		require.NoError(t, err)
		require.Equal(t, module.Run, change.Action)
		require.Equal(t, "hello world\nfrom stdin\npostgres", out.GetAttr("stdout").AsString())
		require.Equal(t, "aside", out.GetAttr("stderr").AsString())
		require.True(t, out.GetAttr("changed").True())
	})
	t.Run("a guard is fulfilled by the command", func(t *testing.T) {
		for _, guard := range []string{`creates = "/tmp/a"`, `unless = "test -e /tmp/a"`, "dir = \"/tmp\"\ncreates = \"a\""} {
			executing(t, h, "command = [\"touch\", \"/tmp/a\"]\n"+guard).Converge(module.Update)
			executing(t, h, `command = ["rm", "/tmp/a"]`).Apply()
		}
		executing(t, h, "command = [\"false\"]\nonlyif = \"test -e /tmp/a\"").Converge(module.None)
	})
	t.Run("a guard only looks", func(t *testing.T) {
		change, out, err := executing(t, conntest.ReadOnly(t, h), "script = \"echo x\"\nunless = \"test -e /nosuch\"").Check()
		require.NoError(t, err)
		require.Equal(t, module.Change{Action: module.Update, Summary: "run echo x"}, change)
		require.False(t, out.GetAttr("changed").IsKnown())
	})
}

func TestAFailureNamesItsArgumentAndQuotesTheCommand(t *testing.T) {
	_, _, err := executing(t, local.New(), `script = "echo going; echo 'FATAL: no such role' >&2; exit 3"`).Apply()
	require.EqualError(t, err, "script: exit status 3: FATAL: no such role")
	var arg *module.ArgError
	require.ErrorAs(t, err, &arg)
	require.Equal(t, "script", arg.Arg)
	var explained *module.Explained
	require.ErrorAs(t, err, &explained)
	require.Equal(t, []string{"FATAL: no such role"}, explained.Evidence)
}

func TestArgumentsThatMakeNoSenseAreRefusedOffline(t *testing.T) {
	for args, says := range map[string]string{
		``:                                       "takes a command or a script",
		"command = [\"a\"]\nscript = \"b\"":      "exclude each other",
		"command = [\"a\"]\nargs = [\"b\"]":      "belong to a script",
		"command = [\"\"]":                       "no name",
		"script = \"a\"\ndir = \"relative\"":     "not absolute",
		"script = \"a\"\ncreates = \"relative\"": "not absolute",
	} {
		require.ErrorContains(t, executing(t, nil, args).Validate(), says)
	}
}
