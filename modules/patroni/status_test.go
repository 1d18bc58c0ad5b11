package patroni

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestExamplesParse(t *testing.T) {
	for _, e := range []module.Entry{statusEntry, configEntry, switchoverEntry, drillEntry} {
		moduletest.Example(t, e)
	}
}

func problems(t *testing.T, f *fake) []string {
	t.Helper()
	change, out, err := f.step(t, statusEntry, "").Check()
	require.NoError(t, err)
	require.Equal(t, module.NoChange, change)
	list := []string{}
	for _, v := range out.GetAttr("problems").AsValueSlice() {
		list = append(list, v.AsString())
	}
	require.Equal(t, out.GetAttr("healthy"), cty.BoolVal(len(list) == 0))
	return list
}

func TestStatusTellsWhatTheMembersSay(t *testing.T) {
	f := newFake(t, "甲", "乙")
	f.members[1].lag, f.members[1].pending = 4096, true
	_, out, err := f.step(t, statusEntry, "").Check()
	require.NoError(t, err)
	require.Equal(t, cty.StringVal("甲"), out.GetAttr("leader"))
	require.Equal(t, cty.NumberIntVal(4096), out.GetAttr("max_lag"))
	require.Equal(t, cty.ListVal([]cty.Value{cty.StringVal("乙")}), out.GetAttr("pending_restart"))
	require.Equal(t, cty.StringVal("7711121326432919651"), out.GetAttr("system_id"))
	require.Equal(t, cty.NumberIntVal(1), out.GetAttr("timeline"))
	require.Equal(t, cty.StringVal("3.0.2"), out.GetAttr("patroni"))
	require.Empty(t, problems(t, f))
}

func TestStatusSaysWhatIsWrong(t *testing.T) {
	cases := map[string]struct {
		spoil func(f *fake)
		says  []string
	}{
		"two primaries":      {func(f *fake) { f.members[1].role = "master" }, []string{"2 members run as primary: a, b"}},
		"no leader":          {func(f *fake) { f.lock = ""; f.members[0].role, f.members[0].lag = "replica", 0 }, []string{"no member leads"}},
		"paused":             {func(f *fake) { f.pause = true }, []string{"Patroni is paused: nothing fails over by itself"}},
		"start failed":       {func(f *fake) { f.members[1].state = "start failed" }, []string{"b: its database is start failed"}},
		"unknown lag":        {func(f *fake) { f.members[1].lag = "unknown" }, []string{"b: how far it is behind is not known"}},
		"an old timeline":    {func(f *fake) { f.members[0].timeline = 2 }, []string{"b: it follows timeline 1, not 2"}},
		"a demoted holder":   {func(f *fake) { f.members[0].role = "replica" }, []string{"a holds the leader lock and says that it does not lead: it is replica and running"}},
		"SQL fails, runs on": {func(f *fake) { f.members[0].broken = true }, []string{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, "a", "b")
			c.spoil(f)
			require.Equal(t, c.says, problems(t, f))
		})
	}
}

func TestAMemberThatDoesNotAnswerIsAProblemAndNotTheEnd(t *testing.T) {
	f := newFake(t, "a", "b")
	f.members[1].silent = true
	require.Regexp(t, `^b: Patroni does not answer there: .*connection refused$`, problems(t, f)[0])
	f.members[0].silent = true
	_, _, err := f.step(t, statusEntry, "").Check()
	require.ErrorContains(t, err, "no member of cluster")
}

func TestWithoutMembersTheStepSaysWhatToGive(t *testing.T) {
	f := newFake(t, "a")
	s := moduletest.New(t, statusEntry, host{f: f}, "", nil)
	_, _, err := s.Check()
	arg := (*module.ArgError)(nil)
	require.ErrorAs(t, err, &arg)
	require.Equal(t, "members", arg.Arg)
	require.Error(t, moduletest.New(t, statusEntry, host{f: f}, `members = ["a:http"]`, nil).Validate())
}
