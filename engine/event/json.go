package event

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"
)

// kinds lists every event, so that a stored stream can be read again.
var kinds = func() map[string]reflect.Type {
	all := map[string]reflect.Type{}
	for _, e := range []Event{
		RunStarted{}, StepPlanned{}, PlanFinished{}, StepStarted{}, StepPhase{}, StepProgress{}, StepLog{},
		StepFinished{}, Diagnosed{}, Finding{}, PlaybookFinished{}, Collecting{}, Verdict{}, Bundled{}, FixFinished{}, RunFinished{},
	} {
		all[e.Type()] = reflect.TypeOf(e)
	}
	return all
}()

type header struct {
	Time time.Time `json:"time"`
	Seq  uint64    `json:"seq"`
	Run  string    `json:"run"`
	Type string    `json:"type"`
}

// MarshalJSON makes one flat object: time, seq, run, type, and the event's own fields.
func (e Envelope) MarshalJSON() ([]byte, error) {
	head, err := json.Marshal(header{e.Time, e.Seq, e.Run, e.Event.Type()})
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(e.Event)
	if err != nil || string(body) == "{}" {
		return head, err
	}
	return append(append(head[:len(head)-1], ','), body[1:]...), nil
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Envelope) UnmarshalJSON(data []byte) error {
	var head header
	if err := json.Unmarshal(data, &head); err != nil {
		return err
	}
	kind, ok := kinds[head.Type]
	if !ok {
		return fmt.Errorf("unknown event %q", head.Type)
	}
	body := reflect.New(kind)
	if err := json.Unmarshal(data, body.Interface()); err != nil {
		return fmt.Errorf("event %s: %w", head.Type, err)
	}
	*e = Envelope{Time: head.Time, Seq: head.Seq, Run: head.Run, Event: body.Elem().Interface().(Event)}
	return nil
}
