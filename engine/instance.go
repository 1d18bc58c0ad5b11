package engine

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/diag"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// job is the work on one instance: its module with its arguments, at its place.
type job struct {
	*run
	*lang.Instance
	args  cty.Value
	mod   module.Module
	env   *module.Env
	begun time.Time
	made  bool // from nothing, in this run
	moved transfers

	confirmed bool // the operator has said yes to the step's confirm
}

// errUnknown says that an instance's arguments are not all known yet.
var errUnknown = errors.New("not known yet")

// job decodes i's arguments and fills its module; the host is not opened yet.
func (r *run) job(i *lang.Instance) (*job, error) {
	j := &job{run: r, Instance: i, begun: r.Clock(), moved: transfers{clock: r.Clock}}
	args, diags := i.Decode(r.table.scope(r.scope, i.Step))
	if diags.HasErrors() {
		return j, &faults{diags}
	}
	if !args.IsWhollyKnown() {
		return j, errUnknown
	}
	j.args, j.mod = args, i.Step.Entry.New()
	if err := i.Step.Entry.Set(j.mod, args); err != nil {
		return j, err
	}
	if v, ok := j.mod.(module.Validator); ok {
		return j, v.Validate()
	}
	return j, nil
}

// open connects to where the instance works.
func (j *job) open(ctx context.Context) error {
	host, err := j.pool.Dial(ctx, j.Target)
	if err != nil {
		return err
	}
	address := j.Address()
	j.env = &module.Env{
		Host:     counted{host, &j.trips},
		Target:   j.Target,
		Dialer:   dialer{j.run},
		Dir:      j.book.Dir,
		Progress: j.progress(),
		Phase: func(name string) {
			j.moved.phase(name)
			j.bus.Emit(event.StepPhase{Address: address, Phase: name})
		},
		Logf: func(format string, args ...any) {
			j.bus.Emit(event.StepLog{Address: address, Line: sprintf(format, args...)})
		},
	}
	return nil
}

// check connects and looks, within the step's timeout.
func (j *job) check(ctx context.Context) (module.Change, error) {
	ctx, cancel := j.withTimeout(ctx)
	defer cancel()
	if err := j.open(ctx); err != nil {
		return module.NoChange, err
	}
	return j.mod.Check(ctx, j.env)
}

// progress tells the bus at most ten times a second, and of the end always.
func (j *job) progress() func(done, total int64, unit string) {
	var mu sync.Mutex
	var last time.Time
	return func(done, total int64, unit string) {
		j.moved.progress(done, unit)
		mu.Lock()
		now := j.Clock()
		due := now.Sub(last) >= 100*time.Millisecond || done == total
		if due {
			last = now
		}
		mu.Unlock()
		if due {
			j.bus.Emit(event.StepProgress{Address: j.Address(), Done: done, Total: total, Unit: unit})
		}
	}
}

// value is what other steps see of the instance. Secrets that the module read
// from the world are hidden from here on, like those of the runbook.
func (j *job) value(pending bool) (cty.Value, error) {
	value, err := j.Step.Entry.Value(j.args, j.mod, pending)
	if err != nil {
		return value, err
	}
	err = cty.Walk(value, func(_ cty.Path, v cty.Value) (bool, error) {
		if v.Type() == secret.Type && v.IsKnown() && !v.IsNull() {
			j.Redactor.Add(*v.EncapsulatedValue().(*secret.Value))
		}
		return true, nil
	})
	return value, err
}

// expect asks every expectation of the step about value.
func (j *job) expect(value cty.Value) error {
	results, diags := j.Expect(j.table.scope(j.scope, j.Step), value)
	for _, res := range results {
		if res.OK || !res.Known {
			continue
		}
		d := errorDiag(res.Range, "Expectation not met: %s", res.Label)
		d.Detail = strings.TrimSpace(res.Message + "\n" + res.Hint)
		diags = append(diags, d)
	}
	if diags.HasErrors() {
		return &faults{diags}
	}
	return nil
}

// end reports how the instance ended, in the table, the diary and the stream.
func (j *job) end(ctx context.Context, done event.StepFinished, value cty.Value) error {
	done.Seconds = j.Clock().Sub(j.begun).Seconds()
	j.table.over(j.Instance, done.Status, value, false)
	err := j.diary.note(ctx, j.Instance, done, value, j.made)
	if err != nil {
		done.Diagnostics = append(done.Diagnostics, diag.From(hcl.Diagnostics{errorDiag(j.Step.Range, "%s", err)}, j.book.Sources)...)
		done.Status = event.Failed
		j.table.over(j.Instance, done.Status, value, false)
	}
	j.finishInstance(j.Instance, done)
	return err
}

// finishInstance fills in who it is about and emits.
func (r *run) finishInstance(i *lang.Instance, done event.StepFinished) {
	if r.table.statusOf(i) == "" {
		r.table.over(i, done.Status, cty.NilVal, false)
	}
	done.Address, done.Step, done.Module, done.Target = i.Address(), i.Step.Name, i.Step.Entry.Name, i.Target.String()
	r.bus.Emit(done)
}

// counted counts the round trips of a host.
type counted struct {
	conn.Host
	trips *atomic.Int64
}

// Run implements conn.Runner.
func (c counted) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	c.trips.Add(1)
	return c.Host.Run(ctx, cmd)
}

// Unwrap gives the kind's own Host, for conn.As.
func (c counted) Unwrap() conn.Host { return c.Host }

// dialer opens targets that are arguments, and counts there too.
type dialer struct{ *run }

func (d dialer) Dial(ctx context.Context, t conn.Target) (conn.Host, error) {
	host, err := d.pool.Dial(ctx, t)
	if err != nil {
		return nil, err
	}
	return counted{host, &d.trips}, nil
}
