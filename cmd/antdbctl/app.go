package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/adbsql/antdbctl/engine"
	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/docker"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/conn/ssh"
	"github.com/adbsql/antdbctl/engine/diag"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/report"
	"github.com/adbsql/antdbctl/modules"
)

// version is set by the build.
var version = ""

// app is the program: its streams and its global flags.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	stop           <-chan struct{}
	live           *report.Live      // nil off a terminal
	lines          *report.JSONLines // nil without --json
	asking         sync.Mutex

	vars     []string
	varFiles []string
	json     bool
	noColor  bool
	verbose  bool
	parallel int
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "antdbctl",
		Short: "Roll databases out on your own machines, by runbooks that say how it should be",
		Long: `antdbctl reads a runbook (HCL) that says how machines, images, clusters and
databases should be, looks at how they are, shows the difference, makes it so,
and looks again to prove it. It needs no agent: SSH, the docker command line
and the Kubernetes API are all it uses.`,
		Example: `  antdbctl apply examples/hello
  antdbctl plan  runbooks/antdb-rollout.hcl --var-file site.hcl
  antdbctl apply runbooks/antdb-rollout.hcl --var-file site.hcl`,
		SilenceUsage: true, SilenceErrors: true,
		Version: programVersion(),
	}
	flags := root.PersistentFlags()
	flags.BoolVar(&a.json, "json", false, "write JSON lines to standard output instead of text")
	flags.BoolVar(&a.noColor, "no-color", false, "never colour the text (also: NO_COLOR)")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "also show what did not change")
	root.AddCommand(
		a.initCommand(), a.validateCommand(), a.fmtCommand(),
		a.planCommand(), a.applyCommand(), a.destroyCommand(),
		a.diagnoseCommand(), a.bundleCommand(),
		a.showCommand(), a.runsCommand(), a.stateCommand(),
		a.imageCommand(),
		a.modulesCommand(), a.functionsCommand(), a.graphCommand(), a.versionCommand(),
	)
	return root
}

// bookFlags adds the flags of commands that load a runbook.
func (a *app) bookFlags(c *cobra.Command) {
	c.Flags().StringArrayVar(&a.vars, "var", nil, "set a variable, `name=value`; may be repeated")
	c.Flags().StringArrayVar(&a.varFiles, "var-file", nil, "read variables from `file` (.hcl or .json); may be repeated")
}

// load reads a runbook and shows all its faults.
func (a *app) load(path string) (*lang.Runbook, error) {
	return a.loadWith(path, lang.Options{Registry: modules.Catalogue(), Vars: a.vars, VarFiles: a.varFiles})
}

func (a *app) loadWith(path string, o lang.Options) (*lang.Runbook, error) {
	book, diags := lang.Load(path, o)
	a.show(diags, book)
	if diags.HasErrors() {
		return nil, exit{exitError}
	}
	return book, nil
}

func (a *app) show(diags hcl.Diagnostics, book *lang.Runbook) {
	if len(diags) == 0 {
		return
	}
	list := diag.From(diags, book.Sources)
	if a.json {
		report.NewJSONLines(a.stdout).Emit(event.Envelope{Event: event.Diagnosed{Diagnostics: list}})
		return
	}
	diag.Text(a.stderr, list, diag.Options{Color: a.colored(a.stderr), Width: width(a.stderr)})
}

// config wires the engine to this program.
func (a *app) config(autoApprove bool) engine.Config {
	cfg := engine.Config{
		Openers: openers(), Parallel: a.parallel, Version: programVersion(),
		AutoApprove: autoApprove, Stop: a.stop, Sinks: []event.Sink{a.sink()},
	}
	if a.interactive() {
		cfg.Approve = a.approve
	}
	return cfg
}

func openers() map[string]conn.Opener {
	return map[string]conn.Opener{
		conn.Local: local.Open, conn.SSH: ssh.Open, conn.Docker: docker.Open, conn.Kubernetes: kube.Open,
		conn.Container: func(ctx context.Context, t conn.Target, s conn.Settings, d conn.Dialer) (conn.Host, error) {
			if s.Kind == conn.Kubernetes {
				return kube.OpenContainer(ctx, t, s, d)
			}
			return docker.OpenContainer(ctx, t, s, d)
		},
	}
}

func (a *app) sink() event.Sink {
	if a.json {
		a.lines = report.NewJSONLines(a.stdout)
		return a.lines
	}
	opts := report.Options{Color: a.colored(a.stdout), Width: width(a.stdout), Verbose: a.verbose}
	if terminal(a.stdout) && os.Getenv("TERM") != "dumb" {
		a.live = report.NewLive(a.stdout, opts)
		return a.live
	}
	return report.NewText(a.stdout, opts)
}

func (a *app) interactive() bool {
	return terminal(a.stdin) && !a.json
}

// approve asks at the terminal, one question at a time.
func (a *app) approve(ctx context.Context, question string) (bool, error) {
	a.asking.Lock()
	defer a.asking.Unlock()
	if a.live != nil {
		a.live.Suspend()
	}
	fmt.Fprintf(a.stderr, "\n%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(a.stdin).ReadString('\n')
		answer <- line
	}()
	select {
	case line := <-answer:
		line = strings.ToLower(strings.TrimSpace(line))
		return line == "y" || line == "yes", nil
	case <-a.stop:
		return false, nil
	case <-ctx.Done():
		return false, nil
	}
}

func (a *app) colored(w io.Writer) bool {
	return terminal(w) && !a.noColor && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// terminal reports whether a stream is one that a person looks at.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func width(w io.Writer) int {
	if f, ok := w.(*os.File); ok {
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns >= 60 {
			return min(columns, 120)
		}
	}
	return 100
}

func programVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// registry is the catalogue, for commands that list it.
func registry() *module.Registry { return modules.Catalogue() }
