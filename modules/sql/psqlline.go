package sql

import (
	"bufio"
	"context"
	"io"
	"strings"
	"time"
)

// psqlLine is a psql that stays and is given one look after another: for a
// container that is one call of the API server for many steps.
type psqlLine struct {
	head string // said before the first look
	in   *io.PipeWriter
	out  *bufio.Reader

	kill func()        // ends psql
	done chan struct{} // closed when psql has ended
	err  error         // how, once done
}

func (p *psql) line(ctx context.Context) (line, error) {
	life, kill := context.WithCancel(context.WithoutCancel(ctx)) // longer than the step that began it
	stdin, in := io.Pipe()
	out, stdout := io.Pipe()
	l := &psqlLine{head: p.plain(), in: in, out: bufio.NewReader(out), kill: kill, done: make(chan struct{})}
	cmd := p.cmd(stdin, true)
	cmd.Stdout, cmd.Stderr = stdout, lastWords{in}
	go func() {
		defer kill()
		_, err := p.run.Run(life, cmd)
		l.err = p.failed(err)
		close(l.done)
		_ = stdin.Close()
		_ = stdout.Close()
	}()
	return l, nil
}

// lastWords ends the input of a psql that says something on stderr: after an
// error it is over, and most runners tell so only when its input is, too.
// After a mere warning it answers what it was asked, and then is over as well.
type lastWords struct{ in *io.PipeWriter }

func (w lastWords) Write(p []byte) (int, error) {
	go w.in.Close()
	return len(p), nil
}

func (l *psqlLine) query(ctx context.Context, statement string) (*table, error) {
	stop := context.AfterFunc(ctx, l.kill)
	defer stop()
	ask := newLook()
	script := l.head + ask.script(statement)
	l.head = ""
	go func() { _, _ = io.WriteString(l.in, script) }() // an end of psql shows in what it prints
	var said strings.Builder
	for {
		text, err := l.out.ReadString('\n')
		said.WriteString(text)
		if err == nil && strings.HasSuffix(text, ask.end+"\n") {
			return ask.read(said.String())
		}
		if err != nil {
			return nil, l.end(ctx)
		}
	}
}

// end is why psql printed no more.
func (l *psqlLine) end(ctx context.Context) error {
	<-l.done
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case l.err != nil:
		return l.err
	}
	return io.ErrUnexpectedEOF
}

// close lets psql end by itself, which it does at once where it can.
func (l *psqlLine) close() {
	_ = l.in.Close()
	select {
	case <-l.done:
	case <-time.After(time.Second):
	}
	l.kill()
}
