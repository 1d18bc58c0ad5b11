package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/adbsql/antdbctl/engine/conn"
)

// backlog is how many connections may wait for Accept.
const backlog = 64

// Listen takes connections at the host, to TCP addresses (port 0 lets the host
// choose). Where addr is one of its loopback, only connections from the host
// itself are taken: a server with "GatewayPorts yes" would listen for everybody.
// The listener ends with the connection to the host, which is not made again
// for it.
func (h *Host) Listen(ctx context.Context, network, addr string) (net.Listener, error) {
	switch network {
	case "tcp", "tcp4", "tcp6":
	default:
		return nil, conn.NotSupported(h.target.String(), "listen on "+network)
	}
	l, inner, err := h.forward(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	f := &listener{Listener: inner, host: h, link: l, taken: make(chan net.Conn, backlog), closed: make(chan struct{}), ended: make(chan struct{})}
	name, _, _ := net.SplitHostPort(addr)
	f.onlyLocal = name == "localhost" || net.ParseIP(name).IsLoopback()
	go f.take()
	return f, nil
}

// forward asks the server to listen. A connection that turns out to be dead is
// made anew, once.
func (h *Host) forward(ctx context.Context, network, addr string) (*link, net.Listener, error) {
	for retried := false; ; retried = true {
		l, err := h.link(ctx)
		if err != nil {
			return nil, nil, err
		}
		inner, err := l.listen(ctx, network, addr)
		switch {
		case err == nil:
			return l, inner, nil
		case ctx.Err() != nil:
			return nil, nil, context.Cause(ctx)
		case l.ping(refusals):
			return nil, nil, &ListenError{Target: h.target.String(), Addr: addr, Err: err}
		case retried:
			return nil, nil, h.lostOr(l, err)
		}
		l.lose(err)
	}
}

// listen is the client's Listen for a caller who may give up.
func (l *link) listen(ctx context.Context, network, addr string) (net.Listener, error) {
	type answer struct {
		inner net.Listener
		err   error
	}
	answered := make(chan answer, 1)
	go func() {
		inner, err := l.client.Listen(network, addr)
		answered <- answer{inner, err}
	}()
	select {
	case a := <-answered:
		return a.inner, a.err
	case <-ctx.Done():
		go func() {
			if a := <-answered; a.err == nil {
				_ = a.inner.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// ListenError reports that a host does not let us take connections there.
type ListenError struct {
	Target, Addr string
	Err          error
}

func (e *ListenError) Error() string {
	return fmt.Sprintf("%s: its sshd refuses to listen on %s for us: %s", e.Target, e.Addr, e.Err)
}

func (e *ListenError) Unwrap() []error { return []error{e.Err, errors.ErrUnsupported} }

// Hint says what to do about it.
func (e *ListenError) Hint() string {
	if _, port, _ := net.SplitHostPort(e.Addr); port != "0" {
		return "the port may be taken there; otherwise AllowTcpForwarding or PermitListen in its sshd_config, or an option of our key in authorized_keys, forbids remote forwards"
	}
	return "AllowTcpForwarding (yes or remote) or PermitListen in its sshd_config, or an option of our key in authorized_keys, forbids remote forwards"
}

// listener hands on the connections that the server sends.
type listener struct {
	net.Listener
	host      *Host
	link      *link
	onlyLocal bool

	taken  chan net.Conn
	once   sync.Once
	closed chan struct{} // closed by Close
	ended  chan struct{} // closed when no connection comes any more
}

// take takes every connection at once: one that waited inside the client would
// hold up all other listeners of the link.
func (f *listener) take() {
	defer close(f.ended)
	for {
		c, err := f.Listener.Accept()
		if refused := (*ssh.OpenChannelError)(nil); errors.As(err, &refused) {
			continue
		}
		if err != nil {
			return
		}
		if !f.welcome(c.RemoteAddr()) {
			_ = c.Close()
			continue
		}
		select {
		case f.taken <- c:
		default: // as a kernel does when the backlog is full
			_ = c.Close()
		}
	}
}

func (f *listener) welcome(from net.Addr) bool {
	tcp, ok := from.(*net.TCPAddr)
	return !f.onlyLocal || ok && tcp.IP.IsLoopback()
}

// Accept gives the next connection. It is net.ErrClosed after Close, and
// *conn.Unreachable when the connection to the host is lost.
func (f *listener) Accept() (net.Conn, error) {
	select {
	case <-f.closed:
		return nil, net.ErrClosed
	case c := <-f.taken:
		return withDeadlines(c), nil
	case <-f.ended:
	}
	select {
	case <-f.closed:
		return nil, net.ErrClosed
	default:
		return nil, f.host.lostOr(f.link, errors.New("it stopped listening for us"))
	}
}

// Close stops listening. Connections that were accepted go on. A host that does
// not answer is not waited for: it hears of it, or is lost.
func (f *listener) Close() error {
	var err error
	f.once.Do(func() {
		close(f.closed)
		stopped := make(chan error, 1)
		go func() { stopped <- f.Listener.Close() }()
		select {
		case err = <-stopped:
		case <-f.link.lost:
		case <-time.After(grace):
		}
		if f.link.isLost() {
			err = nil
		}
		<-f.ended
		for len(f.taken) > 0 {
			_ = (<-f.taken).Close()
		}
	})
	return err
}
