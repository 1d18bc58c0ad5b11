package engine

import (
	"context"
	"fmt"

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
	r.table = newTable(r.book)
	return d.undo(ctx)
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
	if err == nil && !(i.Step.Entry.ReadOnly && len(waits) > 0) {
		if err = j.open(ctx); err == nil {
			change, err = j.mod.Check(ctx, j.env)
		}
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
		Status: event.Certain, Action: module.Delete, Summary: "destroy", Outward: i.Step.Entry.Outward,
	})
	return nil
}

// undo destroys in the opposite order: a step's instances once every step that
// needs it is gone.
func (d *destroyer) undo(ctx context.Context) error {
	byNode := map[string]*job{}
	for _, j := range d.jobs.sorted() {
		d.targets[j.Step.Name] = append(d.targets[j.Step.Name], j)
	}
	ends := map[string]*dag.Node{}
	var order []string
	for rank, st := range d.book.Steps {
		ends[st.Name] = &dag.Node{ID: endNode + st.Name, Rank: -rank, Free: true}
		order = append(order, st.Name)
	}
	blocked := map[string][]string{} // step → ends of the steps that need it
	for _, st := range d.book.Steps {
		for _, need := range st.Needs {
			blocked[need.Step] = append(blocked[need.Step], endNode+st.Name)
		}
	}
	var nodes []dag.Node
	for rank, name := range order {
		end := ends[name]
		end.Needs = blocked[name]
		for _, j := range d.targets[name] {
			id := doNode + j.Address()
			byNode[id] = j
			nodes = append(nodes, dag.Node{ID: id, Rank: -rank, Needs: blocked[name]})
			end.Needs = append(end.Needs[:len(end.Needs):len(end.Needs)], id)
		}
		nodes = append(nodes, *end)
	}
	soft, cancel := d.soft(ctx)
	defer cancel()
	_, err := dag.Walk(soft, nodes, d.Parallel, func(_ context.Context, id string) ([]dag.Node, error) {
		if j, ok := byNode[id]; ok {
			return nil, d.take(ctx, j)
		}
		return nil, nil
	})
	return err
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
