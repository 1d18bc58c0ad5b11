package module

import "fmt"

// Change is what Apply would do. The zero Change means nothing.
type Change struct {
	Action  Action
	Summary string // one line: "create /etc/motd (0644, 61 B)"
	Diff    []Diff
}

// Diff is one visible difference. Secrets never stand in it. Before and After
// may be of several lines; sinks show such as a line diff.
type Diff struct {
	Path   string `json:"path"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// Action is the shape of a change.
type Action int

const (
	None    Action = iota
	Create         // something that is not there comes to be
	Update         // something that is there changes in place
	Replace        // something is removed and made anew
	Run            // an act with no lasting trace to check: it runs each time and is not proved
	Delete         // something is taken away
)

// NoChange is the answer of a Check that found the world in order.
var NoChange Change

// Wanted reports whether there is something to do.
func (c Change) Wanted() bool { return c.Action != None }

var actionNames = [...]string{None: "none", Create: "create", Update: "update", Replace: "replace", Run: "run", Delete: "delete"}

func (a Action) String() string { return actionNames[a] }

// MarshalText makes actions words in JSON.
func (a Action) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText reads the word.
func (a *Action) UnmarshalText(text []byte) error {
	for i, name := range actionNames {
		if name == string(text) {
			*a = Action(i)
			return nil
		}
	}
	return fmt.Errorf("unknown action %q", text)
}

// Symbol is the action's one-character mark in plans.
func (a Action) Symbol() string {
	return [...]string{None: " ", Create: "+", Update: "~", Replace: "!", Run: ">", Delete: "-"}[a]
}

// At says which argument an error is about. The engine turns it into a
// diagnostic that points at that argument in the runbook. A nil error stays nil.
func At(arg string, err error) error {
	if err == nil {
		return nil
	}
	return &ArgError{Arg: arg, Err: err}
}

// ArgError is an error about one argument.
type ArgError struct {
	Arg string
	Err error
}

func (e *ArgError) Error() string { return e.Err.Error() }
func (e *ArgError) Unwrap() error { return e.Err }

// Explain adds to err what an operator needs: quoted evidence (log lines,
// answers) and what to do. A nil error stays nil.
func Explain(err error, remedy string, evidence ...string) error {
	if err == nil {
		return nil
	}
	return &Explained{Err: err, Remedy: remedy, Evidence: evidence}
}

// Explained is an error with its evidence.
type Explained struct {
	Err      error
	Remedy   string
	Evidence []string
}

func (e *Explained) Error() string { return e.Err.Error() }
func (e *Explained) Unwrap() error { return e.Err }

// Refuse marks an error of Check that says: it is there, and Apply cannot make
// it what the runbook wants. A plan fails with it, while a destroy, which wants
// it gone in any case, goes on. A nil error stays nil.
func Refuse(err error) error {
	if err == nil {
		return nil
	}
	return &Refusal{Err: err}
}

// Refusal is an error of Refuse.
type Refusal struct{ Err error }

func (e *Refusal) Error() string { return e.Err.Error() }
func (e *Refusal) Unwrap() error { return e.Err }
