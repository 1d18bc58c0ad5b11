package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/adbsql/antdbctl/modules/image"
)

func (a *app) imageRecoverCommand() *cobra.Command {
	var r image.Recover
	c := &cobra.Command{
		Use:   "recover SOURCE",
		Short: "Recover a Dockerfile, with its files, from an image or its history",
		Long: `Recover makes a folder with a Dockerfile that builds, and with the files that it
copies, taken out of the image's layers. SOURCE is an image of the local docker,
an archive (a file or an OCI layout folder), or a file with what
"docker history --no-trunc" printed; "-" reads that from standard input.

What the history does not tell is guessed and marked in the Dockerfile. With
--verify the image is rebuilt and compared with the original; the exit status is
1 when they differ.`,
		Example: `  antdbctl image recover crunchydata/crunchy-postgres-ha:centos7-11.6-4.2.1 -o postgres-ha --verify
  antdbctl image recover antdb-ha.tar.gz -o antdb-ha --flatten
  docker history --no-trunc antdb-ha | antdbctl image recover - -o antdb-ha`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			clean, err := a.recoverSource(&r, args[0])
			if err != nil {
				return err
			}
			defer clean()
			if err := r.Validate(); err != nil {
				return err
			}
			if err := a.recover(c.Context(), &r); err != nil {
				return err
			}
			if len(r.Differences) > 0 {
				return exit{exitError}
			}
			return nil
		},
	}
	flags := c.Flags()
	flags.StringVarP(&r.To, "output", "o", "", "`folder` to make")
	flags.StringVar(&r.Base, "base", "", "`image` for the FROM line; \"scratch\" rebuilds the base's rows, too")
	flags.BoolVar(&r.Flatten, "flatten", false, "build from scratch with the base's files: no registry is asked")
	flags.BoolVar(&r.Verify, "verify", false, "rebuild the image and compare")
	flags.StringVar(&r.Network, "network", "", "`network` of the RUN lines while verifying, such as none or host")
	_ = c.MarkFlagRequired("output")
	return c
}

// recoverSource tells an image from an archive from a history by looking at it.
func (a *app) recoverSource(r *image.Recover, word string) (clean func(), err error) {
	if word == "-" {
		dir, err := os.MkdirTemp("", "antdbctl-history-")
		if err != nil {
			return nil, err
		}
		r.History = filepath.Join(dir, "history")
		text, err := io.ReadAll(a.stdin)
		if err == nil {
			err = os.WriteFile(r.History, text, 0o600)
		}
		return func() { _ = os.RemoveAll(dir) }, err
	}
	clean = func() {}
	if isText(word) {
		r.History = word
		return clean, nil
	}
	r.Image, r.Archive = imageSource(word)
	return clean, nil
}

// isText reports whether there is a file of text by that name: archives have
// bytes in their first block that no text has.
func isText(name string) bool {
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 512)
	n, _ := io.ReadFull(f, head)
	head = head[:n]
	return n > 0 && !bytes.ContainsRune(head, 0) && !bytes.HasPrefix(head, []byte{0x1f, 0x8b})
}

// recover does what the step of a runbook does.
func (a *app) recover(parent context.Context, r *image.Recover) error {
	ctx, env, done := a.here(parent)
	defer done()
	say := env.Logf
	env.Logf = func(format string, args ...any) { // builds are long-winded
		if a.verbose || strings.HasPrefix(format, "warning") {
			say(format, args...)
		}
	}
	change, err := r.Check(ctx, env)
	if err != nil {
		return err
	}
	if change.Wanted() {
		if err := r.Apply(ctx, env); err != nil {
			return err
		}
	}
	done()
	return a.showRecovered(r)
}

func (a *app) showRecovered(r *image.Recover) error {
	if a.json {
		return json.NewEncoder(a.stdout).Encode(map[string]any{
			"dockerfile": r.Dockerfile, "from": r.From, "guesses": r.Guesses, "needs": r.Needs,
			"warnings": r.Warnings, "verified": r.Verify, "same": r.Same, "differences": r.Differences,
		})
	}
	from := r.From.Name
	if from == "" {
		from = "scratch"
	}
	fmt.Fprintf(a.stdout, "Dockerfile   %s\n", r.Dockerfile)
	fmt.Fprintf(a.stdout, "from         %s (%s)\n", from, r.From.Certainty)
	a.showList("guessed", r.Guesses)
	a.showList("to supply", r.Needs)
	a.showList("warning", r.Warnings)
	switch {
	case r.Same:
		fmt.Fprintln(a.stdout, "rebuilt      the same settings and files as the original")
	case r.Verify:
		a.showList("differs", r.Differences)
	}
	return nil
}

func (a *app) showList(name string, list []string) {
	for i, text := range list {
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(a.stdout, "%-11s  %s\n", name, text)
	}
}
