// Package dag walks a graph of named nodes, dependencies first. The graph may
// grow while it is walked: a visit can add the nodes that it found out about.
package dag

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Node is one thing to visit.
type Node struct {
	ID string
	// Needs are the nodes that must have succeeded first. If one did not, this
	// node is skipped.
	Needs []string
	// After are the nodes that must be over first, however they ended.
	After []string
	// Rank orders nodes that are ready at the same time, smallest first; equal
	// ranks go by ID.
	Rank int
	// Free nodes take no slot of the limit: bookkeeping, not work.
	Free bool
}

// Visit does a node's work. The nodes it gives back join the graph; they may
// need any node, also one that is over, but none that is nowhere. A node
// that is there already and still waits gets the needs of its namesake added.
type Visit func(ctx context.Context, id string) ([]Node, error)

// ErrSkipped is the result of a node whose dependency failed or was skipped.
var ErrSkipped = errors.New("a step it needs did not succeed")

// Walk visits every node once all it needs have succeeded, at most limit at a
// time. A node that needs a failed one is not visited: its result is
// ErrSkipped. Once ctx is done no new visit starts, and the result of the rest
// is the context's error, also of those that need what was cancelled.
//
// Walk returns every node's result; it returns an error, having visited
// nothing, when the graph has a cycle or a need that is nowhere.
func Walk(ctx context.Context, nodes []Node, limit int, visit Visit) (map[string]error, error) {
	w := &walk{entries: map[string]*entry{}, results: map[string]error{}, limit: max(limit, 1)}
	if err := w.add(nodes, false); err != nil {
		return nil, err
	}
	if path := Cycle(nodes); path != nil {
		return nil, fmt.Errorf("a circle of needs: %s", strings.Join(path, " → "))
	}
	done := make(chan outcome)
	for {
		w.start(ctx, visit, done)
		if w.running == 0 {
			return w.results, nil
		}
		o := <-done
		w.running--
		if w.entries[o.id].Free {
			w.free--
		}
		if err := w.add(o.more, true); err != nil {
			o.err = errors.Join(o.err, err)
		}
		w.finish(o.id, o.err)
	}
}

type walk struct {
	entries map[string]*entry
	results map[string]error
	ready   []*entry
	limit   int
	running int // visits under way, free ones too
	free    int
}

type entry struct {
	Node
	waiting  int
	poison   error    // why it will not be visited: ErrSkipped, or that the walk was cancelled
	wanted   []*entry // they need this one
	followed []*entry // they only come after this one
}

type outcome struct {
	id   string
	more []Node
	err  error
}

func (w *walk) add(nodes []Node, merge bool) error {
	for _, n := range nodes {
		if e, dup := w.entries[n.ID]; !dup {
			w.entries[n.ID] = &entry{Node: n}
		} else if !merge || e.waiting == 0 {
			return fmt.Errorf("node %q is there twice", n.ID)
		}
	}
	for _, n := range nodes {
		e := w.entries[n.ID]
		for _, id := range n.Needs {
			if err := w.link(e, id, true); err != nil {
				return err
			}
		}
		for _, id := range n.After {
			if err := w.link(e, id, false); err != nil {
				return err
			}
		}
		if e.waiting == 0 {
			w.ready = append(w.ready, e)
		}
	}
	return nil
}

func (w *walk) link(e *entry, id string, need bool) error {
	on, ok := w.entries[id]
	if !ok {
		return fmt.Errorf("node %q needs %q, which is nowhere", e.ID, id)
	}
	if result, over := w.results[id]; over {
		if need {
			e.take(result)
		}
		return nil
	}
	e.waiting++
	if need {
		on.wanted = append(on.wanted, e)
	} else {
		on.followed = append(on.followed, e)
	}
	return nil
}

// start begins every visit that may begin now; nodes that end without a visit
// can make others ready, so it goes on until nothing moves.
func (w *walk) start(ctx context.Context, visit Visit, done chan<- outcome) {
	for {
		slices.SortFunc(w.ready, func(a, b *entry) int {
			return cmp.Or(cmp.Compare(a.Rank, b.Rank), strings.Compare(a.ID, b.ID))
		})
		i := slices.IndexFunc(w.ready, func(e *entry) bool {
			return e.Free || e.poison != nil || ctx.Err() != nil || w.running-w.free < w.limit
		})
		if i < 0 {
			return
		}
		e := w.ready[i]
		w.ready = slices.Delete(w.ready, i, i+1)
		switch {
		case e.poison != nil:
			w.finish(e.ID, e.poison)
		case ctx.Err() != nil:
			w.finish(e.ID, context.Cause(ctx))
		default:
			w.running++
			if e.Free {
				w.free++
			}
			go func() {
				more, err := visit(ctx, e.ID)
				done <- outcome{e.ID, more, err}
			}()
		}
	}
}

func (w *walk) finish(id string, err error) {
	w.results[id] = err
	e := w.entries[id]
	for _, next := range e.wanted {
		next.take(err)
		w.release(next)
	}
	for _, next := range e.followed {
		w.release(next)
	}
}

// take keeps e from being visited when err, the result of a node it needs, is
// one. A failure counts more than a cancellation.
func (e *entry) take(err error) {
	switch {
	case err == nil:
	case errors.Is(err, context.Canceled):
		e.poison = cmp.Or(e.poison, err)
	default:
		e.poison = ErrSkipped
	}
}

func (w *walk) release(e *entry) {
	if e.waiting--; e.waiting == 0 {
		w.ready = append(w.ready, e)
	}
}
