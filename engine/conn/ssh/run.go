package ssh

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/shell"
)

const (
	// grace is how long a cancelled command may take to end by itself.
	grace = 3 * time.Second
	// refusals is how long the server may refuse channels while nothing of ours
	// runs that could make room.
	refusals = 20 * time.Second
)

// Run runs cmd as one channel of the connection.
func (h *Host) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	if err := ctx.Err(); err != nil {
		return conn.Result{}, context.Cause(ctx)
	}
	b := h.become(cmd.User)
	if err := h.sudoWorks(ctx, b); err != nil {
		return conn.Result{}, err
	}
	if canLook(cmd, b) && cap(h.slots) >= defaultSessions {
		if res, err, done := h.look(ctx, cmd); done {
			return res, err
		}
	}
	select {
	case h.slots <- struct{}{}:
		defer func() { <-h.slots }()
	case <-ctx.Done():
		return conn.Result{}, context.Cause(ctx)
	}
	return h.run(ctx, cmd, b)
}

// run is Run for who has a slot, or needs none.
func (h *Host) run(ctx context.Context, cmd conn.Cmd, b become) (conn.Result, error) {
	out := conn.NewOutput(cmd)
	stdout, stderr := &gate{to: out.Stdout()}, &gate{to: out.Stderr()}
	defer stdout.shut()
	defer stderr.shut()
	group := &groupLine{to: stderr, found: !b.changes}
	r, err := h.start(ctx, cmd, b, streams{stdout: stdout, stderr: group})
	if err != nil {
		return conn.Result{}, err
	}
	if !r.wait(ctx) {
		if !b.killer {
			h.end(ctx, r, group.killer(r.tag), b)
		}
		return out.Result(), fmt.Errorf("%s: %w", cmd.Args[0], context.Cause(ctx))
	}
	return h.finish(r, out, group, b)
}

// running is a command that was started.
type running struct {
	*process
	link *link
	tag  string // marks it in the environment; empty for most
}

// start opens a channel and starts cmd on it.
func (h *Host) start(ctx context.Context, cmd conn.Cmd, b become, s streams) (*running, error) {
	args, stdin, err := shell.Wrap(cmd, shell.Start{Prefix: b.prefix, Password: b.password, Group: b.changes})
	if err != nil {
		return nil, err
	}
	l, ch, requests, err := h.channel(ctx)
	if err != nil {
		return nil, err
	}
	r := &running{link: l}
	line := shell.Quote(args...)
	switch {
	case b.su != "":
		line = shell.Quote("su", "-s", "/bin/sh", "-c", line, b.su)
	case !b.changes && !l.passesSignals:
		r.tag = runTag + "=" + rand.Text()
		line = r.tag + " " + line
	}
	s.stdin = stdin
	if r.process, err = start(ctx, ch, requests, line, s); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("%s: %w", cmd.Args[0], context.Cause(ctx))
		}
		return nil, h.lostOr(l, err)
	}
	return r, nil
}

// finish says how a command ended whose channel has closed.
func (h *Host) finish(p *running, out *conn.Output, group *groupLine, b become) (conn.Result, error) {
	l := p.link
	_ = group.flush() // what the writer says to it, it said before
	switch {
	case p.code >= 0:
	default:
		// No word about the end: the host is gone, or we broke it off, or sshd
		// does not know.
		if l.isLost() || !l.ping(5*time.Second) {
			return out.Result(), h.lostOr(l, io.ErrUnexpectedEOF)
		}
	}
	if err := p.failure(); err != nil {
		return out.Result(), err
	}
	if b.changes && group.id() == "" && p.code != 0 {
		return out.Result(), b.failed(h, out.Result().Stderr)
	}
	return out.Finish(p.code)
}

// channel opens a channel. A connection that turns out to be dead is made anew,
// once; nothing was sent on it yet. A server that has no room is asked again.
func (h *Host) channel(ctx context.Context) (*link, ssh.Channel, <-chan *ssh.Request, error) {
	redialed := false
	pause := 10 * time.Millisecond
	var refusedSince time.Time
	for {
		l, err := h.link(ctx)
		if err != nil {
			return nil, nil, nil, err
		}
		ch, requests, err := l.open(ctx)
		if err == nil {
			return l, ch, requests, nil
		}
		if ctx.Err() != nil {
			return nil, nil, nil, context.Cause(ctx)
		}
		if refused := (*ssh.OpenChannelError)(nil); !errors.As(err, &refused) {
			if redialed {
				return nil, nil, nil, h.lostOr(l, err)
			}
			redialed = true
			l.lose(err)
			continue
		}
		if refusedSince.IsZero() || len(h.slots) > 1 {
			refusedSince = time.Now()
		}
		if time.Since(refusedSince) > refusals {
			return nil, nil, nil, h.unreachable(fmt.Errorf("the server opens no session, although none of ours runs: %w", err))
		}
		select {
		case <-time.After(pause/2 + mathrand.N(pause)):
		case <-ctx.Done():
			return nil, nil, nil, context.Cause(ctx)
		}
		pause = min(2*pause, time.Second)
	}
}

// lostOr is err, unless the connection is lost, which then is the reason.
func (h *Host) lostOr(l *link, err error) error {
	if !l.isLost() && errors.Is(err, errRefused) {
		return fmt.Errorf("%s: %w", h.target, err)
	}
	select {
	case <-l.lost:
		err = l.why
	case <-time.After(time.Second):
		l.lose(err)
	}
	return h.unreachable(err)
}

// runTag is an environment variable that marks a command and what it starts,
// where the server does not pass signals on: it costs nothing until the command
// has to be found.
const runTag = "ANTDBCTL_RUN"

// killTagged sends signal $1 to the processes whose environment holds $2.
const killTagged = `grep -l -e "$2" /proc/[0-9]*/environ 2>/dev/null | while IFS=/ read -r _a _b pid _c; do
	kill -s "$1" "$pid" 2>/dev/null
done`

// killer is the script that ends the command, given the name of a signal; nil
// when the server is to do it.
func (g *groupLine) killer(tag string) func(signal string) conn.Cmd {
	if id := g.id(); id != "" {
		return func(signal string) conn.Cmd { return conn.Script(`kill -s "$1" -- "-$2"`, signal, id) }
	}
	if tag != "" {
		return func(signal string) conn.Cmd { return conn.Script(killTagged, signal, tag) }
	}
	return nil
}

// end is kill for a caller who does not wait for a host that takes nothing any
// more.
func (h *Host) end(ctx context.Context, r *running, killer func(string) conn.Cmd, b become) {
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		h.kill(ctx, r, killer, b)
	}()
	select {
	case <-killed:
	case <-time.After(2 * grace):
	}
}

// kill ends a command whose ctx has ended: it is asked, then made to. Closing
// the channel alone would leave it running.
func (h *Host) kill(ctx context.Context, p *running, killer func(string) conn.Cmd, b become) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*grace)
	defer stop()
	b.killer = true
	for _, name := range []string{"TERM", "KILL"} {
		if killer != nil {
			_, _ = h.run(ctx, killer(name), b)
		} else {
			p.signal(name)
		}
		patience, enough := context.WithTimeout(ctx, grace)
		ended := p.wait(patience)
		enough()
		if ended || p.link.isLost() {
			break
		}
	}
	_ = p.ch.Close()
	p.wait(ctx)
}
