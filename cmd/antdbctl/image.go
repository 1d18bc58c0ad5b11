package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/store"
)

// imageCommand groups what can be done with images without a runbook.
func (a *app) imageCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "image",
		Short: "Look into images, without a runbook and without starting them",
		Long: `These commands work on an image of this machine's docker or on an archive: what
docker save writes, or an OCI layout as a file or a folder, compressed or not.
Of an archive with several images, FILE#NAME picks one. What has to be unpacked
for that stays in this machine's cache ($XDG_CACHE_HOME/antdbctl/images), where
image.ship finds it too.`,
		Example: `  antdbctl image inspect crunchydata/antdb-ha:4.1
  antdbctl image inspect antdb-ha.tar.gz --file /opt/cpm/conf/postgres-ha-initdb.yaml`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(
		a.imageCheckCommand(),
		a.imageInspectCommand(),
		a.imageRecoverCommand(),
	)
	return c
}

// imageSource says which of the two ways a module takes an image a word on the
// command line means: an archive if there is such a file, or if it can be
// nothing else.
func imageSource(word string) (image, archive string) {
	file, _, _ := strings.Cut(word, "#")
	if _, err := os.Stat(file); err == nil {
		return "", word
	}
	for _, prefix := range []string{"/", "./", "../"} {
		if strings.HasPrefix(file, prefix) {
			return "", word
		}
	}
	for _, suffix := range []string{".tar", ".tgz", ".gz", ".zst"} {
		if strings.HasSuffix(file, suffix) {
			return "", word
		}
	}
	return word, ""
}

// here is what modules are lent that look around on this machine outside of a
// run. There is nothing to finish first, so the first Ctrl-C ends it. done must
// be called at the end.
func (a *app) here(parent context.Context) (ctx context.Context, env *module.Env, done func()) {
	ctx, cancel := context.WithCancel(parent)
	go func() {
		select {
		case <-a.stop:
			cancel()
		case <-ctx.Done():
		}
	}()
	p := &waiting{w: a.stderr, tty: terminal(a.stderr), start: time.Now()}
	env = &module.Env{
		Host: local.New(), Target: conn.Target{Kind: conn.Local, Name: "this machine"}, Dialer: nowhere{}, Dir: ".",
		Phase:    func(name string) { p.phase = name },
		Progress: p.progress,
		Logf: func(format string, args ...any) {
			p.end()
			fmt.Fprintf(a.stderr, format+"\n", args...)
		},
	}
	return ctx, env, func() {
		cancel()
		p.end()
	}
}

// nowhere is the Dialer of commands that work on this machine alone.
type nowhere struct{}

func (nowhere) Dial(_ context.Context, t conn.Target) (conn.Host, error) {
	return nil, fmt.Errorf("no way to %s outside of a runbook", t)
}

// waiting tells people who wait longer than they like how far it is.
type waiting struct {
	w     io.Writer
	tty   bool
	phase string
	start time.Time
	last  time.Time
	shown bool
}

// patience is two seconds; after that a terminal's line is written anew several
// times a second and a log gets a line now and then.
const patience = 2 * time.Second

func (p *waiting) progress(done, total int64, unit string) {
	every := 10 * time.Second
	if p.tty {
		every = 200 * time.Millisecond
	}
	now := time.Now()
	if now.Sub(p.start) < patience || now.Sub(p.last) < every {
		return
	}
	p.last = now
	text := fmt.Sprintf("%s: %s", p.phase, amount(done, unit))
	if total > 0 {
		text += fmt.Sprintf(" of %s (%d %%)", amount(total, unit), done*100/total)
	}
	if !p.tty {
		fmt.Fprintln(p.w, text)
		return
	}
	p.shown = true
	fmt.Fprintf(p.w, "\r\x1b[K%s", text)
}

func (p *waiting) end() {
	if p.shown {
		fmt.Fprint(p.w, "\r\x1b[K")
		p.shown = false
	}
}

func amount(n int64, unit string) string {
	if unit == "B" {
		return bytesText(n)
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", n, unit))
}

// explained is a module's error as the command line shows it: with the remedy,
// and without the argument that it is about.
func explained(err error) error {
	var how *module.Explained
	var fault *store.Fault
	switch {
	case errors.Is(err, context.Canceled):
		return exit{exitInterrupted}
	case errors.As(err, &how) && how.Remedy != "":
		return fmt.Errorf("%w\n  %s", err, how.Remedy)
	case errors.As(err, &fault) && fault.Remedy != "":
		return fmt.Errorf("%w\n  %s", err, fault.Remedy)
	}
	return err
}

// bytesText says a size in powers of 1024, as everywhere in antdbctl.
func bytesText(n int64) string {
	const units = "KMGTP"
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, u := float64(n)/1024, 0
	for v >= 1024 && u < len(units)-1 {
		v, u = v/1024, u+1
	}
	return fmt.Sprintf("%.1f %ciB", v, units[u])
}
