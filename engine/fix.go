package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/diag"
	"github.com/adbsql/antdbctl/engine/diagnosis"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/state"
)

// Repair says which finding is to be fixed, and what the operator gave.
type Repair struct {
	Finding  string   // ID of the knowledge base, or title of a playbook's finding
	Vars     []string // as for lang.Options; of the runbook, or of the fix alone
	VarFiles []string
	Patience time.Duration // how long the finding may take to go; 0 for a minute
}

// cure is a finding that holds, and its fix.
type cure struct {
	finding, title, remedy string
	places                 []evidence.Place
	gaps                   int  // when it was found
	hearsay                bool // it rests on what the last run said alone
	fix                    *diagnosis.Fix
	playbook               string // that found it; none for the knowledge base
}

// mostPlaces bounds how often one finding is fixed, each time at another place.
const mostPlaces = 64

// Fix diagnoses, plans the fix of a finding that holds, asks, applies it, and
// diagnoses again to see that the finding is gone. One that holds at several
// places is fixed at one after the other.
func Fix(ctx context.Context, cfg Config, book *lang.Runbook, want Repair) (Outcome, error) {
	out, err := Diagnose(ctx, cfg, book, nil)
	if err != nil || out.Interrupted {
		return out, err
	}
	c, err := out.found.cure(want.Finding)
	if err != nil {
		return Outcome{Failed: true}, err
	}
	tried := map[string]bool{}
	for len(tried) < mostPlaces {
		tried[keyOf(c.fix)] = true
		if out, err = cfg.administer(ctx, book, out.found.known, c, want); err != nil || out.Failed || out.Interrupted {
			return out, err
		}
		if out, err = prove(ctx, cfg, book, c, want.Patience, tried); err != nil || out.found.next == nil {
			return out, err
		}
		c.fix = out.found.next
	}
	return out, nil
}

// administer plans and applies the fix of a finding.
func (cfg Config) administer(ctx context.Context, book *lang.Runbook, known *Knowledge, c cure, want Repair) (Outcome, error) {
	fixbook, diags, remove, err := cfg.fixbook(book, known, c, want)
	if err != nil {
		return Outcome{Failed: true}, err
	}
	defer remove()
	if diags.HasErrors() {
		cfg.tell(event.Diagnosed{Diagnostics: diag.From(diags, fixbook.Sources)})
		return Outcome{Failed: true}, nil
	}
	cfg.Home, cfg.Diagnosis = cfg.home(book), nil
	cfg.Store = state.NewFile(filepath.Join(cfg.Home, StateDir, fixbook.Name))
	out, err := Apply(ctx, cfg, fixbook, nil)
	out.found.known = known
	return out, err
}

// tell shows what belongs to no run.
func (cfg Config) tell(e event.Event) {
	for _, sink := range cfg.Sinks {
		sink.Emit(event.Envelope{Time: time.Now(), Event: e})
	}
}

// findings is what a diagnosis came to.
type findings struct {
	verdict   *event.Verdict // nil when the knowledge base was not asked
	playbooks []event.Finding
	known     *Knowledge
	next      *diagnosis.Fix // of the same finding, at a place where it was not made yet
}

// cure finds the finding that is to be fixed among those that hold.
func (f findings) cure(id string) (cure, error) {
	if v := f.verdict; v != nil {
		if h := holding(append(slices.Clone(v.Causes), v.Warnings...), id); h != nil {
			c := cure{finding: h.ID, title: h.Title, remedy: h.Remedy, places: h.Places, fix: h.Fix, gaps: len(v.Gaps)}
			c.hearsay = len(h.Evidence) > 0 && !slices.ContainsFunc(h.Evidence, func(q diagnosis.Quote) bool {
				return !strings.Contains(q.Where, "run.step ") && !strings.Contains(q.Where, spokenIn)
			})
			return c, c.fixable()
		}
	}
	for _, h := range f.playbooks {
		if strings.EqualFold(h.Title, id) {
			c := cure{finding: h.Title, remedy: h.Remedy, fix: h.Fix, playbook: h.Playbook}
			return c, c.fixable()
		}
	}
	if f.known != nil && f.known.has(id) {
		return cure{}, fmt.Errorf("%s does not hold now, so there is nothing to fix", id)
	}
	return cure{}, fmt.Errorf("there is no finding %q: say --fix with the ID of a finding that was shown, such as G-40", id)
}

func (c cure) fixable() error {
	if c.fix == nil {
		return module.Explain(fmt.Errorf("%s has no fix that antdbctl can make: %s", c.finding, c.remedy), c.remedy)
	}
	return nil
}

// holding looks for a finding among list and its symptoms; one with a fix is
// preferred.
func holding(list []diagnosis.Finding, id string) *diagnosis.Finding {
	var best *diagnosis.Finding
	for n := range list {
		f := &list[n]
		if !strings.EqualFold(f.ID, id) {
			f = holding(f.Symptoms, id)
		}
		if f != nil && (best == nil || best.Fix == nil && f.Fix != nil) {
			best = f
		}
	}
	return best
}
