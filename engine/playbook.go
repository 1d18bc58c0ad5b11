package engine

import (
	"context"
	"sync"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/diagnosis"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
)

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
		found := event.Finding{Playbook: p.Name, Title: f.Label, Cause: cause, Remedy: remedy, Evidence: evidence}
		path, vars, diags := f.FixOf(scope)
		if r.report(diags); path != "" {
			found.Fix = &diagnosis.Fix{Runbook: path, Vars: vars}
			found.Offer = r.offer(f.Label)
		}
		r.found.playbooks = append(r.found.playbooks, found)
		r.bus.Emit(found)
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
