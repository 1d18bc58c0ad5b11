// Package diagnosis finds the cause of a failure: it holds the evidence of a
// site against the signatures of a knowledge base, joins what holds into chains
// of cause and symptom, and says what it rests on.
package diagnosis

import (
	"time"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// Confidence is how sure a finding is.
type Confidence string

const (
	Certain  Confidence = "certain"  // the cause itself was seen, or two independent signs of it
	Likely   Confidence = "likely"   // a sign that hardly comes of anything else
	Possible Confidence = "possible" // signs that fit
)

// Verdict is the outcome of a diagnosis.
type Verdict struct {
	Causes   []Finding      `json:"causes"`   // the most likely and deepest first
	Warnings []Finding      `json:"warnings"` // nothing has failed of them yet
	RuledOut []Layer        `json:"ruled_out"`
	Gaps     []evidence.Gap `json:"gaps"` // what could not be looked at
	Logs     int            `json:"logs"`
	Bytes    int64          `json:"bytes"` // of logs
	Facts    int            `json:"facts"`
	Problems []string       `json:"problems,omitempty"` // evidence that could not be read, signatures that failed
}

// Layer says how many signatures of a layer were looked for in vain.
type Layer struct {
	Name       string `json:"name"`
	Signatures int    `json:"signatures"`
	Blind      bool   `json:"blind,omitempty"` // some of its evidence is missing
}

// Finding is a cause that was found.
type Finding struct {
	ID         string           `json:"id"`
	Title      string           `json:"title"`
	Layer      string           `json:"layer"`
	Confidence Confidence       `json:"confidence"`
	Rests      []string         `json:"rests"` // what the confidence rests on, in words
	Places     []evidence.Place `json:"places"`
	Cause      string           `json:"cause"`
	Check      string           `json:"check,omitempty"`
	Remedy     string           `json:"remedy,omitempty"`
	Evidence   []Quote          `json:"evidence"`
	Symptoms   []Finding        `json:"symptoms,omitempty"` // what it explains
	Fix        *Fix             `json:"fix,omitempty"`
}

// Quote is a piece of evidence as it was found.
type Quote struct {
	Where string    `json:"where"` // "pod antdb-7d…, container database"
	Time  time.Time `json:"time,omitzero"`
	Line  int       `json:"line,omitempty"` // number in its log, from 1
	Text  string    `json:"text"`
	Count int       `json:"count,omitempty"` // how often, when more than once
}

// Fix is a runbook that takes the cause away, and what it is to be given.
type Fix struct {
	Runbook string         `json:"runbook"` // path in the knowledge base, or of the user's
	Vars    map[string]any `json:"vars"`
}
