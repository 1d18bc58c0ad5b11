package main

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/event"
)

// at makes a stream of events, one a second.
func at(events ...event.Event) shipped {
	var s shipped
	for i, e := range events {
		s.events = append(s.events, event.Envelope{Time: time.Unix(int64(i), 0), Seq: uint64(i + 1), Event: e})
	}
	return s
}

func phase(node, name string) event.Event {
	return event.StepPhase{Address: "image." + node, Phase: name}
}

func progress(node string, done int64) event.Event {
	return event.StepProgress{Address: "image." + node, Done: done, Total: 10 << 20, Unit: "B"}
}

func started(node string) event.Event {
	return event.StepStarted{Address: "image." + node, Target: node}
}

func finished(node string, status event.Status) event.Event {
	return event.StepFinished{Address: "image." + node, Target: node, Status: status}
}

func TestBytesAreHeldWhenSendingEndsNotWhenLoadingDoes(t *testing.T) {
	s := at(
		started("a"), started("b"),
		phase("a", "save"), progress("a", 10<<20), // of the save
		phase("a", "send"), phase("b", "send"), // begins at 4
		progress("a", 10<<20), phase("a", "load"),
		progress("b", 9<<20), phase("b", "load"), // held at 9
		finished("a", event.Changed), finished("b", event.Changed),
	)
	held, done := s.span()
	require.Equal(t, 5*time.Second, held)
	require.Equal(t, 7*time.Second, done)
	require.Equal(t, 3*time.Second, s.loads())
	require.Equal(t, 2, s.changed())
}

func TestProgramThatLoadsAsItSends(t *testing.T) {
	s := at(started("a"), phase("a", "load"), progress("a", 5<<20), progress("a", 9<<20), progress("a", 10<<20), finished("a", event.Changed))
	held, done := s.span()
	require.Equal(t, 2*time.Second, held)
	require.Equal(t, 4*time.Second, done)
	require.Zero(t, s.loads())
}

func TestNodesThatFailedOrWereSkippedDoNotCount(t *testing.T) {
	s := at(started("a"), phase("a", "send"), finished("a", event.Failed), finished("b", event.Skipped))
	require.Zero(t, s.changed())
	held, _ := s.span()
	require.Equal(t, time.Second, held)
}

func TestTableTellsWhatIsMissed(t *testing.T) {
	var tab table
	tab.atMost("a", "good", 1, 2, "%.1f")
	tab.note("a", "beside", "3")
	var out bytes.Buffer
	require.False(t, tab.print(&out))
	tab.atMost("a", "bad", 2.1, 2, "%.1f")
	require.True(t, tab.print(&out))
	require.Contains(t, out.String(), "MISSED")
}

func TestPartsAreChosenByName(t *testing.T) {
	all, err := choose("")
	require.NoError(t, err)
	require.Equal(t, len(parts), len(all))
	two, err := choose("cuts,cold")
	require.NoError(t, err)
	require.Equal(t, "cuts", two[0].name)
	_, err = choose("cold,warm")
	require.ErrorContains(t, err, `"warm"`)
}

const ssText = `0      0      10.213.7.11:22   10.213.7.9:39220 ino:1 sk:4 cubic wscale:7,7 bytes_sent:4000 bytes_acked:4000 bytes_received:3000000 segs_out:9
0      36     10.213.7.11:22   10.213.7.12:5000 bbr bytes_acked:10

`

func TestConnectionsAreReadFromSS(t *testing.T) {
	all := parseConnections("node1", ssText)
	require.Equal(t, []connection{
		{"node1", "10.213.7.11:22", "10.213.7.9:39220", 3004000},
		{"node1", "10.213.7.11:22", "10.213.7.12:5000", 10},
	}, all)

	c := &cutter{b: &bench{random: rand.New(rand.NewPCG(1, 0))}}
	hit := 0
	for range 1000 {
		victim, ok := c.choose(all)
		require.True(t, ok)
		if victim.bytes >= carrying {
			hit++
		}
	}
	require.InDelta(t, 900, hit, 50, "most, and of the idle ones some")
	_, ok := c.choose(nil)
	require.False(t, ok)
}

func TestBusiestLink(t *testing.T) {
	most, where := busiest(map[string]traffic{"a": {Sent: 5, Received: 90}, "b": {Sent: 80}})
	require.Equal(t, int64(90), most)
	require.Equal(t, "a", where)
}
