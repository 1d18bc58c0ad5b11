package ssh_test

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/ssh"
)

func TestListening(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{})
	conntest.Listens(t, opener(s.Target(""), s.Settings))
}

// Several listeners of one connection share the client's books.
func TestListeningOnOneConnection(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{})
	h := opener(s.Target(""), s.Settings)(t)
	conntest.Listens(t, func(*testing.T) conn.Host { return h })
}

func listen(t *testing.T, h conn.Host) (net.Listener, error) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	l, ok := conn.As[conn.Listener](h)
	require.True(t, ok)
	return l.Listen(ctx, "tcp", "127.0.0.1:0")
}

func TestServersThatForbidListeningAreToldWithTheSettingToChange(t *testing.T) {
	for _, config := range []string{"AllowTcpForwarding no", "AllowTcpForwarding local", "PermitListen none", "DisableForwarding yes"} {
		t.Run(config, func(t *testing.T) {
			s := conntest.StartSSH(t, conntest.SSHOptions{Config: []string{config}})
			h, err := open(t, s)
			require.NoError(t, err)
			defer h.Close()
			_, err = listen(t, h)
			var refused *ssh.ListenError
			require.ErrorAs(t, err, &refused)
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.ErrorContains(t, err, "node1: its sshd refuses to listen on 127.0.0.1:0")
			require.Contains(t, refused.Hint(), "AllowTcpForwarding")
			res, err := h.Run(t.Context(), conn.Command("echo", "still there"))
			require.NoError(t, err)
			require.Equal(t, "still there\n", res.Stdout)
		})
	}
}

func TestAnotherServerCannotListen(t *testing.T) {
	target, settings := conntest.InProcessSSH(t)
	_, err := listen(t, opener(target, settings)(t))
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

func TestListeningIsOnTCPOnly(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{})
	l, ok := conn.As[conn.Listener](opener(s.Target(""), s.Settings)(t))
	require.True(t, ok)
	_, err := l.Listen(t.Context(), "unix", "/tmp/x")
	require.ErrorIs(t, err, errors.ErrUnsupported)
}

// A server may be told to open every forward to its network. Loopback stays
// loopback all the same.
func TestGatewayPortsOpenNothing(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{Config: []string{"GatewayPorts yes"}})
	if os.Geteuid() != 0 {
		t.Skip("needs root, for an address that is not of loopback")
	}
	const outside = "192.0.2.77" // of documentation: nobody has it
	out, err := exec.Command("ip", "address", "add", outside+"/32", "dev", "lo").CombinedOutput()
	require.NoError(t, err, string(out))
	t.Cleanup(func() { _ = exec.Command("ip", "address", "del", outside+"/32", "dev", "lo").Run() })

	l, err := listen(t, opener(s.Target(""), s.Settings)(t))
	require.NoError(t, err)
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	c, err := net.Dial("tcp", net.JoinHostPort(outside, strconv.Itoa(port)))
	require.NoError(t, err, "this sshd should have listened everywhere; then the test shows nothing")
	defer c.Close()
	require.NoError(t, c.SetReadDeadline(time.Now().Add(20*time.Second)))
	_, err = c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)

	inside, err := net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	defer inside.Close()
	accepted, err := l.Accept()
	require.NoError(t, err)
	require.Equal(t, inside.LocalAddr().String(), accepted.RemoteAddr().String())
	require.NoError(t, accepted.Close())
}

func TestAListenerEndsWithItsConnection(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{})
	h := opener(s.Target(""), s.Settings)(t)
	l, err := listen(t, h)
	require.NoError(t, err)
	s.Stop()
	_, err = l.Accept()
	var lost *conn.Unreachable
	require.ErrorAs(t, err, &lost)
	require.NoError(t, l.Close())
	s.Start()
	l, err = listen(t, h)
	require.NoError(t, err, "the next listener has the next connection")
	require.NoError(t, l.Close())
}

func TestListeningStopsWithItsContext(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{})
	h := opener(s.Target(""), s.Settings)(t)
	l, ok := conn.As[conn.Listener](h)
	require.True(t, ok)
	s.Freeze()
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	_, err := l.Listen(ctx, "tcp", "127.0.0.1:0")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	s.Thaw()
}

func TestAListenerOfAHostThatStandsStillIsClosed(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{})
	l, err := listen(t, opener(s.Target(""), s.Settings)(t))
	require.NoError(t, err)
	s.Freeze()
	start := time.Now()
	require.NoError(t, l.Close())
	require.Less(t, time.Since(start), 10*time.Second)
	_, err = l.Accept()
	require.ErrorIs(t, err, net.ErrClosed)
	s.Thaw()
}
