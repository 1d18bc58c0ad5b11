package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diag"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/state"
)

// book is a runbook in a folder of its own, and the program that runs there as
// a process of its own.
type book struct {
	t       *testing.T
	dir     string
	program string
	env     []string // over the test's own
	vars    []string
	unread  bool // the state is garbage, by the test's own hand
}

func newBook(t *testing.T, text string) *book {
	t.Helper()
	program, err := exec.LookPath("antdbctl") // TestMain put it there
	require.NoError(t, err)
	b := &book{t: t, dir: t.TempDir(), program: program}
	b.env = []string{"HOME=" + b.dir, "XDG_CACHE_HOME=" + b.dir + "/cache", "SSH_AUTH_SOCK="}
	b.write("book.hcl", text)
	return b
}

// fixture is newBook with a runbook of testdata/faults.
func fixture(t *testing.T, name string) *book {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "faults", name))
	require.NoError(t, err)
	return newBook(t, string(text))
}

func (b *book) path(name string) string { return filepath.Join(b.dir, name) }

func (b *book) write(name, text string) {
	b.t.Helper()
	require.NoError(b.t, os.WriteFile(b.path(name), []byte(text), 0o600))
}

func (b *book) read(name string) string {
	b.t.Helper()
	text, err := os.ReadFile(b.path(name))
	require.NoError(b.t, err)
	return string(text)
}

func (b *book) set(name, value string) { b.vars = append(b.vars, "--var", name+"="+value) }

// line is the one that ends in the comment "# FAULT", or in that and a name.
func (b *book) line(name string) int {
	b.t.Helper()
	mark := strings.TrimSpace("# FAULT " + name)
	for n, text := range strings.Split(b.read("book.hcl"), "\n") {
		if strings.HasSuffix(text, mark) {
			return n + 1
		}
	}
	require.Fail(b.t, "no line is marked", mark)
	return 0
}

// ran is how one run of the program ended.
type ran struct {
	t      *testing.T
	code   int
	events []event.Envelope
	text   string // all that it printed
}

// command prepares a run with JSON lines on its standard output.
func (b *book) command(ctx context.Context, command string, args ...string) *exec.Cmd {
	all := append([]string{command, "book.hcl", "--json"}, b.vars...)
	cmd := exec.CommandContext(ctx, b.program, append(all, args...)...)
	cmd.Dir, cmd.Env = b.dir, append(os.Environ(), b.env...)
	return cmd
}

func (b *book) run(command string, args ...string) ran {
	b.t.Helper()
	cmd := b.command(b.t.Context(), command, args...)
	var out, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaints
	err := cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil {
		require.ErrorAs(b.t, err, &exit)
	}
	return b.ended(cmd, out.String(), complaints.String())
}

func (b *book) ended(cmd *exec.Cmd, out, complaints string) ran {
	b.t.Helper()
	r := ran{t: b.t, code: cmd.ProcessState.ExitCode(), text: out + complaints}
	for line := range strings.Lines(out) {
		var e event.Envelope
		require.NoError(b.t, json.Unmarshal([]byte(line), &e), line)
		r.events = append(r.events, e)
	}
	for _, internal := range []string{"panic", "goroutine ", "runtime error", "%!", "<nil>"} {
		require.NotContains(b.t, r.text, internal)
	}
	if !b.unread {
		b.state() // whatever happened, the diary can be read
	}
	return r
}

func (b *book) apply() ran { b.t.Helper(); return b.run("apply", "--auto-approve") }

func (b *book) state() *state.State {
	b.t.Helper()
	s, err := state.NewFile(b.path(".antdbctl/book")).Load(b.t.Context())
	require.NoError(b.t, err)
	return s
}

// done asserts that the run went well, and which steps it changed.
func (r ran) done(changed ...string) {
	r.t.Helper()
	require.Zero(r.t, r.code, r.text)
	require.Equal(r.t, changed, r.steps(event.Changed), r.text)
}

// steps are the addresses that ended so, in order of their end.
func (r ran) steps(status event.Status) []string {
	var all []string
	for _, e := range r.events {
		if f, ok := e.Event.(event.StepFinished); ok && f.Status == status {
			all = append(all, f.Address)
		}
	}
	return all
}

// diagnostics are all that the run has to say.
func (r ran) diagnostics() []diag.Diagnostic {
	var all []diag.Diagnostic
	for _, e := range r.events {
		switch e := e.Event.(type) {
		case event.Diagnosed:
			all = append(all, e.Diagnostics...)
		case event.StepFinished:
			all = append(all, e.Diagnostics...)
		}
	}
	return all
}

// fault is what an operator must be told about one fault.
type fault struct {
	line     int
	says     string // in the summary or detail: what is wrong
	evidence string // in the evidence; empty where the source line is all there is
	remedy   string // in the remedy or detail: what to do
}

// failed asserts that the run failed with this one fault and says all of it.
func (r ran) failed(want fault) diag.Diagnostic {
	r.t.Helper()
	require.Equal(r.t, exitError, r.code, r.text)
	all := r.diagnostics()
	var shown bytes.Buffer
	require.NoError(r.t, diag.Text(&shown, all, diag.Options{}))
	r.t.Logf("the operator reads:\n%s", &shown)
	require.Len(r.t, all, 1, shown.String())
	d := all[0]
	require.Equal(r.t, diag.Error, d.Severity)
	require.Equal(r.t, "book.hcl", filepath.Base(d.File))
	require.Equal(r.t, want.line, d.Line, shown.String())
	require.NotEmpty(r.t, d.Snippet)
	require.Contains(r.t, d.Summary+" "+d.Detail, want.says)
	require.Contains(r.t, strings.Join(d.Evidence, "\n"), want.evidence)
	require.NotEmpty(r.t, d.Detail+d.Remedy, "nothing says what to do")
	require.Contains(r.t, d.Detail+" "+d.Remedy, want.remedy)
	return d
}
