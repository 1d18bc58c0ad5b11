package proc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Daemon is a background process that outlives this one. Its pid file holds the pid and the process's start time,
// so a pid that the kernel has given to somebody else since is never taken for ours.
type Daemon struct {
	Name string
	Argv []string
	Env  []string
	Dir  string // state folder: pids/NAME and logs/NAME.log below it
}

func (d Daemon) pidFile() string { return filepath.Join(d.Dir, "pids", d.Name) }

// LogFile is where the daemon's output goes.
func (d Daemon) LogFile() string { return filepath.Join(d.Dir, "logs", d.Name+".log") }

// Pid returns the daemon's pid, or 0 when it does not run.
func (d Daemon) Pid() int {
	content, err := os.ReadFile(d.pidFile())
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(content))
	if len(fields) != 2 {
		return 0
	}
	pid, err := strconv.Atoi(fields[0])
	if err != nil || startTime(pid) != fields[1] {
		return 0
	}
	return pid
}

// Start starts the daemon unless it runs already; started says which.
func (d Daemon) Start() (started bool, err error) {
	if d.Pid() != 0 {
		return false, nil
	}
	for _, file := range []string{d.pidFile(), d.LogFile()} {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return false, err
		}
	}
	log, err := os.OpenFile(d.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return false, err
	}
	defer log.Close()
	cmd := exec.Command(d.Argv[0], d.Argv[1:]...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), d.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return false, fmt.Errorf("start %s: %w", d.Name, err)
	}
	go cmd.Wait() // reaps it when it dies while we still run
	pid := cmd.Process.Pid
	line := fmt.Sprintf("%d %s\n", pid, startTime(pid))
	return true, os.WriteFile(d.pidFile(), []byte(line), 0o644)
}

// Stop asks the daemon to end, kills it after grace, and removes its pid file. Not running is fine.
func (d Daemon) Stop(grace time.Duration) error {
	if pid := d.Pid(); pid != 0 {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop %s: %w", d.Name, err)
		}
		gone := func() bool { return d.Pid() == 0 }
		if !poll(grace, gone) {
			_ = syscall.Kill(pid, syscall.SIGKILL) // it may have gone in between
			if !poll(5*time.Second, gone) {
				return fmt.Errorf("stop %s: process %d does not die", d.Name, pid)
			}
		}
	}
	if err := os.Remove(d.pidFile()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// WaitFor polls ready until it returns nil. It gives up early when the daemon has died, and then shows the log's end.
func (d Daemon) WaitFor(ctx context.Context, limit time.Duration, ready func(context.Context) error) error {
	deadline := time.Now().Add(limit)
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if d.Pid() == 0 {
			return fmt.Errorf("%s has died; the end of %s:\n%s", d.Name, d.LogFile(), d.logTail())
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready after %s: %w; the end of %s:\n%s", d.Name, limit, err, d.LogFile(), d.logTail())
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (d Daemon) logTail() string {
	content, err := os.ReadFile(d.LogFile())
	if err != nil {
		return err.Error()
	}
	return tail(strings.TrimSpace(string(content)), 12)
}

func poll(limit time.Duration, done func() bool) bool {
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if done() {
			return true
		}
	}
	return done()
}

// startTime is field 22 of /proc/PID/stat: clock ticks since boot. Empty when the process is gone or a zombie.
func startTime(pid int) string {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// the second field is the command in parentheses and may hold spaces
	_, rest, found := strings.Cut(string(content[strings.LastIndexByte(string(content), ')'):]), " ")
	fields := strings.Fields(rest)
	if !found || len(fields) < 20 || fields[0] == "Z" {
		return ""
	}
	return fields[19]
}

// Resident is the memory a process holds, in bytes; 0 when it is gone.
func Resident(pid int) int64 {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(content))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
