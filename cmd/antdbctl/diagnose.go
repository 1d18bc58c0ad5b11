package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/adbsql/antdbctl/engine"
)

// examination is what diagnose is asked to do.
type examination struct {
	inquiry
	playbooks []string
	bundle    string // file to diagnose instead of a site
	fix       string // finding to take away
	approve   bool
}

func (a *app) diagnoseCommand() *cobra.Command {
	var x examination
	c := &cobra.Command{
		Use:   "diagnose [runbook]",
		Short: "Find the cause of a failure, with evidence, and fix it",
		Long: `Diagnose looks at every target of a runbook, all at once and for 10 s at most:
machines, Kubernetes, the operator, Patroni, the databases, their backups and
images, and the log of the runbook's last run. What it saw is held against all
causes that antdbctl knows, and those of your own: findings in --signatures and
in a folder "diagnosis" beside the runbook. Symptoms are told with their cause.
What could not be looked at is said. Then the runbook's own playbooks are played.

Without a runbook it looks at the cluster that kubectl would take; machines are
looked at as well when a --var-file names them.

It ends with exit status 0 when it could look, whatever it found.

With --fix it plans the fix of a finding that holds now, shows what it would
change, asks, applies it, and diagnoses again to prove that it is gone; with exit
status 1 when it is not. Nothing else of diagnose changes anything.`,
		Example: `  antdbctl diagnose --namespace pgouser1
  antdbctl diagnose runbooks/antdb-rollout.hcl --var-file site.hcl
  antdbctl diagnose runbooks/antdb-rollout.hcl --var-file site.hcl --target node2 --since 1h
  antdbctl diagnose runbooks/antdb-rollout.hcl --var-file site.hcl --fix G-96
  antdbctl diagnose --bundle site.bundle --lang zh`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := x.check(args); err != nil {
				return err
			}
			switch {
			case x.bundle != "":
				return a.diagnoseBundle(c, &x)
			case x.fix != "":
				return a.fix(c, &x, args)
			}
			book, home, err := a.open(&x.inquiry, args, false)
			if err != nil {
				return err
			}
			cfg := a.config(true)
			cfg.Home, cfg.Diagnosis = home, a.diagnosis(&x.inquiry, book)
			outcome, err := engine.Diagnose(c.Context(), cfg, book, x.playbooks)
			return ended(outcome, err)
		},
	}
	a.bookFlags(c)
	a.runFlags(c)
	x.flags(c)
	x.knowledgeFlags(c)
	c.Flags().StringArrayVar(&x.playbooks, "playbook", nil, "play this playbook of the runbook alone, by its `name`; may be repeated")
	c.Flags().StringVar(&x.bundle, "bundle", "", "diagnose what `antdbctl bundle` packed into a file, offline")
	c.Flags().StringVar(&x.fix, "fix", "", "take away the cause with this `ID`: plan, ask, apply, diagnose again")
	c.Flags().BoolVar(&x.approve, "auto-approve", false, "with --fix: do not ask")
	return c
}

func (x *examination) check(args []string) error {
	switch {
	case x.bundle != "" && (len(args) > 0 || len(x.targets) > 0 || x.kubeconfig != "" || x.context != "" || x.namespace != ""):
		return errors.New("--bundle takes all evidence from its file: no runbook, target or cluster goes with it")
	case x.bundle != "" && x.fix != "":
		return errors.New("--fix changes a site, and a bundle is none: diagnose the site itself")
	case len(x.playbooks) > 0 && len(args) == 0:
		return errors.New("--playbook plays a playbook of a runbook: say which runbook")
	case x.fix != "" && len(x.playbooks) > 0:
		return errors.New("--fix finds its finding by itself: leave --playbook out")
	}
	return x.inquiry.check(args)
}

// fix takes a finding away. Variables may be the runbook's, the fix's or both's.
func (a *app) fix(c *cobra.Command, x *examination, args []string) error {
	book, home, err := a.open(&x.inquiry, args, true)
	if err != nil {
		return err
	}
	cfg := a.config(x.approve)
	cfg.Home, cfg.Diagnosis = home, a.diagnosis(&x.inquiry, book)
	outcome, err := engine.Fix(c.Context(), cfg, book, engine.Repair{Finding: x.fix, Vars: a.vars, VarFiles: a.varFiles})
	return ended(outcome, err)
}
