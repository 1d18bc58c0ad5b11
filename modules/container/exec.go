// Package container has the module that runs commands in containers: of pods,
// and of Docker engines.
package container

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

//go:embed exec.hcl
var execExample string

// Exec runs a command in a container, guarded by what it brings about.
type Exec struct {
	Command []string                `hcl:"command,optional" doc:"Program and arguments; no shell reads them."`
	Script  string                  `hcl:"script,optional" doc:"POSIX sh script, instead of command."`
	Args    []string                `hcl:"args,optional" doc:"Arguments of the script: $1, $2, …"`
	Creates string                  `hcl:"creates,optional" doc:"Path that exists in the container once the work is done; then the command does not run again."`
	Unless  string                  `hcl:"unless,optional" doc:"Script that succeeds once the work is done; then the command does not run."`
	OnlyIf  string                  `hcl:"onlyif,optional" doc:"Script that must succeed for the command to run. It proves nothing about the work."`
	Dir     string                  `hcl:"dir,optional" doc:"Working directory of the command and the guards; the container's when left out."`
	User    string                  `hcl:"user,optional" doc:"User that the command and the guards run as; the container's when left out."`
	Env     map[string]secret.Value `hcl:"env,optional" doc:"Environment of the command and the guards; takes secrets, and never shows values."`
	Stdin   secret.Value            `hcl:"stdin,optional" doc:"Standard input of the command; takes a secret, and is never shown."`

	Stdout   string `out:"stdout" doc:"What the command printed, without the last line end; at most the last 1 MiB. Empty when it did not run."`
	Stderr   string `out:"stderr" doc:"What it printed on standard error, in the same way."`
	ExitCode int    `out:"exit_code" doc:"Exit status."`
	Changed  bool   `out:"changed" doc:"Whether the command ran."`
}

// Info describes container.exec.
func (*Exec) Info() module.Info {
	return module.Info{
		Name:    "container.exec",
		Summary: "Run a command in a container, once its guards say that it is needed.",
		Doc: `The target is a container: ` + "`on = step.cluster.primary`" + `. It needs a POSIX sh for scripts, guards, env, dir and
user, and nothing for a plain command.

The guards ` + "`creates` and `unless`" + ` say how to see that the work is done. They are asked before the command, in one
round trip, and again after it: a command that succeeds and leaves a guard unfulfilled fails as not converged. A step
without such a guard runs at every apply, which the plan marks with ` + "`>`" + `. Guards must only look.

When a run is interrupted the connection is closed; what the command started in the container goes on until it
writes or reads.`,
		On:      []string{conn.Container},
		Example: execExample,
	}
}

// Validate checks what the tags cannot say.
func (e *Exec) Validate() error {
	switch {
	case len(e.Command) > 0 && e.Script != "":
		return module.At("script", errors.New("command and script exclude each other"))
	case len(e.Command) == 0 && e.Script == "":
		return errors.New("container.exec takes a command or a script")
	case len(e.Command) > 0 && e.Command[0] == "":
		return module.At("command", errors.New("the program has no name"))
	case len(e.Args) > 0 && e.Script == "":
		return module.At("args", errors.New("args belong to a script; a command holds its own"))
	case e.Dir != "" && !strings.HasPrefix(e.Dir, "/"):
		return module.At("dir", fmt.Errorf("the path %q is not absolute", e.Dir))
	case e.Creates != "" && e.Dir == "" && !strings.HasPrefix(e.Creates, "/"):
		return module.At("creates", fmt.Errorf("the path %q is not absolute, and there is no dir", e.Creates))
	}
	return nil
}

// guards prints "done" when the command need not run, else "run".
//
//	$1 creates, $2 unless, $3 onlyif, $4 working directory
const guards = `[ -z "$4" ] || cd "$4" 2>/dev/null || { echo run; exit 0; }
if [ -n "$1" ] && { [ -e "$1" ] || [ -h "$1" ]; }; then echo done; exit 0; fi
if [ -n "$3" ] && ! sh -c "$3" </dev/null >/dev/null 2>&1; then echo done; exit 0; fi
if [ -n "$2" ] && sh -c "$2" </dev/null >/dev/null 2>&1; then echo done; exit 0; fi
echo run`

// Check asks the guards, in one command; without guards it asks nothing.
func (e *Exec) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	proved := e.Creates != "" || e.Unless != ""
	if proved || e.OnlyIf != "" {
		cmd := conn.Script(guards, e.Creates, e.Unless, e.OnlyIf, e.Dir)
		cmd.User, cmd.Env = e.User, e.Env
		res, err := env.Run(ctx, cmd)
		if err != nil {
			return module.NoChange, fmt.Errorf("ask the guards: %w", err)
		}
		if strings.TrimSpace(res.Stdout) == "done" {
			return module.NoChange, nil
		}
	}
	change := module.Change{Action: module.Run, Summary: "run " + e.title()}
	if proved {
		change.Action = module.Update
	}
	return change, nil
}

// Apply runs the command.
func (e *Exec) Apply(ctx context.Context, env *module.Env) error {
	cmd, arg := conn.Command(e.Command...), "command"
	if e.Script != "" {
		cmd, arg = conn.Script(e.Script, e.Args...), "script"
	}
	cmd.User, cmd.Env, cmd.Dir = e.User, e.Env, e.Dir
	if !e.Stdin.IsZero() {
		cmd.Stdin = strings.NewReader(e.Stdin.Reveal())
	}
	log := &log{logf: env.Logf}
	stdout, stderr := &output{log: log}, &output{log: log}
	cmd.Stdout, cmd.Stderr = stdout, stderr
	_, err := env.Run(ctx, cmd)
	e.Stdout, e.Stderr, e.Changed = stdout.text(), stderr.text(), true
	code, exited := conn.ExitCode(err)
	if !exited {
		return err
	}
	e.ExitCode = code
	return module.At(arg, module.Explain(err, "", lastLines(e.Stderr, e.Stdout)...))
}

// title is the command as a plan shows it: its first line, not too long.
// Secrets cannot be in it, by its type.
func (e *Exec) title() string {
	text := strings.Join(e.Command, " ")
	if e.Script != "" {
		text = strings.TrimSpace(e.Script)
	}
	first, more, _ := strings.Cut(text, "\n")
	if runes := []rune(first); len(runes) > 72 {
		first, more = string(runes[:71]), "…"
	}
	if more != "" {
		first += " …"
	}
	return first
}
