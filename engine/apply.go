package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/engine/module"
)

// Apply brings the world to what the runbook says. With saved, it first plans
// again and goes on only when the plan is still the saved one.
//
// Unless cfg.AutoApprove, it plans and asks first.
func Apply(ctx context.Context, cfg Config, book *lang.Runbook, saved *SavedPlan) (Outcome, error) {
	r, err := open(ctx, cfg, book, "apply")
	if r == nil {
		return Outcome{Failed: true}, err
	}
	if err == nil {
		err = r.locked(ctx, "apply", func() error { return r.apply(ctx, saved) })
	}
	return r.finish(ctx, "apply", err)
}

// locked runs do while it holds the runbook's lock, and saves the diary after.
// The diary is read under the lock: another run may have written it just now.
func (r *run) locked(ctx context.Context, command string, do func() error) error {
	unlock, err := r.Store.Lock(ctx, whoami(command, r.Clock()))
	if err != nil {
		return err
	}
	if err := r.openDiary(ctx); err != nil {
		return errors.Join(err, unlock())
	}
	return errors.Join(do(), r.diary.flush(ctx), unlock())
}

func (r *run) apply(ctx context.Context, saved *SavedPlan) error {
	if saved != nil || !r.AutoApprove {
		lines, err := r.plan(ctx)
		if err != nil {
			r.consult(ctx)
			return err
		}
		if moved := saved.moved(r.book, lines); moved != nil {
			return moved
		}
		counts := r.table.counts()
		if counts[event.Certain]+counts[event.Expected]+counts[event.Deferred] == 0 {
			return nil // proved: there is nothing to do
		}
		if saved == nil {
			if err := r.ask(ctx, fmt.Sprintf("%s to change, %d to destroy. Apply?", toChange(counts), 0)); err != nil {
				return err
			}
		}
		r.table = newTable(r.book)
	}
	err := r.walk(ctx, r.book.Steps, true, r.perform)
	if err == nil {
		r.consult(ctx)
	}
	return err
}

func toChange(counts map[event.Status]int) string {
	text := fmt.Sprint(counts[event.Certain] + counts[event.Expected])
	if n := counts[event.Deferred]; n > 0 {
		text += fmt.Sprintf(" (and up to %d deferred)", n)
	}
	return text
}

func (r *run) ask(ctx context.Context, question string) error {
	if r.AutoApprove {
		return nil
	}
	if r.Approve == nil {
		return fmt.Errorf("%w; there is no one to ask %q: say --auto-approve", ErrDeclined, question)
	}
	yes, err := r.Approve(ctx, question)
	if err == nil && !yes {
		err = ErrDeclined
	}
	return err
}

// perform does the work on one instance: Check, Apply if a change is wanted,
// Check again, then the step's expectations.
func (r *run) perform(ctx context.Context, i *lang.Instance) error {
	r.bus.Emit(event.StepStarted{Address: i.Address(), Step: i.Step.Name, Module: i.Step.Entry.Name, Target: i.Target.String()})
	j, err := r.job(i)
	done, value := event.StepFinished{}, cty.NilVal
	if err == nil {
		value, err = j.tries(ctx, &done)
	}
	if err != nil {
		done.Status, done.Diagnostics = event.Failed, r.explain(i, err)
		if ctx.Err() != nil {
			done.Status = event.Cancelled
		}
		value = cty.NilVal
	}
	done.Transfers = j.moved.list()
	return errors.Join(err, j.end(ctx, done, value))
}

// tries repeats the attempt as the step's retry says. Only errors of the world
// are tried again: a wrong argument stays wrong.
func (j *job) tries(ctx context.Context, done *event.StepFinished) (cty.Value, error) {
	attempts, delay, backoff := 1, time.Duration(0), 1.0
	if r := j.Step.Retry; r != nil {
		attempts, delay, backoff = r.Attempts, r.Delay, r.Backoff
	}
	for n := 1; ; n++ {
		value, err := j.attempt(ctx, done)
		if err == nil || n >= attempts || j.stopped(ctx) || errors.Is(err, ErrDeclined) {
			return value, err
		}
		j.bus.Emit(event.StepLog{Address: j.Address(), Line: fmt.Sprintf("attempt %d of %d failed: %s", n, attempts, err)})
		select {
		case <-time.After(delay):
			delay = time.Duration(float64(delay) * max(backoff, 1))
		case <-j.Stop:
			return value, err
		case <-ctx.Done():
			return value, err
		}
		fresh, ferr := j.run.job(j.Instance)
		if ferr != nil {
			return value, ferr
		}
		j.mod = fresh.mod
	}
}

func (j *job) attempt(ctx context.Context, done *event.StepFinished) (cty.Value, error) {
	timed, cancel := j.withTimeout(ctx)
	defer func() { cancel() }()
	if err := j.open(timed); err != nil {
		return cty.NilVal, err
	}
	change, err := j.mod.Check(timed, j.env)
	if err != nil {
		return cty.NilVal, err
	}
	earlier := done.Status == event.Changed
	if change.Wanted() || !earlier {
		done.Status, done.Action, done.Summary, done.Diff = event.Unchanged, change.Action, change.Summary, change.Diff
	}
	done.Proved = earlier && !change.Wanted() // of the change that an attempt before this one made
	if change.Wanted() {
		if j.Step.Confirm != "" && !j.confirmed {
			if err := j.ask(ctx, j.Step.Confirm); err != nil {
				return cty.NilVal, err
			}
			j.confirmed = true
			cancel() // what the operator took to answer is not the step's time
			timed, cancel = j.withTimeout(ctx)
		}
		if err := j.change(timed, change, done); err != nil {
			return cty.NilVal, err
		}
	}
	value, err := j.value(false)
	if err != nil {
		return cty.NilVal, err
	}
	return value, j.expect(value)
}

// change makes a wanted change and proves it.
func (j *job) change(ctx context.Context, change module.Change, done *event.StepFinished) error {
	if j.Step.Entry.ReadOnly {
		return fmt.Errorf("bug in %s: a read-only module wants to %s", j.Step.Entry.Name, change.Summary)
	}
	err := j.mod.Apply(ctx, j.env)
	j.moved.phase("")
	if err != nil {
		j.made = j.made || change.Action == module.Create && j.left(ctx, err)
		return err
	}
	j.made = j.made || change.Action == module.Create || change.Action == module.Replace
	done.Status = event.Changed
	if change.Action == module.Run {
		return nil
	}
	again, err := j.mod.Check(ctx, j.env)
	if err != nil {
		return fmt.Errorf("changed, but it cannot be checked: %w", err)
	}
	if again.Wanted() {
		return fmt.Errorf("did not converge: after the change it still wants to %s", again.Summary)
	}
	done.Proved = true
	return nil
}

// lookAgain is how long it may take to see what a failed creation left.
const lookAgain = 15 * time.Second

// left reports whether a creation that ended in err has made something all the
// same: the next run goes on with it, and a destroy may take it away.
func (j *job) left(ctx context.Context, err error) bool {
	if errors.As(err, new(*conn.Unreachable)) {
		return false
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookAgain)
	defer cancel()
	change, err := j.mod.Check(ctx, j.env)
	return err == nil && change.Action != module.Create
}
