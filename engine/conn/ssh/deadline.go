package ssh

import (
	"io"
	"net"
	"sync"
)

// withDeadlines gives a tunnelled connection the deadlines that an SSH channel
// has not; database drivers end slow queries by them.
func withDeadlines(far net.Conn) net.Conn {
	near, inner := net.Pipe()
	c := &pumped{Conn: near, far: far}
	go c.pump(inner, far)
	go c.pump(far, inner)
	return c
}

type pumped struct {
	net.Conn
	far  net.Conn
	once sync.Once
}

// pump copies until either side ends, which ends both.
func (c *pumped) pump(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

func (c *pumped) Close() error {
	c.once.Do(func() { _ = c.far.Close() })
	return c.Conn.Close()
}

func (c *pumped) LocalAddr() net.Addr  { return c.far.LocalAddr() }
func (c *pumped) RemoteAddr() net.Addr { return c.far.RemoteAddr() }
