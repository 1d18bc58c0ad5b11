// Package state keeps the diary of a runbook: what was done, where, in which
// run. The world is the truth; deleting the diary must not break the next
// apply. No secret ever enters it.
package state

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Version is the format that this program writes. It reads this one and older.
const Version = 1

// State is the diary of one runbook. Serial grows by one with every Save.
type State struct {
	Version int               `json:"version"`
	Lineage string            `json:"lineage"` // made once, at the first Save
	Serial  uint64            `json:"serial"`
	Runbook string            `json:"runbook"`
	Steps   map[string]Record `json:"steps"` // by address
}

// Record is what is remembered of one instance of a step.
type Record struct {
	Module  string          `json:"module"`
	Target  string          `json:"target"`
	Status  string          `json:"status"` // done, failed
	Summary string          `json:"summary,omitempty"`
	Outputs json.RawMessage `json:"outputs,omitempty"`
	Created bool            `json:"created,omitempty"` // a run made it from nothing, so a destroy may take it away
	Changed time.Time       `json:"changed,omitzero"`  // when a run last changed the world for it
	Checked time.Time       `json:"checked"`           // when a run last looked
	Run     string          `json:"run"`               // the run that last wrote this
}

// The statuses of a Record.
const (
	Done   = "done"
	Failed = "failed"
)

// Store keeps a State. Every method is safe for concurrent use.
type Store interface {
	// Load gives the state, or an empty one (Serial 0) when there is none yet.
	Load(ctx context.Context) (*State, error)
	// Save writes s and raises its Serial. It is atomic, and refuses with
	// ErrMoved when someone else saved since s was loaded.
	Save(ctx context.Context, s *State) error
	// Lock gives the caller the runbook for itself. A lock that another holds
	// is a *LockedError. unlock is safe to call twice.
	Lock(ctx context.Context, owner Owner) (unlock func() error, err error)
}

// ErrMoved says that the stored state is not the one that was loaded.
var ErrMoved = errors.New("the state was changed by someone else since it was read")

// ErrDamaged says that what is stored cannot be read as a state.
var ErrDamaged = errors.New("not a state file")

// Owner says who holds a lock.
type Owner struct {
	User    string    `json:"user"`
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
}

// LockedError reports a lock that another holds.
type LockedError struct{ Owner Owner }

func (e *LockedError) Error() string {
	if e.Owner.PID == 0 {
		return "another run holds the lock"
	}
	return fmt.Sprintf("another run holds the lock: %s by %s on %s (pid %d) since %s",
		e.Owner.Command, e.Owner.User, e.Owner.Host, e.Owner.PID, e.Owner.Since.Format(time.DateTime))
}

// decode reads a stored state and refuses what this program cannot understand.
func decode(data []byte) (*State, error) {
	var s State
	if err := json.Unmarshal(data, &s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if s.Version < 1 {
		return nil, fmt.Errorf("%w: it names no format", ErrDamaged)
	}
	if s.Version > Version {
		return nil, fmt.Errorf("state has format %d and this antdbctl knows up to %d: use a newer antdbctl", s.Version, Version)
	}
	if s.Steps == nil {
		s.Steps = map[string]Record{}
	}
	return &s, nil
}

func empty() *State { return &State{Version: Version, Steps: map[string]Record{}} }
