package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"

	"github.com/adbsql/antdbctl/engine/dag"
	"github.com/adbsql/antdbctl/engine/diag"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
)

// The graph of a run has four sorts of node, told apart by their prefix:
//
//	expand/STEP   finds the step's instances; needs what its for_each, when and on refer to
//	do/ADDRESS    the work on one instance
//	batch/STEP/N  a rolling step's barrier before its batch N
//	end/STEP      the step is over, all instances well
const (
	expandNode = "expand/"
	doNode     = "do/"
	batchNode  = "batch/"
	endNode    = "end/"
)

// visitor does a run's work on one instance.
type visitor func(ctx context.Context, i *lang.Instance) error

// walker walks the graph of steps with one visitor.
type walker struct {
	*run
	visit   visitor
	rolling bool           // honour batches
	ranks   map[string]int // by step name, in source order

	mu       sync.Mutex
	byNode   map[string]*lang.Instance
	barriers map[string]barrier
}

// walk visits every instance of steps in dependency order. Failures stand in
// the run's table; the error is about the walk itself.
func (r *run) walk(ctx context.Context, steps []*lang.Step, rolling bool, visit visitor) error {
	w := &walker{
		run: r, visit: visit, rolling: rolling, ranks: map[string]int{},
		byNode: map[string]*lang.Instance{}, barriers: map[string]barrier{},
	}
	var nodes []dag.Node
	for rank, st := range steps {
		w.ranks[st.Name] = rank
		expand := dag.Node{ID: expandNode + st.Name, Rank: rank, Free: true}
		for _, need := range st.Needs {
			if need.Expansion {
				expand.Needs = append(expand.Needs, endNode+need.Step)
			} else {
				expand.Needs = append(expand.Needs, expandNode+need.Step)
			}
		}
		nodes = append(nodes, expand, dag.Node{ID: endNode + st.Name, Rank: rank, Free: true, Needs: []string{expand.ID}})
	}
	soft, cancel := r.soft(ctx)
	defer cancel()
	results, err := dag.Walk(soft, nodes, r.Parallel, func(_ context.Context, id string) ([]dag.Node, error) {
		return w.node(ctx, id)
	})
	if err != nil {
		return err
	}
	w.leftOver(steps, results)
	return nil
}

func (w *walker) node(ctx context.Context, id string) ([]dag.Node, error) {
	sort, name, _ := strings.Cut(id, "/")
	switch sort + "/" {
	case expandNode:
		return w.expand(w.book.Step(name))
	case doNode:
		if w.stopped(ctx) {
			return nil, context.Canceled // the walk itself hears of it a moment later
		}
		w.mu.Lock()
		i := w.byNode[id]
		w.mu.Unlock()
		return nil, w.visit(ctx, i)
	case batchNode:
		w.mu.Lock()
		b := w.barriers[id]
		w.mu.Unlock()
		return nil, w.pass(ctx, b)
	}
	return nil, nil
}

// expand finds the instances of st and gives them to the graph.
func (w *walker) expand(st *lang.Step) ([]dag.Node, error) {
	ex, diags := st.Expand(w.table.scope(w.scope, st))
	if diags.HasErrors() {
		w.finishWhole(st, event.Failed, diag.From(diags, w.book.Sources), "")
		return nil, errReported
	}
	if !ex.Known || len(ex.Instances) == 0 && w.table.unsettled(st) {
		return nil, w.unknown(st)
	}
	w.table.expanded(st.Name, ex)
	end := dag.Node{ID: endNode + st.Name}
	needs := w.table.needs(st)
	nodes := make([]dag.Node, 0, len(ex.Instances)+1)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, i := range ex.Instances {
		n := dag.Node{ID: doNode + i.Address(), Rank: w.ranks[st.Name]}
		for _, need := range needs {
			if lanes, all := w.table.lane(need, i.Key); all {
				n.Needs = append(n.Needs, endNode+need.Step)
			} else {
				for _, address := range lanes {
					n.Needs = append(n.Needs, doNode+address)
				}
			}
		}
		w.byNode[n.ID] = i
		nodes, end.Needs = append(nodes, n), append(end.Needs, n.ID)
	}
	if w.rolling && st.Rolling != nil {
		nodes = w.batch(st, ex.Instances, nodes)
	}
	return append(nodes, end), nil
}

// unknown is a step whose instances cannot be known yet. An apply never meets one:
// there, all that an expansion refers to is over before it.
func (w *walker) unknown(st *lang.Step) error {
	var waits []string
	for _, need := range st.Needs {
		if need.Expansion {
			waits = append(waits, need.Step)
		}
	}
	w.table.whole(st.Name, event.Deferred)
	w.announce(event.StepPlanned{
		Address: st.Name, Step: st.Name, Module: st.Entry.Name, Status: event.Deferred, Waits: waits, Outward: st.Entry.Outward,
		Summary: "where it works is not known before " + strings.Join(waits, ", "),
	})
	return nil
}

// leftOver tells of everything that was never visited, and why.
func (w *walker) leftOver(steps []*lang.Step, results map[string]error) {
	for _, st := range steps {
		if status, why := w.unvisited(st, results[expandNode+st.Name]); status != "" {
			w.finishWhole(st, status, nil, why)
			continue
		}
		for _, i := range w.table.instances(st.Name) {
			if status, why := w.unvisited(st, results[doNode+i.Address()]); status != "" && w.table.statusOf(i) == "" {
				w.finishInstance(i, event.StepFinished{Status: status, Needs: why})
			}
		}
	}
}

func (w *walker) unvisited(st *lang.Step, result error) (event.Status, string) {
	switch {
	case errors.Is(result, dag.ErrSkipped):
		return event.Skipped, w.table.blame(st)
	case errors.Is(result, context.Canceled):
		return event.Cancelled, "interrupted"
	}
	return "", ""
}

// finishWhole reports a step that never got instances.
func (w *walker) finishWhole(st *lang.Step, status event.Status, diags []diag.Diagnostic, why string) {
	w.table.whole(st.Name, status)
	for n := range diags {
		diags[n].Step = st.Name
	}
	w.bus.Emit(event.StepFinished{
		Address: st.Name, Step: st.Name, Module: st.Entry.Name, Status: status, Diagnostics: diags, Needs: why,
	})
}

func errorDiag(subject hcl.Range, format string, args ...any) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: fmt.Sprintf(format, args...), Subject: &subject}
}
