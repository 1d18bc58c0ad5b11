package report

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/charmbracelet/x/ansi"

	"github.com/adbsql/antdbctl/engine/diag"
	"github.com/adbsql/antdbctl/engine/event"
)

// Options of a Text sink.
type Options struct {
	Color   bool
	Width   int  // columns; 0 for 100
	Verbose bool // also what did not change, and whole logs
	Quiet   bool // no log lines of steps that went well
}

// Text writes a run as plain lines, each of which stands for itself: for logs,
// pipes and dumb terminals.
type Text struct {
	w    io.Writer
	opts Options
	style

	mu     sync.Mutex
	header event.RunStarted
	plan   []event.StepPlanned
	steps  map[string]*moving // by name, those that report progress
	logs   map[string]bool    // addresses that have logged
}

// NewText writes to w.
func NewText(w io.Writer, opts Options) *Text {
	if opts.Width <= 0 {
		opts.Width = 100
	}
	return &Text{w: w, opts: opts, style: style{opts.Color}, steps: map[string]*moving{}, logs: map[string]bool{}}
}

// Emit implements event.Sink.
func (t *Text) Emit(e event.Envelope) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch ev := e.Event.(type) {
	case event.RunStarted:
		t.header = ev
	case event.StepPlanned:
		t.plan = append(t.plan, ev)
	case event.PlanFinished:
		t.printPlan(ev)
	case event.StepPhase:
		t.restart(ev.Address)
		if !t.logs[ev.Address] { // a step that logs tells its phases there
			t.printf("    %s %s\n", t.dim(ev.Address+":"), ev.Phase)
		}
	case event.StepProgress:
		t.printProgress(e.Time, ev)
	case event.StepLog:
		t.logs[ev.Address] = true
		if !t.opts.Quiet {
			t.printf("    %s %s\n", t.dim(ev.Address+" │"), visible(ansi.Strip(ev.Line)))
		}
	case event.StepFinished:
		t.forget(ev.Address)
		t.printFinished(ev)
	case event.Diagnosed:
		t.printDiags(ev.Diagnostics)
	case event.Finding:
		t.printFinding(ev)
	case event.PlaybookFinished:
		t.printPlaybook(ev)
	case event.Collecting:
		t.printCollecting(ev)
	case event.Verdict:
		t.printVerdict(e.Time, ev)
	case event.Bundled:
		t.printBundled(e.Time, ev)
	case event.FixFinished:
		t.printFix(ev)
	case event.RunFinished:
		t.printEnd(e.Run, ev)
	}
}

func (t *Text) printf(format string, args ...any) { fmt.Fprintf(t.w, format, args...) }

func (t *Text) printFinished(f event.StepFinished) {
	fanOut := strings.Contains(f.Address, "[")
	switch f.Status {
	case event.Changed, event.Destroyed:
		note := f.Summary
		if text := transfers(f.Transfers, f.Summary); text != "" {
			note += " · " + text
		}
		if f.Proved {
			note += t.dim(" · converged")
		}
		t.printf("  %s %-20s %s  %s\n", t.good("✓"), f.Address, t.dim(fmt.Sprintf("%8s", seconds(f.Seconds))), note)
	case event.Unchanged:
		if !fanOut || t.opts.Verbose {
			t.printf("  %s %-20s %s\n", t.dim("="), f.Address, t.dim(fmt.Sprintf("%8s", seconds(f.Seconds))))
		}
	case event.Failed:
		t.printf("  %s %-20s %s  %s\n", t.bad("✗"), f.Address, t.dim(fmt.Sprintf("%8s", seconds(f.Seconds))), f.Module)
		t.printDiags(f.Diagnostics)
	case event.Skipped, event.Cancelled:
		t.printf("  %s %-20s %8s  %s\n", t.warn("-"), f.Address, f.Status, f.Needs)
	}
}

func (t *Text) printDiags(diags []diag.Diagnostic) {
	if len(diags) > 0 {
		diag.Text(t.w, diags, diag.Options{Color: t.opts.Color, Width: t.opts.Width})
	}
}

func (t *Text) printFinding(f event.Finding) {
	t.printf("\n  %s %s\n", t.bad("Finding"), f.Title)
	t.printf("  Cause    %s\n", f.Cause)
	for n, line := range f.Evidence {
		label := "         "
		if n == 0 {
			label = "Evidence "
		}
		t.printf("  %s%s\n", label, visible(line))
	}
	if f.Remedy != "" {
		t.printf("  Remedy   %s\n", f.Remedy)
	}
	if f.Offer != "" {
		t.whole("Fix", f.Offer)
	}
}

func (t *Text) printPlaybook(p event.PlaybookFinished) {
	text := "nothing found"
	if p.Findings > 0 {
		text = plural(p.Findings, "finding")
	}
	if p.Blind > 0 {
		text += fmt.Sprintf("; %s could not be taken", plural(p.Blind, "look"))
	}
	t.printf("\n  %s  playbook %q\n", text, p.Playbook)
}

func (t *Text) printEnd(run string, f event.RunFinished) {
	n := f.Counts
	switch {
	case f.Command == "plan" || looks(f.Command) || f.Declined:
		return
	case f.Interrupted:
		t.printf("\n%s %s. Applying again goes on from here.\n", t.warn("Interrupted:"), t.tally(n))
	case !f.OK && n[event.Failed]+n[event.Changed]+n[event.Destroyed] == 0:
		t.printf("\n%s\n", t.bad("Nothing was changed."))
	case !f.OK && f.Command != "apply":
		t.printf("\n%s.\n", t.bad(t.tally(n)))
	case !f.OK:
		t.printf("\n%s. Applying again goes on from here.\n", t.bad(t.tally(n)))
	case n[event.Changed]+n[event.Destroyed] == 0:
		t.printf("\n%s · proved in %s with %s\n", t.good(plural(n[event.Unchanged], "instance")+" unchanged"), seconds(f.Seconds), plural(int(f.RoundTrips), "round trip"))
	default:
		t.printf("\n%s · %s · run %s  %s\n", t.good(t.tally(n)), seconds(f.Seconds), run, t.dim("(antdbctl show "+run+")"))
	}
	for _, o := range f.Outputs {
		t.printf("  %s = %s\n", o.Name, block(readable(o.Value)))
	}
}

// looks reports whether a command only looks.
func looks(command string) bool { return command == "diagnose" || command == "bundle" }

// block puts a text of several lines, such as a table, below what it belongs to.
func block(text string) string {
	text = strings.TrimRight(text, "\n")
	if !strings.Contains(text, "\n") {
		return text
	}
	return "\n    " + strings.ReplaceAll(text, "\n", "\n    ")
}

// tally lists counts, what matters first.
func (t *Text) tally(n map[event.Status]int) string {
	var parts []string
	for _, s := range []event.Status{event.Failed, event.Skipped, event.Cancelled, event.Changed, event.Destroyed, event.Unchanged} {
		if n[s] > 0 || s == event.Unchanged && n[event.Changed] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[s], s))
		}
	}
	if parts == nil {
		return "nothing done"
	}
	return strings.Join(parts, ", ")
}
