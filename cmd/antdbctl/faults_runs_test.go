package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/state"
)

// running is a run of the program that is in the midst of its slow step.
type running struct {
	*book
	cmd        *exec.Cmd
	out        bytes.Buffer
	complaints shared
}

// shared is a buffer that is read while the program still writes.
type shared struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *shared) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// midst starts an apply and waits until its slow step is at work.
func midst(b *book) *running {
	b.t.Helper()
	b.write("hold", "")
	r := &running{book: b, cmd: b.command(b.t.Context(), "apply", "--auto-approve")}
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.complaints
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(b.t, r.cmd.Start())
	require.Eventually(b.t, func() bool { _, err := os.Stat(b.path("began")); return err == nil }, 20*time.Second, 5*time.Millisecond)
	return r
}

// signal is sent to the program's whole process group, as a terminal does.
func (r *running) signal(sig syscall.Signal) {
	r.t.Helper()
	require.NoError(r.t, syscall.Kill(-r.cmd.Process.Pid, sig))
}

func (r *running) wait() ran {
	r.t.Helper()
	err := r.cmd.Wait()
	if exit := (*exec.ExitError)(nil); err != nil {
		require.ErrorAs(r.t, err, &exit)
	}
	return r.ended(r.cmd, r.out.String(), r.complaints.String())
}

func TestFaultTwoAppliesAtOnce(t *testing.T) {
	b := fixture(t, "runs.hcl")
	b.env = append(b.env, "USER=")
	me, err := user.Current()
	require.NoError(t, err)
	first := midst(b)
	second := b.apply()
	require.Equal(t, exitError, second.code, second.text)
	require.Empty(t, second.steps(event.Changed))
	told := second.diagnostics()
	require.Len(t, told, 1, second.text)
	require.Contains(t, told[0].Summary, fmt.Sprintf("apply by %s on %s (pid %d) since ", me.Username, hostname(t), first.cmd.Process.Pid))
	require.Contains(t, told[0].Remedy, "wait until that run ends")

	b.write("go", "")
	first.wait().done("before", "slow", "needs")
	b.apply().done()
}

func hostname(t *testing.T) string {
	t.Helper()
	name, err := os.Hostname()
	require.NoError(t, err)
	return name
}

func TestFaultGarbageInTheState(t *testing.T) {
	for _, tt := range []struct{ name, garbage, says, todo string }{
		{"no JSON", "{ not a state\x00", "not a state file", "move the file away"},
		{"empty", "", "not a state file", "move the file away"},
		{"another file", `{"name": "x"}`, "it names no format", "move the file away"},
		{"of the future", `{"version": 99}`, "format 99", "newer antdbctl"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBook(t, before)
			b.apply().done("first")
			good := b.read(".antdbctl/book/state.json")
			for _, command := range [][]string{{"apply", "--auto-approve"}, {"plan"}, {"destroy", "--auto-approve"}} {
				b.write(".antdbctl/book/state.json", tt.garbage)
				b.unread = true
				broken := b.run(command[0], command[1:]...)
				require.Equal(t, exitError, broken.code, broken.text)
				told := broken.diagnostics()
				require.Len(t, told, 1, broken.text)
				require.Contains(t, told[0].Summary, ".antdbctl/book/state.json")
				require.Contains(t, told[0].Summary, tt.says)
				require.Contains(t, told[0].Summary+told[0].Remedy, tt.todo)
				require.Equal(t, tt.garbage, b.read(".antdbctl/book/state.json"), "the file is kept as it was")
				require.FileExists(t, b.path("first.txt"))
			}
			b.unread = false
			b.write(".antdbctl/book/state.json", good)
			b.apply().done()
			require.NoError(t, os.Remove(b.path(".antdbctl/book/state.json")))
			b.apply().done()
		})
	}
}

func TestInterruptedOnceARunFinishesWhatIsUnderWay(t *testing.T) {
	b := fixture(t, "runs.hcl")
	r := midst(b)
	r.signal(syscall.SIGINT)
	r.told("finishing what is under way")
	b.write("go", "")
	stopped := r.wait()
	require.Equal(t, exitInterrupted, stopped.code, stopped.text)
	require.Equal(t, []string{"before", "slow"}, stopped.steps(event.Changed))
	require.Equal(t, []string{"needs"}, stopped.steps(event.Cancelled))

	second := b.apply()
	second.done("needs")
	require.Equal(t, []string{"before", "slow"}, second.steps(event.Unchanged))
}

func TestInterruptedTwiceARunStops(t *testing.T) {
	b := fixture(t, "runs.hcl")
	r := midst(b)
	r.signal(syscall.SIGINT)
	r.told("Once more to stop that too")
	r.signal(syscall.SIGINT)
	stopped := r.wait()
	require.Equal(t, exitInterrupted, stopped.code, stopped.text)
	require.Equal(t, []string{"before"}, stopped.steps(event.Changed))
	require.ElementsMatch(t, []string{"slow", "needs"}, stopped.steps(event.Cancelled))
	require.Equal(t, state.Failed, b.state().Steps["slow"].Status)
	b.gone()

	b.write("go", "")
	second := b.apply()
	second.done("slow", "needs")
	require.Equal(t, []string{"before"}, second.steps(event.Unchanged))
}

func TestKilledARunLeavesNoLock(t *testing.T) {
	b := fixture(t, "runs.hcl")
	r := midst(b)
	require.NoError(t, r.cmd.Process.Kill())
	require.Equal(t, -1, r.wait().code)
	require.Contains(t, b.state().Steps, "before")
	require.NoError(t, os.Remove(b.path("hold")))
	b.gone()
	require.NoFileExists(t, b.path("done"))

	runs := exec.Command(b.program, "runs")
	runs.Dir = b.dir
	list, err := runs.CombinedOutput()
	require.NoError(t, err, string(list))
	require.Contains(t, string(list), "apply", "the run that was killed is listed")

	b.write("go", "")
	second := b.apply()
	second.done("slow", "needs")
	require.Equal(t, []string{"before"}, second.steps(event.Unchanged))
}

// told waits for a word on standard error.
func (r *running) told(text string) {
	r.t.Helper()
	require.Eventually(r.t, func() bool { return strings.Contains(r.complaints.String(), text) }, 20*time.Second, 5*time.Millisecond, text)
}

// gone waits until no process of the slow step is left.
func (b *book) gone() {
	b.t.Helper()
	pid, err := strconv.Atoi(strings.TrimSpace(b.read("began")))
	require.NoError(b.t, err)
	require.Eventually(b.t, func() bool {
		_, err := os.Stat(fmt.Sprintf("/proc/%d", pid))
		return errors.Is(err, fs.ErrNotExist)
	}, 20*time.Second, 5*time.Millisecond, "process %d of the step", pid)
}
