package relay

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/ssh"
)

// The library never answers a channel that is asked for while the connection
// breaks: what waits there is not ours to end.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("golang.org/x/crypto/ssh.(*mux).openChannel"))
}

// freight is a cargo in memory.
type freight struct {
	*bytes.Reader
	id, sum string
}

func (f freight) ID() string { return f.id }

// random is a cargo that nothing compresses.
func random(size int) freight {
	all := make([]byte, size)
	seed := [32]byte{1}
	_, _ = mathrand.NewChaCha8(seed).Read(all)
	return carry(all)
}

func carry(all []byte) freight {
	sum := sha256.Sum256(all)
	return freight{bytes.NewReader(all), rand.Text(), hex.EncodeToString(sum[:])}
}

// place is a node of a test: an sshd with a root home and a /run of its own.
type place struct {
	*Node
	t      *testing.T
	server *conntest.SSHServer
	host   *ssh.Host
	home   string // of who logs in
	file   string // what its loader writes
	runner *runner
	had    []Cargo

	mu    sync.Mutex
	at    []int64
	notes []string
}

// runner counts what is sent to a node, and tells of it.
type runner struct {
	conn.Runner
	sent atomic.Int64
	lost atomic.Bool // nothing gets there any more
}

func (r *runner) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	if r.lost.Load() {
		return conn.Result{}, &conn.Unreachable{Target: "the node", Err: io.ErrClosedPipe}
	}
	if cmd.Stdin != nil {
		cmd.Stdin = &counter{cmd.Stdin, &r.sent}
	}
	return r.Runner.Run(ctx, cmd)
}

type counter struct {
	io.Reader
	n *atomic.Int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// settled says how a place differs from a plain one.
type settled struct {
	opts conntest.SSHOptions
	user string
	sudo bool
}

func newPlace(t *testing.T, name string, how settled) *place {
	t.Helper()
	server := conntest.StartSSH(t, how.opts)
	settings := server.Settings
	settings.Sudo = how.sudo
	host, err := ssh.Open(t.Context(), server.Target(how.user), settings, nil)
	require.NoError(t, err)
	t.Cleanup(func() { _ = host.Close() })
	login, err := host.(*ssh.Host).Login(t.Context())
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "relay-node-") // which other users may enter
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	require.NoError(t, os.Chmod(dir, 0o777))
	p := &place{t: t, server: server, host: host.(*ssh.Host), file: dir + "/cargo", runner: &runner{Runner: host}}
	user := how.user
	if user == "" {
		user = "root"
	}
	p.home = filepath.Join(filepath.Dir(server.Key), "home", user)
	p.Node = &Node{
		Name: name, Host: p.runner, Login: &login,
		Load: conn.Script(`cat >"$1"; echo "took it"`, p.file),
		At: func(n int64) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.at = append(p.at, n)
		},
		Note: func(format string, args ...any) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.notes = append(p.notes, fmt.Sprintf(format, args...))
		},
	}
	t.Cleanup(p.abandon)
	return p
}

// line is n plain places.
func line(t *testing.T, n int) []*place {
	t.Helper()
	all := make([]*place, n)
	for i := range all {
		all[i] = newPlace(t, fmt.Sprintf("n%d", i+1), settled{})
	}
	return all
}

// quick are limits for tests, which do not wait long for what does not come.
func quick() *limits {
	l := usual
	l.pollEvery = 50 * time.Millisecond
	l.silent, l.stalled, l.lost = 4*time.Second, 6*time.Second, 12*time.Second
	l.busy, l.free = 7*time.Second, 6*time.Second
	return &l
}

// calm are limits for tests in which nobody dies, however slow the machine is.
func calm() *limits {
	l := quick()
	l.silent, l.stalled, l.lost = time.Minute, time.Minute, 2*time.Minute
	return l
}

// results of a Send, by the node's name.
type results map[string]Result

func send(ctx context.Context, cargo Cargo, opts Options, places ...*place) results {
	if opts.limits == nil {
		opts.limits = calm()
	}
	var mu sync.Mutex
	all := results{}
	nodes := make([]*Node, len(places))
	for i, p := range places {
		nodes[i] = p.Node
		p.had = append(p.had, cargo)
	}
	Send(ctx, cargo, nodes, opts, func(n *Node, r Result) {
		mu.Lock()
		defer mu.Unlock()
		all[n.Name] = r
	})
	return all
}

// sum is the digest of what a place holds.
func (p *place) sum() string {
	p.t.Helper()
	all, err := os.ReadFile(p.file)
	require.NoError(p.t, err)
	sum := sha256.Sum256(all)
	return hex.EncodeToString(sum[:])
}

func (p *place) do(script string, args ...string) string {
	p.t.Helper()
	out, err := p.host.Run(p.t.Context(), conn.Script(script, args...))
	require.NoError(p.t, err)
	return out.Stdout
}

// holds requires that everything arrived and was loaded, and progress never
// went back.
func (p *place) holds(cargo freight, r Result) {
	p.t.Helper()
	require.NoError(p.t, r.Err, "%s: %v", p.Name, p.said())
	require.Zero(p.t, r.Code, r.Log)
	require.Equal(p.t, "took it\n", r.Log)
	require.Equal(p.t, cargo.sum, p.sum(), "what %s holds", p.Name)
	p.mu.Lock()
	defer p.mu.Unlock()
	require.IsNonDecreasing(p.t, append([]int64{0}, p.at...)) // after a cut it may say again where it is
	require.Equal(p.t, cargo.Size(), p.at[len(p.at)-1])
}

func (p *place) said() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.notes, "\n")
}

// clean requires that nothing stayed behind.
func (p *place) clean(cargo Cargo) {
	p.t.Helper()
	require.Empty(p.t, strings.TrimSpace(p.do(`ls -A /run/antdbctl 2>/dev/null; ls -A "/tmp/antdbctl-$(id -u)" 2>/dev/null; true`)))
	require.NoFileExists(p.t, p.home+"/.ssh/authorized_keys")
	// What was killed may take a moment to be gone.
	require.Eventually(p.t, func() bool { return len(p.processes(cargo)) == 0 }, 10*time.Second, 20*time.Millisecond)
}

// processes are those that belong to the station of a cargo.
func (p *place) processes(cargo Cargo) map[int]string {
	name := "cargo-" + stationName(p.Node, cargo)
	found := map[int]string{}
	all, _ := filepath.Glob("/proc/[0-9]*")
	for _, dir := range all {
		cwd, _ := os.Readlink(dir + "/cwd")
		args, _ := os.ReadFile(dir + "/cmdline")
		if pid, err := strconv.Atoi(filepath.Base(dir)); err == nil && (strings.Contains(cwd, name) || bytes.Contains(args, []byte(name))) {
			found[pid] = strings.ReplaceAll(string(args), "\x00", " ")
		}
	}
	return found
}

// abandon ends the stations that a test left behind on purpose.
func (p *place) abandon() {
	for _, cargo := range p.had {
		for pid := range p.processes(cargo) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}
