package engine

import (
	"slices"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/diag"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/event"
)

// What of a run's log is evidence.
const (
	spokenIn   = " of antdbctl " // in the name of the log of a step
	oldestRun  = 30              // so many runs are looked through for the last that changed something
	mostSpoken = 2000            // lines of one step, the last ones
)

// testimony is a sink that keeps what a run says of its steps.
type testimony struct {
	header event.RunStarted
	spoken map[string][]string // lines by address
	ended  []ending
}

type ending struct {
	event.StepFinished
	at time.Time
}

// Emit implements event.Sink.
func (t *testimony) Emit(e event.Envelope) {
	switch ev := e.Event.(type) {
	case event.RunStarted:
		t.header, t.spoken, t.ended = ev, map[string][]string{}, nil
	case event.StepLog:
		t.say(ev.Address, e.Time, ev.Line)
	case event.StepPhase:
		t.say(ev.Address, e.Time, "phase "+ev.Phase)
	case event.StepFinished:
		said := strings.Join(t.spoken[ev.Address], "\n") + "\n"
		for _, line := range spelled(ev.Diagnostics) {
			if !strings.Contains(said, " "+line+"\n") { // a step's output is often its evidence, too
				t.say(ev.Address, e.Time, line)
			}
		}
		t.ended = append(t.ended, ending{ev, e.Time})
	}
}

func (t *testimony) say(address string, at time.Time, text string) {
	lines := t.spoken[address]
	if len(lines) == 2*mostSpoken {
		lines = slices.Delete(lines, 0, mostSpoken)
	}
	for line := range strings.Lines(text) {
		lines = append(lines, at.UTC().Format(time.RFC3339Nano)+" "+strings.TrimRight(line, "\r\n"))
	}
	t.spoken[address] = lines
}

// spelled is all that diagnostics say, line by line.
func spelled(diags []diag.Diagnostic) []string {
	var lines []string
	for _, d := range diags {
		lines = append(lines, "ERROR: "+d.Summary)
		if d.Detail != "" {
			lines = append(lines, d.Detail)
		}
		lines = append(lines, d.Evidence...)
	}
	return lines
}

// lastRun reads the log of the last run of this runbook that was to change
// something; nil when there is none.
func (r *run) lastRun() (*testimony, error) {
	ids, err := Runs(r.home(r.book))
	if err != nil {
		return nil, err
	}
	seen := 0
	for _, id := range slices.Backward(ids) {
		if seen++; id == r.id || seen > oldestRun {
			continue
		}
		var t testimony
		err := Replay(r.home(r.book), id, &t)
		changes := t.header.Command == "apply" || t.header.Command == "destroy"
		if changes && t.header.Runbook == r.book.Name {
			return &t, err
		}
	}
	return nil, nil
}

// thisRun is what the run under way has said so far.
func (r *run) thisRun() (*testimony, error) {
	var t testimony
	return &t, Replay(r.home(r.book), r.id, &t)
}

// record gives a run's testimony to rec: how every step ended, and all that
// those said that failed.
func (r *run) record(t *testimony, rec evidence.Recorder) {
	last := map[string]int{}
	for n, e := range t.ended {
		last[e.Address] = n // a step may have been planned before it was done
	}
	for n, e := range t.ended {
		if last[e.Address] != n {
			continue
		}
		place := r.placeNamed(e.Target)
		rec.Fact(e.Address, place, &evidence.StepResult{
			Module: e.Module, Target: e.Target, Status: string(e.Status), Summary: e.Summary,
			Error: strings.Join(spelled(e.Diagnostics), "\n"), Age: int64(r.Clock().Sub(e.at).Seconds()),
		})
		spoken := t.spoken[e.Address]
		if e.Status != event.Failed || len(spoken) == 0 {
			continue
		}
		log := evidence.Log{Kind: evidence.RunLog, Name: "step " + e.Address + spokenIn + t.header.Command, Place: place}
		if err := rec.Log(log, strings.NewReader(strings.Join(spoken, "\n")+"\n")); err != nil {
			rec.Gap("the run's log of "+e.Address, place, err)
		}
	}
}

// placeNamed is the place of the target that events call name.
func (r *run) placeNamed(name string) evidence.Place {
	for _, block := range r.book.Targets {
		for _, host := range block.Hosts {
			if host.String() == name {
				return placeOf(host)
			}
		}
	}
	if pod, container, ok := strings.Cut(name, "/"); ok {
		return placeOf(conn.Target{Kind: conn.Container, Pod: pod, Container: container})
	}
	return evidence.Place{}
}
