// Package module says what a module is: one verb of the runbook language, one
// struct whose tags are its arguments and outputs, and two methods.
package module

import (
	"context"
	"path/filepath"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// Module is one verb of the runbook language. The engine makes a fresh value,
// fills its arguments from the step, and calls Check, then perhaps Apply, then
// Check again on the same value.
type Module interface {
	// Info describes the module. It is called on the zero value.
	Info() Info
	// Check looks at the world, fills the outputs it can see, and says what
	// Apply would change. It never writes. While it wants a change it leaves at
	// their zero value all outputs that Apply may alter: those count as unknown.
	Check(ctx context.Context, env *Env) (Change, error)
	// Apply makes the change that Check wanted and may fill outputs. It must be
	// safe to run again after it was interrupted anywhere.
	Apply(ctx context.Context, env *Env) error
}

// Destroyer is a Module that can take back what Apply made. The engine calls
// Check first, so outputs are filled, and does not call Destroy when Check
// answers Create: then nothing is there. A Check that fails keeps it from being
// destroyed, unless the error is a Refusal. Destroying twice is no error.
type Destroyer interface {
	Destroy(ctx context.Context, env *Env) error
}

// Loser is a Destroyer that may take away what nothing brings back, such as
// data and, apart from them, their backups. Each loss is a noun phrase; the
// engine shows them beside the destruction, and asks about each by itself. It
// calls Losses after Check.
type Loser interface {
	Losses() []string
}

// Collector is a read-only Module that gathers evidence for a diagnosis. All its
// arguments are optional: the engine runs it, with defaults, on every target of
// its kinds. It goes on where something cannot be looked at and notes the gap;
// an error says that it saw nothing at all. It ends soon after ctx does, with
// what it has by then.
type Collector interface {
	Collect(ctx context.Context, env *Env, rec evidence.Recorder) error
}

// Validator is a Module with rules that its tags cannot say. Validate runs
// offline, once all arguments are known.
type Validator interface {
	Validate() error
}

// Info names and explains a module.
type Info struct {
	Name    string   // "image.build"
	Summary string   // one sentence, for lists
	Doc     string   // what it does and promises, Markdown, for its page
	On      []string // kinds of target it works on (conn.Local, …); the first is the natural one
	Example string   // HCL, shown in the reference and run by the tests
	// ReadOnly modules never want a change: Check does all the work and Apply
	// is never called. Playbooks may look with them, and only with them.
	ReadOnly bool
	// Outward modules change a site in a way that other people notice; plans
	// mark them.
	Outward bool
}

// Env is what the engine lends a module for one call.
type Env struct {
	conn.Host             // where the step works
	Target    conn.Target // what that place is
	Dialer    conn.Dialer // opens targets that are arguments
	Dir       string      // folder of the runbook; relative paths start there

	// Progress reports how far a long call is; unit is "B" for bytes, else a
	// noun. total is 0 when unknown. It may be called often.
	Progress func(done, total int64, unit string)
	// Phase names what a long call is doing now, in a word or two.
	Phase func(name string)
	// Logf adds a line to the step's log.
	Logf func(format string, args ...any)
}

// Path resolves a path of this machine as a runbook wrote it.
func (e *Env) Path(p string) string {
	if p == "" || filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(e.Dir, p)
}
