package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
)

// Diagnose runs the runbook's playbooks (all, or those named) and reports what
// they find. It only looks.
func Diagnose(ctx context.Context, cfg Config, book *lang.Runbook, names []string) (Outcome, error) {
	r, err := open(ctx, cfg, book, "diagnose")
	if r == nil {
		return Outcome{Failed: true}, err
	}
	if err == nil {
		err = r.diagnose(ctx, names)
	}
	return r.finish(ctx, "diagnose", err)
}

func (r *run) diagnose(ctx context.Context, names []string) error {
	for _, name := range names {
		if !slices.ContainsFunc(r.book.Playbooks, func(p *lang.Playbook) bool { return p.Name == name }) {
			return fmt.Errorf("the runbook has no playbook %q", name)
		}
	}
	if len(r.book.Playbooks) == 0 {
		return errors.New("the runbook has no playbook, so there is nothing to diagnose with")
	}
	var books []*lang.Playbook
	for _, p := range r.book.Playbooks {
		if len(names) == 0 || slices.Contains(names, p.Name) {
			books = append(books, p)
		}
	}
	needed := r.neededBy(books)
	if err := r.walk(ctx, needed, false, r.glance); err != nil {
		return err
	}
	for _, p := range books {
		if !r.stopped(ctx) {
			r.play(ctx, p)
		}
	}
	r.table = newTable(r.book) // what the steps looked like is no result of a diagnosis
	return nil
}

// consult runs the playbooks that watch a step that failed in this run.
func (r *run) consult(ctx context.Context) error {
	if r.stopped(ctx) {
		return nil
	}
	for _, p := range r.book.Playbooks {
		if slices.ContainsFunc(p.Watch, r.table.failed) {
			r.play(ctx, p)
		}
	}
	return nil
}

// neededBy gives the steps that the looks of books refer to, directly or not,
// in source order.
func (r *run) neededBy(books []*lang.Playbook) []*lang.Step {
	wanted := map[string]bool{}
	var want func(needs []lang.Need)
	want = func(needs []lang.Need) {
		for _, n := range needs {
			if st := r.book.Step(n.Step); st != nil && !wanted[n.Step] {
				wanted[n.Step] = true
				want(st.Needs)
			}
		}
	}
	for _, p := range books {
		for _, look := range p.Looks {
			want(look.Needs)
		}
	}
	var steps []*lang.Step
	for _, st := range r.book.Steps {
		if wanted[st.Name] {
			steps = append(steps, st)
		}
	}
	return steps
}

// glance learns a step's values for a diagnosis. What cannot be seen stays
// unknown: that is the very thing a diagnosis has to live with.
func (r *run) glance(ctx context.Context, i *lang.Instance) error {
	value := cty.UnknownVal(i.Step.Entry.ValueType())
	j, err := r.job(i)
	if err == nil {
		change, err := j.check(ctx)
		if seen, verr := j.value(change.Wanted()); err == nil && verr == nil {
			value = seen
		}
	}
	r.table.over(i, event.Unchanged, value, false)
	return nil
}

// play takes a playbook's looks, all at once, and weighs its findings.
func (r *run) play(ctx context.Context, p *lang.Playbook) {
	type seen struct {
		name  string
		value cty.Value
		all   bool
	}
	results := make(chan seen, len(p.Looks))
	var wg sync.WaitGroup
	for _, look := range p.Looks {
		wg.Go(func() {
			value, all := r.see(ctx, look)
			results <- seen{look.Name, value, all}
		})
	}
	wg.Wait()
	close(results)
	scope := r.table.scopeAll(r.scope)
	done := event.PlaybookFinished{Playbook: p.Name}
	for s := range results {
		if !s.all {
			done.Blind++
		}
		if s.value != cty.NilVal {
			scope = scope.WithLook(s.name, s.value)
		}
	}
	for _, f := range p.Findings {
		matched, cause, remedy, diags := f.Eval(scope)
		if r.report(diags); !matched {
			continue
		}
		evidence, diags := f.EvidenceText(scope)
		r.report(diags)
		done.Findings++
		r.bus.Emit(event.Finding{Playbook: p.Name, Title: f.Label, Cause: cause, Remedy: remedy, Evidence: evidence})
	}
	r.bus.Emit(done)
}

// see takes one look, at every place it is for. Where one of several cannot be
// seen, its value is unknown: findings hold only if they hold without it.
func (r *run) see(ctx context.Context, look *lang.Step) (value cty.Value, all bool) {
	ex, diags := look.Expand(r.table.scopeAll(r.scope))
	if diags.HasErrors() || !ex.Known {
		r.report(diags)
		return cty.NilVal, false
	}
	values, all := map[string]cty.Value{}, true
	for _, i := range ex.Instances {
		j, err := r.job(i)
		if err == nil {
			_, err = j.check(ctx)
		}
		if err == nil {
			values[i.Key], err = j.value(false)
		}
		if err != nil {
			r.bus.Emit(event.Diagnosed{Diagnostics: r.explain(i, err)})
			values[i.Key], all = cty.UnknownVal(look.Entry.ValueType()), false
		}
	}
	return look.Value(values, ex.Keyed), all
}
