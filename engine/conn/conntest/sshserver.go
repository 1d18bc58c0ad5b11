package conntest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
)

// SSHOptions say what kind of sshd to start. The zero value is one host that
// knows root (when the test runs as root) or the one who runs the test.
type SSHOptions struct {
	Hosts int // addresses 127.0.0.2, 127.0.0.3, … on one port; 0 for one
	// Users makes accounts that exist for this server only: Ops, who may use
	// sudo without a password, and Admin, whose sudo asks for Password. It
	// takes root.
	Users bool
	// Config is more lines for sshd_config; the first word of a keyword counts,
	// so these win over what the server has otherwise.
	Config []string
	NoSFTP bool
	Shell  string // login shell of the Users; empty for /bin/sh
}

// The accounts of SSHOptions.Users.
const (
	Ops      = "ops"
	Admin    = "admin"
	Plain    = "plain" // may not use sudo at all
	Password = "it's a Pass word"
)

// SSHServer is a running OpenSSH sshd on loopback.
type SSHServer struct {
	t        TB
	opts     SSHOptions
	dir      string
	port     int
	daemons  []*daemon
	log      *os.File
	binds    []string      // files of /etc that the server has its own of
	Settings conn.Settings // what it takes to log in
	Targets  []conn.Target
	Key      string // private key that everybody may log in with
	HostKey  string // the server's private key
}

// TB is what a server needs of a test; a benchmark that is a program of its own
// can have it as well.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Logf(format string, args ...any)
	FailNow()
	Failed() bool
	Cleanup(f func())
}

// StartSSH starts an sshd that ends with the test. It takes OpenSSH's sshd,
// and is left out of short runs.
func StartSSH(t *testing.T, opts SSHOptions) *SSHServer {
	t.Helper()
	if testing.Short() {
		t.Skip("needs sshd")
	}
	if opts.Users && os.Geteuid() != 0 {
		t.Skip("needs root, to make accounts in a mount namespace of their own")
	}
	return RunSSH(t, opts)
}

// RunSSH is StartSSH for any run.
func RunSSH(t TB, opts SSHOptions) *SSHServer {
	t.Helper()
	_, err := os.Stat(sshd)
	require.NoError(t, err, "install openssh-server")

	// Not t.TempDir: sshd wants every folder above a key to be the user's own,
	// and other users must get at theirs.
	dir, err := os.MkdirTemp("", "conntest-sshd-")
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o755))
	s := &SSHServer{t: t, opts: opts, dir: dir, Key: dir + "/id", HostKey: dir + "/host_ed25519"}
	keygen(t, s.Key, "ed25519")
	keygen(t, s.HostKey, "ed25519")
	s.log, err = os.Create(dir + "/log")
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.log.Close() })

	s.port = freePort(t)
	s.describe()
	s.Start()
	t.Cleanup(func() {
		s.Stop()
		if t.Failed() {
			text, _ := os.ReadFile(dir + "/log")
			t.Logf("sshd said:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return s
}

const sshd = "/usr/sbin/sshd"

func keygen(t TB, file, kind string) {
	t.Helper()
	out, err := exec.Command("ssh-keygen", "-q", "-t", kind, "-N", "", "-C", "conntest", "-f", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

func freePort(t TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// describe writes the files of the server, and the Targets and Settings.
func (s *SSHServer) describe() {
	t := s.t
	n := max(1, s.opts.Hosts)
	var config bytes.Buffer
	for _, line := range s.opts.Config {
		fmt.Fprintln(&config, line)
	}
	fmt.Fprintf(&config, "HostKey %s\nAuthorizedKeysFile %s/authorized_keys .ssh/authorized_keys\nPidFile none\nUsePAM %s\n", s.HostKey, s.dir, yes(s.opts.Users))
	fmt.Fprintf(&config, "StrictModes no\nPermitRootLogin yes\nPrintMotd no\nMaxStartups 200\nLogLevel VERBOSE\n")
	if !s.opts.NoSFTP {
		fmt.Fprintln(&config, "Subsystem sftp internal-sftp")
	}
	public, err := os.ReadFile(s.HostKey + ".pub")
	require.NoError(t, err)
	var known bytes.Buffer
	user := os.Getenv("USER")
	if os.Geteuid() == 0 {
		user = "root"
	}
	for i := range n {
		ip := fmt.Sprintf("127.0.0.%d", i+2)
		fmt.Fprintf(&known, "[%s]:%d %s", ip, s.port, public)
		s.Targets = append(s.Targets, conn.Target{Kind: conn.SSH, Name: "node" + strconv.Itoa(i+1), Address: ip, Port: s.port, User: user})
	}
	authorized, err := os.ReadFile(s.Key + ".pub")
	require.NoError(t, err)
	s.write("sshd_config", config.Bytes())
	s.write("known_hosts", known.Bytes())
	s.write("authorized_keys", authorized)
	s.write("ssh_config", []byte("# nothing of this machine's\nIdentityAgent none\n"))
	s.Settings = conn.Settings{
		Kind: conn.SSH, IdentityFiles: []string{s.Key}, KnownHosts: []string{s.dir + "/known_hosts"}, ConfigFile: s.dir + "/ssh_config",
	}
	if os.Geteuid() == 0 {
		s.accounts()
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func (s *SSHServer) write(name string, content []byte) {
	s.t.Helper()
	require.NoError(s.t, os.WriteFile(filepath.Join(s.dir, name), content, 0o644))
}

// Target is the first host, for user; empty for the usual one.
func (s *SSHServer) Target(user string) conn.Target {
	t := s.Targets[0]
	if user != "" {
		t.User = user
	}
	return t
}
