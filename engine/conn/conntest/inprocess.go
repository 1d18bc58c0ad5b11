package conntest

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/pkg/sftp"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"

	"github.com/adbsql/antdbctl/engine/conn"
)

// InProcessSSH serves this machine over SSH from within the test, for runs
// that cannot start an sshd. It is no OpenSSH: it passes no signals on, and
// does not limit anything.
func InProcessSSH(t *testing.T) (conn.Target, conn.Settings) {
	t.Helper()
	dir := t.TempDir()
	host, user := newKey(t, dir+"/host"), newKey(t, dir+"/id")
	config := &ssh.ServerConfig{PublicKeyCallback: func(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
		if string(key.Marshal()) != string(user.PublicKey().Marshal()) {
			return nil, errors.New("unknown key")
		}
		return nil, nil
	}}
	config.AddHostKey(host)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serveSSH(c, config) })
		}
	})
	port := l.Addr().(*net.TCPAddr).Port
	known := fmt.Sprintf("[127.0.0.1]:%d %s", port, ssh.MarshalAuthorizedKey(host.PublicKey()))
	for name, text := range map[string]string{"known_hosts": known, "config": "IdentityAgent none\n"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return conn.Target{Kind: conn.SSH, Name: "in-process", Address: "127.0.0.1", Port: port, User: "whoever"},
		conn.Settings{Kind: conn.SSH, IdentityFiles: []string{dir + "/id"}, KnownHosts: []string{dir + "/known_hosts"}, ConfigFile: dir + "/config"}
}

func newKey(t *testing.T, file string) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
	signer, err := ssh.NewSignerFromKey(private)
	require.NoError(t, err)
	return signer
}

func serveSSH(c net.Conn, config *ssh.ServerConfig) {
	sc, channels, requests, err := ssh.NewServerConn(c, config)
	if err != nil {
		_ = c.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	var wg sync.WaitGroup
	for n := range channels {
		switch n.ChannelType() {
		case "session":
			wg.Go(func() { serveSession(n) })
		case "direct-tcpip":
			wg.Go(func() { serveTunnel(n) })
		default:
			_ = n.Reject(ssh.UnknownChannelType, n.ChannelType())
		}
	}
	_ = sc.Close()
	wg.Wait()
}

func serveSession(n ssh.NewChannel) {
	ch, requests, err := n.Accept()
	if err != nil {
		return
	}
	defer ch.Close()
	for r := range requests {
		var msg struct{ Text string }
		_ = ssh.Unmarshal(r.Payload, &msg)
		switch {
		case r.Type == "exec":
			_ = r.Reply(true, nil)
			go ssh.DiscardRequests(requests)
			serveExec(ch, msg.Text)
			return
		case r.Type == "subsystem" && msg.Text == "sftp":
			_ = r.Reply(true, nil)
			go ssh.DiscardRequests(requests)
			if s, err := sftp.NewServer(ch); err == nil {
				_ = s.Serve()
			}
			return
		case r.WantReply:
			_ = r.Reply(false, nil)
		}
	}
}

func serveExec(ch ssh.Channel, line string) {
	c := exec.Command("sh", "-c", line)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	c.Stdout, c.Stderr = ch, ch.Stderr()
	stdin, err := c.StdinPipe() // not waited for, unlike c.Stdin
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return
	}
	go func() {
		_, _ = io.Copy(stdin, ch)
		_ = stdin.Close()
	}()
	_ = c.Wait()
	if s := c.ProcessState.Sys().(syscall.WaitStatus); s.Signaled() {
		name := signalName(s.Signal())
		_, _ = ch.SendRequest("exit-signal", false, ssh.Marshal(struct {
			Signal      string
			Core        bool
			Error, Lang string
		}{Signal: name}))
		return
	}
	_, _ = ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(c.ProcessState.ExitCode())}))
}

func signalName(s syscall.Signal) string {
	return map[syscall.Signal]string{syscall.SIGTERM: "TERM", syscall.SIGKILL: "KILL", syscall.SIGPIPE: "PIPE"}[s]
}

func serveTunnel(n ssh.NewChannel) {
	var to struct {
		Host   string
		Port   uint32
		Origin string
		From   uint32
	}
	_ = ssh.Unmarshal(n.ExtraData(), &to)
	far, err := net.Dial("tcp", net.JoinHostPort(to.Host, fmt.Sprint(to.Port)))
	if err != nil {
		_ = n.Reject(ssh.ConnectionFailed, err.Error())
		return
	}
	ch, requests, err := n.Accept()
	if err != nil {
		_ = far.Close()
		return
	}
	go ssh.DiscardRequests(requests)
	go func() {
		_, _ = io.Copy(far, ch)
		_ = far.Close()
	}()
	_, _ = io.Copy(ch, far)
	_ = ch.Close()
}
