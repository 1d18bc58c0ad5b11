package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// process is one command on one channel.
type process struct {
	ch     ssh.Channel
	code   int // -1 until the server tells
	broken error
	mu     sync.Mutex // guards broken
	done   chan struct{}
}

var errRefused = errors.New("the server refuses to run it")

// streams are what a command reads and writes.
type streams struct {
	stdin          io.Reader
	stdout, stderr io.Writer
}

// start runs line; output goes out until the channel closes. A writer that
// fails ends the command.
func start(ctx context.Context, ch ssh.Channel, requests <-chan *ssh.Request, line string, s streams) (*process, error) {
	p := &process{ch: ch, code: -1, done: make(chan struct{})}
	var wg sync.WaitGroup
	wg.Go(func() { p.follow(requests) })
	if err := request(ctx, ch, "exec", line); err != nil {
		_ = ch.Close()
		return nil, err
	}
	wg.Go(func() { p.copy(s.stdout, ch) })
	wg.Go(func() { p.copy(s.stderr, ch.Stderr()) })
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		if s.stdin != nil {
			_, err := io.Copy(ch, s.stdin)
			p.feedFailed(err)
		}
		_ = ch.CloseWrite()
	}()
	go func() {
		wg.Wait()
		_ = ch.Close()
		// The caller's reader is done with, unless it is one that blocks; that
		// one cannot be waited for.
		select {
		case <-fed:
		case <-time.After(feedPatience):
		}
		close(p.done)
	}()
	return p, nil
}

// request asks the server to run or start something on ch.
func request(ctx context.Context, ch ssh.Channel, kind, what string) error {
	answered := make(chan error, 1)
	go func() {
		ok, err := ch.SendRequest(kind, true, ssh.Marshal(struct{ Text string }{what}))
		if err == nil && !ok {
			err = errRefused
		}
		answered <- err
	}()
	select {
	case err := <-answered:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

const feedPatience = 100 * time.Millisecond

// follow takes in what the server tells about the command's end.
func (p *process) follow(requests <-chan *ssh.Request) {
	for r := range requests {
		switch r.Type {
		case "exit-status":
			var msg struct{ Status uint32 }
			if ssh.Unmarshal(r.Payload, &msg) == nil {
				p.code = int(msg.Status)
			}
		case "exit-signal":
			var msg struct {
				Signal     string
				CoreDumped bool
				Error      string
				Lang       string
			}
			if ssh.Unmarshal(r.Payload, &msg) == nil && signals[msg.Signal] > 0 {
				p.code = 128 + signals[msg.Signal]
			}
		}
		if r.WantReply {
			_ = r.Reply(false, nil)
		}
	}
}

func (p *process) copy(to io.Writer, from io.Reader) {
	if _, err := io.Copy(to, from); err != nil && !errors.Is(err, io.EOF) {
		p.breakOff(fmt.Errorf("take output: %w", err))
	}
}

// feedFailed: a command that does not read its stdin to the end is no fault, a
// reader that fails is.
func (p *process) feedFailed(err error) {
	if err != nil && !errors.Is(err, io.EOF) {
		p.breakOff(fmt.Errorf("give input: %w", err))
	}
}

func (p *process) breakOff(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.broken == nil {
		p.broken = err
		_ = p.ch.Close()
	}
}

func (p *process) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.broken
}

// wait waits for the end, for as long as ctx lasts; true when it came.
func (p *process) wait(ctx context.Context) bool {
	select {
	case <-p.done:
		return true
	case <-ctx.Done():
		return false
	}
}

// signal asks the server to pass on a signal.
func (p *process) signal(name string) {
	_, _ = p.ch.SendRequest("signal", false, ssh.Marshal(struct{ Signal string }{name}))
}

// signals that RFC 4254 names, by their usual numbers.
var signals = map[string]int{
	"HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8, "KILL": 9,
	"USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15,
}

// gate passes writes on until it is shut: what a host sends that was given up
// must not reach a caller who has long gone on.
type gate struct {
	mu sync.Mutex
	to io.Writer
}

func (g *gate) Write(p []byte) (int, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.to == nil {
		return 0, io.ErrClosedPipe
	}
	return g.to.Write(p)
}

func (g *gate) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.to = nil
}
