package engine

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/event"
)

// A destroy takes back what a run made, however that run ended.
func TestWhatAFailedStepMadeIsItsOwn(t *testing.T) {
	const plain = "step \"test.thing\" \"a\" { key = \"a\" }\n"
	const expecting = "step \"test.thing\" \"a\" {\n  key = \"a\"\n  expect \"more\" { that = self.got == \"more\" }\n}\n"
	for _, tt := range []struct {
		name, runbook string
		spoil         func(w *world)
		destroyed     int
	}{
		{"an expectation was not met", expecting, func(*world) {}, 1},
		{"it was half made", plain, func(w *world) { w.halfMade("local/a") }, 1},
		{"nothing was made", plain, func(w *world) { w.fail["local/a"] = 1 }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newSite(t, tt.runbook)
			tt.spoil(s.world)
			require.Equal(t, map[event.Status]int{event.Failed: 1}, s.apply().Counts)
			s.world.onSet = nil
			s.world.keys["local/a"] = "on" // in the last case by somebody else
			s.write(plain)
			require.Equal(t, map[event.Status]int{event.Unchanged: 1}, s.apply().Counts)
			out, err := Destroy(context.Background(), s.cfg, s.load(), false)
			require.NoError(t, err)
			require.Equal(t, tt.destroyed, out.Counts[event.Destroyed])
		})
	}
}

// halfMade lets a set of key have some effect, and fail.
func (w *world) halfMade(key string) {
	w.fail[key] = 1
	w.onSet = func(string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.keys[key] = "half"
	}
}

// A site is often taken away because it is broken.
func TestDestroyIsNotKeptByALookThatFails(t *testing.T) {
	s := newSite(t, "target \"ssh\" \"nodes\" { hosts = [\"node1\"] }\nstep \"test.thing\" \"a\" { key = \"a\" }\n"+
		"step \"test.look\" \"b\" {\n  on    = target.nodes\n  after = [step.a]\n  key   = \"b\"\n}\n")
	require.False(t, s.apply().Failed)
	s.world.down["node1"] = true
	out, err := Destroy(context.Background(), s.cfg, s.load(), false)
	require.NoError(t, err)
	require.False(t, out.Failed)
	require.Equal(t, 1, out.Counts[event.Destroyed])
	require.Empty(t, s.world.keys)
}

// What can no longer be made as the runbook wants it can still be taken away.
func TestARefusalFailsThePlanAndNotTheDestroy(t *testing.T) {
	s := newSite(t, "step \"test.thing\" \"a\" { key = \"a\" }\n")
	require.False(t, s.apply().Failed)
	for key := range s.world.keys {
		s.world.keys[key] = "fixed"
	}
	require.True(t, s.apply().Failed)
	out, err := Destroy(context.Background(), s.cfg, s.load(), false)
	require.NoError(t, err)
	require.Equal(t, 1, out.Counts[event.Destroyed])
	require.Empty(t, s.world.keys)
}

// Each thing that nothing brings back is asked about by itself.
func TestADestroyAsksAboutEachLoss(t *testing.T) {
	for declined := range 4 {
		s := newSite(t, "step \"test.thing\" \"a\" {\n  key   = \"a\"\n  value = \"precious\"\n}\nstep \"test.thing\" \"b\" { key = \"b\" }\n")
		require.False(t, s.apply().Failed)
		var asked []string
		s.cfg.AutoApprove = false
		s.cfg.Approve = func(_ context.Context, question string) (bool, error) {
			asked = append(asked, question)
			return len(asked) != declined, nil
		}
		_, err := Destroy(context.Background(), s.cfg, s.load(), false)
		all := []string{
			"2 to destroy. This cannot be undone. Destroy?",
			"a takes away the value of a, and nothing brings that back. Go on?",
			"a takes away its copy, and nothing brings that back. Go on?",
		}
		if declined == 0 {
			require.NoError(t, err)
			require.Equal(t, all, asked)
			require.Empty(t, s.world.keys)
			continue
		}
		require.ErrorIs(t, err, ErrDeclined)
		require.Equal(t, all[:declined], asked)
		require.Len(t, s.world.keys, 2, "nothing was taken away")
	}
}
