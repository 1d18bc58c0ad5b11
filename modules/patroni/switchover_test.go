package patroni

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/module"
)

func requireAt(t *testing.T, err error, arg, text string) {
	t.Helper()
	at := (*module.ArgError)(nil)
	require.ErrorAs(t, err, &at)
	require.Equal(t, arg, at.Arg)
	require.ErrorContains(t, err, text)
}

func TestSwitchoverToACandidateHappensOnce(t *testing.T) {
	f := newFake(t, "甲", "乙")
	out := f.step(t, switchoverEntry, `candidate = "乙"`).Converge(module.Update)
	require.Equal(t, cty.StringVal("乙"), out.GetAttr("leader"))
	require.Equal(t, cty.NumberIntVal(2), out.GetAttr("timeline"))
	require.Equal(t, []string{`POST 甲 /switchover {"candidate":"乙","leader":"甲"}`}, f.calls)
}

func TestSwitchoverAwayFromAMemberLeavesTheChoiceToPatroni(t *testing.T) {
	f := newFake(t, "a", "b", "c")
	f.step(t, switchoverEntry, `from = "a"`).Converge(module.Update)
	require.Equal(t, []string{`POST a /switchover {"leader":"a"}`}, f.calls)
	f.step(t, switchoverEntry, `from = "gone"`).Converge(module.None)
}

func TestSwitchoverWithoutAWishRunsEachTime(t *testing.T) {
	f := newFake(t, "a", "b")
	for _, leader := range []string{"b", "a"} {
		change, out, err := f.step(t, switchoverEntry, "").Apply()
		require.NoError(t, err)
		require.Equal(t, module.Run, change.Action)
		require.Equal(t, cty.StringVal(leader), out.GetAttr("leader"))
	}
}

func TestSwitchoverIsRefusedInThePlanWhereItCannotWork(t *testing.T) {
	cases := map[string]struct {
		args  string
		spoil func(f *fake)
		arg   string
		says  string
	}{
		"no such member":           {`candidate = "x"`, func(*fake) {}, "candidate", "cluster hippo has no member x"},
		"candidate start failed":   {`candidate = "b"`, func(f *fake) { f.members[1].state = "start failed" }, "candidate", "b cannot take over: its database is start failed"},
		"candidate of unknown lag": {`candidate = "b"`, func(f *fake) { f.members[1].lag = "unknown" }, "candidate", "how far it is behind is not known"},
		"no replica is able":       {``, func(f *fake) { f.members[1].tags = map[string]any{"nofailover": true} }, "", "no replica that could take over from a"},
		"two primaries":            {``, func(f *fake) { f.members[1].role = "master" }, "", "has 2 primaries: a, b"},
		"no leader":                {``, func(f *fake) { f.lock = "" }, "", "has no leader now"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, "a", "b")
			c.spoil(f)
			_, _, err := f.step(t, switchoverEntry, c.args).Check()
			if c.arg != "" {
				requireAt(t, err, c.arg, c.says)
			} else {
				require.ErrorContains(t, err, c.says)
			}
			require.Empty(t, f.calls)
		})
	}
}

func TestWhatPatroniAnswersToASwitchoverIsRead(t *testing.T) {
	cases := map[string]struct {
		answer answer
		says   string
	}{
		"another was chosen":    {answer{http.StatusOK, `Switched over to "c" instead of "b"`}, "b was to lead, and Patroni chose c instead"},
		"the same in old words": {answer{http.StatusOK, `Failed over to "c" instead of "b"`}, "b was to lead, and Patroni chose c instead"},
		"no good candidate":     {answer{http.StatusPreconditionFailed, "switchover is not possible: no good candidates have been found"}, "no good candidates have been found"},
		"not from there":        {answer{http.StatusPreconditionFailed, "leader name does not match"}, "Patroni refuses to switch over from a: leader name does not match"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, "a", "b", "c")
			f.answers["POST /switchover"] = c.answer
			_, _, err := f.step(t, switchoverEntry, `candidate = "b"`).Apply()
			requireAt(t, err, "candidate", c.says)
		})
	}
}

// 503 says that Patroni does not know, so what counts is who leads in the end.
func TestAnUncertainSwitchoverIsJudgedByWhatCameOfIt(t *testing.T) {
	f := newFake(t, "a", "b")
	f.answers["POST /switchover"] = answer{http.StatusServiceUnavailable, "Switchover status unknown"}
	s := f.step(t, switchoverEntry, `
candidate = "b"
wait      = "1s"`)
	_, _, err := s.Apply()
	require.ErrorContains(t, err, "switchover from a to b: a still leads: not done after 1s")
}

// While Patroni is paused it does not choose by itself.
func TestWhilePausedTheCandidateIsNamed(t *testing.T) {
	f := newFake(t, "a", "b")
	f.pause = true
	f.step(t, switchoverEntry, `from = "a"`).Converge(module.Update)
	require.Equal(t, []string{`POST a /switchover {"candidate":"b","leader":"a"}`}, f.calls)
}

func TestTheClosestReplicaIsChosen(t *testing.T) {
	f := newFake(t, "a", "b", "c")
	f.pause, f.members[1].lag = true, 10
	f.step(t, switchoverEntry, `from = "a"`).Converge(module.Update)
	require.Contains(t, f.calls[0], `"candidate":"c"`)
}
