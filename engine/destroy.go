package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/dag"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/engine/module"
)

// Destroy takes back what the runbook's steps made, dependants first. Only what
// is there, whose module can take it back, and that by the state this runbook
// made from nothing, is touched; with all, also what the state knows nothing of.
func Destroy(ctx context.Context, cfg Config, book *lang.Runbook, all bool) (Outcome, error) {
	r, err := open(ctx, cfg, book, "destroy")
	if r == nil {
		return Outcome{Failed: true}, err
	}
	if err == nil {
		err = r.locked(ctx, "destroy", func() error { return r.destroy(ctx, all) })
	}
	return r.finish(ctx, "destroy", err)
}

func (r *run) destroy(ctx context.Context, all bool) error {
	d := &destroyer{run: r, all: all, targets: map[string][]*job{}}
	if err := r.walk(ctx, r.book.Steps, false, d.look); err != nil {
		return err
	}
	counts := r.table.counts()
	r.bus.Emit(event.PlanFinished{Counts: counts, Targets: r.table.targets(), Left: d.left.sorted()})
	if counts[event.Failed] > 0 {
		return errReported
	}
	if counts[event.Certain] == 0 {
		return nil
	}
	if err := r.ask(ctx, fmt.Sprintf("%d to destroy. This cannot be undone. Destroy?", counts[event.Certain])); err != nil {
		return err
	}
	for _, j := range d.jobs.sorted() {
		for _, loss := range losses(j.mod) {
			if err := r.ask(ctx, fmt.Sprintf("%s takes away %s, and nothing brings that back. Go on?", j.Address(), loss)); err != nil {
				return err
			}
		}
	}
	r.table = newTable(r.book)
	return d.undo(ctx)
}

// losses is what goes for good with the destruction of m.
func losses(m module.Module) []string {
	if l, ok := m.(module.Loser); ok {
		return l.Losses()
	}
	return nil
}

type destroyer struct {
	*run
	all     bool
	jobs    keeper[*job]
	left    keeper[string]    // addresses of what may not be ours
	targets map[string][]*job // by step name, what is to be destroyed
}

// look finds out whether the instance is there. What cannot be known because
// something before it is not there is not there either.
func (d *destroyer) look(ctx context.Context, i *lang.Instance) error {
	waits := d.table.waits(i)
	j, err := d.job(i)
	var change module.Change
	switch {
	case err == nil && i.Step.Entry.ReadOnly && len(waits) > 0:
		err = errUnknown // as in a plan: it would look at what is not there
	case err == nil:
		change, err = j.check(ctx)
	}
	if errors.As(err, new(*module.Refusal)) { // it is there, though not as the runbook wants it
		change, err = module.Change{Action: module.Update}, nil
	}
	absent := change.Action == module.Create || change.Action == module.Run
	_, able := j.mod.(module.Destroyer)
	switch {
	case err != nil && len(waits) == 0 && !i.Step.Entry.ReadOnly: // what only looks keeps nothing from going
		d.finishInstance(i, event.StepFinished{Status: event.Failed, Diagnostics: d.explain(i, err)})
		return err
	case err != nil || absent:
		d.table.over(i, event.Deferred, cty.UnknownVal(i.Step.Entry.ValueType()), true)
		return nil
	}
	value, err := j.value(change.Wanted())
	if err != nil {
		d.finishInstance(i, event.StepFinished{Status: event.Failed, Diagnostics: d.explain(i, err)})
		return err
	}
	if ours := d.all || d.diary.created(i.Address()); !able || !ours {
		if able {
			d.left.keep(i.Address(), i.Address())
		}
		d.table.over(i, event.Unchanged, value, false)
		return nil
	}
	d.table.over(i, event.Certain, value, false)
	d.jobs.keep(i.Address(), j)
	d.bus.Emit(event.StepPlanned{
		Address: i.Address(), Step: i.Step.Name, Module: i.Step.Entry.Name, Target: i.Target.String(),
		Status: event.Certain, Action: module.Delete, Summary: strings.Join(append([]string{"destroy"}, losses(j.mod)...), ", with "), Outward: i.Step.Entry.Outward,
	})
	return nil
}

// undo destroys in the opposite order: a step's instances once every step that
// needs it is gone.
func (d *destroyer) undo(ctx context.Context) error {
	for _, j := range d.jobs.sorted() {
		d.targets[j.Step.Name] = append(d.targets[j.Step.Name], j)
	}
	blocked := map[string][]string{} // step → ends of the steps that need it
	for _, st := range d.book.Steps {
		for _, need := range st.Needs {
			blocked[need.Step] = append(blocked[need.Step], endNode+st.Name)
		}
	}
	byNode := map[string]*job{}
	var nodes []dag.Node
	for rank, st := range d.book.Steps {
		end := dag.Node{ID: endNode + st.Name, Rank: -rank, Free: true, Needs: slices.Clone(blocked[st.Name])}
		for _, j := range d.targets[st.Name] {
			id := doNode + j.Address()
			byNode[id] = j
			nodes = append(nodes, dag.Node{ID: id, Rank: -rank, Needs: blocked[st.Name]})
			end.Needs = append(end.Needs, id)
		}
		nodes = append(nodes, end)
	}
	soft, cancel := d.soft(ctx)
	defer cancel()
	results, err := dag.Walk(soft, nodes, d.Parallel, func(_ context.Context, id string) ([]dag.Node, error) {
		j, ok := byNode[id]
		switch {
		case !ok:
			return nil, nil
		case d.stopped(ctx):
			return nil, context.Canceled
		}
		return nil, d.take(ctx, j)
	})
	for _, n := range nodes {
		if j := byNode[n.ID]; j != nil && d.table.statusOf(j.Instance) == "" {
			d.spare(j, results[n.ID])
		}
	}
	return err
}

// spare tells of an instance that stays, and why.
func (d *destroyer) spare(j *job, why error) {
	done := event.StepFinished{Status: event.Cancelled, Needs: "interrupted"}
	if errors.Is(why, dag.ErrSkipped) {
		done = event.StepFinished{Status: event.Skipped, Needs: "something that needs it is still there"}
	}
	d.finishInstance(j.Instance, done)
}

func (d *destroyer) take(ctx context.Context, j *job) error {
	d.bus.Emit(event.StepStarted{Address: j.Address(), Step: j.Step.Name, Module: j.Step.Entry.Name, Target: j.Target.String()})
	ctx, cancel := j.withTimeout(ctx)
	defer cancel()
	j.begun = d.Clock()
	done := event.StepFinished{Status: event.Destroyed, Action: module.Delete}
	err := j.mod.(module.Destroyer).Destroy(ctx, j.env)
	if err == nil {
		err = d.diary.forget(ctx, j.Address())
	}
	if err != nil {
		done.Status, done.Diagnostics = event.Failed, d.explain(j.Instance, err)
	}
	done.Seconds = d.Clock().Sub(j.begun).Seconds()
	d.table.over(j.Instance, done.Status, cty.NilVal, false)
	d.finishInstance(j.Instance, done)
	return err
}
