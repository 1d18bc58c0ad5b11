package report_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diag"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

// stories are runs as streams; what a sink makes of each stands in testdata.
var stories = map[string][]event.Event{
	"plan": {
		event.RunStarted{Command: "plan", Runbook: "rollout", Steps: 5},
		planned("motd", "node1", event.Certain, module.Update, "/etc/motd: content", module.Diff{Path: "content", Before: "a\nold\nz", After: "a\nnew\nz"}),
		planned("motd", "node2", event.Certain, module.Update, "/etc/motd: content", module.Diff{Path: "content", Before: "a\nold\nz", After: "a\nnew\nz"}),
		planned("mode", "node1", event.Certain, module.Update, "/etc/x", module.Diff{Path: "mode", Before: "0600", After: "0644"}),
		event.StepPlanned{Step: "cluster", Address: "cluster", Module: "pgo.cluster", Target: "lab", Status: event.Expected, Action: module.Create, Summary: "create antdb", Outward: true},
		event.StepPlanned{Step: "role", Address: "role", Module: "sql.role", Status: event.Deferred, Summary: "known after cluster", Waits: []string{"cluster"}},
		planned("same", "node1", event.Unchanged, module.None, ""),
		event.PlanFinished{Counts: map[event.Status]int{event.Certain: 3, event.Expected: 1, event.Deferred: 1, event.Unchanged: 1}, Targets: 3, Orphans: []string{"gone"}},
	},
	"apply": {
		event.RunStarted{Command: "apply", Runbook: "rollout", Steps: 4},
		event.StepStarted{Address: "build", Step: "build"}, event.StepPhase{Address: "build", Phase: "send context"},
		event.StepLog{Address: "build", Line: "Step 1/2 : FROM base"}, event.StepPhase{Address: "build", Phase: "step 1/2"},
		event.StepProgress{Address: "ship", Done: 1 << 20, Total: 1 << 30, Unit: "B"},
		event.StepProgress{Address: "ship", Done: 1 << 29, Total: 1 << 30, Unit: "B"},
		event.StepFinished{Address: "build", Status: event.Changed, Proved: true, Summary: "build antdb-ha:latest", Seconds: 41.2},
		event.StepFinished{Address: "facts", Status: event.Unchanged, Seconds: 0.04},
		event.StepFinished{Address: `ship["node1"]`, Status: event.Unchanged, Seconds: 0.04},
		event.RunFinished{Command: "apply", OK: true, Counts: map[event.Status]int{event.Changed: 1, event.Unchanged: 2}, Seconds: 95,
			Outputs: []event.Output{{Name: "service", Value: "10.0.0.1:5432"}, {Name: "running", Value: map[string]any{"max_connections": "150", "work_mem": "<8MB>"}}, {Name: "reach", Value: "vantage  works\nsocket   yes\n"}}},
	},
	"failure": {
		event.RunStarted{Command: "apply", Runbook: "rollout", Steps: 3},
		event.StepFinished{Address: `ship["node2"]`, Module: "image.ship", Status: event.Failed, Seconds: 3, Diagnostics: []diag.Diagnostic{{
			Severity: "error", Summary: "cannot reach node2: connection refused", File: "rollout.hcl", Line: 7, Column: 1, EndLine: 7, EndColumn: 5,
			Snippet: []string{`step "image.ship" "nodes" {`}, Step: `ship["node2"]`, Host: "node2", Evidence: []string{"first", "second"}, Remedy: "start sshd there",
		}}},
		event.StepFinished{Address: "cluster", Status: event.Skipped, Needs: "needs ship"},
		event.Finding{Playbook: "p", Title: "pgaudit is missing", Cause: "the image has none", Remedy: "build it in", Evidence: []string{"FATAL: could not access file"}},
		event.PlaybookFinished{Playbook: "p", Findings: 1, Blind: 1},
		event.RunFinished{Command: "apply", Counts: map[event.Status]int{event.Failed: 1, event.Skipped: 1, event.Changed: 2}, Seconds: 4},
	},
	"nothing-to-do": {
		event.RunStarted{Command: "apply", Runbook: "rollout", Steps: 3},
		event.RunFinished{Command: "apply", OK: true, Counts: map[event.Status]int{event.Unchanged: 27}, Seconds: 1.8, RoundTrips: 31},
	},
}

func planned(step, target string, status event.Status, action module.Action, summary string, diff ...module.Diff) event.StepPlanned {
	return event.StepPlanned{Step: step, Address: step + `["` + target + `"]`, Module: "host.file", Target: target, Status: status, Action: action, Summary: summary, Diff: diff}
}

// tell sends a story, one event every six seconds.
func tell(sink event.Sink, story []event.Event) {
	now := time.Unix(1_700_000_000, 0)
	for n, e := range story {
		sink.Emit(event.Envelope{Time: now.Add(time.Duration(n) * 6 * time.Second), Seq: uint64(n + 1), Run: "r1", Event: e})
	}
}

func TestTextOfEveryStory(t *testing.T) {
	for name, story := range stories {
		var out bytes.Buffer
		tell(report.NewText(&out, report.Options{}), story)
		golden(t, name+".txt", out.String())
		require.NotContains(t, out.String(), "\x1b", "no colour off a terminal")
	}
}

func TestColourChangesNoWord(t *testing.T) {
	for name, story := range stories {
		var plain, coloured bytes.Buffer
		tell(report.NewText(&plain, report.Options{}), story)
		tell(report.NewText(&coloured, report.Options{Color: true}), story)
		require.Contains(t, coloured.String(), "\x1b[", name)
		require.Equal(t, marker.ReplaceAllString(plain.String(), ""), stripped(coloured.String()), name)
	}
}

func TestLiveLeavesTheSameLinesBehind(t *testing.T) {
	for name, story := range stories {
		var text, live bytes.Buffer
		tell(report.NewText(&text, report.Options{Quiet: true}), dropProgress(story))
		tell(report.NewLive(&live, report.Options{}), story)
		for _, line := range strings.Split(text.String(), "\n") {
			require.Contains(t, live.String(), line, name)
		}
	}
}

func TestADiffShowsWhatATerminalWouldHideAndNoMoreThanOneReads(t *testing.T) {
	story := []event.Event{
		event.RunStarted{Command: "plan", Steps: 3},
		planned("ends", "n", event.Certain, module.Update, "", module.Diff{Path: "content", Before: "a\r\nb\n", After: "a\nb\n"}),
		planned("clear", "n", event.Certain, module.Update, "", module.Diff{Path: "motd", Before: "x", After: "\x1b[2J"}),
		planned("big", "n", event.Certain, module.Create, "", module.Diff{Path: "content", After: strings.Repeat("line\n", 5000)}),
		event.PlanFinished{},
	}
	var short, long bytes.Buffer
	tell(report.NewText(&short, report.Options{}), story)
	tell(report.NewText(&long, report.Options{Verbose: true}), story)
	require.Contains(t, short.String(), "-a␍\n")
	require.Contains(t, short.String(), "motd: x → ␛[2J\n")
	require.Equal(t, 99, strings.Count(short.String(), "+line"))
	require.Contains(t, short.String(), "4901 lines more (--verbose shows them)")
	require.Equal(t, 5000, strings.Count(long.String(), "+line"))
}

func TestJSONLinesHoldEveryEvent(t *testing.T) {
	var out bytes.Buffer
	sink := report.NewJSONLines(&out)
	tell(sink, stories["failure"])
	require.NoError(t, sink.Err())
	require.Equal(t, len(stories["failure"]), strings.Count(out.String(), "\n"))
	require.Contains(t, out.String(), `"evidence":["first","second"]`)
}

// marker is the line that points at a fault where colour cannot.
var marker = regexp.MustCompile(`(?m)^ +\^+\n`)

// dropProgress leaves out what Live shows only while it moves.
func dropProgress(story []event.Event) []event.Event {
	var kept []event.Event
	for _, e := range story {
		switch e.(type) {
		case event.StepPhase, event.StepProgress, event.StepLog:
		default:
			kept = append(kept, e)
		}
	}
	return kept
}

func stripped(s string) string {
	for {
		begin := strings.Index(s, "\x1b[")
		if begin < 0 {
			return s
		}
		s = s[:begin] + s[begin+strings.IndexByte(s[begin:], 'm')+1:]
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, []byte(got), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}
