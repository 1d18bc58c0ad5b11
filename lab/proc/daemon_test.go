package proc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDaemonStartsOnceAndStops(t *testing.T) {
	d := Daemon{Name: "sleeper", Dir: t.TempDir(), Argv: []string{"sleep", "100"}}
	t.Cleanup(func() { _ = d.Stop(time.Second) })

	started, err := d.Start()
	require.NoError(t, err)
	require.True(t, started)
	pid := d.Pid()
	require.NotZero(t, pid)
	require.Positive(t, Resident(pid))

	started, err = d.Start()
	require.NoError(t, err)
	require.False(t, started)
	require.Equal(t, pid, d.Pid())

	require.NoError(t, d.Stop(5*time.Second))
	require.Zero(t, d.Pid())
	require.NoError(t, d.Stop(time.Second), "stopping what does not run")
}

func TestDaemonThatIgnoresTermIsKilled(t *testing.T) {
	d := Daemon{Name: "deaf", Dir: t.TempDir(), Argv: []string{"sh", "-c", `trap "" TERM; echo deaf; while :; do sleep 0.1; done`}}
	_, err := d.Start()
	require.NoError(t, err)
	heard := func(context.Context) error {
		if content, _ := os.ReadFile(d.LogFile()); len(content) == 0 {
			return errors.New("no trap yet")
		}
		return nil
	}
	require.NoError(t, d.WaitFor(t.Context(), 10*time.Second, heard))
	require.NoError(t, d.Stop(200*time.Millisecond))
	require.Zero(t, d.Pid())
}

func TestPidOfAnotherProcessIsNotOurs(t *testing.T) {
	d := Daemon{Name: "old", Dir: t.TempDir()}
	require.NoError(t, os.MkdirAll(filepath.Dir(d.pidFile()), 0o755))
	stale := fmt.Sprintf("%d %s0\n", os.Getpid(), startTime(os.Getpid()))
	require.NoError(t, os.WriteFile(d.pidFile(), []byte(stale), 0o644))

	require.Zero(t, d.Pid())
	require.NoError(t, d.Stop(time.Second))
	require.NoError(t, syscall.Kill(os.Getpid(), 0), "we are still here")
}

func TestWaitForShowsTheLogOfADeadDaemon(t *testing.T) {
	d := Daemon{Name: "doomed", Dir: t.TempDir(), Argv: []string{"sh", "-c", "echo no such flag; exit 1"}}
	_, err := d.Start()
	require.NoError(t, err)
	err = d.WaitFor(t.Context(), 10*time.Second, func(context.Context) error { return errors.New("not yet") })
	require.ErrorContains(t, err, "doomed has died")
	require.ErrorContains(t, err, "no such flag")
}

func TestKillMentioningSparesOthers(t *testing.T) {
	dir := t.TempDir()
	ours := Daemon{Name: "ours", Dir: dir, Argv: []string{"sh", "-c", "while :; do sleep 0.1; done", "sh", "--root=" + dir + "/x/y"}}
	other := Daemon{Name: "other", Dir: dir, Argv: []string{"sleep", "100"}}
	for _, d := range []Daemon{ours, other} {
		_, err := d.Start()
		require.NoError(t, err)
		t.Cleanup(func() { _ = d.Stop(time.Second) })
	}
	require.NoError(t, KillMentioning(dir+"/x"))
	require.Zero(t, ours.Pid())
	require.NotZero(t, other.Pid())
}

func TestOutputNamesTheCommandAndItsWords(t *testing.T) {
	out, err := Run(t.Context(), "echo", "hello")
	require.NoError(t, err)
	require.Equal(t, "hello\n", out)

	_, err = Run(t.Context(), "sh", "-c", "echo reason >&2; exit 3")
	require.ErrorContains(t, err, "sh -c")
	require.ErrorContains(t, err, "reason")
}

func TestCancelledCommandMayCleanUp(t *testing.T) {
	mark := filepath.Join(t.TempDir(), "mark")
	ctx, cancel := context.WithCancel(t.Context())
	script := `trap 'echo clean >> "$0"; exit 1' INT; echo ready > "$0"; while :; do sleep 0.05; done`
	go func() {
		defer cancel()
		poll(20*time.Second, func() bool { content, _ := os.ReadFile(mark); return len(content) > 0 })
	}()
	_, err := Run(ctx, "sh", "-c", script, mark)
	require.Error(t, err)
	content, err := os.ReadFile(mark)
	require.NoError(t, err)
	require.Equal(t, "ready\nclean\n", string(content))
}
