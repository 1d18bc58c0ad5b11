package ssh_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/ssh"
	"github.com/adbsql/antdbctl/engine/secret"
)

// The library never answers a channel that is asked for while the connection
// breaks: what waits there is not ours to end.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("golang.org/x/crypto/ssh.(*mux).openChannel"))
}

// opener opens t anew for each test.
func opener(target conn.Target, s conn.Settings) func(t *testing.T) conn.Host {
	return func(t *testing.T) conn.Host {
		h, err := ssh.Open(t.Context(), target, s, nil)
		require.NoError(t, err)
		t.Cleanup(func() { _ = h.Close() })
		return h
	}
}

func TestOpenSSHKeepsTheContract(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{})
	conntest.Suite(t, opener(s.Target(""), s.Settings))
}

func TestOpenSSHWithoutSFTPKeepsTheContract(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{NoSFTP: true})
	conntest.Suite(t, opener(s.Target(""), s.Settings))
}

func TestOtherUsersKeepTheContract(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{Users: true})
	asRoot, withPassword := s.Settings, s.Settings
	asRoot.Sudo = true
	withPassword.Sudo, withPassword.SudoPassword = true, secret.New(conntest.Password)
	t.Run("plain", func(t *testing.T) { conntest.Suite(t, opener(s.Target(conntest.Plain), s.Settings)) })
	t.Run("sudo", func(t *testing.T) { conntest.Suite(t, opener(s.Target(conntest.Ops), asRoot)) })
	t.Run("sudo with an unneeded password", func(t *testing.T) {
		conntest.Suite(t, opener(s.Target(conntest.Ops), withPassword))
	})
	t.Run("sudo with a password", func(t *testing.T) {
		conntest.Suite(t, opener(s.Target(conntest.Admin), withPassword))
	})
}

// A server that is not OpenSSH, and runs everywhere.
func TestAnotherServerKeepsTheContract(t *testing.T) {
	target, settings := conntest.InProcessSSH(t)
	conntest.Suite(t, opener(target, settings), conntest.LacksUsers)
}

func open(t testing.TB, s *conntest.SSHServer) (conn.Host, error) {
	return ssh.Open(t.Context(), s.Target(""), s.Settings, nil)
}
