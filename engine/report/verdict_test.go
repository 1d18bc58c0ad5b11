package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
	"github.com/adbsql/antdbctl/engine/event"
)

var noon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// pgaudit is the finding of the story.
var pgaudit = diagnosis.Finding{
	ID: "G-40", Title: "pgaudit.so is missing from the image", Layer: "postmaster", Confidence: diagnosis.Certain,
	Rests: []string{"the server's own words", "the check B6.6 of the image"},
	Cause: "antdb-ha:4.1 has no pgaudit.so for this server, and the operator's settings preload it.",
	Check: "ls /usr/pgsql-11/lib/pgaudit.so in the image", Remedy: "Build pgaudit against this server's pg_config into the tarball, then apply again.",
	Evidence: []diagnosis.Quote{
		{Where: "pod antdb-74677dd9c4-7gjq7, container database", Time: noon.Add(-8 * time.Minute), Line: 812, Count: 4,
			Text: `FATAL:  could not access file "pgaudit.so": No such file or directory`},
		{Where: "node node1", Time: noon.Add(-50 * time.Hour), Text: "image antdb-ha:4.1, layer 17 removed it"},
	},
	Symptoms: []diagnosis.Finding{{ID: "G-43", Title: "Patroni gave up bootstrapping",
		Symptoms: []diagnosis.Finding{{ID: "G-54", Title: "the stanza job failed"}}}},
	Fix: &diagnosis.Fix{Runbook: "fixes/preload.hcl"},
}

func shown(t *testing.T, o Options, events ...event.Event) string {
	t.Helper()
	var out bytes.Buffer
	sink := NewText(&out, o)
	for _, e := range events {
		sink.Emit(event.Envelope{Time: noon, Event: e})
	}
	return out.String()
}

func TestAVerdictExplainsItself(t *testing.T) {
	v := event.Verdict{Language: "en", Command: "antdbctl diagnose site.hcl", Seconds: 4.2, Verdict: diagnosis.Verdict{
		Causes: []diagnosis.Finding{pgaudit}, Facts: 412, Logs: 55, Bytes: 32 << 20,
		Warnings: []diagnosis.Finding{{ID: "G-101", Title: "A certificate expires soon", Confidence: diagnosis.Certain, Cause: "That of the apiserver has 12 days left.", Remedy: "Renew it."}},
		Gaps: []evidence.Gap{
			{What: "the kernel log", Place: evidence.Place{Node: "node1"}, Reason: "permission denied"},
			{What: "the kernel log", Place: evidence.Place{Node: "node2"}, Reason: "permission denied"},
			{What: "the machine", Place: evidence.Place{Node: "node3"}, Reason: "not reached within 10 s"},
		},
	}}
	require.Equal(t, `
  Cause    G-40 · pgaudit.so is missing from the image                                       certain
           antdb-ha:4.1 has no pgaudit.so for this server, and the operator's settings preload it.
           rests on: the server's own words; the check B6.6 of the image
  Evidence pod antdb-74677dd9c4-7gjq7, container database, 11:52:00, line 812, 4 times
             FATAL:  could not access file "pgaudit.so": No such file or directory
           node node1, 2026-03-02 10:00:00
             image antdb-ha:4.1, layer 17 removed it
  Explains G-43 · Patroni gave up bootstrapping; G-54 · the stanza job failed
  Check    ls /usr/pgsql-11/lib/pgaudit.so in the image
  Remedy   Build pgaudit against this server's pg_config into the tarball, then apply again.
  Fix      antdbctl diagnose site.hcl --fix G-40

  Warning  G-101 · A certificate expires soon                                                certain
           That of the apiserver has 12 days left.
  Remedy   Renew it.

  Not seen the kernel log (node node1, node2): permission denied
           the machine (node node3): not reached within 10 s

  1 found: G-40 (certain) · warnings: 1 · not seen: 3 · looked at 412 facts and 55 logs (32.0 MiB)
  in 4.20 s
`, shown(t, Options{}, v))

	v.Language = "zh"
	chinese := shown(t, Options{}, v)
	for _, label := range []string{"原因", "证据", "连带现象", "核实", "处理", "修复", "隐患", "未能查看", "确定"} {
		require.Contains(t, chinese, label)
	}
	require.Contains(t, chinese, `could not access file "pgaudit.so"`)
	for _, line := range strings.Split(chinese, "\n") {
		require.LessOrEqual(t, ansi.StringWidth(line), 100, line)
	}
}

func TestNothingFoundIsSaidWithWhatWasRuledOut(t *testing.T) {
	text := shown(t, Options{}, event.Verdict{Language: "en", Seconds: 1, Verdict: diagnosis.Verdict{
		Facts: 7, RuledOut: []diagnosis.Layer{{Name: "machine", Signatures: 12}, {Name: "access", Signatures: 3, Blind: true}},
	}})
	require.Contains(t, text, "No cause found: none of the known faults is there.")
	require.Contains(t, text, "Excluded machine 12, access 3")
	require.Contains(t, text, "Some of the evidence is missing for: access")
	require.Contains(t, text, "nothing found · looked at 7 facts")
}

func TestWhatWasNotSeenIsNotRuledOut(t *testing.T) {
	text := shown(t, Options{}, event.Verdict{Blind: true, Verdict: diagnosis.Verdict{RuledOut: []diagnosis.Layer{{Name: "machine", Signatures: 12}}}})
	require.Contains(t, text, "Nothing was seen")
	require.NotContains(t, text, "machine")
}

func TestALongVerdictFitsAScreen(t *testing.T) {
	many := diagnosis.Verdict{}
	for n := range 40 {
		f := pgaudit
		f.ID = fmt.Sprintf("G-%d", n)
		f.Evidence = nil
		for range 30 {
			f.Evidence = append(f.Evidence, diagnosis.Quote{Where: fmt.Sprintf("pod %d", n), Text: strings.Repeat("a long line ", 80)})
		}
		many.Causes = append(many.Causes, f)
		many.Warnings = append(many.Warnings, f)
		many.Gaps = append(many.Gaps, evidence.Gap{What: fmt.Sprintf("thing %d", n), Reason: "refused"})
		many.Problems = append(many.Problems, fmt.Sprintf("a fact %d", n))
	}
	v := event.Verdict{Language: "en", Command: "antdbctl diagnose", Verdict: many}
	text := shown(t, Options{Width: 80}, v)
	require.Less(t, strings.Count(text, "\n"), 140)
	require.Contains(t, text, "… and 31 more (--verbose)", "causes")
	require.Contains(t, text, "… and 26 more (--verbose)", "quotes")
	require.Contains(t, text, "40 found: G-0 (certain), ")
	for _, line := range strings.Split(text, "\n") {
		require.LessOrEqual(t, ansi.StringWidth(line), 80, line)
	}
	v.After = []string{"cluster"}
	require.Less(t, strings.Count(shown(t, Options{Width: 80}, v), "\n"), 45, "after a failure, what matters is on one screen")
	require.Greater(t, strings.Count(shown(t, Options{Width: 80, Verbose: true}, v), "\n"), 2000)
}

func TestTerminalsAreGivenNoOrdersByEvidence(t *testing.T) {
	f := pgaudit
	f.Title, f.Evidence = "T\x1b[2J", []diagnosis.Quote{{Where: "W\x1b]0;x\x07", Text: "E\x1b[31m\r\nmore"}}
	text := shown(t, Options{}, event.Verdict{Verdict: diagnosis.Verdict{
		Causes: []diagnosis.Finding{f}, Gaps: []evidence.Gap{{What: "G\x1b", Reason: "R\x1b"}}, Problems: []string{"P\x1b"},
	}}, event.Collecting{Places: []string{"P\x1b"}}, event.FixFinished{Finding: "F\x1b", Remedy: "R\x1b"})
	require.NotContains(t, text, "\x1b")
	require.NotContains(t, text, "\r")
}

func TestAFixSaysWhetherItHelped(t *testing.T) {
	require.Contains(t, shown(t, Options{}, event.FixFinished{Finding: "G-96", Title: "Stale task", Gone: true}), "G-96 · Stale task is gone.")
	require.Contains(t, shown(t, Options{}, event.FixFinished{Finding: "G-96", Gone: true, Blind: true}), "less could be looked at")
	text := shown(t, Options{}, event.FixFinished{Finding: "G-96", Remedy: "Call somebody.", Language: "zh"})
	require.Contains(t, text, "G-96 仍然存在。")
	require.Contains(t, text, "Call somebody.")
}

func TestEveryLayerHasAChineseName(t *testing.T) {
	for _, layer := range signature.Layers {
		require.Contains(t, layerNames, layer)
	}
}
