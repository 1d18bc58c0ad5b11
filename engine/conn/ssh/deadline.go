package ssh

import (
	"io"
	"net"
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

// pumped is the near end. Its Close leaves the far end open until what was
// written is there, as a kernel does.
type pumped struct {
	net.Conn
	far net.Conn
}

// pump copies until either side ends, which ends both.
func (c *pumped) pump(to, from net.Conn) {
	_, _ = io.Copy(to, from)
	_ = to.Close()
	_ = from.Close()
}

func (c *pumped) LocalAddr() net.Addr  { return c.far.LocalAddr() }
func (c *pumped) RemoteAddr() net.Addr { return c.far.RemoteAddr() }
