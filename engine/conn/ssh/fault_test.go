package ssh_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/ssh"
)

// refused opens a target that must be unreachable.
func refused(t *testing.T, target conn.Target, s conn.Settings) *conn.Unreachable {
	t.Helper()
	h, err := ssh.Open(t.Context(), target, s, nil)
	if err == nil {
		_ = h.Close()
	}
	var u *conn.Unreachable
	require.ErrorAs(t, err, &u)
	return u
}

// plainSettings reads no file of the user who runs the test.
func plainSettings(t *testing.T, config string) conn.Settings {
	file := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(file, []byte("IdentityAgent none\nIdentityFile none\n"+config), 0o600))
	return conn.Settings{ConfigFile: file, KnownHosts: []string{file + ".known"}}
}

func TestRefusedPortIsUnreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port
	require.NoError(t, l.Close())
	start := time.Now()
	u := refused(t, conn.Target{Name: "node1", Address: "127.0.0.1", Port: port}, plainSettings(t, ""))
	require.ErrorContains(t, u, "cannot reach node1: dial tcp 127.0.0.1:")
	require.ErrorContains(t, u, "connection refused")
	require.Contains(t, u.Hint, "sshd")
	require.Less(t, time.Since(start), 5*time.Second)
}

// silent accepts connections and says nothing, as a host that hangs.
func silent(t *testing.T) conn.Target {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	return conn.Target{Name: "silent", Address: "127.0.0.1", Port: l.Addr().(*net.TCPAddr).Port}
}

func TestSilentServerIsGivenUp(t *testing.T) {
	start := time.Now()
	u := refused(t, silent(t), plainSettings(t, "ConnectTimeout 1\n"))
	require.ErrorIs(t, u, os.ErrDeadlineExceeded)
	require.ErrorContains(t, u, "no answer within 1s")
	require.Contains(t, u.Hint, "firewalls")
	require.Less(t, time.Since(start), 5*time.Second)
}

func TestDialEndsWithItsContext(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	start := time.Now()
	_, err := ssh.Open(ctx, silent(t), plainSettings(t, ""), nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(start), 5*time.Second)
}

func TestSSHDStoppedInMidRun(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{})
	h := opener(s.Target(""), s.Settings)(t)
	running, done := make(chan string, 1), make(chan error, 1)
	cmd := conn.Script("echo running; sleep 60")
	cmd.Stdout = writer(func(p []byte) { running <- string(p) })
	go func() {
		_, err := h.Run(t.Context(), cmd)
		done <- err
	}()
	<-running
	s.Stop()
	var u *conn.Unreachable
	require.ErrorAs(t, <-done, &u)
	require.Equal(t, "node1", u.Target)
	_, err := h.Run(t.Context(), conn.Command("true"))
	require.ErrorAs(t, err, &u)
	require.ErrorContains(t, err, "refused")

	s.Start()
	res, err := h.Run(t.Context(), conn.Command("echo", "back"))
	require.NoError(t, err, "the next command connects anew")
	require.Equal(t, "back\n", res.Stdout)
	f, err := h.Files()
	require.NoError(t, err)
	_, err = f.Stat(t.Context(), "/etc/passwd")
	require.NoError(t, err, "files too")
}

type writer func([]byte)

func (w writer) Write(p []byte) (int, error) {
	w(p)
	return len(p), nil
}

func TestFrozenHostIsNoticed(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{})
	s.Settings.ConfigFile = plainSettings(t, "ServerAliveInterval 1\nServerAliveCountMax 1\nConnectTimeout 1\n").ConfigFile
	h := opener(s.Target(""), s.Settings)(t)
	done := make(chan error, 1)
	running := make(chan string, 1)
	cmd := conn.Script("echo running; sleep 60")
	cmd.Stdout = writer(func(p []byte) { running <- string(p) })
	go func() {
		_, err := h.Run(t.Context(), cmd)
		done <- err
	}()
	<-running
	s.Freeze()
	defer s.Thaw()
	var u *conn.Unreachable
	require.ErrorAs(t, <-done, &u)
	require.ErrorContains(t, u, "no sign of life")
	s.Thaw()
	_, err := h.Run(t.Context(), conn.Command("true"))
	require.NoError(t, err)
}

func TestCancelDoesNotWaitForAFrozenHost(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{})
	h := opener(s.Target(""), s.Settings)(t)
	s.Freeze()
	defer s.Thaw()
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	start := time.Now()
	_, err := h.Run(ctx, conn.Command("true"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
	f, err := h.Files()
	require.NoError(t, err)
	_, err = f.Stat(ctx, "/etc/passwd")
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, time.Since(start), 10*time.Second)
}

func TestCancelDoesNotWaitForAFrozenUpload(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{})
	h := opener(s.Target(""), s.Settings)(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	sent := &endless{limit: 20 << 20, reached: make(chan struct{})}
	cmd := conn.Script("cat >/dev/null")
	cmd.Stdin = sent
	done := make(chan error, 1)
	go func() {
		_, err := h.Run(ctx, cmd)
		done <- err
	}()
	<-sent.reached
	s.Freeze()
	defer s.Thaw()
	time.AfterFunc(300*time.Millisecond, stop) // by then no buffer has room
	start := time.Now()
	require.ErrorIs(t, <-done, context.Canceled)
	require.Less(t, time.Since(start), 15*time.Second)
}

// endless is input without an end that tells when much of it was taken.
type endless struct {
	n, limit int
	reached  chan struct{}
}

func (e *endless) Read(p []byte) (int, error) {
	if before := e.n; before < e.limit && before+len(p) >= e.limit {
		close(e.reached)
	}
	e.n += len(p)
	return len(p), nil
}

func TestFiftyDialsUnderFewMaxStartups(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{Config: []string{"MaxStartups 2:70:4"}})
	hosts := make([]conn.Host, 50)
	errs := make([]error, len(hosts))
	var wg sync.WaitGroup
	for i := range hosts {
		wg.Go(func() {
			if hosts[i], errs[i] = ssh.Open(t.Context(), s.Target(""), s.Settings, nil); errs[i] == nil {
				_, errs[i] = hosts[i].Run(t.Context(), conn.Command("true"))
				_ = hosts[i].Close()
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
}

func TestServerWithFewSessionsIsWaitedFor(t *testing.T) {
	s := conntest.StartSSH(t, conntest.SSHOptions{Config: []string{"MaxSessions 2"}})
	h := opener(s.Target(""), s.Settings)(t)
	errs := make([]error, 16)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			_, errs[i] = h.Run(t.Context(), conn.Script(`sleep 0.05; exit "$1"`, fmt.Sprint(i)))
			if code, _ := conn.ExitCode(errs[i]); code == i {
				errs[i] = nil
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
}

func TestFullDiskIsSaid(t *testing.T) {
	for _, noSFTP := range []bool{false, true} {
		s := conntest.StartSSH(t, conntest.SSHOptions{NoSFTP: noSFTP})
		if os.Geteuid() != 0 {
			t.Skip("needs root, to mount a small file system")
		}
		h := opener(s.Target(""), s.Settings)(t)
		f, err := h.Files()
		require.NoError(t, err)
		name := s.FullDisk() + "/large"
		err = f.Write(t.Context(), name, strings.NewReader(strings.Repeat("x", 1<<20)), conn.FileMeta{})
		require.ErrorContains(t, lower(err), "no space left on device")
		require.ErrorContains(t, err, name)
		res, err := h.Run(t.Context(), conn.Command("ls", "-A", s.FullDisk()))
		require.NoError(t, err)
		require.Empty(t, res.Stdout, "nothing half is left")
		require.NoError(t, f.Write(t.Context(), name, strings.NewReader("small"), conn.FileMeta{}))
	}
}

func lower(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.ToLower(err.Error()))
}

// keygen makes a key pair and gives the file of its private half.
func keygen(t *testing.T, kind, passphrase string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key_"+kind)
	out, err := exec.Command("ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", file).CombinedOutput()
	require.NoError(t, err, "%s", out)
	return file
}
