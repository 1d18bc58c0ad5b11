package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/shell"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// DefaultBudget is how long a diagnosis looks around.
const DefaultBudget = 10 * time.Second

// Diagnosis says how causes are looked for beside the runbook's playbooks.
type Diagnosis struct {
	Modules *module.Registry // whose collectors are run
	// Learn gives what is known of causes, when it is needed first; it may be
	// called again. What of it could not be read is told.
	Learn    func() (*Knowledge, hcl.Diagnostics)
	Language string        // of what operators read: en, zh
	Budget   time.Duration // for looking around; 0 for DefaultBudget
	Since    time.Duration // what is older is history; 0 for all
	Targets  []string      // target blocks and hosts to look at; none for all
	Command  string        // what an operator types to diagnose this again
	// Tape gives openers of hosts whose answers go to keep as well. With it, a
	// bundle has what the checks of the runbook are answered.
	Tape func(known *secret.Redactor, keep func(answer any)) map[string]conn.Opener
}

// Diagnose looks around and reports what the knowledge base makes of it, then
// what the runbook's playbooks find. With names it plays those playbooks alone.
// It only looks.
func Diagnose(ctx context.Context, cfg Config, book *lang.Runbook, names []string) (Outcome, error) {
	r, err := open(ctx, cfg, book, "diagnose")
	if r == nil {
		return Outcome{Failed: true}, err
	}
	if err == nil {
		err = r.diagnose(ctx, names)
	}
	out, err := r.finish(ctx, "diagnose", err)
	out.found, out.found.known = r.found, r.known
	return out, err
}

func (r *run) diagnose(ctx context.Context, names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(r.book.Playbooks, func(p *lang.Playbook) bool { return p.Name == name }) {
			return fmt.Errorf("the runbook has no playbook %q", name)
		}
	}
	if r.Diagnosis == nil && len(r.book.Playbooks) == 0 {
		return errors.New("the runbook has no playbook, so there is nothing to diagnose with")
	}
	var unseen error
	if r.Diagnosis != nil && len(names) == 0 {
		targets, err := r.everywhere()
		if err != nil {
			return err
		}
		v, err := r.investigate(ctx, targets, nil)
		if v == nil {
			return err
		}
		r.conclude(v)
		unseen = err
	}
	var books []*lang.Playbook
	for _, p := range r.book.Playbooks {
		if len(names) == 0 || slices.Contains(names, p.Name) {
			books = append(books, p)
		}
	}
	if err := r.walk(ctx, r.neededBy(books), false, r.glance); err != nil {
		return err
	}
	for _, p := range books {
		if !r.stopped(ctx) {
			r.play(ctx, p)
		}
	}
	r.table = newTable(r.book) // what the steps looked like is no result of a diagnosis
	return unseen
}

// conclude keeps and shows a verdict.
func (r *run) conclude(v *event.Verdict) {
	r.found.verdict = v
	r.bus.Emit(*v)
}

// offer is the command that plans and applies the fix of a finding.
func (r *run) offer(finding string) string {
	if r.Diagnosis == nil || r.Diagnosis.Command == "" {
		return ""
	}
	return r.Diagnosis.Command + " --fix " + shell.Quote(finding)
}

// consult looks for the cause when steps of this run have failed: by the
// playbooks that watch them, and by the knowledge base. Whatever becomes of it,
// the run ended as it did.
func (r *run) consult(ctx context.Context) {
	if r.stopped(ctx) {
		return
	}
	for _, p := range r.book.Playbooks {
		if slices.ContainsFunc(p.Watch, r.table.failed) {
			r.play(ctx, p)
		}
	}
	failed := r.table.failedInstances()
	if r.Diagnosis == nil || len(failed) == 0 || r.stopped(ctx) {
		return
	}
	v, err := r.investigate(ctx, r.around(failed), failed)
	switch {
	case r.stopped(ctx):
	case v != nil:
		r.conclude(v)
	case err != nil:
		r.warn("The cause was not looked for", err)
	}
}
