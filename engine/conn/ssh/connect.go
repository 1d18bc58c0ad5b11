package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
)

// sshd closes connections at random when more than MaxStartups (10, at first)
// have not logged in. So only some knock at one address at a time, and who is
// turned away before the host has shown its key comes again.
const (
	handshakesPerAddress = 6
	knocks               = 12
	firstPause           = 50 * time.Millisecond
	longestPause         = 2 * time.Second
)

// doors counts the handshakes under way, by address, for the whole process.
var doors struct {
	sync.Mutex
	by map[string]chan struct{}
}

func door(address string) chan struct{} {
	doors.Lock()
	defer doors.Unlock()
	if doors.by == nil {
		doors.by = map[string]chan struct{}{}
	}
	if doors.by[address] == nil {
		doors.by[address] = make(chan struct{}, handshakesPerAddress)
	}
	return doors.by[address]
}

// errTurnedAway marks what is worth another knock.
var errTurnedAway = errors.New("turned away")

// connect makes a connection to the host.
func (h *Host) connect(ctx context.Context) (*link, error) {
	d := door(h.route.address)
	pause := firstPause
	for knock := 1; ; knock++ {
		select {
		case d <- struct{}{}:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		l, err := h.knock(ctx)
		<-d
		if err == nil {
			return l, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if !errors.Is(err, errTurnedAway) || knock == knocks {
			return nil, h.unreachable(err)
		}
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		pause = min(2*pause, longestPause)
	}
}

// knock tries once.
func (h *Host) knock(ctx context.Context) (*link, error) {
	keys, err := newHostKeys(h.route)
	if err != nil {
		return nil, err
	}
	nc, err := h.transport(ctx)
	if err != nil {
		return nil, err
	}
	creds := newCredentials(h.route)
	defer creds.close()
	c, err := handshake(ctx, nc, h.route, keys, creds)
	if proxy, ok := nc.(*proxyConn); ok && err != nil && keys.shown == nil && proxy.complaint() != "" {
		return nil, fmt.Errorf("ProxyCommand says: %s", proxy.complaint())
	}
	if err != nil {
		return nil, err
	}
	return newLink(c, h.route, keys.shown), nil
}

// transport connects to the host's address, by way of the jump hosts.
func (h *Host) transport(ctx context.Context) (net.Conn, error) {
	if len(h.route.jumps) > 0 {
		return h.throughJumps(ctx)
	}
	if h.route.proxy != "" {
		return startProxy(h.route.proxy)
	}
	ctx, stop := context.WithTimeoutCause(ctx, h.route.timeout, noAnswer(h.route))
	defer stop()
	var d net.Dialer
	nc, err := d.DialContext(ctx, "tcp", h.route.address)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nc, err
}

func noAnswer(r *route) error {
	return fmt.Errorf("%s: no answer within %v: %w", r.address, r.timeout, os.ErrDeadlineExceeded)
}

// handshake logs in over nc, which it closes when it cannot.
func handshake(ctx context.Context, nc net.Conn, r *route, keys *hostKeys, creds *credentials) (*ssh.Client, error) {
	ctx, stop := context.WithTimeoutCause(ctx, r.timeout, noAnswer(r))
	defer stop()
	// Closing is the one way to end a handshake on every kind of connection.
	unwatch := context.AfterFunc(ctx, func() { _ = nc.Close() })
	c, channels, requests, err := ssh.NewClientConn(nc, r.address, &ssh.ClientConfig{
		Config:            preferences(),
		User:              r.user,
		Auth:              creds.methods,
		HostKeyCallback:   keys.check,
		HostKeyAlgorithms: keys.algorithms(),
	})
	if !unwatch() || err != nil {
		_ = nc.Close()
		return nil, explainHandshake(ctx, err, r, keys, creds)
	}
	return ssh.NewClient(c, channels, requests), nil
}

// explainHandshake sorts the reasons why a handshake ends.
func explainHandshake(ctx context.Context, err error, r *route, keys *hostKeys, creds *credentials) error {
	var unknown *UnknownHostKey
	var changed *ChangedHostKey
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &unknown):
		return unknown
	case errors.As(err, &changed):
		return changed
	case keys.shown == nil && isClosed(err):
		return fmt.Errorf("%s: the server closed the connection before saying who it is (%w): %w", r.address, errTurnedAway, err)
	case keys.shown == nil || isClosed(err):
		return fmt.Errorf("%s: %w", r.address, err)
	}
	return &AuthError{User: r.user, Tried: creds.tried, Err: err}
}

func isClosed(err error) bool {
	for _, closed := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, closed) {
			return true
		}
	}
	return false
}

// preferences puts the algorithms that cost least first: a rollout opens many
// connections at once, and AES has instructions of its own on servers.
func preferences() ssh.Config {
	all := ssh.SupportedAlgorithms()
	return ssh.Config{
		KeyExchanges: front(all.KeyExchanges, ssh.KeyExchangeCurve25519, "curve25519-sha256@libssh.org"),
		Ciphers:      front(all.Ciphers, ssh.CipherAES128GCM),
		MACs:         all.MACs,
	}
}

// front is all with some moved to the front.
func front(all []string, some ...string) []string {
	rest := slices.DeleteFunc(slices.Clone(all), func(a string) bool { return slices.Contains(some, a) })
	return append(some, rest...)
}
