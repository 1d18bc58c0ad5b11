package host

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

//go:embed command.hcl
var commandExample string

// Command runs a program or a script, guarded by what it brings about.
type Command struct {
	Command []string                `hcl:"command,optional" doc:"Program and arguments; no shell reads them."`
	Script  string                  `hcl:"script,optional" doc:"POSIX sh script, instead of command."`
	Creates string                  `hcl:"creates,optional" doc:"Path that exists once the command has done its work; then it does not run again."`
	Removes string                  `hcl:"removes,optional" doc:"Path that is gone once the command has done its work; then it does not run again."`
	Unless  string                  `hcl:"unless,optional" doc:"Script that succeeds once the work is done; then the command does not run."`
	OnlyIf  string                  `hcl:"onlyif,optional" doc:"Script that must succeed for the command to run. It proves nothing about the work."`
	Dir     string                  `hcl:"dir,optional" doc:"Working directory of the command and the guards."`
	User    string                  `hcl:"user,optional" doc:"User that the command and the guards run as."`
	Env     map[string]secret.Value `hcl:"env,optional" doc:"Environment of the command and the guards; takes secrets, and never shows values."`
	Stdin   secret.Value            `hcl:"stdin,optional" doc:"Standard input of the command; takes a secret, and is never shown."`
	Success []int                   `hcl:"success,optional" doc:"Exit codes that mean success; [0] when left out."`

	Stdout   string `out:"stdout" doc:"What the command printed, without the last line end; at most the last 1 MiB. Empty when it did not run."`
	Stderr   string `out:"stderr" doc:"What it printed on standard error, in the same way."`
	ExitCode int    `out:"exit_code" doc:"Exit status."`
}

// Info describes host.command.
func (*Command) Info() module.Info {
	return module.Info{
		Name:    "host.command",
		Summary: "Run a command, once its guards say that it is needed.",
		Doc: `The guards ` + "`creates`, `removes` and `unless`" + ` say how to see that the work is done. They are asked before the
command, in one round trip, and again after it: a command that exits with success and leaves a guard unfulfilled
fails as not converged. A step without such a guard runs at every apply, which the plan marks with ` + "`>`" + `.

Guards must only look. What they print is dropped.`,
		On:      places,
		Example: commandExample,
	}
}

// Validate checks what the tags cannot say.
func (c *Command) Validate() error {
	switch {
	case len(c.Command) > 0 && c.Script != "":
		return module.At("script", errors.New("command and script exclude each other"))
	case len(c.Command) == 0 && c.Script == "":
		return errors.New("host.command takes a command or a script")
	case len(c.Command) > 0 && c.Command[0] == "":
		return module.At("command", errors.New("the program has no name"))
	case c.Dir != "" && !strings.HasPrefix(c.Dir, "/"):
		return module.At("dir", fmt.Errorf("the path %q is not absolute", c.Dir))
	}
	for _, g := range []struct{ arg, path string }{{"creates", c.Creates}, {"removes", c.Removes}} {
		if g.path != "" && c.Dir == "" && !strings.HasPrefix(g.path, "/") {
			return module.At(g.arg, fmt.Errorf("the path %q is not absolute, and there is no dir", g.path))
		}
	}
	return nil
}

// guardScript prints "skip" and the guard that says so, or "run". A folder that
// does not exist yet is no reason to skip: a step before may make it.
//
//	$1 creates, $2 removes, $3 unless, $4 onlyif, $5 working directory
const guardScript = `[ -z "$5" ] || cd "$5" 2>/dev/null || { echo run; exit 0; }
if [ -n "$1" ] && { [ -e "$1" ] || [ -h "$1" ]; }; then echo skip creates; exit 0; fi
if [ -n "$2" ] && [ ! -e "$2" ] && [ ! -h "$2" ]; then echo skip removes; exit 0; fi
if [ -n "$4" ] && ! sh -c "$4" </dev/null >/dev/null 2>&1; then echo skip onlyif; exit 0; fi
if [ -n "$3" ] && sh -c "$3" </dev/null >/dev/null 2>&1; then echo skip unless; exit 0; fi
echo run
`

// Check asks the guards, in one command; without guards it asks nothing.
func (c *Command) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	proved := c.Creates != "" || c.Removes != "" || c.Unless != ""
	if proved || c.OnlyIf != "" {
		cmd := conn.Script(guardScript, c.Creates, c.Removes, c.Unless, c.OnlyIf, c.Dir)
		cmd.User, cmd.Env = c.User, c.Env
		res, err := env.Run(ctx, cmd)
		if err != nil {
			return module.NoChange, fmt.Errorf("ask the guards: %w", err)
		}
		if strings.HasPrefix(res.Stdout, "skip") {
			return module.NoChange, nil
		}
	}
	action := module.Run
	if proved {
		action = module.Update
	}
	return module.Change{Action: action, Summary: "run " + c.text() + c.reason()}, nil
}

// reason is what the guards found undone, also once the command has run and
// they still do.
func (c *Command) reason() string {
	switch {
	case c.Creates != "":
		return ": " + c.Creates + " is missing"
	case c.Removes != "":
		return ": " + c.Removes + " is still there"
	case c.Unless != "":
		return ": its unless fails"
	}
	return ""
}

// Apply runs the command and passes its output to the log as it comes.
func (c *Command) Apply(ctx context.Context, env *module.Env) error {
	cmd, arg := conn.Command(c.Command...), "command"
	if c.Script != "" {
		cmd, arg = conn.Script(c.Script), "script"
	}
	cmd.User, cmd.Env, cmd.Dir = c.User, c.Env, c.Dir
	if !c.Stdin.IsZero() {
		cmd.Stdin = strings.NewReader(c.Stdin.Reveal())
	}
	log := logger{logf: env.Logf}
	stdout, stderr := &capture{log: &log}, &capture{log: &log}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	_, err := env.Run(ctx, cmd)
	c.Stdout, c.Stderr = stdout.text(), stderr.text()
	code, exited := conn.ExitCode(err)
	if err != nil && !exited {
		return err
	}
	c.ExitCode = code
	if c.succeeds(code) {
		return nil
	}
	if err == nil {
		return module.At("success", fmt.Errorf("%s: exit status 0 is no success here", c.text()))
	}
	return module.At(arg, err)
}

func (c *Command) succeeds(code int) bool {
	if c.Success == nil {
		return code == 0
	}
	return slices.Contains(c.Success, code)
}

// text is the command as a plan shows it: its first line, not too long. Secrets
// cannot be in it, by its type; names of the environment are shown.
func (c *Command) text() string {
	text := strings.Join(c.Command, " ")
	if c.Script != "" {
		text = strings.TrimSpace(c.Script)
	}
	first, rest, _ := strings.Cut(text, "\n")
	if runes := []rune(first); len(runes) > 72 {
		first, rest = string(runes[:71]), "…"
	}
	if rest != "" {
		first += " …"
	}
	if names := slices.Sorted(maps.Keys(c.Env)); len(names) > 0 {
		first += " (with " + strings.Join(names, ", ") + ")"
	}
	return first
}
