package conntest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"
)

// listenSockets is how many addresses one sshd listens on at most.
const listenSockets = 16

// daemon is one process of sshd.
type daemon struct {
	*exec.Cmd
	exited chan struct{}
}

func (d *daemon) hasExited() bool {
	select {
	case <-d.exited:
		return true
	default:
		return false
	}
}

// Start starts sshd and waits until it listens. It takes several processes to
// listen on many addresses of loopback, and nowhere else.
func (s *SSHServer) Start() {
	s.t.Helper()
	s.daemons = nil
	for first := 0; first < len(s.Targets); first += listenSockets {
		var addresses []string
		for _, t := range s.Targets[first:min(first+listenSockets, len(s.Targets))] {
			addresses = append(addresses, fmt.Sprintf("%s:%d", t.Address, t.Port))
		}
		s.daemons = append(s.daemons, s.startOne(addresses))
	}
}

func (s *SSHServer) startOne(addresses []string) *daemon {
	s.t.Helper()
	args := []string{sshd, "-D", "-e", "-f", s.dir + "/sshd_config"}
	if punishes() {
		// Tests knock wrongly on purpose.
		args = append(args, "-o", "PerSourcePenalties=no")
	}
	for _, a := range addresses {
		args = append(args, "-o", "ListenAddress="+a)
	}
	if os.Geteuid() == 0 {
		// A mount namespace of its own, for /run/sshd and the accounts.
		args = append([]string{"unshare", "--mount", "sh", "-c", s.namespace() + `exec "$@"`, "sh"}, args...)
	}
	d := &daemon{Cmd: exec.Command(args[0], args[1:]...), exited: make(chan struct{})}
	d.Stdout, d.Stderr = s.log, s.log
	d.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(s.t, d.Cmd.Start())
	go func() {
		_ = d.Wait()
		close(d.exited)
	}()
	for deadline := time.Now().Add(20 * time.Second); !listens(addresses[0]); {
		if d.hasExited() || time.Now().After(deadline) {
			text, _ := os.ReadFile(s.dir + "/log")
			require.Fail(s.t, "sshd did not start", "%s", text)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return d
}

var version = regexp.MustCompile(`OpenSSH_(\d+)\.(\d+)`)

// punishes tells whether sshd shuts out addresses that make mistakes, as it
// does since 9.8; older ones do not know the option.
func punishes() bool {
	out, _ := exec.Command(sshd, "-V").CombinedOutput() // old ones answer by an error
	m := version.FindStringSubmatch(string(out))
	if m == nil {
		return false
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	return major > 9 || major == 9 && minor >= 8
}

func listens(address string) bool {
	c, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// Stop ends sshd and every connection it serves, as a host that goes down.
func (s *SSHServer) Stop() {
	s.signalAll(syscall.SIGKILL)
	for _, d := range s.daemons {
		<-d.exited
	}
}

// Cut ends every connection and what runs on it, and no more than that.
func (s *SSHServer) Cut() {
	for _, d := range s.daemons {
		for _, pid := range descendants(d.Process.Pid) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// Freeze makes the server and its connections stand still: nothing answers,
// nothing closes. Thaw lets them go on.
func (s *SSHServer) Freeze() { s.signalAll(syscall.SIGSTOP) }
func (s *SSHServer) Thaw()   { s.signalAll(syscall.SIGCONT) }

func (s *SSHServer) signalAll(sig syscall.Signal) {
	for _, d := range s.daemons {
		if d.hasExited() {
			continue
		}
		for _, pid := range append(descendants(d.Process.Pid), d.Process.Pid) {
			_ = syscall.Kill(pid, sig)
		}
	}
}

// descendants are the processes that come from pid.
func descendants(pid int) []int {
	var all []int
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	for _, word := range strings.Fields(string(text)) {
		if child, err := strconv.Atoi(word); err == nil {
			all = append(append(all, child), descendants(child)...)
		}
	}
	return all
}
