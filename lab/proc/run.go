// Package proc runs commands and keeps background processes by pid files.
package proc

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Command is one command to its end.
type Command struct {
	Argv  []string
	Dir   string
	Env   []string // added to the environment of this process
	Stdin io.Reader
	Log   io.Writer // gets stdout and stderr as well, if set
}

// Output runs the command and returns its standard output. The error names the command and carries what it said.
func (c Command) Output(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Dir, cmd.Stdin = c.Dir, c.Stdin
	// an interrupt lets go, mmdebstrap and docker clean up behind them
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	if len(c.Env) > 0 {
		cmd.Env = append(os.Environ(), c.Env...)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if c.Log != nil {
		cmd.Stdout, cmd.Stderr = io.MultiWriter(&stdout, c.Log), io.MultiWriter(&stderr, c.Log)
	}
	if err := cmd.Run(); err != nil {
		said := strings.TrimSpace(stderr.String())
		if said == "" {
			said = strings.TrimSpace(stdout.String())
		}
		return stdout.String(), fmt.Errorf("%s: %w: %s", brief(c.Argv), err, tail(said, 15))
	}
	return stdout.String(), nil
}

// Run is Output of a plain command line.
func Run(ctx context.Context, argv ...string) (string, error) {
	return Command{Argv: argv}.Output(ctx)
}

func brief(argv []string) string {
	line := strings.Join(argv, " ")
	if len(line) > 160 {
		line = line[:160] + "…"
	}
	return line
}

// tail keeps the last lines of a text: a long build says what went wrong at its end.
func tail(text string, lines int) string {
	all := strings.Split(text, "\n")
	if len(all) > lines {
		all = append([]string{"…"}, all[len(all)-lines:]...)
	}
	return strings.Join(all, "\n")
}
