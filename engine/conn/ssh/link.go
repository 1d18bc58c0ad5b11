package ssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strconv"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// link is one connection, from handshake to loss.
type link struct {
	client  *ssh.Client
	hostKey ssh.PublicKey
	// passesSignals: the server hands on signals to a command's whole process
	// group. OpenSSH does since 7.9, but for root, whom it does not separate.
	passesSignals bool

	lost chan struct{} // closed when the connection is gone
	once sync.Once
	why  error // set before lost is closed

	sftp  sftpState
	looks lookShell
}

// newLink starts watching over c.
func newLink(c *ssh.Client, r *route, hostKey ssh.PublicKey) *link {
	l := &link{client: c, hostKey: hostKey, lost: make(chan struct{}), looks: newLookShell(), passesSignals: r.user != "root" && passesSignals(string(c.ServerVersion()))}
	go func() {
		err := c.Wait()
		l.lose(fmt.Errorf("the connection was closed: %w", err))
	}()
	go l.keepAlive(r.aliveEvery, r.aliveMisses)
	return l
}

var opensshVersion = regexp.MustCompile(`^SSH-2\.0-OpenSSH_(\d+)\.(\d+)`)

func passesSignals(version string) bool {
	m := opensshVersion.FindStringSubmatch(version)
	if m == nil {
		return false
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	return major > 7 || major == 7 && minor >= 9
}

func (l *link) lose(why error) {
	l.once.Do(func() {
		l.why = why
		close(l.lost)
		_ = l.client.Close()
	})
}

func (l *link) close() { l.lose(errors.New("the connection was closed by us")) }

func (l *link) isLost() bool {
	select {
	case <-l.lost:
		return true
	default:
		return false
	}
}

// keepAlive asks for a sign of life now and then, and gives the connection up
// when several in a row stay away, so that nothing waits for a dead host.
func (l *link) keepAlive(every time.Duration, misses int) {
	for {
		select {
		case <-l.lost:
			return
		case <-time.After(every):
		}
		if !l.ping(time.Duration(misses) * every) {
			l.lose(fmt.Errorf("the host gave no sign of life for %v", time.Duration(misses+1)*every))
			return
		}
	}
}

// ping tells whether the server answers within limit. A refusal is an answer.
func (l *link) ping(limit time.Duration) bool {
	answered := make(chan error, 1)
	go func() {
		_, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil)
		answered <- err
	}()
	select {
	case err := <-answered:
		return err == nil
	case <-l.lost:
		return false
	case <-time.After(limit):
		return false
	}
}

// open opens a channel of its own for a command or subsystem. It does not rely
// on the library to notice a loss: a channel that is asked for in the moment
// when the connection breaks is never answered, and its goroutine never ends.
func (l *link) open(ctx context.Context) (ssh.Channel, <-chan *ssh.Request, error) {
	type answer struct {
		ch       ssh.Channel
		requests <-chan *ssh.Request
		err      error
	}
	answered, gone := make(chan answer), make(chan struct{})
	defer close(gone)
	go func() {
		ch, requests, err := l.client.OpenChannel("session", nil)
		select {
		case answered <- answer{ch, requests, err}:
		case <-gone:
			if err == nil {
				go ssh.DiscardRequests(requests)
				_ = ch.Close()
			}
		}
	}()
	select {
	case a := <-answered:
		return a.ch, a.requests, a.err
	case <-l.lost:
		return nil, nil, l.why
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
}

// dial connects from the server; like open, it ends with the connection.
func (l *link) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	go func() {
		select {
		case <-l.lost:
			stop(l.why)
		case <-ctx.Done():
		}
	}()
	c, err := l.client.DialContext(ctx, network, addr)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return c, err
}
