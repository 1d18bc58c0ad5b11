package host

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestCommandExampleParses(t *testing.T) { moduletest.Example(t, module.Of[Command]()) }

func TestCommandWithoutGuardRunsEachTime(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		step := stepOn[Command](t, h, dir, `command = ["sh", "-c", "echo out; echo err >&2; echo x >>DIR/ran"]`)
		change := onlyLooks(t, step, dir)
		require.Equal(t, module.Run, change.Action)
		require.Equal(t, "run sh -c echo out; echo err >&2; echo x >>"+dir+"/ran", clip(change.Summary, dir))
		for range 2 {
			_, out, err := step.Apply()
			require.NoError(t, err)
			require.Equal(t, cty.StringVal("out"), out.GetAttr("stdout"))
			require.Equal(t, cty.StringVal("err"), out.GetAttr("stderr"))
			require.True(t, out.GetAttr("exit_code").RawEquals(cty.NumberIntVal(0)))
		}
		require.Equal(t, "x\nx\n", read(t, dir+"/ran"))
	})
}

// clip undoes the shortening of a summary, whose length depends on dir.
func clip(summary, dir string) string {
	if short, ok := strings.CutSuffix(summary, " …"); ok {
		if whole := "run sh -c echo out; echo err >&2; echo x >>" + dir + "/ran"; strings.HasPrefix(whole, short) {
			return whole
		}
	}
	return summary
}

func TestGuardsDecideWhetherTheCommandRuns(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		write(t, dir+"/old", "", 0o644)
		for name, c := range map[string]struct {
			args string
			want module.Action
		}{
			"creates, missing":       {`creates = "DIR/new"`, module.Update},
			"creates, there":         {`creates = "DIR/old"`, module.None},
			"creates, in dir":        {"dir = \"DIR\"\ncreates = \"old\"", module.None},
			"removes, there":         {`removes = "DIR/old"`, module.Update},
			"removes, gone":          {`removes = "DIR/new"`, module.None},
			"unless, fails":          {`unless = "echo loud; exit 3"`, module.Update},
			"unless, succeeds":       {`unless = "test -e DIR/old"`, module.None},
			"unless, not found":      {`unless = "no-such-program-at-all"`, module.Update},
			"onlyif, succeeds":       {`onlyif = "true"`, module.Run},
			"onlyif, fails":          {`onlyif = "false"`, module.None},
			"one of two says skip":   {"creates = \"DIR/new\"\nunless = \"true\"", module.None},
			"none of two says skip":  {"removes = \"DIR/old\"\nunless = \"false\"", module.Update},
			"in a folder to be made": {"dir = \"DIR/later\"\ncreates = \"old\"", module.Update},
			"guards see env":         {"env = { A = \"b\" }\nunless = \"[ \\\"$A\\\" = b ]\"", module.None},
			"guards read no stdin":   {"stdin = \"x\"\nunless = \"read -r line\"", module.Update},
		} {
			t.Run(name, func(t *testing.T) {
				step := stepOn[Command](t, h, dir, "command = [\"true\"]\n"+c.args)
				require.Equal(t, c.want.String(), onlyLooks(t, step, dir).Action.String())
			})
		}
	})
}

func TestGuardedCommandIsProvedByItsGuard(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		step := stepOn[Command](t, h, dir, `
			script  = <<-EOT
			  set -e
			  cat >"$NAME"
			EOT
			dir     = "DIR"
			env     = { NAME = "made by sh" }
			stdin   = "piped\n"
			creates = "made by sh"`)
		step.Converge(module.Update)
		require.Equal(t, "piped\n", read(t, dir+"/made by sh"))
	})
}

func TestCommandThatLeavesItsGuardUndoneSaysWhich(t *testing.T) {
	h := local.New()
	for guard, want := range map[string]string{
		`creates = "DIR/x"`:  "run true: DIR/x is missing",
		`removes = "DIR"`:    "run true: DIR is still there",
		`unless  = "exit 1"`: "run true: its unless fails",
	} {
		dir := t.TempDir()
		m := stepOn[Command](t, h, dir, "command = [\"true\"]\n"+guard).Module()
		env := moduletest.Env(t, h)
		_, err := m.Check(t.Context(), env)
		require.NoError(t, err)
		require.NoError(t, m.Apply(t.Context(), env))
		again, err := m.Check(t.Context(), env)
		require.NoError(t, err)
		require.Equal(t, strings.ReplaceAll(want, "DIR", dir), again.Summary)
	}
}

func TestCommandThatFailsNamesTheArgument(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		_, _, err := stepOn[Command](t, h, dir, `command = ["sh", "-c", "echo why >&2; exit 7"]`).Apply()
		aboutArg(t, err, "command", "exit status 7", "why")
		_, _, err = stepOn[Command](t, h, dir, `script = "exit 7"`).Apply()
		aboutArg(t, err, "script", "exit status 7")
		_, _, err = stepOn[Command](t, h, dir, `command = ["no-such-program-at-all"]`).Apply()
		aboutArg(t, err, "command", "exit status 127", "no-such-program-at-all")

		_, out, err := stepOn[Command](t, h, dir, "script = \"exit 7\"\nsuccess = [0, 7]").Apply()
		require.NoError(t, err)
		require.True(t, out.GetAttr("exit_code").RawEquals(cty.NumberIntVal(7)))
		_, _, err = stepOn[Command](t, h, dir, "script = \"exit 0\"\nsuccess = [7]").Apply()
		aboutArg(t, err, "success", "exit status 0")
	})
}

func TestCommandRunsAsTheUser(t *testing.T) {
	needsRoot(t)
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		_, out, err := stepOn[Command](t, h, dir, "command = [\"id\", \"-un\"]\nuser = \"daemon\"\nonlyif = \"[ $(id -un) = daemon ]\"").Apply()
		require.NoError(t, err)
		require.Equal(t, cty.StringVal("daemon"), out.GetAttr("stdout"))
	})
}

func TestCommandKeepsSecretsOutOfArguments(t *testing.T) {
	const text = "hunter2-hunter2"
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		counted := &counter{Host: h}
		step := stepOn[Command](t, counted, dir, `
			script = "printf '%s %s' \"$PASSWORD\" \"$(cat)\" >DIR/got"
			env    = { PASSWORD = "`+text+`" }
			stdin  = "`+text+`"
			unless = "test -s DIR/got"`)
		change := onlyLooks(t, step, dir)
		require.Contains(t, change.Summary, "(with PASSWORD)")
		require.NotContains(t, change.Summary, text)
		step.Converge(module.Update)
		require.Equal(t, text+" "+text, read(t, dir+"/got"))
		require.NotContains(t, strings.Join(counted.args, " "), text)
	})
}

func TestCommandOutputIsLoggedAsItComesAndKeptAtItsEnd(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		step := stepOn[Command](t, h, dir, `script = "i=0; while [ $i -lt 3 ]; do echo line $i; i=$((i+1)); done; printf open; head -c 3000000 /dev/zero | tr '\\0' x >&2"`)
		var mu sync.Mutex
		var lines []string
		step.Env().Logf = func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			if line := fmt.Sprintf(format, args...); !strings.HasPrefix(line, "x") {
				lines = append(lines, line)
			}
		}
		_, out, err := step.Apply()
		require.NoError(t, err)
		require.Equal(t, []string{"line 0", "line 1", "line 2", "open"}, lines)
		require.Equal(t, "line 0\nline 1\nline 2\nopen", out.GetAttr("stdout").AsString())
		require.Len(t, out.GetAttr("stderr").AsString(), captureLimit)
	})
}

func TestCommandRules(t *testing.T) {
	require.ErrorContains(t, (&Command{}).Validate(), "a command or a script")
	aboutArg(t, (&Command{Command: []string{"a"}, Script: "b"}).Validate(), "script", "exclude")
	aboutArg(t, (&Command{Command: []string{""}}).Validate(), "command", "no name")
	aboutArg(t, (&Command{Script: "a", Dir: "b"}).Validate(), "dir", "not absolute")
	aboutArg(t, (&Command{Script: "a", Creates: "b"}).Validate(), "creates", "not absolute")
	aboutArg(t, (&Command{Script: "a", Removes: "b"}).Validate(), "removes", "not absolute")
	require.NoError(t, (&Command{Script: "a", Dir: "/b", Creates: "c"}).Validate())
}

func TestLongCommandsAreShortInPlans(t *testing.T) {
	c := Command{Script: "\n  first line\nsecond\n"}
	require.Equal(t, "first line …", c.text())
	c = Command{Command: []string{"echo", strings.Repeat("ü", 100)}}
	require.Equal(t, "echo "+strings.Repeat("ü", 66)+" …", c.text())
}
