package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/adbsql/antdbctl/engine"
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
antdbctl diagnose --bundle, with the same verdict.

It says what is in the file; read that before you give it to somebody.`,
		Example: `  antdbctl bundle -o site.bundle --namespace pgouser1
  antdbctl bundle runbooks/antdb-rollout.hcl --var-file site.hcl -o site.bundle --since 24h
  antdbctl diagnose --bundle site.bundle`,
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

// diagnoseBundle makes a verdict of a file.
func (a *app) diagnoseBundle(c *cobra.Command, x *examination) error {
	cfg := a.config(true)
	cfg.Diagnosis = a.diagnosis(&x.inquiry, nil)
	outcome, err := engine.DiagnoseBundle(c.Context(), cfg, x.bundle)
	return ended(outcome, err)
}
