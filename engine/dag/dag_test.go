package dag

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

var errBoom = errors.New("boom")

// recorder is a visit that notes what ran, and when.
type recorder struct {
	mu             sync.Mutex
	running, worst int
	order          []string
	done           map[string]bool
}

func (r *recorder) visit(fail func(string) bool) Visit {
	r.done = map[string]bool{}
	return func(_ context.Context, id string) ([]Node, error) {
		r.mu.Lock()
		r.running++
		r.worst = max(r.worst, r.running)
		r.order = append(r.order, id)
		r.mu.Unlock()
		defer func() {
			r.mu.Lock()
			r.running--
			r.done[id] = true
			r.mu.Unlock()
		}()
		if fail(id) {
			return nil, errBoom
		}
		return nil, nil
	}
}

func never(string) bool { return false }

func TestRandomGraphsVisitDependenciesFirstAndSkipDependantsOfAFailure(t *testing.T) {
	for seed := range 300 {
		r := rand.New(rand.NewSource(int64(seed)))
		needs := map[string][]string{}
		var nodes []Node
		for i := range r.Intn(40) + 1 {
			id := fmt.Sprintf("n%02d", i)
			for j := range i {
				if r.Intn(5) == 0 {
					needs[id] = append(needs[id], fmt.Sprintf("n%02d", j))
				}
			}
			nodes = append(nodes, Node{ID: id, Needs: needs[id]})
		}
		bad := fmt.Sprintf("n%02d", r.Intn(len(nodes)))
		var rec recorder
		res, err := Walk(context.Background(), nodes, 3, rec.visit(func(id string) bool { return id == bad }))
		require.NoError(t, err)
		require.Len(t, res, len(nodes))
		require.LessOrEqual(t, rec.worst, 3)
		for i, id := range rec.order {
			for _, need := range needs[id] {
				require.Contains(t, rec.order[:i], need)
			}
		}
		for id, err := range res {
			blocked := false
			for _, need := range needs[id] {
				blocked = blocked || res[need] != nil
			}
			switch {
			case blocked:
				require.ErrorIs(t, err, ErrSkipped, id)
			case id == bad:
				require.ErrorIs(t, err, errBoom)
			default:
				require.NoError(t, err)
			}
		}
	}
}

func TestReadyNodesGoByRankThenName(t *testing.T) {
	var rec recorder
	nodes := []Node{{ID: "c"}, {ID: "b", Rank: 1}, {ID: "a", Rank: 1}, {ID: "z", Rank: -1}}
	_, err := Walk(context.Background(), nodes, 1, rec.visit(never))
	require.NoError(t, err)
	require.Equal(t, []string{"z", "c", "a", "b"}, rec.order)
}

func TestAVisitMayAddNodes(t *testing.T) {
	var order []string
	visit := func(_ context.Context, id string) ([]Node, error) {
		order = append(order, id)
		if id == "expand" {
			return []Node{{ID: "all", Needs: []string{"x", "y"}}, {ID: "x", Needs: []string{"expand"}}, {ID: "y"}}, nil
		}
		return nil, nil
	}
	res, err := Walk(context.Background(), []Node{{ID: "expand"}}, 1, visit)
	require.NoError(t, err)
	require.Equal(t, []string{"expand", "x", "y", "all"}, order)
	require.Len(t, res, 4)
}

func TestAVisitMayGiveAWaitingNodeMoreNeeds(t *testing.T) {
	var order []string
	visit := func(_ context.Context, id string) ([]Node, error) {
		order = append(order, id)
		switch id {
		case "expand":
			return []Node{{ID: "x"}, {ID: "end", Needs: []string{"x"}}}, nil
		case "x":
			return []Node{{ID: "expand"}}, nil
		}
		return nil, nil
	}
	nodes := []Node{{ID: "expand"}, {ID: "end", Needs: []string{"expand"}}, {ID: "later", Needs: []string{"end"}}}
	res, err := Walk(context.Background(), nodes, 1, visit)
	require.NoError(t, err)
	require.Equal(t, []string{"expand", "x"}, order)
	require.ErrorContains(t, res["x"], "twice", "a node that is over takes no more needs")
	require.ErrorIs(t, res["later"], ErrSkipped)
}

func TestAfterWaitsForTheEndHoweverItCame(t *testing.T) {
	var rec recorder
	nodes := []Node{{ID: "bad"}, {ID: "barrier", After: []string{"bad"}}, {ID: "dependant", Needs: []string{"bad"}}}
	res, err := Walk(context.Background(), nodes, 4, rec.visit(func(id string) bool { return id == "bad" }))
	require.NoError(t, err)
	require.NoError(t, res["barrier"])
	require.ErrorIs(t, res["dependant"], ErrSkipped)
	require.Equal(t, []string{"bad", "barrier"}, rec.order)
}

func TestCancelStartsNothingNew(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	visit := func(context.Context, string) ([]Node, error) { cancel(); return nil, nil }
	res, err := Walk(ctx, []Node{{ID: "a"}, {ID: "b", Needs: []string{"a"}}}, 1, visit)
	require.NoError(t, err)
	require.NoError(t, res["a"])
	require.ErrorIs(t, res["b"], context.Canceled)
}

func TestWhatNeedsTheCancelledIsCancelledToo(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	visit := func(_ context.Context, id string) ([]Node, error) {
		if id == "bad" {
			return nil, errors.New("bad")
		}
		cancel()
		return nil, nil
	}
	nodes := []Node{
		{ID: "bad"}, {ID: "good", Rank: 1}, {ID: "next", Needs: []string{"good"}},
		{ID: "far", Needs: []string{"next"}}, {ID: "both", Needs: []string{"next", "bad"}},
	}
	res, err := Walk(ctx, nodes, 1, visit)
	require.NoError(t, err)
	require.ErrorIs(t, res["next"], context.Canceled)
	require.ErrorIs(t, res["far"], context.Canceled)
	require.ErrorIs(t, res["both"], ErrSkipped, "a failure counts more")
}

func TestFaultyGraphsAreRefusedBeforeAnyVisit(t *testing.T) {
	visit := func(context.Context, string) ([]Node, error) { t.Fatal("visited"); return nil, nil }
	_, err := Walk(context.Background(), []Node{{ID: "a", Needs: []string{"c"}}, {ID: "b", Needs: []string{"a"}}, {ID: "c", Needs: []string{"b"}}}, 1, visit)
	require.ErrorContains(t, err, "a → c → b → a")
	_, err = Walk(context.Background(), []Node{{ID: "a", Needs: []string{"nobody"}}}, 1, visit)
	require.ErrorContains(t, err, "nowhere")
	_, err = Walk(context.Background(), []Node{{ID: "a"}, {ID: "a"}}, 1, visit)
	require.ErrorContains(t, err, "twice")
}

func TestCycleNamesTheCircleOnly(t *testing.T) {
	nodes := []Node{{ID: "start", Needs: []string{"a"}}, {ID: "a", Needs: []string{"b"}}, {ID: "b", Needs: []string{"a"}}}
	require.Equal(t, "a → b → a", strings.Join(Cycle(nodes), " → "))
	require.Nil(t, Cycle([]Node{{ID: "a"}, {ID: "b", Needs: []string{"a"}}}))
}
