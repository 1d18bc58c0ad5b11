package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
)

// Plan asks the world what an apply would change, and changes nothing. The
// plan that it gives can be saved and applied.
func Plan(ctx context.Context, cfg Config, book *lang.Runbook) (*SavedPlan, Outcome, error) {
	r, err := open(ctx, cfg, book, "plan")
	if r == nil {
		return nil, Outcome{Failed: true}, err
	}
	var lines []event.StepPlanned
	if err == nil {
		lines, err = r.plan(ctx)
	}
	out, err := r.finish(ctx, "plan", err)
	return newSavedPlan(book, lines), out, err
}

// plan walks the runbook, only looking.
func (r *run) plan(ctx context.Context) ([]event.StepPlanned, error) {
	if err := r.walk(ctx, r.book.Steps, false, planner{r}.look); err != nil {
		return nil, err
	}
	counts := r.table.counts()
	r.bus.Emit(event.PlanFinished{Counts: counts, Targets: r.table.targets(), Orphans: r.diary.orphans(r.book)})
	if counts[event.Failed] > 0 || r.stopped(ctx) {
		return nil, errReported // half a plan is none
	}
	lines := r.lines.sorted()
	for n, line := range lines {
		lines[n] = r.bus.Redact(line).(event.StepPlanned) // they may go into a file
	}
	return lines, nil
}

type planner struct{ *run }

// look checks one instance and says what its apply would do.
//
// Honesty has three rules. A change is certain only if no step that it needs
// still has something to do. What cannot be looked at before such a step is
// done is deferred, also when looking fails. And an instance that looks done
// while a step that it needs has something to do counts as deferred too.
func (p planner) look(ctx context.Context, i *lang.Instance) error {
	line := event.StepPlanned{Waits: p.table.waits(i)}
	j, err := p.job(i)
	entry := i.Step.Entry
	waiting := len(line.Waits) > 0
	switch {
	case errors.Is(err, errUnknown), err == nil && waiting && entry.ReadOnly:
		line.Status, line.Summary = event.Deferred, "known after "+strings.Join(line.Waits, ", ")
		return p.note(i, line, cty.UnknownVal(entry.ValueType()))
	case err != nil:
		return p.fail(i, err)
	}
	ctx, cancel := j.withTimeout(ctx)
	defer cancel()
	if err = j.open(ctx); err == nil {
		err = j.survey(ctx, &line)
	}
	if err != nil && waiting {
		line.Status, line.Summary = event.Deferred, fmt.Sprintf("cannot be looked at before %s: %s", strings.Join(line.Waits, ", "), err)
		return p.note(i, line, cty.UnknownVal(entry.ValueType()))
	}
	if err != nil {
		return p.fail(i, err)
	}
	value, err := j.value(line.Action != 0)
	if err != nil {
		return p.fail(i, err)
	}
	if line.Status == event.Unchanged {
		if err := j.expect(value); err != nil {
			return p.fail(i, err)
		}
	}
	return p.note(i, line, value)
}

// survey runs the module's Check and puts its answer into line.
func (j *job) survey(ctx context.Context, line *event.StepPlanned) error {
	change, err := j.mod.Check(ctx, j.env)
	if err != nil {
		return err
	}
	line.Action, line.Summary, line.Diff = change.Action, change.Summary, change.Diff
	waiting := len(line.Waits) > 0
	switch {
	case change.Wanted() && waiting:
		line.Status = event.Expected
	case change.Wanted():
		line.Status = event.Certain
	case waiting:
		line.Status, line.Summary = event.Deferred, "looks done; checked again after "+strings.Join(line.Waits, ", ")
	default:
		line.Status = event.Unchanged
	}
	return nil
}

func (p planner) note(i *lang.Instance, line event.StepPlanned, value cty.Value) error {
	line.Address, line.Step, line.Module, line.Target = i.Address(), i.Step.Name, i.Step.Entry.Name, i.Target.String()
	line.Outward = i.Step.Entry.Outward && line.Status != event.Unchanged
	p.table.over(i, line.Status, value, line.Status != event.Unchanged)
	p.announce(line)
	return nil
}

// announce adds a line to the plan.
func (r *run) announce(line event.StepPlanned) {
	r.lines.keep(line.Address, line)
	r.bus.Emit(line)
}

func (p planner) fail(i *lang.Instance, err error) error {
	p.finishInstance(i, event.StepFinished{Status: event.Failed, Diagnostics: p.explain(i, err)})
	return err
}

func (j *job) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	if j.Step.Timeout > 0 {
		return context.WithTimeout(ctx, j.Step.Timeout)
	}
	return context.WithCancel(ctx)
}
