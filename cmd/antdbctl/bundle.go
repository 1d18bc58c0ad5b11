package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/adbsql/antdbctl/engine"
	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/tape"
	"github.com/adbsql/antdbctl/engine/diagnosis/bundle"
	"github.com/adbsql/antdbctl/engine/secret"
)

func (a *app) bundleCommand() *cobra.Command {
	var q inquiry
	var out string
	var force bool
	c := &cobra.Command{
		Use:   "bundle [runbook]",
		Short: "Pack all evidence of a site into one file, without secrets",
		Long: `Bundle looks at a site as diagnose does, and packs what it saw into one file:
facts, logs and what could not be looked at. Secrets are taken out of it: those
of the runbook, and what looks like one. The file can be diagnosed anywhere, by
antdbctl diagnose --bundle, with the same verdict. With a runbook it has what the
runbook's checks are answered as well, so that antdbctl plan --bundle can plan on it.

It says what is in the file; read that before you give it to somebody.`,
		Example: `  antdbctl bundle -o site.bundle --namespace pgouser1
  antdbctl bundle runbooks/antdb-rollout.hcl --var-file site.hcl -o site.bundle --since 24h
  antdbctl diagnose --bundle site.bundle
  antdbctl plan runbooks/antdb-rollout.hcl --var-file site.hcl --bundle site.bundle`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if out == "" {
				return errors.New("say where to: -o FILE")
			}
			if err := q.check(args); err != nil {
				return err
			}
			book, home, err := a.open(&q, args, false)
			if err != nil {
				return err
			}
			cfg := a.config(true)
			cfg.Home, cfg.Diagnosis = home, a.diagnosis(&q, book)
			cfg.Diagnosis.Tape = recorded
			outcome, err := engine.Bundle(c.Context(), cfg, book, out, force)
			return ended(outcome, err)
		},
	}
	a.bookFlags(c)
	a.runFlags(c)
	q.flags(c)
	c.Flags().StringVarP(&out, "out", "o", "", "`file` to write")
	c.Flags().BoolVar(&force, "force", false, "write over a file that is there")
	return c
}

// recorded are the usual openers, whose answers go to keep as well.
func recorded(known *secret.Redactor, keep func(answer any)) map[string]conn.Opener {
	return tape.NewRecorder(known, func(e tape.Entry) { keep(e) }).Openers(openers())
}

// played are openers of the site that a bundle was made of: they answer what
// was asked then, and refuse everything else.
func played(path string, known *secret.Redactor) (openers map[string]conn.Opener, err error) {
	b, err := bundle.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	answers, err := b.Answers()
	if err != nil {
		return nil, err
	}
	t, _, err := tape.Read(answers)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return t.Openers(known), nil
}

// diagnoseBundle makes a verdict of a file.
func (a *app) diagnoseBundle(c *cobra.Command, x *examination) error {
	cfg := a.config(true)
	cfg.Diagnosis = a.diagnosis(&x.inquiry, nil)
	outcome, err := engine.DiagnoseBundle(c.Context(), cfg, x.bundle)
	return ended(outcome, err)
}
