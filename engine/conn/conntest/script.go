package conntest

import (
	"context"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/adbsql/antdbctl/engine/conn"
)

// Script is a made-up place: it answers commands as a test has written down,
// for tests of tongues that need no real tool. A command that nothing was
// written down for fails the test.
//
//	s := conntest.NewScript(t)
//	s.On("docker", "image", "inspect", "...").Says(`[{"Id":"sha256:1"}]`)
//	s.On("docker", "version", "*").Fails(127, "docker: not found")
type Script struct {
	t     testing.TB
	mu    sync.Mutex
	lines []*Line
	calls []conn.Cmd
}

// Line is what a Script says to one kind of command.
type Line struct {
	pattern []string
	answer  func(conn.Cmd) (conn.Result, error)
	left    int // uses; below zero for any number
	used    bool
}

// NewScript makes an empty Script.
func NewScript(t testing.TB) *Script { return &Script{t: t} }

// On begins a line for the commands whose arguments match: "*" stands for any
// one argument, a last "..." for any rest. Of several lines that match, the
// first that is not used up answers. Without an answer it succeeds silently.
func (s *Script) On(pattern ...string) *Line {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &Line{pattern: pattern, left: -1}
	l.Says("")
	s.lines = append(s.lines, l)
	return l
}

// Says makes the command succeed with stdout.
func (l *Line) Says(stdout string) *Line {
	return l.Does(func(conn.Cmd) (conn.Result, error) { return conn.Result{Stdout: stdout}, nil })
}

// Fails makes the command exit with code and stderr.
func (l *Line) Fails(code int, stderr string) *Line {
	return l.Does(func(cmd conn.Cmd) (conn.Result, error) {
		return conn.Result{Stderr: stderr}, &conn.ExitError{Cmd: cmd, Code: code, Stderr: stderr}
	})
}

// Does answers by f, which may read cmd.Stdin.
func (l *Line) Does(f func(cmd conn.Cmd) (conn.Result, error)) *Line {
	l.answer = f
	return l
}

// Once makes the line answer one command only.
func (l *Line) Once() *Line {
	l.left = 1
	return l
}

func (l *Line) matches(args []string) bool {
	for i, p := range l.pattern {
		if p == "..." && i == len(l.pattern)-1 {
			return true
		}
		if i >= len(args) || p != "*" && p != args[i] {
			return false
		}
	}
	return len(args) == len(l.pattern)
}

// Run answers cmd from the script.
func (s *Script) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	if err := ctx.Err(); err != nil {
		return conn.Result{}, err
	}
	answer := s.find(cmd)
	if answer == nil {
		s.t.Errorf("the script has no answer to: %q", cmd.Args)
		return conn.Result{}, &conn.ExitError{Cmd: cmd, Code: 127, Stderr: "not in the script"}
	}
	res, err := answer(cmd)
	if err == nil && cmd.Stdout != nil {
		_, err = io.WriteString(cmd.Stdout, res.Stdout)
		res.Stdout = ""
	}
	return res, err
}

func (s *Script) find(cmd conn.Cmd) func(conn.Cmd) (conn.Result, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, cmd)
	for _, l := range s.lines {
		if l.left != 0 && l.matches(cmd.Args) {
			l.left--
			l.used = true
			return l.answer
		}
	}
	return nil
}

// Calls are the commands so far, each joined by spaces.
func (s *Script) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []string
	for _, c := range s.calls {
		all = append(all, strings.Join(c.Args, " "))
	}
	return all
}

// Cmds are the commands so far.
func (s *Script) Cmds() []conn.Cmd {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Done fails the test when a line was never used.
func (s *Script) Done() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.lines {
		if !l.used {
			s.t.Errorf("nobody ran: %q", l.pattern)
		}
	}
}

// Files, Dial and Close make a Script a conn.Host without files or network.
func (s *Script) Files() (conn.Files, error) { return nil, conn.NotSupported("the script", "files") }

func (s *Script) Dial(context.Context, string, string) (net.Conn, error) {
	return nil, conn.NotSupported("the script", "dial")
}

func (s *Script) Close() error { return nil }
