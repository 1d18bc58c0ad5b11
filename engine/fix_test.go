package engine

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/state"
)

// fix fixes without asking, unless the site says otherwise.
func (s *site) fix(want Repair) (Outcome, error) {
	s.t.Helper()
	if want.Patience == 0 {
		want.Patience = time.Millisecond
	}
	return Fix(context.Background(), s.cfg, s.load(), want)
}

func TestAFixTakesTheCauseAwayAndProvesIt(t *testing.T) {
	s := examined(t, hosts)
	s.world.keys["node2/disk"] = "97"
	out, err := s.fix(Repair{Finding: "t-1", Vars: []string{"reason=because"}})
	require.NoError(t, err)
	require.False(t, out.Failed, s.diagnostics())
	require.Equal(t, "50", s.world.get("node2/disk"))
	require.Equal(t, "because", s.world.get("local/why"))
	end := of[event.FixFinished](s.seen)
	require.Equal(t, []event.FixFinished{{Language: "en", Finding: "T-1", Title: "The disk is full", Gone: true, Remedy: "Free some space."}}, end)
	st, err := state.NewFile(filepath.Join(s.dir, StateDir, "free")).Load(context.Background())
	require.NoError(t, err)
	require.Contains(t, st.Steps, "disk")
	_, v := s.diagnose()
	require.Empty(t, v.Causes)
	temporary, err := filepath.Glob(filepath.Join(os.TempDir(), "antdbctl-fix-*"))
	require.NoError(t, err)
	require.Empty(t, temporary)
}

func TestAFixThatDoesNotHelpFails(t *testing.T) {
	s := examined(t, hosts)
	s.world.keys["node2/disk"] = "97"
	out, err := s.fix(Repair{Finding: "T-1", Vars: []string{"percent=98"}})
	require.NoError(t, err)
	require.True(t, out.Failed)
	require.False(t, of[event.FixFinished](s.seen)[0].Gone)
}

func TestAFindingAtSeveralPlacesIsFixedAtEach(t *testing.T) {
	s := examined(t, hosts)
	s.world.keys["node1/disk"], s.world.keys["node3/disk"] = "97", "99"
	out, err := s.fix(Repair{Finding: "T-1"})
	require.NoError(t, err)
	require.False(t, out.Failed, s.diagnostics())
	require.Equal(t, "50 40 50", s.world.get("node1/disk")+" "+s.world.get("node2/disk")+" "+s.world.get("node3/disk"))
	ends := of[event.FixFinished](s.seen)
	require.Len(t, ends, 1)
	require.True(t, ends[0].Gone)
}

func TestAFixIsPlannedAndAskedFor(t *testing.T) {
	s := examined(t, hosts)
	s.world.keys["node2/disk"] = "97"
	s.cfg.AutoApprove = false
	s.cfg.Approve = func(context.Context, string) (bool, error) { return false, nil }
	_, err := s.fix(Repair{Finding: "T-1"})
	require.ErrorIs(t, err, ErrDeclined)
	require.Equal(t, "97", s.world.get("node2/disk"))
	var diff []string
	for _, line := range of[event.StepPlanned](s.seen) {
		for _, d := range line.Diff {
			diff = append(diff, d.Before+" → "+d.After)
		}
	}
	require.Equal(t, []string{"97 → 50"}, diff)
}

func TestOnlyWhatHoldsIsFixed(t *testing.T) {
	s := examined(t, hosts)
	_, err := s.fix(Repair{Finding: "T-1"})
	require.ErrorContains(t, err, "T-1 does not hold now")
	_, err = s.fix(Repair{Finding: "T-9"})
	require.ErrorContains(t, err, `there is no finding "T-9"`)
	s.world.keys["node2/disk"] = "97"
	_, err = s.fix(Repair{Finding: "T-1", Vars: []string{"nobody=1"}})
	require.ErrorContains(t, err, "--var nobody: neither the runbook nor the fix of T-1 has such a variable")
	require.Empty(t, s.world.log)
}

func TestAFindingWithoutFixTellsItsRemedy(t *testing.T) {
	s := examined(t, failing)
	s.world.fail["node2/a"] = 1
	s.apply()
	_, err := s.fix(Repair{Finding: "T-2"})
	require.ErrorContains(t, err, "T-2 has no fix that antdbctl can make: Do it again.")
}

const playbook = `
variable "what" { default = "unset" }
step "test.thing" "a" { key = "a" }
playbook "p" {
  look "test.look" "seen" { key = "a" }
  finding "a is broken" {
    when   = look.seen.got == "broken"
    cause  = "Somebody broke it."
    remedy = "Mend it."
    fix {
      runbook = "mend.hcl"
      vars    = { key = "a", was = look.seen.got }
    }
  }
}
`

func TestAPlaybooksFindingIsFixedTheSameWay(t *testing.T) {
	s := examined(t, playbook)
	mend := "variable \"key\" {}\nvariable \"was\" {}\nstep \"test.thing\" \"mended\" {\n  key = var.key\n  value = \"not ${var.was}\"\n}\n"
	require.NoError(t, os.WriteFile(filepath.Join(s.dir, "mend.hcl"), []byte(mend), 0o600))
	s.world.keys["local/a"] = "broken"
	s.diagnose()
	found := of[event.Finding](s.seen)
	require.Equal(t, "antdbctl diagnose book.hcl --fix 'a is broken'", found[0].Offer)
	require.Equal(t, map[string]any{"key": "a", "was": "broken"}, found[0].Fix.Vars)

	out, err := s.fix(Repair{Finding: "a is broken"})
	require.NoError(t, err)
	require.False(t, out.Failed, s.diagnostics())
	require.Equal(t, "not broken", s.world.get("local/a"))
	require.True(t, of[event.FixFinished](s.seen)[0].Gone)
}
