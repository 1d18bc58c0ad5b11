package engine

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
)

// table holds what a run has learned of each step so far. It is safe for
// concurrent use.
type table struct {
	book *lang.Runbook
	mu   sync.Mutex
	rows map[string]*row // by step name
}

// row is one step.
type row struct {
	known     bool // it was expanded
	keyed     bool
	instances []*lang.Instance
	values    map[string]cty.Value    // by instance key, once it is over
	status    map[string]event.Status // by instance key, once it is over
	pending   map[string]bool         // in a plan: the instance's value may still move
	whole     event.Status            // of a step that never got instances
}

func newTable(book *lang.Runbook) *table {
	t := &table{book: book, rows: map[string]*row{}}
	for _, s := range book.Steps {
		t.rows[s.Name] = &row{values: map[string]cty.Value{}, status: map[string]event.Status{}, pending: map[string]bool{}}
	}
	return t
}

func (t *table) expanded(step string, ex lang.Expansion) {
	t.mu.Lock()
	defer t.mu.Unlock()
	row := t.rows[step]
	row.known, row.keyed, row.instances = true, ex.Keyed, ex.Instances
}

// whole gives a step without instances its one status.
func (t *table) whole(step string, status event.Status) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rows[step].whole = status
}

// over notes how an instance ended. value may be cty.NilVal.
func (t *table) over(i *lang.Instance, status event.Status, value cty.Value, pending bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	row := t.rows[i.Step.Name]
	row.status[i.Key] = status
	row.pending[i.Key] = pending
	if value != cty.NilVal {
		row.values[i.Key] = value
	}
}

// scope gives the expressions of a step the values of the steps it needs, as
// far as they are known.
func (t *table) scope(base *lang.Scope, st *lang.Step) *lang.Scope {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, need := range st.Needs {
		row := t.rows[need.Step]
		if row == nil || !row.known || len(row.values) < len(row.instances) && !(need.Lane && row.keyed) {
			continue
		}
		base = base.WithStep(need.Step, t.book.Step(need.Step).Value(row.values, row.keyed))
	}
	return base
}

// needs are the steps that st waits for. One that has no instances (its when is
// false, its for_each empty) hands on what it waits for itself: order and
// failure pass through it.
func (t *table) needs(st *lang.Step) []lang.Need {
	t.mu.Lock()
	defer t.mu.Unlock()
	var out []lang.Need
	seen := map[lang.Need]bool{}
	var follow func(need lang.Need)
	follow = func(need lang.Need) {
		if seen[need] {
			return
		}
		seen[need] = true
		if row := t.rows[need.Step]; !row.known || len(row.instances) > 0 {
			out = append(out, need)
			return
		}
		for _, before := range t.book.Step(need.Step).Needs {
			before.Lane = before.Lane && need.Lane
			follow(before)
		}
	}
	for _, need := range st.Needs {
		follow(need)
	}
	return out
}

// lane gives the addresses of the instances that an instance called key depends on
// through need: its own lane's where both run over the same hosts, else all.
func (t *table) lane(need lang.Need, key string) (addresses []string, all bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	row := t.rows[need.Step]
	if !need.Lane || !row.keyed {
		return nil, true
	}
	for _, i := range row.instances {
		if i.Key == key {
			return []string{i.Address()}, false
		}
	}
	return nil, true
}

// waits names the steps before i whose outcome a plan cannot know yet.
func (t *table) waits(i *lang.Instance) []string {
	needs := t.needs(i.Step)
	t.mu.Lock()
	defer t.mu.Unlock()
	var names []string
	for _, need := range needs {
		row := t.rows[need.Step]
		pending := !row.known
		for key, p := range row.pending {
			if need.Lane && row.keyed && row.hasKey(i.Key) && key != i.Key {
				continue
			}
			pending = pending || p
		}
		if pending && !slices.Contains(names, need.Step) {
			names = append(names, need.Step)
		}
	}
	return names
}

// unsettled reports whether what decides on the instances of st may still move.
func (t *table) unsettled(st *lang.Step) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.ContainsFunc(st.Needs, func(need lang.Need) bool {
		return need.Expansion && slices.Contains(slices.Collect(maps.Values(t.rows[need.Step].pending)), true)
	})
}

func (r *row) hasKey(key string) bool {
	return slices.ContainsFunc(r.instances, func(i *lang.Instance) bool { return i.Key == key })
}

// failures counts those of instances that failed.
func (t *table) failures(instances []*lang.Instance) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for _, i := range instances {
		if t.rows[i.Step.Name].status[i.Key] == event.Failed {
			n++
		}
	}
	return n
}

// anyChanged reports whether the world was changed for one of instances.
func (t *table) anyChanged(instances []*lang.Instance) bool {
	return slices.ContainsFunc(instances, func(i *lang.Instance) bool { return t.statusOf(i) == event.Changed })
}

// blame names the steps that kept st from running.
func (t *table) blame(st *lang.Step) string {
	needs := t.needs(st)
	t.mu.Lock()
	defer t.mu.Unlock()
	var names []string
	for _, need := range needs {
		row := t.rows[need.Step]
		bad := row.whole == event.Failed || row.whole == event.Skipped
		for _, s := range row.status {
			bad = bad || s == event.Failed || s == event.Skipped
		}
		if bad && !slices.Contains(names, need.Step) {
			names = append(names, need.Step)
		}
	}
	if len(names) == 0 {
		return "more of its batch failed than max_failures allows"
	}
	return "needs " + strings.Join(names, ", ")
}

func (t *table) instances(step string) []*lang.Instance {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rows[step].instances
}

// statusOf an instance; empty while it is not over.
func (t *table) statusOf(i *lang.Instance) event.Status {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rows[i.Step.Name].status[i.Key]
}

// failed reports whether any instance of the step failed.
func (t *table) failed(step string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	row, ok := t.rows[step]
	if !ok {
		return false
	}
	return row.whole == event.Failed || slices.Contains(slices.Collect(maps.Values(row.status)), event.Failed)
}

// failedInstances are those that failed, in source order.
func (t *table) failedInstances() []*lang.Instance {
	t.mu.Lock()
	defer t.mu.Unlock()
	var failed []*lang.Instance
	for _, st := range t.book.Steps {
		row := t.rows[st.Name]
		for _, i := range row.instances {
			if row.status[i.Key] == event.Failed {
				failed = append(failed, i)
			}
		}
	}
	return failed
}

// scopeAll gives expressions the values of every step that has one, or that has
// none because it has no instances.
func (t *table) scopeAll(base *lang.Scope) *lang.Scope {
	t.mu.Lock()
	defer t.mu.Unlock()
	for name, row := range t.rows {
		if row.known && (len(row.values) > 0 || len(row.instances) == 0) {
			base = base.WithStep(name, t.book.Step(name).Value(row.values, row.keyed))
		}
	}
	return base
}

func (t *table) counts() map[event.Status]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	counts := map[event.Status]int{}
	for _, row := range t.rows {
		for _, s := range row.status {
			counts[s]++
		}
		if row.whole != "" {
			counts[row.whole]++
		}
	}
	return counts
}

// targets counts the different places that the instances work on.
func (t *table) targets() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := map[string]bool{}
	for _, row := range t.rows {
		for _, i := range row.instances {
			seen[i.Target.Key()] = true
		}
	}
	return len(seen)
}
