package engine

import (
	"context"
	"flag"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/state"
)

// properties is how many cases each property is tried on, unless the command
// line asks for some number.
const properties = "250"

func checkProperty(t *testing.T, property func(t *rapid.T, s *site, b *randomBook)) {
	t.Helper()
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		require.NoError(t, flag.Set("rapid.checks", properties))
		t.Cleanup(func() { require.NoError(t, flag.Set("rapid.checks", checks.DefValue)) })
	}
	root := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		dir, err := os.MkdirTemp(root, "")
		require.NoError(r, err)
		defer os.RemoveAll(dir)
		s := &site{t: r, world: newWorld(), dir: dir}
		s.cfg = Config{
			Openers:     map[string]conn.Opener{conn.Local: s.world.open, conn.SSH: s.world.open},
			AutoApprove: true, Store: &memory{}, Parallel: rapid.SampledFrom([]int{1, 4, 32}).Draw(r, "parallel"),
		}
		b := drawBook(r)
		r.Log(b)
		s.write(b.String())
		s.drawWorld(r, b)
		property(r, s, b)
	})
}

// drawWorld puts some keys at some value before any run.
func (s *site) drawWorld(t *rapid.T, b *randomBook) {
	if rapid.Bool().Draw(t, "applied before") {
		s.apply()
		s.world.log = nil
	}
	for _, st := range b.steps {
		for _, key := range st.keys() {
			if st.look != nil {
				continue
			}
			switch rapid.IntRange(0, 7).Draw(t, "key") {
			case 0:
				delete(s.world.keys, st.at(key))
			case 1:
				s.world.keys[st.at(key)] = "other"
			}
		}
	}
}

// finished is the status of every instance in the last run; each ended once.
func (s *site) finished() map[string]event.Status {
	s.t.Helper()
	ends := map[string]event.Status{}
	for _, f := range of[event.StepFinished](s.seen) {
		require.NotContains(s.t, ends, f.Address, "ended twice")
		ends[f.Address] = f.Status
	}
	return ends
}

// tally counts statuses.
func tally(ends map[string]event.Status) map[event.Status]int {
	counts := map[event.Status]int{}
	for _, status := range ends {
		counts[status]++
	}
	return counts
}

func TestPropertyAPlanComesTrue(t *testing.T) {
	checkProperty(t, func(t *rapid.T, s *site, _ *randomBook) {
		before := maps.Clone(s.world.keys)
		plan, out := s.plan()
		require.Equal(t, before, s.world.keys, "a plan changes nothing")
		require.Empty(t, s.world.log)
		planned, wholes := map[string]event.Status{}, map[string]bool{}
		for _, line := range plan.Lines {
			wholes[line.Step] = line.Target == ""
			planned[line.Address] = line.Status
		}
		require.Len(t, of[event.StepPlanned](s.seen), len(plan.Lines), "what is shown is what is saved")
		require.Equal(t, tally(planned), out.Counts)

		out = s.apply()
		require.False(t, out.Failed, s.diagnostics())
		ends := s.finished()
		require.Equal(t, tally(ends), out.Counts)
		for address, status := range ends {
			switch was, ok := planned[address]; {
			case was == event.Certain:
				require.Equal(t, event.Changed, status, "%s was certain", address)
			case was == event.Unchanged:
				require.Equal(t, event.Unchanged, status, "%s was in order", address)
			default:
				require.True(t, ok || wholes[stepOf(address)], "%s was not in the plan", address)
			}
			delete(planned, address)
		}
		for address := range planned {
			require.True(t, wholes[address], "%s was planned and never done", address)
		}

		writes := len(s.world.log)
		out = s.apply()
		require.Equal(t, map[event.Status]int{event.Unchanged: len(ends)}, out.Counts, "a second apply")
		require.Len(t, s.world.log, writes)
		again, out := s.plan()
		require.False(t, out.Changes, planned, again)
	})
}

func TestPropertyFaultsStopTheirDependantsAndNothingElse(t *testing.T) {
	checkProperty(t, func(t *rapid.T, s *site, b *randomBook) {
		for _, host := range rapid.SliceOfDistinct(rapid.SampledFrom(append(nodes, "local")), rapid.ID[string]).Draw(t, "down") {
			s.world.down[host] = rapid.Bool().Draw(t, "is down")
		}
		for _, st := range b.steps {
			for _, key := range st.keys() {
				if rapid.IntRange(0, 9).Draw(t, "fails") == 0 {
					s.world.fail[st.at(key)] = 1
				}
			}
		}
		hits := maps.Clone(s.world.fail)
		out := s.apply()
		ends := s.finished()
		require.Equal(t, tally(ends), out.Counts)
		failed := map[string]bool{}
		for address, status := range ends {
			failed[address] = status == event.Failed
		}
		require.Equal(t, out.Failed, slices.Contains(slices.Collect(maps.Values(failed)), true))
		skipped := b.skipped(failed)
		for _, st := range b.steps {
			for _, key := range st.keys() {
				status, ok := ends[st.address(key)]
				host, _, _ := strings.Cut(st.at(key), "/")
				switch {
				case !ok:
					require.Equal(t, event.Skipped, ends[st.name], st.name)
					require.True(t, skipped[st.name], "%s was skipped without need", st.name)
				case skipped[st.address(key)]:
					require.Equal(t, event.Skipped, status, st.address(key))
				case s.world.down[host], st.look == nil && s.world.fail[st.at(key)] < hits[st.at(key)]:
					require.Equal(t, event.Failed, status, st.address(key))
				default:
					require.Contains(t, []event.Status{event.Changed, event.Unchanged}, status, st.address(key))
				}
			}
		}

		s.world.down, s.world.fail = map[string]bool{}, map[string]int{}
		require.False(t, s.apply().Failed, s.diagnostics())
		writes := len(s.world.log)
		require.False(t, s.apply().Failed, s.diagnostics())
		require.Len(t, s.world.log, writes, "all is done")
	})
}

// memory is a state.Store without a disk: the properties run thousands of times.
type memory struct{ state state.State }

func (m *memory) Load(context.Context) (*state.State, error) {
	s := m.state
	s.Steps = maps.Clone(s.Steps)
	if s.Steps == nil {
		s.Steps = map[string]state.Record{}
	}
	return &s, nil
}

func (m *memory) Save(_ context.Context, s *state.State) error {
	if s.Serial != m.state.Serial {
		return state.ErrMoved
	}
	s.Serial++
	m.state = *s
	return nil
}

func (m *memory) Lock(context.Context, state.Owner) (func() error, error) {
	return func() error { return nil }, nil
}
