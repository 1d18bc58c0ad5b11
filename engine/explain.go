package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/diag"
	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/state"
)

// faults is an error that is diagnostics already.
type faults struct{ diags hcl.Diagnostics }

func (f *faults) Error() string { return f.diags.Error() }

// explain turns what went wrong with an instance into diagnostics that point
// at the runbook and carry the evidence: host, exit status, the whole stderr.
func (r *run) explain(i *lang.Instance, err error) []diag.Diagnostic {
	var out []diag.Diagnostic
	if f := (*faults)(nil); errors.As(err, &f) {
		out = diag.From(f.diags, r.book.Sources)
	} else {
		subject := i.Step.Range
		if arg := (*module.ArgError)(nil); errors.As(err, &arg) {
			subject = i.Step.ArgRange(arg.Arg)
		}
		d := errorDiag(subject, "%s", r.headline(i, err))
		out = diag.From(hcl.Diagnostics{d}, r.book.Sources)
	}
	for n := range out {
		out[n].Step, out[n].Host = i.Address(), i.Target.String()
		r.addEvidence(&out[n], err)
	}
	return out
}

func (r *run) headline(i *lang.Instance, err error) string {
	if errors.Is(err, context.DeadlineExceeded) && i.Step.Timeout > 0 {
		return fmt.Sprintf("not done within the step's timeout of %s: %s", i.Step.Timeout, err)
	}
	return err.Error()
}

func (r *run) addEvidence(d *diag.Diagnostic, err error) {
	if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
		d.Evidence = append(d.Evidence, lines(exit.Stderr)...)
		if strings.TrimSpace(exit.Stderr) == "" {
			d.Evidence = append(d.Evidence, lines(exit.Stdout)...)
		}
	}
	if un := (*conn.Unreachable)(nil); errors.As(err, &un) {
		d.Remedy = un.Hint
	}
	var hinted interface{ Hint() string }
	if d.Remedy == "" && errors.As(err, &hinted) {
		d.Remedy = hinted.Hint()
	}
	if ex := (*module.Explained)(nil); errors.As(err, &ex) {
		d.Remedy = ex.Remedy
		d.Evidence = append(slices.Clone(ex.Evidence), d.Evidence...)
	}
}

// runFault is what stops a whole run, with what an operator can do about it.
func runFault(err error) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: err.Error()}
	remedy := ""
	var evidence []string
	var explained *module.Explained
	switch {
	case errors.As(err, &explained):
		remedy, evidence = explained.Remedy, explained.Evidence
	case errors.As(err, new(*state.LockedError)):
		remedy = "wait until that run ends, or end its process: the lock goes with it"
	case errors.Is(err, state.ErrDamaged):
		remedy = "nothing was changed; put a good copy back, or move the file away: the next apply looks at everything anew " +
			"and goes on, only a destroy then leaves alone what it cannot know to be its own"
	case errors.Is(err, state.ErrMoved):
		remedy = "apply again: it goes on from what is there"
	}
	d.Extra = &diag.Extra{Remedy: remedy, Evidence: evidence}
	return d
}

func lines(text string) []string {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	return strings.Split(text, "\n")
}

// sprintf leaves a text without arguments as it is: logs of tools hold percent
// signs that are no verbs.
func sprintf(format string, args ...any) string {
	if len(args) == 0 {
		return format
	}
	return fmt.Sprintf(format, args...)
}
