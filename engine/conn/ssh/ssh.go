// Package ssh reaches hosts over SSH: one connection to a host carries all
// commands, files and tunnels of all steps. The far side needs sshd and a POSIX
// sh, nothing else.
//
// Where to connect and how is said by the target's own fields, else by
// ssh_config (Host, Match, Include, HostName, Port, User, IdentityFile,
// IdentitiesOnly, IdentityAgent, ProxyJump, ProxyCommand, UserKnownHostsFile,
// GlobalKnownHostsFile, HostKeyAlias, StrictHostKeyChecking, ConnectTimeout,
// ServerAliveInterval, ServerAliveCountMax), else by defaults.
package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"syscall"

	"golang.org/x/crypto/ssh"

	"github.com/adbsql/antdbctl/engine/conn"
)

// defaultSessions is how many commands run at once on one connection: sshd
// allows 10 channels, and file transfer takes one.
const defaultSessions = 8

// Host is a host over SSH. A connection that is lost fails what runs on it and
// is made again for the next that comes.
type Host struct {
	target   conn.Target
	settings conn.Settings
	route    *route
	dialer   conn.Dialer
	slots    chan struct{} // one token for each running command
	dialing  chan struct{} // held by whoever makes the connection

	mu      sync.Mutex
	current *link
	closed  bool
	hops    []conn.Host // jump hosts that are ours alone, to close

	sudo sudoState
}

// Open is the conn.Opener of ssh targets. It connects, so that a host that
// cannot be reached says so here.
func Open(ctx context.Context, t conn.Target, s conn.Settings, dialer conn.Dialer) (conn.Host, error) {
	s = hopSettings(t, s)
	r, err := planRoute(t, s)
	if err != nil {
		return nil, err
	}
	sessions := s.MaxSessions
	if sessions <= 0 {
		sessions = defaultSessions
	}
	h := &Host{
		target: t, settings: s, route: r, dialer: dialer,
		slots:   make(chan struct{}, sessions),
		dialing: make(chan struct{}, 1),
	}
	if _, err := h.link(ctx); err != nil {
		_ = h.Close()
		return nil, err
	}
	return h, nil
}

// link is the connection, made (again) when there is none.
func (h *Host) link(ctx context.Context) (*link, error) {
	if l, err := h.alive(); l != nil || err != nil {
		return l, err
	}
	select {
	case h.dialing <- struct{}{}:
		defer func() { <-h.dialing }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if l, err := h.alive(); l != nil || err != nil {
		return l, err // another made it meanwhile
	}
	l, err := h.connect(ctx)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		l.close()
		return nil, net.ErrClosed
	}
	h.current = l
	return l, nil
}

func (h *Host) alive() (*link, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, fmt.Errorf("%s: %w", h.target, net.ErrClosed)
	}
	if h.current != nil && !h.current.isLost() {
		return h.current, nil
	}
	return nil, nil
}

// Close ends the connection and all that runs on it.
func (h *Host) Close() error {
	h.mu.Lock()
	h.closed = true
	l, hops := h.current, h.hops
	h.current, h.hops = nil, nil
	h.mu.Unlock()
	if l != nil {
		l.close()
	}
	var errs []error
	for _, hop := range hops {
		errs = append(errs, hop.Close())
	}
	return errors.Join(errs...)
}

// Dial connects from the host, to TCP addresses and unix sockets.
func (h *Host) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := h.tunnel(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return withDeadlines(c), nil
}

// tunnel is Dial without deadlines on the connection.
func (h *Host) tunnel(ctx context.Context, network, addr string) (net.Conn, error) {
	for retried := false; ; retried = true {
		l, err := h.link(ctx)
		if err != nil {
			return nil, err
		}
		c, err := l.dial(ctx, network, addr)
		if err == nil {
			return c, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		refused := (*ssh.OpenChannelError)(nil)
		if retried || errors.As(err, &refused) {
			return nil, fmt.Errorf("connect to %s from %s: %w", addr, h.target, err)
		}
		l.close() // it only seemed alive
	}
}

// unreachable is how the loss of the connection is told.
func (h *Host) unreachable(err error) *conn.Unreachable {
	if u := (*conn.Unreachable)(nil); errors.As(err, &u) {
		return u
	}
	u := &conn.Unreachable{Target: h.target.String(), Err: err}
	var hinted interface{ hint() string }
	var noName *net.DNSError
	switch {
	case errors.As(err, &hinted):
		u.Hint = hinted.hint()
	case errors.As(err, &noName):
		u.Hint = "check the name, or give the host an address"
	case errors.Is(err, errTurnedAway):
		u.Hint = "sshd there may be overloaded (MaxStartups), or may not serve this address; its log says"
	case errors.Is(err, syscall.ECONNREFUSED):
		u.Hint = "check that sshd runs there, on this port"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		u.Hint = "check that the host is up, its address, the firewalls in between, and whether it takes a jump host"
	}
	return u
}
