package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/adbsql/antdbctl/engine/dag"
	"github.com/adbsql/antdbctl/engine/lang"
)

// barrier stands between two batches of a rolling step.
type barrier struct {
	before []*lang.Instance // all instances of the batches before it
	last   []*lang.Instance // of the batch just before it
	rules  *lang.Rolling
}

// batch makes the instances of st, whose nodes are given in the same order,
// wait for each other in batches.
func (w *walker) batch(st *lang.Step, instances []*lang.Instance, nodes []dag.Node) []dag.Node {
	size := max(st.Rolling.Size(len(instances)), 1)
	var barriers []dag.Node
	for first := size; first < len(instances); first += size {
		b := dag.Node{ID: fmt.Sprintf("%s%s/%d", batchNode, st.Name, first), Rank: w.ranks[st.Name], Free: true}
		for n := first - size; n < first; n++ {
			b.After = append(b.After, nodes[n].ID)
		}
		if len(barriers) > 0 {
			b.Needs = []string{barriers[len(barriers)-1].ID}
		}
		barriers = append(barriers, b)
		w.barriers[b.ID] = barrier{instances[:first], instances[first-size : first], st.Rolling}
		for n := first; n < min(first+size, len(nodes)); n++ {
			nodes[n].Needs = append(nodes[n].Needs, b.ID)
		}
	}
	return append(nodes, barriers...)
}

// pass lets the next batch begin, unless too many before it failed.
func (w *walker) pass(ctx context.Context, b barrier) error {
	if failed := w.table.failures(b.before); failed > b.rules.MaxFailures {
		return fmt.Errorf("%d failed, and max_failures is %d", failed, b.rules.MaxFailures)
	}
	if b.rules.Pause == 0 || !w.table.anyChanged(b.last) {
		return nil
	}
	select {
	case <-time.After(b.rules.Pause):
		return nil
	case <-w.Stop:
		return context.Canceled
	case <-ctx.Done():
		return ctx.Err()
	}
}
