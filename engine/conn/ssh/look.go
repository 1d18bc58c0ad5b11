package ssh

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/shell"
)

// patience is how long a look waits for the looks before it to be over, before
// it takes a channel of its own: one of them may be reading a large file. On a
// busy host a turn comes sooner than a channel of one's own would.
const patience = time.Second

// lookShell is a POSIX sh that stays open on a connection and takes one look
// after another. That saves a look what a channel costs, which is most of it.
type lookShell struct {
	turn chan struct{} // held by the look that uses it
	ch   ssh.Channel   // nil before the first look, and after a failure
	out  *bufio.Reader
	err  *bufio.Reader
	mark string            // begins the line that ends an answer
	kept map[string]string // scripts that the shell has in variables, with the variables' names
}

// Scripts of a size are asked for again and again, by other steps and after each
// change, so the shell keeps them: on a slow link their bytes count.
const (
	worthKeeping = 256
	mostKept     = 32
)

func newLookShell() lookShell {
	return lookShell{turn: make(chan struct{}, 1), mark: rand.Text()}
}

// canLook reports whether cmd may go through the open shell: it promises to be
// short and to leave nothing behind, and wants nothing that a shell used by
// others cannot give.
func canLook(cmd conn.Cmd, b become) bool {
	return cmd.Look && !b.changes && len(cmd.Args) > 3 && cmd.Stdin == nil && cmd.Stdout == nil && cmd.Stderr == nil && len(cmd.Env) == 0 && cmd.Dir == ""
}

// look runs cmd in the open shell. done is false when that did not work out, for
// whatever reason; then cmd has to be run the usual way, and may be, since a
// look changes nothing.
func (h *Host) look(ctx context.Context, cmd conn.Cmd) (res conn.Result, err error, done bool) {
	l, err := h.link(ctx)
	if err != nil {
		return res, nil, false
	}
	s := &l.looks
	wait := time.NewTimer(patience)
	defer wait.Stop()
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-wait.C:
		return res, nil, false
	case <-ctx.Done():
		return res, context.Cause(ctx), true
	}
	if s.ch == nil && s.open(ctx, l) != nil {
		return res, nil, false
	}
	answered := make(chan seen, 1)
	go func(s lookShell) { answered <- s.ask(cmd) }(*s)
	select {
	case a := <-answered:
		if a.err != nil {
			s.drop()
			return res, nil, false
		}
		out := conn.NewOutput(cmd)
		_, _ = out.Stdout().Write(a.stdout) // memory takes all
		_, _ = out.Stderr().Write(a.stderr)
		res, err = out.Finish(a.code)
		return res, err, true
	case <-ctx.Done():
		// The look is left to end by itself: it is short and changes nothing.
		s.drop()
		return res, fmt.Errorf("%s: %w", cmd.Args[0], context.Cause(ctx)), true
	}
}

// drop gives the shell up; the next look starts another.
func (s *lookShell) drop() {
	_ = s.ch.Close()
	s.ch = nil
}

// seen is what came of a look.
type seen struct {
	stdout, stderr []byte
	code           int
	err            error
}

// open starts the shell.
func (s *lookShell) open(ctx context.Context, l *link) error {
	ch, requests, err := l.open(ctx)
	if err != nil {
		return err
	}
	go ssh.DiscardRequests(requests)
	ok, err := ch.SendRequest("exec", true, ssh.Marshal(struct{ Command string }{"exec sh"}))
	if err != nil || !ok {
		_ = ch.Close()
		return fmt.Errorf("start a shell: %w", err)
	}
	s.ch, s.out, s.err = ch, bufio.NewReader(ch), bufio.NewReader(ch.Stderr())
	s.kept = map[string]string{}
	return nil
}

// ask sends one script and waits for its answer. The script runs in a subshell,
// so it can neither end the shell nor leave anything in it.
func (s *lookShell) ask(cmd conn.Cmd) (a seen) {
	script, args := cmd.Args[2], cmd.Args[4:]
	keep, text := s.keep(script)
	line := keep + "(set -- " + shell.Quote(args...) + "; eval " + text + ") </dev/null\n" +
		"printf '\\n" + s.mark + " %s\\n' $?; printf '\\n" + s.mark + "\\n' >&2\n"
	if _, a.err = io.WriteString(s.ch, line); a.err != nil {
		return a
	}
	complaints := make(chan error, 1)
	go func() {
		var err error
		a.stderr, _, err = s.until(s.err)
		complaints <- err
	}()
	var status string
	a.stdout, status, a.err = s.until(s.out)
	if a.err != nil {
		_ = s.ch.Close() // which ends the other reader as well
	}
	a.err = errors.Join(a.err, <-complaints)
	if a.err == nil {
		a.code, a.err = strconv.Atoi(status)
	}
	return a
}

// keep gives the word that stands for a script in the shell, and what has to be
// said before the shell knows it.
func (s *lookShell) keep(script string) (first, word string) {
	if name, ok := s.kept[script]; ok {
		return "", `"$` + name + `"`
	}
	if len(script) < worthKeeping || len(s.kept) == mostKept {
		return "", shell.Quote(script)
	}
	name := "antdbctl_script_" + strconv.Itoa(len(s.kept))
	s.kept[script] = name
	return name + "=" + shell.Quote(script) + "\n", `"$` + name + `"`
}

// until reads up to the line that begins with the mark, and gives what came
// before it and what stands behind the mark.
func (s *lookShell) until(r *bufio.Reader) (text []byte, rest string, err error) {
	var all bytes.Buffer
	for {
		line, err := r.ReadBytes('\n')
		if after, ok := strings.CutPrefix(string(line), s.mark); ok {
			return bytes.TrimSuffix(all.Bytes(), []byte("\n")), strings.TrimSpace(after), nil
		}
		all.Write(line)
		if err != nil {
			return nil, "", err
		}
	}
}
