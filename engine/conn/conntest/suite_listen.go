package conntest

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
)

// Listens holds the Hosts that open gives to the contract of conn.Listener. The
// far side must share this machine's loopback.
func Listens(t *testing.T, open func(t *testing.T) conn.Host) {
	s := suite{open: open}
	t.Run("listen", s.listen)
	t.Run("several listeners, many connections", s.listenMany)
	t.Run("a closed listener", s.listenClosed)
	t.Run("nobody need accept", s.listenUnserved)
	t.Run("a port that is taken", s.listenTaken)
}

func (s suite) listener(t *testing.T) net.Listener {
	t.Helper()
	h, ok := conn.As[conn.Listener](s.open(t))
	require.True(t, ok, "this host cannot listen")
	l, err := h.Listen(deadline(t), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	require.NotZero(t, l.Addr().(*net.TCPAddr).Port)
	require.True(t, l.Addr().(*net.TCPAddr).IP.IsLoopback())
	return l
}

func knock(t *testing.T, l net.Listener) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", l.Addr().String(), 10*time.Second)
	require.NoError(t, err)
	t.Cleanup(func() { _ = c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(30*time.Second)))
	return c
}

func (s suite) listen(t *testing.T) {
	l := s.listener(t)
	out := knock(t, l)
	in, err := l.Accept()
	require.NoError(t, err)
	defer in.Close()
	require.Equal(t, out.LocalAddr().String(), in.RemoteAddr().String())

	// Servers give up idle connections by a deadline.
	require.NoError(t, in.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	_, err = in.Read(make([]byte, 1))
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
	require.NoError(t, in.SetReadDeadline(time.Time{}))

	_, err = out.Write([]byte("ping"))
	require.NoError(t, err)
	got := make([]byte, 4)
	_, err = io.ReadFull(in, got)
	require.NoError(t, err)
	require.Equal(t, "ping", string(got))

	sent := make([]byte, 8<<20)
	go func() {
		_, _ = in.Write(sent)
		_ = in.Close()
	}()
	n, err := io.Copy(io.Discard, out)
	require.NoError(t, err)
	require.Equal(t, int64(len(sent)), n)
}

func (s suite) listenMany(t *testing.T) {
	for range 2 {
		l := s.listener(t)
		go echo(l)
		for range 20 {
			out := knock(t, l)
			_, err := out.Write([]byte("x"))
			require.NoError(t, err)
			_, err = io.ReadFull(out, make([]byte, 1))
			require.NoError(t, err)
		}
	}
}

func (s suite) listenClosed(t *testing.T) {
	l := s.listener(t)
	accepted := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		accepted <- err
	}()
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-accepted, net.ErrClosed)
	_, err := l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			_ = c.Close()
		}
		return err != nil
	}, 20*time.Second, 10*time.Millisecond, "the port must be free again")
}

// listenUnserved leaves connections waiting, which must hold up nothing else.
func (s suite) listenUnserved(t *testing.T) {
	l := s.listener(t)
	for range 5 {
		knock(t, l)
	}
	other := s.listener(t)
	go echo(other)
	out := knock(t, other)
	_, err := out.Write([]byte("x"))
	require.NoError(t, err)
	_, err = io.ReadFull(out, make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

func (s suite) listenTaken(t *testing.T) {
	l := s.listener(t)
	h, ok := conn.As[conn.Listener](s.open(t))
	require.True(t, ok)
	_, err := h.Listen(deadline(t), "tcp", l.Addr().String())
	require.ErrorContains(t, err, l.Addr().String())
}
