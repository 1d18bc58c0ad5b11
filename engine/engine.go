// Package engine runs runbooks: it plans them, applies them, takes them back
// and looks for the cause when something fails.
//
// A run walks one graph. Each step expands into its instances (for_each × the
// hosts of its target) as soon as what the expansion refers to is known, and
// each instance is a node: looked at in a plan; checked, applied and checked
// again in an apply.
package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/diag"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
	"github.com/adbsql/antdbctl/engine/secret"
	"github.com/adbsql/antdbctl/engine/state"
)

// Config is what an engine needs from its program.
type Config struct {
	Openers  map[string]conn.Opener // how each kind of target is reached
	Store    state.Store            // nil for the file store beside the runbook
	Sinks    []event.Sink
	Redactor *secret.Redactor
	Clock    func() time.Time
	Parallel int    // instances at work at once; 0 for 32
	Version  string // of the program, for the record

	// Approve asks the operator; nil refuses everything that needs asking.
	Approve func(ctx context.Context, question string) (bool, error)
	// AutoApprove takes every answer for yes.
	AutoApprove bool
	// Diagnosis looks for causes, when asked and when a step fails; nil leaves
	// that to the runbook's playbooks.
	Diagnosis *Diagnosis
	// Home is the folder that holds the state and the logs of runs; empty for
	// the runbook's.
	Home string
	// Stop, once closed, lets what is under way finish and starts nothing new.
	Stop <-chan struct{}
}

// filled is cfg with what it leaves out.
func (cfg Config) filled() Config {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Redactor == nil {
		cfg.Redactor = &secret.Redactor{}
	}
	if cfg.Parallel <= 0 {
		cfg.Parallel = 32
	}
	return cfg
}

// Outcome is how a run ended.
type Outcome struct {
	Run         string
	Counts      map[event.Status]int
	Failed      bool
	Interrupted bool
	Changes     bool // a plan that wants, or cannot rule out, changes

	found findings // of a diagnosis
}

// ErrDeclined says that the operator did not approve.
var ErrDeclined = errors.New("not approved: nothing was changed")

// run is one run of one runbook.
type run struct {
	Config
	id      string
	book    *lang.Runbook
	scope   *lang.Scope
	pool    *conn.Pool
	bus     *event.Bus
	logfile *runLog
	started time.Time
	trips   atomic.Int64
	table   *table
	diary   *diary
	lines   keeper[event.StepPlanned] // what was planned, by address
	found   findings
	known   *Knowledge // once it was needed
	fixed   bool       // a fix was applied just now: what was said before is history
	looked  bool       // it was said once where a diagnosis looks
}

// home is where the state and the logs of a runbook's runs are kept.
func (cfg Config) home(book *lang.Runbook) string {
	if cfg.Home != "" {
		return cfg.Home
	}
	return book.Dir
}

// open prepares a run: a run log, secrets, connections and the state.
func open(ctx context.Context, cfg Config, book *lang.Runbook, command string) (*run, error) {
	cfg = cfg.filled()
	if cfg.Store == nil {
		cfg.Store = state.NewFile(stateDir(book.Path, cfg.home(book)))
	}
	r := &run{Config: cfg, id: newRunID(cfg.Clock()), book: book, started: cfg.Clock(), table: newTable(book)}
	var err error
	if r.logfile, err = createRunLog(filepath.Join(cfg.home(book), StateDir, "runs"), r.id); err != nil {
		return nil, fmt.Errorf("start the run's log: %w", err)
	}
	r.bus = event.NewBus(r.id, cfg.Clock, cfg.Redactor, append([]event.Sink{r.logfile}, cfg.Sinks...)...)
	r.bus.Emit(event.RunStarted{
		Command: command, Runbook: book.Name, Title: book.Title, Path: book.Path,
		Digest: book.Digest, Steps: len(book.Steps), Version: cfg.Version,
	})
	diags := book.ResolveSecrets(ctx, cfg.Redactor)
	if command == "diagnose" || command == "bundle" {
		soften(diags) // what needs the secret is not seen, and that is said
	}
	settings, more := book.Settings()
	diags = append(diags, more...)
	if r.report(diags); diags.HasErrors() {
		return r, errReported
	}
	r.scope = book.Scope()
	r.pool = conn.NewPool(cfg.Openers, settings)
	return r, r.openDiary(ctx)
}

// soften makes warnings of errors.
func soften(diags hcl.Diagnostics) {
	for _, d := range diags {
		d.Severity = hcl.DiagWarning
	}
}

// errReported stops a run whose fault was already shown.
var errReported = errors.New("reported")

func (r *run) report(diags hcl.Diagnostics) {
	if len(diags) > 0 {
		r.bus.Emit(event.Diagnosed{Diagnostics: diag.From(diags, r.book.Sources)})
	}
}

// soft is done when the operator wants nothing new to start, or ctx is.
func (r *run) soft(ctx context.Context) (context.Context, context.CancelFunc) {
	soft, cancel := context.WithCancel(ctx)
	if r.Stop != nil {
		go func() {
			select {
			case <-r.Stop:
				cancel()
			case <-soft.Done():
			}
		}()
	}
	return soft, cancel
}

func (r *run) stopped(ctx context.Context) bool {
	if ctx.Err() != nil {
		return true
	}
	select {
	case <-r.Stop: // a nil channel never answers
		return true
	default:
		return false
	}
}

// finish closes everything and says how the run ended. Every fault is shown as
// an event; the error it gives is only what is not the runbook's or the
// world's: that the operator declined.
func (r *run) finish(ctx context.Context, command string, err error) (Outcome, error) {
	if r.pool != nil {
		err = errors.Join(err, r.pool.Close())
	}
	declined := errors.Is(err, ErrDeclined)
	if err != nil && !errors.Is(err, errReported) && !declined {
		r.report(hcl.Diagnostics{runFault(err)})
	}
	out := Outcome{Run: r.id, Counts: r.table.counts(), Interrupted: r.stopped(ctx)}
	out.Failed = err != nil || out.Counts[event.Failed] > 0 || out.Counts[event.Skipped] > 0
	out.Changes = out.Counts[event.Certain]+out.Counts[event.Expected]+out.Counts[event.Deferred] > 0
	done := event.RunFinished{
		Command: command, OK: !out.Failed && !out.Interrupted, Interrupted: out.Interrupted, Declined: declined, Counts: out.Counts,
		Seconds: r.Clock().Sub(r.started).Seconds(), RoundTrips: r.trips.Load(),
	}
	if command == "apply" && done.OK {
		done.Outputs = r.outputs()
	}
	r.bus.Emit(done)
	logged := r.logfile.Close()
	if declined {
		return out, errors.Join(err, logged)
	}
	return out, logged
}

// newRunID is unique enough for one folder, and sorts by time, also of short
// runs right after each other.
func newRunID(now time.Time) string {
	return now.UTC().Format("20060102-150405.000") + "-" + strings.ToLower(rand.Text()[:4])
}

// whoami names this process for locks.
func whoami(command string, now time.Time) state.Owner {
	host, _ := os.Hostname() // who it is helps, but the lock stands without it
	name := os.Getenv("USER")
	if u, err := user.Current(); err == nil && name == "" { // as in cron jobs and containers
		name = u.Username
	}
	return state.Owner{User: name, Host: host, PID: os.Getpid(), Command: command, Since: now}
}
