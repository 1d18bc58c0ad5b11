package event_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diag"
	"github.com/adbsql/antdbctl/engine/diagnosis"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

type collector struct{ all []event.Envelope }

func (c *collector) Emit(e event.Envelope) { c.all = append(c.all, e) }

func fixedClock() time.Time { return time.Unix(1_700_000_000, 0).UTC() }

func TestEveryStringOfAnEventIsRedactedBeforeAnySink(t *testing.T) {
	var r secret.Redactor
	r.Add(secret.New("hunter2hunter2"))
	var seen collector
	bus := event.NewBus("r1", fixedClock, &r, &seen)
	leak := "x hunter2hunter2 y"
	original := event.StepFinished{
		Summary: leak, Diff: []module.Diff{{Path: "p", Before: leak, After: leak}},
		Diagnostics: []diag.Diagnostic{{Summary: leak, Evidence: []string{leak}, Remedy: leak}},
	}
	bus.Emit(original)
	bus.Emit(event.RunFinished{Outputs: []event.Output{{Name: "o", Value: map[string]any{"deep": []any{leak}}}}})
	text, err := json.Marshal(seen.all)
	require.NoError(t, err)
	require.NotContains(t, string(text), "hunter2")
	require.Equal(t, 7, strings.Count(string(text), secret.Hidden))
	require.Equal(t, leak, original.Diff[0].Before, "the sender's event is not touched")
}

func TestTheStreamIsNumberedWithoutGapsWhoeverSends(t *testing.T) {
	var seen collector
	bus := event.NewBus("r1", fixedClock, &secret.Redactor{}, &seen)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() { bus.Emit(event.StepLog{Line: "x"}) })
	}
	wg.Wait()
	for n, e := range seen.all {
		require.EqualValues(t, n+1, e.Seq)
	}
}

func TestAStoredStreamIsReadBackAsItWas(t *testing.T) {
	events := []event.Event{
		event.RunStarted{Command: "apply", Runbook: "hello", Steps: 3},
		event.StepPlanned{Address: `f["a"]`, Status: event.Certain, Action: module.Create, Diff: []module.Diff{{Path: "x", After: "y"}}},
		event.PlanFinished{Counts: map[event.Status]int{event.Certain: 1}, Left: []string{"a"}},
		event.StepStarted{Address: "a"}, event.StepPhase{Address: "a", Phase: "load"},
		event.StepProgress{Address: "a", Done: 1, Total: 2, Unit: "B"}, event.StepLog{Address: "a", Line: "l"},
		event.StepFinished{Address: "a", Status: event.Failed, Action: module.Run, Diagnostics: []diag.Diagnostic{{Summary: "s", Line: 3}}, Transfers: []event.Transfer{{Verb: "send", Bytes: 5, Seconds: 1.5}}},
		event.Diagnosed{Diagnostics: []diag.Diagnostic{{Summary: "s"}}},
		event.Finding{Playbook: "p", Cause: "c"}, event.PlaybookFinished{Playbook: "p", Blind: 1},
		event.Collecting{Places: []string{"node1"}, Looks: 2, Seconds: 10},
		event.Verdict{Language: "zh", After: []string{"a"}, Verdict: diagnosis.Verdict{
			Causes: []diagnosis.Finding{{ID: "G-40", Confidence: diagnosis.Certain, Evidence: []diagnosis.Quote{{Where: "w", Time: fixedClock(), Line: 3}},
				Fix: &diagnosis.Fix{Runbook: "f.hcl", Vars: map[string]any{"cluster": "antdb", "nodes": []any{"n"}}}}},
			Gaps: []evidence.Gap{{What: "x", Place: evidence.Place{Node: "n"}, Reason: "r"}}, Facts: 2, Bytes: 1 << 40,
		}},
		event.Bundled{Path: "b", Redacted: []event.Redacted{{Kind: "token", Count: 3}}},
		event.FixFinished{Finding: "G-40", Gone: true},
		event.RunFinished{Command: "apply", OK: true, Counts: map[event.Status]int{event.Changed: 2}},
	}
	for n, e := range events {
		want := event.Envelope{Time: fixedClock(), Seq: uint64(n + 1), Run: "r1", Event: e}
		text, err := json.Marshal(want)
		require.NoError(t, err)
		require.Contains(t, string(text), `"type":"`+e.Type()+`"`)
		var got event.Envelope
		require.NoError(t, json.Unmarshal(text, &got))
		require.Equal(t, want, got)
	}
	var got event.Envelope
	require.ErrorContains(t, json.Unmarshal([]byte(`{"type":"nobody_knows"}`), &got), "nobody_knows")
}
