package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/adbsql/antdbctl/engine"
	"github.com/adbsql/antdbctl/engine/secret"
)

// path is a command's one optional argument: a runbook, a file or a folder.
func path(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

func (a *app) planCommand() *cobra.Command {
	var out, bundled string
	var detailed bool
	c := &cobra.Command{
		Use:   "plan [runbook]",
		Short: "Show what an apply would change, and change nothing",
		Long: `Plan asks every target how things are and shows what an apply would change.
What cannot be known before another step is done is shown as deferred, with the
step it waits for: a plan never guesses.`,
		Example: `  antdbctl plan runbooks/antdb-rollout.hcl --var-file site.hcl
  antdbctl plan --out rollout.plan && antdbctl apply rollout.plan
  antdbctl plan runbooks/antdb-rollout.hcl --var-file site.hcl --bundle site.bundle`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			book, err := a.load(path(args))
			if err != nil {
				return err
			}
			cfg := a.config(false)
			if bundled != "" {
				cfg.Redactor = &secret.Redactor{}
				if cfg.Openers, err = played(bundled, cfg.Redactor); err != nil {
					return err
				}
			}
			plan, outcome, err := engine.Plan(c.Context(), cfg, book)
			if err == nil && !outcome.Failed && out != "" {
				err = plan.Save(out)
			}
			if err == nil && detailed && !outcome.Failed && outcome.Changes {
				return exit{exitChanges}
			}
			return ended(outcome, err)
		},
	}
	a.bookFlags(c)
	a.runFlags(c)
	c.Flags().StringVar(&out, "out", "", "save the plan to `file`, for apply")
	c.Flags().StringVar(&bundled, "bundle", "", "ask the site that this `file` of antdbctl bundle was made of, offline")
	c.MarkFlagsMutuallyExclusive("out", "bundle")
	c.Flags().BoolVar(&detailed, "detailed-exitcode", false, "exit 2 when there are changes")
	return c
}

func (a *app) applyCommand() *cobra.Command {
	var approve, noDiagnose bool
	c := &cobra.Command{
		Use:   "apply [runbook | saved plan]",
		Short: "Make it so, and prove it",
		Long: `Apply shows the plan, asks, makes the changes and looks again at each to prove
it. Every step that is done stays done: after a failure, apply again goes on
from there. A saved plan is applied only while the world is still as it was.

When a step fails, apply looks for the cause at once, for 10 s at most: by the
playbooks that watch the step and by what antdbctl knows of such failures.
--no-diagnose leaves that out.`,
		Example: `  antdbctl apply examples/hello
  antdbctl apply runbooks/antdb-rollout.hcl --var-file site.hcl --auto-approve
  antdbctl apply rollout.plan`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			saved, err := a.savedPlan(path(args))
			if err != nil {
				return err
			}
			from := path(args)
			if saved != nil {
				from = saved.Runbook
			}
			book, err := a.load(from)
			if err != nil {
				return err
			}
			cfg := a.config(approve)
			if !noDiagnose {
				cfg.Diagnosis = a.diagnosis(&inquiry{}, book)
			}
			outcome, err := engine.Apply(c.Context(), cfg, book, saved)
			return ended(outcome, err)
		},
	}
	a.bookFlags(c)
	a.runFlags(c)
	c.Flags().BoolVar(&approve, "auto-approve", false, "do not ask")
	c.Flags().BoolVar(&noDiagnose, "no-diagnose", false, "do not look for the cause when a step fails")
	return c
}

// savedPlan reads path when it is a saved plan, and takes its variables. What
// it does not hold, because it is sensitive, can be given again.
func (a *app) savedPlan(path string) (*engine.SavedPlan, error) {
	if info, err := os.Stat(path); err != nil || info.IsDir() {
		return nil, nil // load says what is wrong with it
	}
	plan, err := engine.LoadPlan(path)
	if errors.Is(err, engine.ErrNotAPlan) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, given := range a.vars {
		if name, _, _ := strings.Cut(given, "="); slices.Contains(plan.VariableNames(), name) {
			return nil, fmt.Errorf("a saved plan holds its variables: --var %s cannot be given with it", name)
		}
	}
	for _, name := range plan.VariableNames() {
		a.vars = append(a.vars, name+"="+plan.Variables[name]) // stronger than any --var-file
	}
	return plan, nil
}

func (a *app) destroyCommand() *cobra.Command {
	var approve, all bool
	c := &cobra.Command{
		Use:   "destroy [runbook]",
		Short: "Take back what the runbook made",
		Long: `Destroy looks which of the runbook's steps have left something that can be taken
back, shows it, asks, and takes it back in the opposite order. What was there
before this runbook, or of which the state knows nothing, is left alone.`,
		Example: `  antdbctl destroy examples/hello`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			book, err := a.load(path(args))
			if err != nil {
				return err
			}
			outcome, err := engine.Destroy(c.Context(), a.config(approve), book, all)
			return ended(outcome, err)
		},
	}
	a.bookFlags(c)
	a.runFlags(c)
	c.Flags().BoolVar(&approve, "auto-approve", false, "do not ask")
	c.Flags().BoolVar(&all, "all", false, "also what the state does not say that this runbook made")
	return c
}

func (a *app) runFlags(c *cobra.Command) {
	c.Flags().IntVar(&a.parallel, "parallel", 32, "instances at work at once")
}

// ended turns how a run went into the program's exit.
func ended(o engine.Outcome, err error) error {
	switch {
	case err != nil:
		return err
	case o.Interrupted:
		return exit{exitInterrupted}
	case o.Failed:
		return exit{exitError}
	}
	return nil
}
