package ssh

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

// proxyConn is a connection that a ProxyCommand makes and carries over its
// stdin and stdout.
type proxyConn struct {
	io.Reader
	io.WriteCloser
	process *exec.Cmd
	stderr  *lastWords
	once    sync.Once
}

// startProxy runs a ProxyCommand of ssh_config, on this machine and by sh, as
// ssh does.
func startProxy(command string) (net.Conn, error) {
	p := exec.Command("sh", "-c", "exec "+command)
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c := &proxyConn{process: p, stderr: &lastWords{}}
	p.Stderr = c.stderr
	p.WaitDelay = time.Second
	var err error
	if c.WriteCloser, err = p.StdinPipe(); err != nil {
		return nil, err
	}
	if c.Reader, err = p.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := p.Start(); err != nil {
		return nil, fmt.Errorf("ProxyCommand: %w", err)
	}
	return c, nil
}

// complaint is what the command said last; it is complete after Close.
func (c *proxyConn) complaint() string { return c.stderr.String() }

// lastWordsTime is how long a command whose input has ended may take to say why
// and to end by itself.
const lastWordsTime = 300 * time.Millisecond

// Close ends the command.
func (c *proxyConn) Close() error {
	c.once.Do(func() {
		_ = c.WriteCloser.Close()
		kill := time.AfterFunc(lastWordsTime, func() { _ = syscall.Kill(-c.process.Process.Pid, syscall.SIGTERM) })
		_ = c.process.Wait()
		kill.Stop()
	})
	return nil
}

// The host's address is the command's affair, and deadlines are not needed: the
// handshake ends by closing.
func (c *proxyConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *proxyConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *proxyConn) SetDeadline(time.Time) error      { return nil }
func (c *proxyConn) SetReadDeadline(time.Time) error  { return nil }
func (c *proxyConn) SetWriteDeadline(time.Time) error { return nil }

// lastWords keeps the last line.
type lastWords struct {
	mu   sync.Mutex
	text string
}

func (l *lastWords) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = string(p[max(0, len(p)-500):])
	return len(p), nil
}

func (l *lastWords) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	text := strings.TrimSpace(l.text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
