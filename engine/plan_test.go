package engine

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/event"
)

const lookAfter = `
step "test.thing" "a" { key = "a" }
step "test.look" "seen" {
  key   = "a"
  after = [step.a]
}
step "test.thing" "copy" {
  key   = "copy"
  value = "is ${step.a.got}"
}
step "test.thing" "other" {
  key   = "other"
  after = [step.a]
}
step "test.thing" "apart" { key = "apart" }
`

func TestAPlanSaysWhatItKnowsAndNoMore(t *testing.T) {
	s := newSite(t, lookAfter)
	s.world.keys["local/apart"] = "on"
	plan, out := s.plan()
	require.True(t, out.Changes)
	require.Empty(t, s.world.log, "a plan changes nothing")
	require.Equal(t, []string{
		"a certain set a",
		"apart unchanged",
		"copy deferred known after a",
		"other expected set other",
		"seen deferred known after a",
	}, planned(plan))
}

func TestAPlanOfAConvergedWorldIsEmpty(t *testing.T) {
	s := newSite(t, lookAfter)
	s.apply()
	plan, out := s.plan()
	require.False(t, out.Changes)
	for _, line := range plan.Lines {
		require.Equal(t, event.Unchanged, line.Status, line.Address)
	}
}

func TestWhatLooksDoneBehindAChangeIsDeferred(t *testing.T) {
	s := newSite(t, lookAfter)
	s.world.keys["local/other"] = "on"
	plan, _ := s.plan()
	require.Contains(t, planned(plan), "other deferred looks done; checked again after a")
}

func TestThatAStepHasNoInstancesIsNotBelievedBeforeWhatDecidesOnIt(t *testing.T) {
	s := newSite(t, lookAfter+`
step "test.thing" "perhaps" {
  key  = "perhaps"
  when = step.other.got == "off"
}
step "test.thing" "behind" {
  key   = "behind"
  after = [step.perhaps]
}
`)
	s.world.keys["local/other"] = "on"
	plan, _ := s.plan()
	require.Contains(t, planned(plan), "perhaps deferred where it works is not known before other")
	require.Contains(t, planned(plan), "behind expected set behind")
	s.apply()
	plan, _ = s.plan()
	require.NotContains(t, strings.Join(planned(plan), "\n"), "perhaps")
}

func TestASavedPlanIsAppliedWhileTheWorldStandsStill(t *testing.T) {
	s := newSite(t, lookAfter)
	plan, _ := s.plan()
	file := filepath.Join(t.TempDir(), "x.plan")
	require.NoError(t, plan.Save(file))
	loaded, err := LoadPlan(file)
	require.NoError(t, err)
	out, err := Apply(context.Background(), s.cfg, s.load(), loaded)
	require.NoError(t, err)
	require.False(t, out.Failed)
	require.Equal(t, 5, out.Counts[event.Changed]+out.Counts[event.Unchanged])
	require.Equal(t, "is on", s.world.get("local/copy"))
}

func TestASavedPlanIsRefusedWhenTheWorldHasMoved(t *testing.T) {
	s := newSite(t, lookAfter)
	plan, _ := s.plan()
	s.world.keys["local/a"] = "off"
	out, err := Apply(context.Background(), s.cfg, s.load(), plan)
	require.NoError(t, err)
	require.True(t, out.Failed)
	require.Contains(t, s.diagnostics()[0].Summary, "the world has moved")
	require.Contains(t, s.diagnostics()[0].Evidence, "a: planned certain (set a), now the same with another difference")
	require.Equal(t, "plan again", s.diagnostics()[0].Remedy)
	require.Empty(t, s.world.log)

	s.write(lookAfter + "# a comment\n")
	out, err = Apply(context.Background(), s.cfg, s.load(), plan)
	require.NoError(t, err)
	require.True(t, out.Failed)
	require.Contains(t, s.diagnostics()[0].Summary, "the runbook was changed")
}

func TestASavedPlanHoldsNoSecretOfTheWorld(t *testing.T) {
	t.Setenv("TOKEN", "hunter2hunter2")
	s := newSite(t, "secret \"token\" { env = \"TOKEN\" }\ntarget \"ssh\" \"h\" {\n  hosts    = [\"h\"]\n  password = secret.token\n}\nstep \"test.thing\" \"a\" {\n  on  = target.h\n  key = \"a\"\n}\n")
	s.world.keys["h/a"] = "hunter2hunter2"
	plan, _ := s.plan()
	file := filepath.Join(t.TempDir(), "x.plan")
	require.NoError(t, plan.Save(file))
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NotContains(t, string(text), "hunter2")
	out, err := Apply(context.Background(), s.cfg, s.load(), plan)
	require.NoError(t, err)
	require.False(t, out.Failed, s.diagnostics())
}

func TestAFileThatIsNoPlanOrANewerOneSaysSo(t *testing.T) {
	for text, why := range map[string]string{
		`step "x" "y" {}`: "not a saved plan",
		`{}`:              "not a saved plan",
		`{"version": 2, "lines": [{"action": "ascend"}]}`: "plan has format 2",
	} {
		file := filepath.Join(t.TempDir(), "x.plan")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := LoadPlan(file)
		require.ErrorContains(t, err, why)
	}
}

func TestHalfAPlanIsNone(t *testing.T) {
	s := newSite(t, lookAfter)
	stop := make(chan struct{})
	close(stop)
	s.cfg.Stop = stop
	plan, out := s.plan()
	require.True(t, out.Failed)
	require.True(t, out.Interrupted)
	require.Empty(t, plan.Lines)
}

func TestAPlaybookFindsTheCauseOfAFailure(t *testing.T) {
	book := `
step "test.thing" "a" { key = "a" }
playbook "why" {
  watch = [step.a]
  look "test.look" "log" { key = "log" }
  finding "it is full" {
    when   = strcontains(look.log.got, "full")
    cause  = "No room: ${look.log.got}"
    remedy = "Make room."
  }
  finding "it is empty" {
    when  = look.log.got == ""
    cause = "Nothing there."
    remedy = "Wait."
  }
}
`
	s := newSite(t, book)
	s.world.fail["local/a"] = 1
	s.world.keys["local/log"] = "disk full"
	require.True(t, s.apply().Failed)
	found := of[event.Finding](s.seen)
	require.Len(t, found, 1)
	require.Equal(t, "No room: disk full", found[0].Cause)
	require.Equal(t, "Make room.", found[0].Remedy)

	out, err := Diagnose(context.Background(), s.cfg, s.load(), nil)
	require.NoError(t, err)
	require.False(t, out.Failed)
	require.Len(t, of[event.Finding](s.seen), 1)
}

func TestADiagnosisLivesWithAHostThatIsAway(t *testing.T) {
	s := newSite(t, hosts+`
playbook "why" {
  look "test.look" "logs" {
    on  = target.nodes
    key = "log"
  }
  finding "one is full" {
    when     = anytrue([for name, l in look.logs : l.got == "full"])
    cause    = "full"
    remedy   = "Make room."
  }
  finding "none is full" {
    when     = !anytrue([for name, l in look.logs : l.got == "full"])
    cause    = "nothing"
    remedy   = "Wait."
    evidence = [regex("absent", look.logs["node1"].got)]
  }
}
`)
	s.world.down["node2"], s.world.keys["node3/log"] = true, "full"
	diagnose := func(names ...string) Outcome {
		out, err := Diagnose(context.Background(), s.cfg, s.load(), names)
		require.NoError(t, err)
		return out
	}
	require.False(t, diagnose("why").Failed)
	found := of[event.Finding](s.seen)
	require.Len(t, found, 1)
	require.Equal(t, "one is full", found[0].Title)
	require.Equal(t, 1, of[event.PlaybookFinished](s.seen)[0].Blind)
	require.Len(t, s.diagnostics(), 1, "of the host that is away; evidence is looked at for what was found alone")

	s.world.keys["node3/log"] = ""
	diagnose()
	require.Empty(t, of[event.Finding](s.seen), "node2 may be full")

	require.True(t, diagnose("whi").Failed)
	require.Contains(t, s.diagnostics()[0].Summary, `no playbook "whi"`)
}

func TestOutputsKnowThatAStepHasNoInstances(t *testing.T) {
	s := newSite(t, `
step "test.thing" "off" {
  key  = "off"
  when = false
}
step "test.thing" "none" {
  for_each = []
  key      = each.key
}
output "off" { value = try(step.off.got, "left out") }
output "none" { value = [for k, v in step.none : v.got] }
`)
	require.False(t, s.apply().Failed)
	require.Equal(t, []event.Output{{Name: "off", Value: "left out"}, {Name: "none", Value: []any{}}}, of[event.RunFinished](s.seen)[0].Outputs)
}
