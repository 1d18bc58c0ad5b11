package engine

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/event"
)

const failing = hosts + `
step "test.thing" "a" {
  on  = target.nodes.hosts["node2"]
  key = "a"
}
step "test.thing" "b" {
  on    = target.nodes
  after = [step.a]
  key   = "b"
}
`

func TestAFailedApplyEndsWithItsCause(t *testing.T) {
	s := examined(t, failing)
	s.world.fail["node2/a"] = 1
	s.world.keys["node2/disk"] = "98"
	s.world.keys["node1/disk"] = "99" // no step failed there
	out := s.apply()
	require.Equal(t, map[event.Status]int{event.Failed: 1, event.Skipped: 3}, out.Counts)
	verdicts := of[event.Verdict](s.seen)
	require.Len(t, verdicts, 1)
	v := verdicts[0]
	require.Equal(t, []string{"a"}, v.After)
	require.Contains(t, ids(&v), "T-1")
	require.Equal(t, []string{"node2"}, v.Places, "where the step failed")
	require.NotContains(t, v.Causes[0].Cause, "node1")
}

func TestWhatTheFailedStepSaidIsEvidence(t *testing.T) {
	s := examined(t, failing)
	s.world.fail["node2/a"] = 1
	s.apply()
	v := of[event.Verdict](s.seen)[0]
	require.Equal(t, []string{"T-2"}, ids(&v))
	require.Equal(t, "It was token.", v.Causes[0].Cause)

	_, again := s.diagnose()
	require.Equal(t, []string{"T-2"}, ids(again), "the log of the last run tells it later, too")

	s.apply()
	_, after := s.diagnose()
	require.Empty(t, ids(after), "the step has succeeded since")
}

func TestADiagnosisChangesNothingOfHowAnApplyEnds(t *testing.T) {
	for name, spoil := range map[string]func(s *site){
		"all is well":          func(*site) {},
		"nothing can be found": func(s *site) { s.world.down["node2"] = true },
		"its collector panics": func(s *site) { s.world.keys["node2/disk"] = "panic" },
		"it cannot keep anything": func(s *site) {
			s.t.(*testing.T).Setenv("TMPDIR", filepath.Join(s.dir, "missing"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			var outcomes []Outcome
			for _, diagnosed := range []bool{false, true} {
				s := examined(t, failing)
				if !diagnosed {
					s.cfg.Diagnosis = nil
				}
				s.world.fail["node2/a"] = 1
				spoil(s)
				out := s.apply()
				out.Run, out.found = "", findings{}
				outcomes = append(outcomes, out)
			}
			require.Equal(t, outcomes[0], outcomes[1])
		})
	}
}

func TestAStopKeepsAFailedApplyFromLookingForTheCause(t *testing.T) {
	s := examined(t, failing)
	s.world.fail["node2/a"] = 1
	stop := make(chan struct{})
	s.cfg.Stop = stop
	s.world.onSet = func(string) { close(stop) }
	require.True(t, s.apply().Interrupted)
	require.Empty(t, of[event.Verdict](s.seen))
	require.Empty(t, of[event.Collecting](s.seen))
}

func TestAPlanThatFailsInAnApplyIsExplainedToo(t *testing.T) {
	s := examined(t, failing)
	s.cfg.AutoApprove = false
	s.world.keys["node2/a"], s.world.keys["node2/disk"] = "fixed", "100"
	out, err := Apply(context.Background(), s.cfg, s.load(), nil)
	require.NoError(t, err)
	require.True(t, out.Failed)
	require.Equal(t, []string{"a"}, of[event.Verdict](s.seen)[0].After)
}

func TestTheUsersSignaturesAreAddedAndReplaceFilesOfTheSameName(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	finding := func(id string) string {
		return `finding "` + id + `" {
  title = { en = "Mine" }
  layer = "machine"
  per   = "node"
  fact "full" {
    of       = "node.disk"
    when     = self.percent > 30
    strength = "proof"
  }
  cause  = { en = "Mine." }
  remedy = { en = "Do it." }
}
`
	}
	write("mine.hcl", finding("X-1")+"finding \"X-2\" {\n  title = \n}\n")
	known, diags := LoadKnowledge(book, []string{dir, filepath.Join(dir, "missing.hcl")})
	require.True(t, diags.HasErrors())
	require.True(t, known.has("X-1") && known.has("T-1") && known.has("t-2"))
	require.False(t, known.has("X-2"))

	write("disks.hcl", finding("X-3"))
	known, _ = LoadKnowledge(book, []string{dir})
	require.True(t, known.has("X-3"))
	require.False(t, known.has("T-1"), "this file of the program's is replaced")

	s := examined(t, hosts)
	s.cfg.Diagnosis.Learn = func() (*Knowledge, hcl.Diagnostics) { return LoadKnowledge(book, []string{dir}) }
	_, v := s.diagnose()
	require.Contains(t, ids(v), "X-1")
}

func TestADiagnosisNeedsNoSecretOfTheSteps(t *testing.T) {
	s := examined(t, hosts+`
secret "token" { env = "NOT_SET_ANYWHERE" }
target "ssh" "other" {
  hosts    = ["other"]
  password = secret.token
}
`)
	s.world.keys["node2/disk"] = "97"
	out, v := s.diagnose()
	require.False(t, out.Failed)
	require.Equal(t, []string{"T-1"}, ids(v))
	told := s.diagnostics()
	require.Len(t, told, 1)
	require.Equal(t, "warning", told[0].Severity)
	require.Contains(t, told[0].Detail, "NOT_SET_ANYWHERE")
}
