package ssh_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/ssh"
	"github.com/adbsql/antdbctl/engine/secret"
)

// origin is the address that a command's connection comes from.
func origin(t *testing.T, h conn.Host) string {
	t.Helper()
	res, err := h.Run(t.Context(), conn.Script(`echo "${SSH_CONNECTION%% *} ${SSH_CONNECTION#* * }"`))
	require.NoError(t, err)
	return res.Stdout
}

func TestJumpHostsShareOneConnection(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{Hosts: 6})
	hop := func(i int) string {
		return fmt.Sprintf("%s@%s:%d", s.Targets[i].User, s.Targets[i].Address, s.Targets[i].Port)
	}
	settings := s.Settings
	settings.Jump = hop(0) + "," + hop(1)
	settings.Password = secret.New("not for jump hosts")
	opened := map[string]int{}
	counting := func(ctx context.Context, t conn.Target, s conn.Settings, d conn.Dialer) (conn.Host, error) {
		h, err := ssh.Open(ctx, t, s, d)
		opened[t.Name]++
		return h, err
	}
	pool := conn.NewPool(map[string]conn.Opener{conn.SSH: counting}, map[string]conn.Settings{"nodes": settings})
	for i, target := range s.Targets[2:] {
		target.Config = "nodes"
		h, err := pool.Dial(t.Context(), target)
		require.NoError(t, err, "host %d", i)
		require.Contains(t, origin(t, h), target.Address)
	}
	require.NoError(t, pool.Close())
	require.Equal(t, map[string]int{
		"node3": 1, "node4": 1, "node5": 1, "node6": 1,
		"jump host 127.0.0.3 (behind " + hop(0) + ")": 1, "jump host 127.0.0.2": 1,
	}, opened)
}

func TestJumpFromConfigWithoutPool(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{Hosts: 2})
	// The bastion matches the pattern as well, and is reached directly.
	s.Settings.ConfigFile = plainConfig(t, fmt.Sprintf("Host bastion\n\tHostName 127.0.0.2\nHost *\n\tPort %d\n\tUser %s\n\tIdentityAgent none\n\tProxyJump bastion\n",
		s.Targets[0].Port, s.Targets[0].User))
	h := opener(conn.Target{Kind: conn.SSH, Name: "inner", Address: "127.0.0.3"}, s.Settings)(t)
	require.Contains(t, origin(t, h), "127.0.0.3")
}

func TestProxyCommand(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{Hosts: 2})
	known := s.Settings.KnownHosts[0]
	client := fmt.Sprintf("ssh -F none -i %s -o UserKnownHostsFile=%s -o IdentityAgent=none -W %%h:%%p -p %d %s@127.0.0.2", s.Key, known, s.Targets[0].Port, s.Targets[0].User)
	s.Settings.ConfigFile = plainConfig(t, "IdentityAgent none\nProxyCommand "+client+"\n")
	h := opener(s.Targets[1], s.Settings)(t)
	require.Contains(t, origin(t, h), "127.0.0.3")

	s.Settings.ConfigFile = plainConfig(t, "IdentityAgent none\nConnectTimeout 2\nProxyCommand echo no way there >&2; exit 1\n")
	require.ErrorContains(t, refused(t, s.Targets[1], s.Settings), "no way there")
}

func TestFaultsOfJumpHostsNameThem(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{Hosts: 2})
	settings := s.Settings
	settings.Jump = "127.0.0.2:1"
	u := refused(t, s.Targets[1], settings)
	require.Equal(t, "jump host 127.0.0.2", u.Target)
	require.ErrorContains(t, u, "connection refused")

	settings.Jump = fmt.Sprintf("127.0.0.2:%d", s.Targets[0].Port)
	gone := s.Targets[1]
	gone.Port = 1
	require.ErrorContains(t, refused(t, gone, settings), "cannot reach node2: connect to 127.0.0.3:1 from jump host 127.0.0.2")

	settings.Jump = ""
	settings.ConfigFile = plainConfig(t, "Host a\n\tProxyJump b\nHost b\n\tProxyJump a\n")
	require.ErrorContains(t, refused(t, conn.Target{Kind: conn.SSH, Address: "a"}, settings), "circle")
	pool := conn.NewPool(map[string]conn.Opener{conn.SSH: ssh.Open}, map[string]conn.Settings{"": settings})
	defer pool.Close()
	_, err := pool.Dial(t.Context(), conn.Target{Kind: conn.SSH, Address: "a"})
	require.ErrorContains(t, err, "circle")
}

func TestDialUnixSocket(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{})
	dir, err := os.MkdirTemp("", "antdbctl-test-")
	require.NoError(t, err)
	defer os.RemoveAll(dir)
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	require.NoError(t, err)
	defer l.Close()
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
	c, err := opener(s.Target(""), s.Settings)(t).Dial(t.Context(), "unix", l.Addr().String())
	require.NoError(t, err)
	_, err = io.WriteString(c, "ping\n")
	require.NoError(t, err)
	got := make([]byte, 5)
	_, err = io.ReadFull(c, got)
	require.NoError(t, err)
	require.Equal(t, "ping\n", string(got))
	require.NoError(t, c.Close())
}

func TestLoginShellsThatAreNotSh(t *testing.T) {
	if _, err := os.Stat("/bin/bash"); err != nil {
		t.Skip("no bash here")
	}
	s := conntest.StartSSH(t, conntest.SSHOptions{Users: true, Shell: "/bin/bash"})
	h := opener(s.Target(conntest.Plain), s.Settings)(t)
	args := []string{"it's", "a b", "$HOME", "!!", "\\", "a\nb", "*"}
	res, err := h.Run(t.Context(), conn.Script(`for a; do printf '%s|' "$a"; done`, args...))
	require.NoError(t, err)
	require.Equal(t, strings.Join(args, "|")+"|", res.Stdout)
}
