package report

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/module"
)

var epoch = time.Unix(1_700_000_000, 0)

// shipping is the stream of a step that brings an image to n hosts, reported
// ten times a second; each is a little slower than the one before. It calls
// tick after every tenth.
func shipping(sink event.Sink, n int, tick func(now time.Time)) {
	const total = 200 << 20
	now := epoch
	emit := func(e event.Event) { sink.Emit(event.Envelope{Time: now, Run: "r1", Event: e}) }
	address := func(host int) string { return fmt.Sprintf(`ship["node%d"]`, host+1) }
	emit(event.RunStarted{Command: "apply", Runbook: "rollout", Steps: 1})
	for h := range n {
		emit(event.StepStarted{Address: address(h), Step: "ship", Module: "image.ship", Target: "node"})
		emit(event.StepPhase{Address: address(h), Phase: "send 2 of 7 layers"})
	}
	left := n
	for done := make([]int64, n); left > 0; {
		now = now.Add(100 * time.Millisecond)
		for h := range n {
			if done[h] == total {
				continue
			}
			done[h] = min(total, done[h]+int64(2<<20-h%8*100<<10))
			emit(event.StepProgress{Address: address(h), Done: done[h], Total: total, Unit: "B"})
			if done[h] == total {
				took := now.Sub(epoch).Seconds()
				emit(event.StepFinished{Address: address(h), Step: "ship", Module: "image.ship", Status: event.Changed, Proved: true, Action: module.Create,
					Summary: "antdb:1 to containerd: send 200.0 MiB", Seconds: took + 0.5, Transfers: []event.Transfer{{Verb: "send", Bytes: total, Seconds: took}}})
				left--
			}
		}
		tick(now)
	}
	emit(event.RunFinished{Command: "apply", OK: true, Counts: map[event.Status]int{event.Changed: n}, Seconds: now.Sub(epoch).Seconds()})
}

func TestAPlainLogTellsOfALongStepFromTimeToTime(t *testing.T) {
	for n, name := range map[int]string{1: "ship-one.txt", 8: "ship-eight.txt"} {
		var out bytes.Buffer
		shipping(NewText(&out, Options{}), n, func(time.Time) {})
		same(t, name, out.String())
	}
}

func TestTheLiveViewHasABarForEachHost(t *testing.T) {
	for _, view := range []struct{ hosts, width int }{{1, 120}, {8, 120}, {8, 70}, {40, 100}} {
		live := NewLive(&bytes.Buffer{}, Options{Width: view.width})
		var frames strings.Builder
		shipping(live, view.hosts, func(now time.Time) {
			if at := now.Sub(epoch); at == 3*time.Second || at == 11*time.Second {
				live.mu.Lock()
				defer live.mu.Unlock()
				lines := live.lanes.lines(now)
				require.LessOrEqual(t, len(lines), mostRows)
				for _, line := range lines {
					require.Less(t, ansi.StringWidth(line), view.width)
				}
				fmt.Fprintf(&frames, "after %s\n%s\n\n", at, strings.Join(lines, "\n"))
			}
		})
		same(t, fmt.Sprintf("live-%d-hosts-%d-wide.txt", view.hosts, view.width), frames.String())
	}
}

func TestASpeedForgetsWhatWasBefore(t *testing.T) {
	var m meter
	now := epoch
	report := func(after time.Duration, done int64) {
		now = now.Add(after)
		m.report(now, event.StepProgress{Done: done, Total: 1 << 30, Unit: "B"})
	}
	report(0, 500<<20) // goes on from an earlier run
	for n := range int64(20) {
		report(time.Second, 500<<20+(n+1)<<20)
	}
	require.InDelta(t, 1<<20, m.rate, 1<<10, "what was there before is no speed")
	for n := range int64(20) {
		report(time.Second, 520<<20+(n+1)*10<<20)
	}
	require.InDelta(t, 10<<20, m.rate, 1<<19, "a faster link shows after some seconds")
	require.Equal(t, "stalled for 30s", m.pace(now.Add(30*time.Second)))
	require.Less(t, m.speed(now.Add(8*time.Second)), m.rate/2)
	report(time.Second, 0)
	require.Zero(t, m.rate, "a second try begins anew")
	require.Empty(t, m.pace(now))
}

func TestWhatIsLeftIsSaidAsExactlyAsItIsKnown(t *testing.T) {
	for want, left := range map[string]int64{"1s": 1, "12s": 12, "3m20s": 200, "2h05m": 7500, "days": 300_000} {
		require.Equal(t, want, span(left, 1))
	}
}

// same compares with a golden file, which -update writes.
func same(t *testing.T, name, got string) {
	t.Helper()
	if flag.Lookup("update").Value.String() == "true" {
		require.NoError(t, os.WriteFile("testdata/"+name, []byte(got), 0o644))
	}
	want, err := os.ReadFile("testdata/" + name)
	require.NoError(t, err)
	require.Equal(t, string(want), got)
}

func TestTransfersSayWhatTheSummaryDoesNot(t *testing.T) {
	save, send := event.Transfer{Verb: "save", Bytes: 700 << 20, Seconds: 3.5}, event.Transfer{Verb: "send", Bytes: 214 << 20, Seconds: 18.2}
	small := event.Transfer{Bytes: 61, Seconds: 0.1}
	require.Equal(t, "in 18.2 s (11.8 MiB/s)", transfers([]event.Transfer{send}, "send 214.0 MiB of 1.1 GiB"))
	require.Equal(t, "214.0 MiB in 18.2 s (11.8 MiB/s)", transfers([]event.Transfer{send}, "send 2 of 7 layers"))
	require.Equal(t, "save: 700.0 MiB in 3.50 s (200.0 MiB/s), send: 214.0 MiB in 18.2 s (11.8 MiB/s)", transfers([]event.Transfer{save, send}, "send 214.0 MiB"))
	require.Empty(t, transfers([]event.Transfer{small}, ""))
}
