// Package report shows a run to someone: a person at a terminal, or a program
// that reads JSON lines. Each sink is a pure function of the event stream, so a
// stored run can be shown again.
package report

import (
	"encoding/json"
	"io"

	"github.com/adbsql/antdbctl/engine/event"
)

// JSONLines writes every event as one JSON object a line.
type JSONLines struct {
	enc *json.Encoder
	err error
}

// NewJSONLines writes to w.
func NewJSONLines(w io.Writer) *JSONLines { return &JSONLines{enc: json.NewEncoder(w)} }

// Emit implements event.Sink.
func (j *JSONLines) Emit(e event.Envelope) {
	if j.err == nil {
		j.err = j.enc.Encode(e)
	}
}

// Err is the first error of the writer, such as a closed pipe.
func (j *JSONLines) Err() error { return j.err }
