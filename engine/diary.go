package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/engine/secret"
	"github.com/adbsql/antdbctl/engine/state"
)

// diary writes a run into the state. It is safe for concurrent use.
type diary struct {
	store    state.Store
	run      string
	clock    func() time.Time
	redactor *secret.Redactor

	mu      sync.Mutex // of what follows
	state   *state.State
	edition int // raised by every note

	saving sync.Mutex // held by the one who saves
	saved  int        // the edition that is stored; guarded by saving
}

func (r *run) openDiary(ctx context.Context) error {
	s, err := r.Store.Load(ctx)
	if err != nil {
		return err
	}
	s.Runbook = r.book.Name
	r.diary = &diary{store: r.Store, run: r.id, clock: r.Clock, redactor: r.Redactor, state: s}
	return nil
}

// note remembers how an instance ended. When it gives back, what changed the
// world, or failed to, is stored; the rest is stored with it, or by flush. made
// says that the run made the thing from nothing, also where it failed later.
func (d *diary) note(ctx context.Context, i *lang.Instance, done event.StepFinished, value cty.Value, made bool) error {
	d.write(i, done, value, made)
	if done.Status == event.Unchanged {
		return nil
	}
	return d.flush(ctx)
}

func (d *diary) write(i *lang.Instance, done event.StepFinished, value cty.Value, made bool) {
	status := done.Status
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.clock().UTC()
	rec := d.state.Steps[i.Address()]
	rec.Module, rec.Target, rec.Run, rec.Checked = i.Step.Entry.Name, i.Target.String(), d.run, now
	rec.Status = state.Done
	if status == event.Failed || status == event.Cancelled {
		rec.Status = state.Failed
	}
	if status != event.Unchanged {
		rec.Summary = d.redactor.Redact(done.Summary)
	}
	if status == event.Changed {
		rec.Changed = now
	}
	rec.Created = rec.Created || made
	if value != cty.NilVal {
		rec.Outputs = d.outputs(i, value)
	}
	d.state.Steps[i.Address()] = rec
	d.edition++
}

// created reports whether a run made what stands at address.
func (d *diary) created(address string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state.Steps[address].Created
}

// forget drops an instance that was destroyed.
func (d *diary) forget(ctx context.Context, address string) error {
	d.mu.Lock()
	delete(d.state.Steps, address)
	d.edition++
	d.mu.Unlock()
	return d.flush(ctx)
}

// flush stores what was noted so far. Of many who call at once, the first to
// get through stores for all that had noted by then.
func (d *diary) flush(ctx context.Context) error {
	d.mu.Lock()
	mine := d.edition
	d.mu.Unlock()
	d.saving.Lock()
	defer d.saving.Unlock()
	if d.saved >= mine {
		return nil
	}
	d.mu.Lock()
	edition, copied := d.edition, *d.state
	copied.Steps = maps.Clone(d.state.Steps)
	d.mu.Unlock()
	if err := d.store.Save(context.WithoutCancel(ctx), &copied); err != nil {
		return err
	}
	d.mu.Lock()
	d.state.Version, d.state.Serial, d.state.Lineage = copied.Version, copied.Serial, copied.Lineage
	d.mu.Unlock()
	d.saved = edition
	return nil
}

// outputs is the JSON of an instance's outputs, without secrets.
func (d *diary) outputs(i *lang.Instance, value cty.Value) json.RawMessage {
	attrs := map[string]json.RawMessage{}
	for _, f := range i.Step.Entry.Outputs {
		v := value.GetAttr(f.Name)
		if v.Type().IsCapsuleType() || !v.IsWhollyKnown() {
			continue
		}
		data, err := ctyjson.SimpleJSONValue{Value: v}.MarshalJSON()
		if err != nil {
			continue // a value with a capsule inside: nothing that a diary may hold
		}
		if clean := []byte(d.redactor.Redact(string(data))); json.Valid(clean) {
			attrs[f.Name] = clean
		}
	}
	data, err := json.Marshal(attrs)
	if err != nil {
		return nil
	}
	return data
}

// orphans are the addresses in the state that no step of the runbook has.
func (d *diary) orphans(book *lang.Runbook) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var names []string
	for address := range d.state.Steps {
		if book.Step(stepOf(address)) == nil {
			names = append(names, address)
		}
	}
	return sorted(names)
}

// Addresses lists what s remembers, sorted.
func Addresses(s *state.State) []string { return slices.Sorted(maps.Keys(s.Steps)) }

// Forget drops addresses from the stored state. All of them must be there.
func Forget(ctx context.Context, store state.Store, addresses []string) error {
	unlock, err := store.Lock(ctx, whoami("state rm", time.Now()))
	if err != nil {
		return err
	}
	return errors.Join(forget(ctx, store, addresses), unlock())
}

func forget(ctx context.Context, store state.Store, addresses []string) error {
	s, err := store.Load(ctx)
	if err != nil {
		return err
	}
	for _, address := range addresses {
		if _, ok := s.Steps[address]; !ok {
			return fmt.Errorf("the state has no %s: see antdbctl state list", address)
		}
		delete(s.Steps, address)
	}
	return store.Save(ctx, s)
}
