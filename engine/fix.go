package engine

import (
	"context"
	"errors"
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

const (
	defaultPatience = time.Minute
	lookPause       = 3 * time.Second // between two looks whether a finding is gone
)

// cure is a finding that holds, and its fix.
type cure struct {
	finding, title, remedy string
	places                 []evidence.Place
	gaps                   int  // when it was found
	hearsay                bool // it rests on what the last run said alone
	fix                    *diagnosis.Fix
	playbook               string // that found it; none for the knowledge base
}

// Fix diagnoses, plans the fix of a finding that holds, asks, applies it, and
// diagnoses again to see that the finding is gone.
func Fix(ctx context.Context, cfg Config, book *lang.Runbook, want Repair) (Outcome, error) {
	out, err := Diagnose(ctx, cfg, book, nil)
	if err != nil || out.Interrupted {
		return out, err
	}
	c, err := out.found.cure(want.Finding)
	if err != nil {
		return Outcome{Failed: true}, err
	}
	fixbook, diags, remove, err := cfg.fixbook(book, out.found.known, c, want)
	if err != nil {
		return Outcome{Failed: true}, err
	}
	defer remove()
	if diags.HasErrors() {
		cfg.tell(event.Diagnosed{Diagnostics: diag.From(diags, fixbook.Sources)})
		return Outcome{Failed: true}, nil
	}
	own := cfg
	own.Home, own.Diagnosis = cfg.home(book), nil
	own.Store = state.NewFile(filepath.Join(own.Home, StateDir, fixbook.Name))
	if out, err := Apply(ctx, own, fixbook, nil); err != nil || out.Failed || out.Interrupted {
		return out, err
	}
	return prove(ctx, cfg, book, c, want.Patience)
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

// prove looks until the finding is gone, or for as long as patience has.
func prove(ctx context.Context, cfg Config, book *lang.Runbook, c cure, patience time.Duration) (Outcome, error) {
	r, err := open(ctx, cfg, book, "diagnose")
	if r == nil {
		return Outcome{Failed: true}, err
	}
	gone := false
	r.fixed = true
	if err == nil {
		gone, err = r.prove(ctx, c, patience)
	}
	out, err := r.finish(ctx, "diagnose", err)
	out.Failed = out.Failed || !gone
	return out, err
}

func (r *run) prove(ctx context.Context, c cure, patience time.Duration) (gone bool, err error) {
	if patience <= 0 {
		patience = defaultPatience
	}
	timed, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done := event.FixFinished{Finding: c.finding, Title: c.title, Remedy: c.remedy, Language: r.Diagnosis.Language}
	for {
		holds, err := r.holds(ctx, c)
		if err != nil || r.stopped(ctx) {
			return false, err
		}
		done.Gone = !holds
		if done.Gone {
			break
		}
		select {
		case <-time.After(lookPause):
			continue
		case <-r.Stop:
			return false, nil
		case <-timed.Done():
		}
		break
	}
	if v := r.found.verdict; v != nil && c.playbook == "" {
		r.bus.Emit(*v)
		done.Blind = len(v.Gaps) > c.gaps
		done.Hearsay = c.hearsay
	}
	r.bus.Emit(done)
	return done.Gone, nil
}

// holds looks whether a finding is still there.
func (r *run) holds(ctx context.Context, c cure) (bool, error) {
	if c.playbook != "" {
		r.found.playbooks = nil
		n := slices.IndexFunc(r.book.Playbooks, func(p *lang.Playbook) bool { return p.Name == c.playbook })
		p := r.book.Playbooks[n]
		if err := r.walk(ctx, r.neededBy([]*lang.Playbook{p}), false, r.glance); err != nil {
			return false, err
		}
		r.play(ctx, p)
		r.table = newTable(r.book)
		return slices.ContainsFunc(r.found.playbooks, func(f event.Finding) bool { return f.Title == c.finding }), nil
	}
	targets, err := r.everywhere()
	if err != nil {
		return false, err
	}
	v, err := r.investigate(ctx, targets, nil)
	if err == nil && v == nil && !r.stopped(ctx) {
		err = errors.New("nothing was diagnosed")
	}
	if err != nil || v == nil {
		return false, err
	}
	r.found.verdict = v
	return stillThere(append(slices.Clone(v.Causes), v.Warnings...), c), nil
}

// stillThere looks for the finding of c, at a place that is one of its own.
func stillThere(list []diagnosis.Finding, c cure) bool {
	return slices.ContainsFunc(list, func(f diagnosis.Finding) bool {
		return f.ID == c.finding && near(f.Places, c.places) || stillThere(f.Symptoms, c)
	})
}

// near reports whether two findings may be of one thing. Pods are made anew
// under other names: they count by their cluster.
func near(now, before []evidence.Place) bool {
	if len(now) == 0 || len(before) == 0 {
		return true
	}
	return slices.ContainsFunc(now, func(p evidence.Place) bool {
		return slices.ContainsFunc(before, func(q evidence.Place) bool {
			switch {
			case p.Namespace != q.Namespace:
				return false
			case p.Cluster != "" || q.Cluster != "":
				return p.Cluster == q.Cluster
			case p.Pod != "" || q.Pod != "":
				return true
			}
			return p.Node == q.Node
		})
	})
}
