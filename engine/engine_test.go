package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/state"
)

const chain = hosts + `
step "test.thing" "a" {
  on  = target.nodes
  key = "a"
}
step "test.thing" "b" {
  on    = target.nodes
  after = [step.a]
  key   = "b"
}
step "test.thing" "all" {
  key   = "all"
  value = join(",", [for k, v in step.b : v.got])
}
`

func TestApplyConvergesAndASecondApplyChangesNothing(t *testing.T) {
	s := newSite(t, chain)
	out := s.apply()
	require.False(t, out.Failed)
	require.Equal(t, map[event.Status]int{event.Changed: 7}, out.Counts)
	require.Equal(t, "on,on,on", s.world.get("local/all"))
	for _, f := range of[event.StepFinished](s.seen) {
		require.True(t, f.Proved, f.Address)
	}

	writes := len(s.world.log)
	out = s.apply()
	require.Equal(t, map[event.Status]int{event.Unchanged: 7}, out.Counts)
	require.Len(t, s.world.log, writes)
	end := of[event.RunFinished](s.seen)[0]
	require.EqualValues(t, 7, end.RoundTrips, "one look for each instance")
}

func TestDeletingTheStateChangesNothingInTheWorld(t *testing.T) {
	s := newSite(t, chain)
	s.apply()
	writes := len(s.world.log)
	require.NoError(t, os.RemoveAll(filepath.Join(s.dir, StateDir)))
	out := s.apply()
	require.Equal(t, map[event.Status]int{event.Unchanged: 7}, out.Counts)
	require.Len(t, s.world.log, writes)
}

func TestAnUnreachableHostFailsItsLaneOnlyAndTheNextApplyFinishes(t *testing.T) {
	s := newSite(t, chain)
	s.world.down["node2"] = true
	out := s.apply()
	require.True(t, out.Failed)
	require.Equal(t, map[event.Status]int{event.Changed: 4, event.Failed: 1, event.Skipped: 2}, out.Counts)
	require.Equal(t, "on", s.world.get("node3/b"))
	d := s.diagnostics()[0]
	require.Equal(t, "node2", d.Host)
	require.Equal(t, "start its sshd", d.Remedy)
	require.Contains(t, d.Summary, "connection refused")

	s.world.down["node2"] = false
	out = s.apply()
	require.False(t, out.Failed)
	require.Equal(t, map[event.Status]int{event.Changed: 3, event.Unchanged: 4}, out.Counts)
}

func TestWhatDoesNotConvergeFails(t *testing.T) {
	s := newSite(t, `step "test.thing" "a" { key = "a" }`)
	s.world.stuck["local/a"] = true
	require.True(t, s.apply().Failed)
	require.Contains(t, s.diagnostics()[0].Summary, "did not converge")
}

func TestAFailureQuotesTheWholeStderrAndPointsAtTheArgument(t *testing.T) {
	t.Setenv("TOKEN", "hunter2hunter2")
	s := newSite(t, "secret \"token\" { env = \"TOKEN\" }\ntarget \"ssh\" \"h\" {\n  hosts    = [\"h\"]\n  password = secret.token\n}\nstep \"test.thing\" \"a\" {\n  on    = target.h\n  key   = \"a\"\n  value = \"x\"\n}\n")
	s.world.fail["h/a"] = 1
	require.True(t, s.apply().Failed)
	d := s.diagnostics()[0]
	require.Equal(t, 9, d.Line)
	require.Equal(t, []string{"first line", "set failed: token=(secret)"}, d.Evidence)
	logs, err := filepath.Glob(filepath.Join(s.dir, StateDir, "runs", "*"))
	require.NoError(t, err)
	for _, file := range append(logs, filepath.Join(s.stateDir(), "state.json")) {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		require.NotContains(t, string(text), "hunter2")
	}
}

func TestRetryTriesAgain(t *testing.T) {
	s := newSite(t, "step \"test.thing\" \"a\" {\n  key = \"a\"\n  retry {\n    attempts = 3\n    delay = \"1ms\"\n  }\n}\n")
	s.world.fail["local/a"] = 2
	require.False(t, s.apply().Failed)
	require.Len(t, s.world.log, 3)
}

func TestAChangeThatShowsAtALaterAttemptIsAChange(t *testing.T) {
	s := newSite(t, "step \"test.thing\" \"a\" {\n  key = \"a\"\n  retry {\n    attempts = 3\n    delay = \"1ms\"\n  }\n}\n")
	s.world.late["local/a"] = 1
	require.Equal(t, map[event.Status]int{event.Changed: 1}, s.apply().Counts)
	end := of[event.StepFinished](s.seen)[0]
	require.True(t, end.Proved)
	require.Equal(t, "set a", end.Summary)
	require.Len(t, s.world.log, 1)
}

func TestAStopEndsPausesAndRetries(t *testing.T) {
	for name, book := range map[string]string{
		"pause": hosts + "step \"test.thing\" \"a\" {\n  on  = target.nodes\n  key = \"a\"\n  rolling {\n    batch = 1\n    pause = \"1h\"\n  }\n}\n",
		"retry": "step \"test.thing\" \"a\" {\n  key = \"a\"\n  retry {\n    attempts = 3\n    delay = \"1h\"\n  }\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := newSite(t, book)
			s.world.stuck["local/a"] = true
			stop := make(chan struct{})
			s.cfg.Stop = stop
			s.world.onSet = func(string) { close(stop) }
			out := s.apply()
			require.True(t, out.Interrupted)
			require.Len(t, s.world.log, 1)
			require.Equal(t, tally(s.finished()), out.Counts)
		})
	}
}

func TestRollingStopsAfterTooManyFailures(t *testing.T) {
	s := newSite(t, hosts+`
step "test.thing" "a" {
  on  = target.nodes
  key = "a"
  rolling {
    batch        = 1
    max_failures = 0
  }
}
`)
	s.world.fail["node2/a"] = 1
	out := s.apply()
	require.Equal(t, map[event.Status]int{event.Changed: 1, event.Failed: 1, event.Skipped: 1}, out.Counts)
	require.Equal(t, []string{"node1/a", "node2/a"}, s.world.log)
}

func TestAnUnmetExpectationFailsTheStepWithItsHint(t *testing.T) {
	s := newSite(t, "step \"test.look\" \"a\" {\n  key = \"a\"\n  expect \"there is something\" {\n    that = self.got != \"\"\n    hint = \"put something there\"\n  }\n}\nstep \"test.thing\" \"b\" {\n  key   = \"b\"\n  after = [step.a]\n}\n")
	out := s.apply()
	require.Equal(t, map[event.Status]int{event.Failed: 1, event.Skipped: 1}, out.Counts)
	d := s.diagnostics()[0]
	require.Contains(t, d.Summary, "there is something")
	require.Contains(t, d.Detail, "put something there")
	require.Empty(t, s.world.log)
}

func TestDestroyGoesBackwardsAndForgets(t *testing.T) {
	s := newSite(t, chain)
	s.apply()
	s.world.log = nil
	out, err := Destroy(context.Background(), s.cfg, s.load(), false)
	require.NoError(t, err)
	require.Equal(t, map[event.Status]int{event.Destroyed: 7}, out.Counts)
	require.Empty(t, s.world.keys)
	require.Equal(t, "del local/all", s.world.log[0])
	for _, last := range s.world.log[4:] {
		require.True(t, strings.HasSuffix(last, "/a"), last)
	}
	st, err := state.NewFile(s.stateDir()).Load(context.Background())
	require.NoError(t, err)
	require.Empty(t, st.Steps)

	out, err = Destroy(context.Background(), s.cfg, s.load(), false)
	require.NoError(t, err)
	require.False(t, out.Failed)
	require.Zero(t, out.Counts[event.Destroyed])
}

func TestDestroyLeavesAloneWhatWasThereBefore(t *testing.T) {
	s := newSite(t, chain)
	s.world.keys["node1/a"], s.world.keys["node2/a"] = "on", "off"
	s.apply()
	out, err := Destroy(context.Background(), s.cfg, s.load(), false)
	require.NoError(t, err)
	require.Equal(t, 5, out.Counts[event.Destroyed])
	require.Equal(t, map[string]string{"node1/a": "on", "node2/a": "on"}, s.world.keys)
	require.Equal(t, []string{`a["node1"]`, `a["node2"]`}, of[event.PlanFinished](s.seen)[0].Left)
	_, err = Destroy(context.Background(), s.cfg, s.load(), true)
	require.NoError(t, err)
	require.Empty(t, s.world.keys)
}

func TestADestroyTellsWhatStays(t *testing.T) {
	s := newSite(t, chain)
	s.apply()
	s.world.fail["node1/b"] = 1
	out, err := Destroy(context.Background(), s.cfg, s.load(), false)
	require.NoError(t, err)
	require.True(t, out.Failed)
	require.Equal(t, map[event.Status]int{event.Destroyed: 3, event.Failed: 1, event.Skipped: 3}, out.Counts)
	require.Equal(t, tally(s.finished()), out.Counts)

	out, err = Destroy(context.Background(), s.cfg, s.load(), false)
	require.NoError(t, err)
	require.Equal(t, 4, out.Counts[event.Destroyed])
	require.Empty(t, s.world.keys)
}

func TestADestroyBelievesNoLookAtWhatIsNotThere(t *testing.T) {
	s := newSite(t, `
step "test.thing" "a" { key = "a" }
step "test.look" "seen" {
  key   = "a"
  after = [step.a]
}
step "test.thing" "b" {
  key   = "b"
  value = regex("o.", step.seen.got)
}
`)
	s.apply()
	delete(s.world.keys, "local/a")
	out, err := Destroy(context.Background(), s.cfg, s.load(), false)
	require.NoError(t, err)
	require.False(t, out.Failed, s.diagnostics())
}

func TestNothingHappensWithoutApproval(t *testing.T) {
	s := newSite(t, chain)
	s.cfg.AutoApprove = false
	s.cfg.Approve = func(_ context.Context, question string) (bool, error) {
		require.Contains(t, question, "Apply?")
		return false, nil
	}
	_, err := Apply(context.Background(), s.cfg, s.load(), nil)
	require.ErrorIs(t, err, ErrDeclined)
	require.Empty(t, s.world.log)
	require.True(t, of[event.RunFinished](s.seen)[0].Declined)
	s.cfg.Approve = nil
	_, err = Apply(context.Background(), s.cfg, s.load(), nil)
	require.ErrorIs(t, err, ErrDeclined)
	require.ErrorContains(t, err, "--auto-approve")
}

func TestAConfirmIsAskedOnceAndTakesNoneOfTheStepsTime(t *testing.T) {
	s := newSite(t, "step \"test.thing\" \"a\" {\n  key     = \"a\"\n  confirm = \"Really?\"\n  timeout = \"10s\"\n  retry {\n    attempts = 3\n    delay = \"1ms\"\n  }\n}\n")
	s.world.fail["local/a"] = 2
	s.cfg.AutoApprove = false
	var asked []string
	s.cfg.Approve = func(ctx context.Context, question string) (bool, error) {
		_, limited := ctx.Deadline()
		require.False(t, limited)
		asked = append(asked, question)
		return true, nil
	}
	require.False(t, s.apply().Failed)
	require.Equal(t, []string{"1 to change, 0 to destroy. Apply?", "Really?"}, asked)
}

func TestTwoRunsAtOnceAreRefused(t *testing.T) {
	s := newSite(t, `step "test.thing" "a" { key = "a" }`)
	var second error
	s.world.onSet = func(string) {
		s.world.onSet = nil
		_, second = state.NewFile(s.stateDir()).Lock(context.Background(), state.Owner{})
	}
	require.False(t, s.apply().Failed)
	var locked *state.LockedError
	require.ErrorAs(t, second, &locked)
	require.Equal(t, "apply", locked.Owner.Command)
}

// busy is a store into which another run writes just before it gives its lock.
type busy struct{ *memory }

func (b busy) Lock(ctx context.Context, owner state.Owner) (func() error, error) {
	s, err := b.Load(ctx)
	if err != nil {
		return nil, err
	}
	return func() error { return nil }, b.Save(ctx, s)
}

func TestTheStateIsReadOnceTheLockIsHeld(t *testing.T) {
	s := newSite(t, chain)
	s.cfg.Store = busy{&memory{}}
	require.False(t, s.apply().Failed, s.diagnostics())
}

func TestAStopLetsWhatIsUnderWayFinishAndTheNextRunGoesOn(t *testing.T) {
	s := newSite(t, chain)
	stop := make(chan struct{})
	s.cfg.Stop, s.cfg.Parallel = stop, 1
	s.world.onSet = func(key string) {
		if key == "node1/a" {
			close(stop)
		}
	}
	out := s.apply()
	require.True(t, out.Interrupted)
	require.Equal(t, 1, out.Counts[event.Changed])
	require.Equal(t, "on", s.world.get("node1/a"))
	s.world.onSet, s.cfg.Stop = nil, nil
	out = s.apply()
	require.Equal(t, map[event.Status]int{event.Changed: 6, event.Unchanged: 1}, out.Counts)
}

func TestRunsAreListedInTheirOrder(t *testing.T) {
	s := newSite(t, `step "test.thing" "a" { key = "a" }`)
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	s.cfg.Clock = func() time.Time { at = at.Add(time.Millisecond); return at }
	var want []string
	for range 5 {
		want = append(want, s.apply().Run)
	}
	got, err := Runs(s.dir)
	require.NoError(t, err)
	require.Equal(t, want, got)
}
