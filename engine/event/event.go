// Package event is everything that a run says, as one typed stream. Terminal,
// JSON lines, reports and logs are sinks of it; nothing is shown that is not
// an event, and a report can be made again from a stored stream.
package event

import (
	"time"

	"github.com/adbsql/antdbctl/engine/diag"
	"github.com/adbsql/antdbctl/engine/diagnosis"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
)

// Event is one thing that happened. The types below are all there are.
type Event interface{ Type() string }

// Envelope is an event with its place in the stream.
type Envelope struct {
	Time  time.Time
	Seq   uint64 // from 1, without gaps
	Run   string
	Event Event
}

// Sink takes a run's events, one at a time and in order.
type Sink interface{ Emit(Envelope) }

// RunStarted opens the stream.
type RunStarted struct {
	Command string `json:"command"` // plan, apply, destroy, diagnose, bundle
	Runbook string `json:"runbook"`
	Title   string `json:"title,omitempty"`
	Path    string `json:"path"`
	Digest  string `json:"digest"` // of the runbook's sources
	Steps   int    `json:"steps"`
	Version string `json:"version"`
}

// Status is how an instance of a step stands.
type Status string

const (
	Changed   Status = "changed"   // Apply ran, and Check found nothing left to do
	Unchanged Status = "unchanged" // Check found nothing to do
	Failed    Status = "failed"
	Skipped   Status = "skipped"   // something it needs did not succeed
	Cancelled Status = "cancelled" // interrupted before it began
	Destroyed Status = "destroyed"

	// of plans only
	Certain  Status = "certain"  // this change will be made
	Expected Status = "expected" // this change looks wanted now; a step before it may alter that
	Deferred Status = "deferred" // cannot be known before a step it needs is done
)

// StepPlanned says what a plan found for one instance.
type StepPlanned struct {
	Address string        `json:"address"`
	Step    string        `json:"step"`
	Module  string        `json:"module"`
	Target  string        `json:"target"`
	Status  Status        `json:"status"`
	Action  module.Action `json:"action"`
	Summary string        `json:"summary,omitempty"`
	Diff    []module.Diff `json:"diff,omitempty"`
	Outward bool          `json:"outward,omitempty"`
	Waits   []string      `json:"waits,omitempty"` // steps that a deferred one waits for
}

// PlanFinished closes the part of the stream that plans.
type PlanFinished struct {
	Counts  map[Status]int `json:"counts"`
	Targets int            `json:"targets"`
	Orphans []string       `json:"orphans,omitempty"` // in the state, no longer in the runbook
	Left    []string       `json:"left,omitempty"`    // a destroy leaves these: by the state, the runbook did not make them
}

// StepStarted says that work on an instance begins.
type StepStarted struct {
	Address string `json:"address"`
	Step    string `json:"step"`
	Module  string `json:"module"`
	Target  string `json:"target"`
}

// StepPhase names what a long step does now.
type StepPhase struct {
	Address string `json:"address"`
	Phase   string `json:"phase"`
}

// StepProgress says how far a long step is. Total is 0 when unknown.
type StepProgress struct {
	Address string `json:"address"`
	Done    int64  `json:"done"`
	Total   int64  `json:"total"`
	Unit    string `json:"unit"` // "B" for bytes, else a noun
}

// StepLog is one line that a step's work printed.
type StepLog struct {
	Address string `json:"address"`
	Line    string `json:"line"`
}

// StepFinished says how an instance ended.
type StepFinished struct {
	Address     string            `json:"address"`
	Step        string            `json:"step"`
	Module      string            `json:"module"`
	Target      string            `json:"target"`
	Status      Status            `json:"status"`
	Proved      bool              `json:"proved"` // Check was asked again after the change
	Action      module.Action     `json:"action"`
	Summary     string            `json:"summary,omitempty"`
	Diff        []module.Diff     `json:"diff,omitempty"`
	Seconds     float64           `json:"seconds"`
	Diagnostics []diag.Diagnostic `json:"diagnostics,omitempty"`
	Needs       string            `json:"needs,omitempty"` // why it was skipped
	Transfers   []Transfer        `json:"transfers,omitempty"`
}

// Transfer is how many bytes an instance moved, and how long that took.
type Transfer struct {
	Verb    string  `json:"verb,omitempty"` // first word of the phase: save, send
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"`
}

// Diagnosed carries faults of the runbook, or of the run as a whole.
type Diagnosed struct {
	Diagnostics []diag.Diagnostic `json:"diagnostics"`
}

// Finding is a cause that a playbook found.
type Finding struct {
	Playbook string         `json:"playbook"`
	Title    string         `json:"title"`
	Cause    string         `json:"cause"`
	Remedy   string         `json:"remedy,omitempty"`
	Evidence []string       `json:"evidence,omitempty"`
	Fix      *diagnosis.Fix `json:"fix,omitempty"`
	Offer    string         `json:"offer,omitempty"` // the command that plans and applies the fix
}

// PlaybookFinished says what a playbook came to.
type PlaybookFinished struct {
	Playbook string `json:"playbook"`
	Findings int    `json:"findings"`
	Blind    int    `json:"blind"` // looks that could not be taken everywhere
}

// Collecting says that a diagnosis begins to look around.
type Collecting struct {
	Language string   `json:"language"`
	Places   []string `json:"places"`
	Looks    int      `json:"looks"`   // collectors to run, over all places
	Seconds  float64  `json:"seconds"` // that they have
}

// Verdict is what the knowledge base makes of what was seen.
type Verdict struct {
	diagnosis.Verdict
	Language string    `json:"language"` // of its texts: en, zh
	Places   []string  `json:"places,omitempty"`
	Bundle   string    `json:"bundle,omitempty"`  // the file that the evidence came out of
	Taken    time.Time `json:"taken,omitzero"`    // of a bundle
	After    []string  `json:"after,omitempty"`   // the steps whose failure it is about; none when it was asked for
	Blind    bool      `json:"blind,omitempty"`   // no place could be looked at
	Command  string    `json:"command,omitempty"` // repeats the diagnosis; with --fix ID it fixes
	Seconds  float64   `json:"seconds"`
}

// Bundled says what was packed into a file.
type Bundled struct {
	Language string         `json:"language"`
	Path     string         `json:"path"`
	Size     int64          `json:"size"` // of the file
	Facts    int            `json:"facts"`
	Logs     int            `json:"logs"`
	Bytes    int64          `json:"bytes"` // of the logs
	Redacted []Redacted     `json:"redacted,omitempty"`
	Gaps     []evidence.Gap `json:"gaps,omitempty"`
	Command  string         `json:"command"` // diagnoses it
}

// Redacted counts the secrets of one kind that were taken out.
type Redacted struct {
	Kind  string `json:"kind"`
	Count int    `json:"count"`
}

// FixFinished says whether a fix has taken its finding away.
type FixFinished struct {
	Language string `json:"language"`
	Finding  string `json:"finding"`
	Title    string `json:"title"`
	Gone     bool   `json:"gone"`
	Blind    bool   `json:"blind,omitempty"`   // gone, but less could be seen than before
	Hearsay  bool   `json:"hearsay,omitempty"` // it was known from the last run alone: the next one proves it
	Remedy   string `json:"remedy,omitempty"`
}

// RunFinished closes the stream.
type RunFinished struct {
	Command     string         `json:"command"`
	OK          bool           `json:"ok"`
	Interrupted bool           `json:"interrupted,omitempty"`
	Declined    bool           `json:"declined,omitempty"` // the operator did not approve, so nothing was changed
	Counts      map[Status]int `json:"counts"`
	Seconds     float64        `json:"seconds"`
	RoundTrips  int64          `json:"round_trips"` // commands run on targets
	Outputs     []Output       `json:"outputs,omitempty"`
}

// Output is a value that the runbook shows at its end.
type Output struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

func (RunStarted) Type() string       { return "run_started" }
func (StepPlanned) Type() string      { return "step_planned" }
func (PlanFinished) Type() string     { return "plan_finished" }
func (StepStarted) Type() string      { return "step_started" }
func (StepPhase) Type() string        { return "step_phase" }
func (StepProgress) Type() string     { return "step_progress" }
func (StepLog) Type() string          { return "step_log" }
func (StepFinished) Type() string     { return "step_finished" }
func (Diagnosed) Type() string        { return "diagnosed" }
func (Finding) Type() string          { return "finding" }
func (PlaybookFinished) Type() string { return "playbook_finished" }
func (Collecting) Type() string       { return "collecting" }
func (Verdict) Type() string          { return "verdict" }
func (Bundled) Type() string          { return "bundled" }
func (FixFinished) Type() string      { return "fix_finished" }
func (RunFinished) Type() string      { return "run_finished" }
