package conn

import (
	"bytes"
	"io"
	"sync"
)

// stderrTail is how much of stderr is kept for messages.
const stderrTail = 64 << 10

// Output collects what a command prints in the way that Cmd and Result
// promise. Runners make one for each command, give Stdout and Stderr to the
// process, and end with Finish.
type Output struct {
	cmd    Cmd
	stdout buffer
	tail   tail
}

// NewOutput makes the Output of one command.
func NewOutput(cmd Cmd) *Output { return &Output{cmd: cmd} }

// Stdout is where the process writes its standard output.
func (o *Output) Stdout() io.Writer {
	if o.cmd.Stdout != nil {
		return o.cmd.Stdout
	}
	return &o.stdout
}

// Stderr is where the process writes its standard error.
func (o *Output) Stderr() io.Writer {
	if o.cmd.Stderr != nil {
		return io.MultiWriter(o.cmd.Stderr, &o.tail)
	}
	return &o.tail
}

// Result is what was printed so far.
func (o *Output) Result() Result {
	return Result{Stdout: o.stdout.String(), Stderr: o.tail.String()}
}

// Finish is what Run returns for a command that ended with code.
func (o *Output) Finish(code int) (Result, error) {
	res := o.Result()
	if code == 0 {
		return res, nil
	}
	return res, &ExitError{Cmd: o.cmd, Code: code, Stdout: res.Stdout, Stderr: res.Stderr}
}

// buffer keeps all that is written to it. Like a tail, it may be read while a
// writer that was given up may still come back.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := len(p)
	if n >= stderrTail {
		t.buf = append(t.buf[:0], p[n-stderrTail:]...)
		return n, nil
	}
	// Room for twice the tail, so that cutting is rare.
	if len(t.buf)+n > 2*stderrTail {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)+n-stderrTail:]...)
	}
	t.buf = append(t.buf, p...)
	return n, nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf[max(0, len(t.buf)-stderrTail):])
}
