package ssh_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	xssh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/ssh"
	"github.com/adbsql/antdbctl/engine/secret"
)

func works(t *testing.T, target conn.Target, s conn.Settings) {
	t.Helper()
	h, err := ssh.Open(t.Context(), target, s, nil)
	require.NoError(t, err)
	defer h.Close()
	_, err = h.Run(t.Context(), conn.Command("true"))
	require.NoError(t, err)
}

func public(t *testing.T, private string) string {
	t.Helper()
	text, err := os.ReadFile(private + ".pub")
	require.NoError(t, err)
	return string(text)
}

func fingerprint(t *testing.T, private string) string {
	t.Helper()
	key, _, _, _, err := xssh.ParseAuthorizedKey([]byte(public(t, private)))
	require.NoError(t, err)
	return xssh.FingerprintSHA256(key)
}

func TestUnknownHostKey(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{})
	file := filepath.Join(t.TempDir(), "new/known_hosts")
	s.Settings.KnownHosts = []string{file}
	u := refused(t, s.Target(""), s.Settings)
	var unknown *ssh.UnknownHostKey
	require.ErrorAs(t, u, &unknown)
	require.ErrorContains(t, u, "127.0.0.2:")
	require.ErrorContains(t, u, "ED25519 key "+fingerprint(t, s.HostKey))
	require.Contains(t, u.Hint, "ssh-keyscan -p ")
	require.Contains(t, u.Hint, ">> "+file)
	require.Contains(t, u.Hint, "accept-new")
	require.NoFileExists(t, file)

	s.Settings.HostKeyCheck = "accept-new"
	works(t, s.Target(""), s.Settings)
	s.Settings.HostKeyCheck = "strict"
	works(t, s.Target(""), s.Settings)
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), "\n"))

	out, err := exec.Command("ssh-keygen", "-H", "-f", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	text, err = os.ReadFile(file)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(text), "|1|"), "hashed names")
	works(t, s.Target(""), s.Settings)
}

func TestChangedHostKey(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{})
	other := keygen(t, "ed25519", "")
	file := filepath.Join(t.TempDir(), "known_hosts")
	target := s.Target("")
	// What OpenSSH would skip must not make the rest unreadable.
	odd := "127.0.0.9 ssh-future AAAAC3NzaC1lZDI1NTE5AAAAIJ0= a key type of other times\n"
	name := "[127.0.0.2]:" + strings.TrimPrefix(net.JoinHostPort("", itoa(target.Port)), ":")
	require.NoError(t, os.WriteFile(file, []byte("# comment\n"+odd+name+" "+public(t, other)), 0o600))
	s.Settings.KnownHosts = []string{file}
	for _, check := range []string{"strict", "accept-new"} {
		s.Settings.HostKeyCheck = check
		u := refused(t, target, s.Settings)
		var changed *ssh.ChangedHostKey
		require.ErrorAs(t, u, &changed)
		require.Equal(t, file, changed.File)
		require.Equal(t, 3, changed.Line)
		require.ErrorContains(t, u, "HOST KEY CHANGED")
		require.ErrorContains(t, u, file+":3")
		require.ErrorContains(t, u, fingerprint(t, s.HostKey))
		require.ErrorContains(t, u, fingerprint(t, other))
		require.Contains(t, u.Hint, "ssh-keygen -f "+file+" -R '"+name+"'")
	}
	s.Settings.HostKeyCheck = "off"
	works(t, target, s.Settings)
}

func itoa(n int) string { return strings.TrimPrefix((&net.TCPAddr{Port: n}).String(), ":") }

func TestServerWithSeveralHostKeysShowsTheKnownOne(t *testing.T) {
	rsa, ecdsa := keygen(t, "rsa", ""), keygen(t, "ecdsa", "")
	s := conntest.StartSSH(t, conntest.SSHOptions{Config: []string{"HostKey " + rsa, "HostKey " + ecdsa}})
	for _, known := range []string{rsa, ecdsa, s.HostKey} {
		file := filepath.Join(t.TempDir(), "known_hosts")
		require.NoError(t, os.WriteFile(file, []byte("[127.0.0.2]:"+itoa(s.Target("").Port)+" "+public(t, known)), 0o600))
		s.Settings.KnownHosts = []string{file}
		works(t, s.Target(""), s.Settings)
	}
}

func TestRefusedKeyNamesWhatWasTried(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{})
	wrong, locked := keygen(t, "ed25519", ""), keygen(t, "ecdsa", "a phrase")
	s.Settings.IdentityFiles = []string{wrong, locked, "/no/such/key"}
	s.Settings.Password = secret.New("wrong password")
	u := refused(t, s.Target(""), s.Settings)
	var auth *ssh.AuthError
	require.ErrorAs(t, u, &auth)
	for _, part := range []string{fingerprint(t, wrong) + " from " + wrong, locked + ": it is locked", "/no/such/key: no such file", "the password"} {
		require.ErrorContains(t, u, part)
	}
	require.NotContains(t, u.Error(), "wrong password")
	require.Contains(t, u.Hint, "authorized_keys")
}

func TestLockedKeyOpensWithItsPassphrase(t *testing.T) {
	locked := keygen(t, "ed25519", "a phrase")
	s := conntest.StartSSH(t, conntest.SSHOptions{Config: []string{"AuthorizedKeysFile " + locked + ".pub"}})
	s.Settings.IdentityFiles = []string{locked}
	s.Settings.Passphrase = secret.New("a phrase")
	works(t, s.Target(""), s.Settings)
	s.Settings.Passphrase = secret.New("another")
	require.ErrorContains(t, refused(t, s.Target(""), s.Settings), "passphrase does not open it")
}

// startAgent serves an ssh-agent that holds the keys.
func startAgent(t *testing.T, files ...string) string {
	t.Helper()
	ring := agent.NewKeyring()
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		key, err := xssh.ParseRawPrivateKey(text)
		require.NoError(t, err)
		require.NoError(t, ring.Add(agent.AddedKey{PrivateKey: key}))
	}
	socket := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = agent.ServeAgent(ring, c)
				_ = c.Close()
			}()
		}
	}()
	return socket
}

func TestAgentKeys(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{})
	var strangers []string
	for range 8 { // more than sshd lets try
		strangers = append(strangers, keygen(t, "ed25519", ""))
	}
	s.Settings.IdentityFiles = nil
	t.Run("the agent alone", func(t *testing.T) {
		socket := startAgent(t, s.Key)
		s.Settings.ConfigFile = plainConfig(t, "IdentityFile none\nIdentityAgent "+socket+"\n")
		works(t, s.Target(""), s.Settings)
	})
	t.Run("a named file goes before an agent full of strangers", func(t *testing.T) {
		socket := startAgent(t, strangers...)
		s.Settings.ConfigFile = plainConfig(t, "IdentityFile "+s.Key+"\nIdentityAgent "+socket+"\n")
		works(t, s.Target(""), s.Settings)
	})
	t.Run("IdentitiesOnly keeps the agent to named files", func(t *testing.T) {
		socket := startAgent(t, append(strangers, s.Key)...)
		half := filepath.Join(t.TempDir(), "half")
		require.NoError(t, os.WriteFile(half+".pub", []byte(public(t, s.Key)), 0o600))
		s.Settings.ConfigFile = plainConfig(t, "IdentityFile "+half+"\nIdentitiesOnly yes\nIdentityAgent "+socket+"\n")
		works(t, s.Target(""), s.Settings)
	})
}

func plainConfig(t *testing.T, text string) string {
	file := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	return file
}

func TestPasswords(t *testing.T) {
	for _, method := range []string{"password", "keyboard-interactive"} {
		s := conntest.StartSSH(t, conntest.SSHOptions{Users: true, Config: []string{"AuthenticationMethods " + method, "KbdInteractiveAuthentication yes"}})
		s.Settings.Password = secret.New(conntest.Password)
		works(t, s.Target(conntest.Ops), s.Settings)
	}
}

func TestSudoFailuresAreClear(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{Users: true})
	s.Settings.Sudo = true
	for _, c := range []struct{ user, password, want, hint string }{
		{conntest.Plain, "", "password is required", "sudo_password"},
		{conntest.Plain, conntest.Password, "not in the sudoers file", "sudoers"},
		{conntest.Admin, "", "password is required", "NOPASSWD"},
		{conntest.Admin, "not this one", "try again", "check sudo_password"},
	} {
		s.Settings.SudoPassword = secret.New(c.password)
		h := opener(s.Target(c.user), s.Settings)(t)
		cmd := conn.Command("id", "-u")
		cmd.Env = map[string]secret.Value{"TOKEN": secret.New("a token")}
		_, err := h.Run(t.Context(), cmd)
		var sudo *ssh.SudoError
		require.ErrorAs(t, err, &sudo, "%+v", c)
		require.ErrorContains(t, err, c.want)
		require.Contains(t, sudo.Hint(), c.hint)
		require.NotContains(t, err.Error(), "a token")
		_, isExit := conn.ExitCode(err)
		require.False(t, isExit, "the command did not run")
	}
	s.Settings.SudoPassword = secret.Value{}
	h := opener(s.Target(conntest.Ops), s.Settings)(t)
	cmd := conn.Command("id", "-un")
	cmd.User = conntest.Plain
	res, err := h.Run(t.Context(), cmd)
	require.NoError(t, err)
	require.Equal(t, "plain\n", res.Stdout)
	cmd.User = conntest.Ops
	res, err = h.Run(t.Context(), cmd)
	require.NoError(t, err)
	require.Equal(t, "ops\n", res.Stdout)
}
