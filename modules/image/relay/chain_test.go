package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
)

func TestEveryNodePassesOnWhatItReceives(t *testing.T) {
	nodes := line(t, 3)
	cargo := random(24<<20 + 12345)
	all := send(t.Context(), cargo, Options{Chain: true}, nodes...)
	for i, p := range nodes {
		p.holds(cargo, all[p.Name])
		if i == 0 {
			require.Empty(t, all[p.Name].By)
		} else {
			require.Equal(t, nodes[i-1].Name, all[p.Name].By, p.said())
			require.Less(t, p.runner.sent.Load(), int64(8<<20), "this machine feeds the head of the chain")
		}
		require.Empty(t, p.said())
		require.NotZero(t, all[p.Name].Received)
		p.clean(cargo)
	}
}

func TestAStarFeedsEveryNodeFromHere(t *testing.T) {
	nodes := line(t, 2)
	cargo := random(5 << 20)
	all := send(t.Context(), cargo, Options{}, nodes...)
	for _, p := range nodes {
		p.holds(cargo, all[p.Name])
		require.Empty(t, all[p.Name].By)
		p.clean(cargo)
	}
}

func TestCargoesOfAnySize(t *testing.T) {
	p := newPlace(t, "n1", settled{})
	for _, size := range []int{1, 65536, chunkSize - 1, chunkSize, chunkSize + 1, 3 * chunkSize} {
		cargo := random(size)
		p.at = nil
		p.holds(cargo, send(t.Context(), cargo, Options{Chain: true}, p)[p.Name])
		p.clean(cargo)
	}
}

func TestCompression(t *testing.T) {
	nodes := line(t, 2)
	var text bytes.Buffer
	for i := 0; text.Len() < 20<<20; i++ {
		fmt.Fprintf(&text, "line %d of a text that can be compressed, by %x\n", i, i*i)
	}
	for _, codec := range []string{"none", "gzip", "zstd", "auto"} {
		t.Run(codec, func(t *testing.T) {
			cargo := carry(text.Bytes())
			for _, p := range nodes {
				p.at = nil
				p.runner.sent.Store(0)
			}
			all := send(t.Context(), cargo, Options{Chain: true, Compress: codec}, nodes...)
			for _, p := range nodes {
				p.holds(cargo, all[p.Name])
				p.clean(cargo)
			}
			if codec == "gzip" || codec == "zstd" {
				require.Less(t, nodes[0].runner.sent.Load(), cargo.Size()/2)
			}
		})
	}
}

// The programs of a node are GNU's under dash otherwise.
func TestNodesWithOtherTools(t *testing.T) {
	ssh, err := exec.LookPath("ssh")
	require.NoError(t, err)
	for tools, shell := range map[string]string{"busybox": "busybox", "bash": "bash"} {
		t.Run(tools, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "relay-tools-") // which others may read
			require.NoError(t, err)
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			require.NoError(t, os.Chmod(dir, 0o755))
			path := dir + ":/usr/sbin:/usr/bin:/sbin:/bin"
			program, err := exec.LookPath(shell)
			require.NoError(t, err, "install it")
			names := []string{"sh"}
			if tools == "busybox" {
				out, err := exec.Command(program, "--list").Output()
				require.NoError(t, err)
				names, path = strings.Fields(string(out)), dir
				require.NoError(t, os.Symlink(ssh, dir+"/ssh"))
			}
			for _, name := range names {
				require.NoError(t, os.Symlink(program, filepath.Join(dir, name)))
			}
			how := settled{opts: conntest.SSHOptions{Config: []string{"SetEnv PATH=" + path}}}
			a, b := newPlace(t, "n1", how), newPlace(t, "n2", how)
			cargo := random(9 << 20)
			all := send(t.Context(), cargo, Options{Chain: true, Compress: "gzip"}, a, b)
			for _, p := range []*place{a, b} {
				p.holds(cargo, all[p.Name])
				p.clean(cargo)
				require.Empty(t, p.said())
			}
			require.Equal(t, "n1", all["n2"].By)
		})
	}
}

func TestALoginThatIsNotRoot(t *testing.T) {
	for name, sudo := range map[string]bool{"with sudo": true, "alone": false} {
		t.Run(name, func(t *testing.T) {
			how := settled{opts: conntest.SSHOptions{Users: true}, user: conntest.Ops, sudo: sudo}
			a, b, c := newPlace(t, "n1", how), newPlace(t, "n2", how), newPlace(t, "n3", settled{})
			cargo := random(9 << 20)
			all := send(t.Context(), cargo, Options{Chain: true}, a, b, c)
			for _, p := range []*place{a, b, c} {
				p.holds(cargo, all[p.Name])
				p.clean(cargo)
				require.Empty(t, p.said())
			}
			require.Equal(t, "n1", all["n2"].By)
			require.Equal(t, "n2", all["n3"].By)
		})
	}
}

func TestWhatLoadsMayFailAtAnyTime(t *testing.T) {
	nodes := line(t, 4)
	cargo := random(9 << 20)
	for i, script := range []string{
		"echo at once >&2; exit 3",
		"head -c 3000000 >/dev/null; echo in the middle >&2; exit 4",
		"cat >/dev/null; echo at the end >&2; exit 5",
	} {
		nodes[i].Load = conn.Script(script)
	}
	all := send(t.Context(), cargo, Options{Chain: true}, nodes...)
	for i, want := range []string{"at once", "in the middle", "at the end"} {
		r := all[nodes[i].Name]
		require.NoError(t, r.Err)
		require.Equal(t, i+3, r.Code)
		require.Equal(t, want+"\n", r.Log)
		nodes[i].clean(cargo)
	}
	nodes[3].holds(cargo, all["n4"])
	require.Equal(t, "n3", all["n4"].By)
}

func TestWhoCannotPassOnIsFedFromHere(t *testing.T) {
	path := t.TempDir()
	require.NoError(t, os.Chmod(filepath.Dir(path), 0o755))
	for _, name := range strings.Fields("sh mkfifo dd sha256sum setsid date readlink sed cat cp mv rm rmdir mkdir id chmod chown grep tail head sleep gzip") {
		program, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(program, filepath.Join(path, name)))
	}
	a := newPlace(t, "n1", settled{})
	noClient := newPlace(t, "n2", settled{opts: conntest.SSHOptions{Config: []string{"SetEnv PATH=" + path}}})
	shut := newPlace(t, "n3", settled{})
	require.NoError(t, os.WriteFile(shut.home+"/.ssh", nil, 0o600)) // where a folder is needed
	nodes := []*place{a, noClient, shut}
	cargo := random(7 << 20)
	all := send(t.Context(), cargo, Options{Chain: true}, nodes...)
	for _, p := range nodes {
		p.holds(cargo, all[p.Name])
	}
	require.Equal(t, "n1", all["n2"].By)
	require.Contains(t, noClient.said(), "no ssh")
	require.Empty(t, all["n3"].By)
	require.Contains(t, shut.said(), "nobody can be let in by ~root/.ssh/authorized_keys")
}

func TestWhoRefusesTheKeyIsFedFromHere(t *testing.T) {
	a := newPlace(t, "n1", settled{})
	b := newPlace(t, "n2", settled{opts: conntest.SSHOptions{Users: true, Config: []string{"DenyUsers " + conntest.Ops}}})
	b.Login.User = conntest.Ops // whose home gets the line
	cargo := random(9 << 20)
	all := send(t.Context(), cargo, Options{Chain: true}, a, b)
	for _, p := range []*place{a, b} {
		p.holds(cargo, all[p.Name])
		p.clean(cargo)
	}
	require.Empty(t, all["n2"].By)
	require.Contains(t, b.said(), "Permission denied")
}

func TestANodeThatLacksAProgramSaysSo(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"sh", "dd", "sha256sum", "date", "id"} {
		program, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(program, filepath.Join(dir, name)))
	}
	a := newPlace(t, "n1", settled{opts: conntest.SSHOptions{Config: []string{"SetEnv PATH=" + dir}}})
	b := newPlace(t, "n2", settled{})
	cargo := random(3 << 20)
	all := send(t.Context(), cargo, Options{Chain: true}, a, b)
	require.EqualError(t, all["n1"].Err, "n1 lacks mkfifo setsid readlink sed")
	b.holds(cargo, all["n2"])
}

func TestACargoThatCannotBeRead(t *testing.T) {
	p := newPlace(t, "n1", settled{})
	cargo := torn{random(9 << 20)}
	all := send(t.Context(), cargo, Options{Chain: true}, p)
	require.ErrorIs(t, all["n1"].Err, errTorn)
	p.clean(cargo)
}

var errTorn = errors.New("the layer has gone")

// torn is a cargo whose end cannot be read.
type torn struct{ freight }

func (torn) ID() string { return "torn" }

func (f torn) ReadAt(p []byte, off int64) (int, error) {
	if off > 5<<20 {
		return 0, errTorn
	}
	return f.freight.ReadAt(p, off)
}

func TestACancelledSendGoesOnLater(t *testing.T) {
	nodes := line(t, 2)
	cargo := random(40 << 20)
	ctx, stop := context.WithCancel(t.Context())
	at := nodes[1].At
	nodes[1].At = func(n int64) {
		at(n)
		if n > 12<<20 {
			stop()
		}
	}
	all := send(ctx, cargo, Options{Chain: true}, nodes...)
	for _, p := range nodes {
		require.ErrorIs(t, all[p.Name].Err, context.Canceled)
		require.NotEmpty(t, p.processes(cargo), "its station waits on")
	}
	for _, p := range nodes {
		p.at = nil
	}
	before := nodes[0].runner.sent.Load()
	require.Greater(t, before, int64(12<<20))
	all = send(t.Context(), cargo, Options{Chain: true}, nodes...)
	for _, p := range nodes {
		p.holds(cargo, all[p.Name])
		p.clean(cargo)
	}
	require.Less(t, nodes[0].runner.sent.Load(), cargo.Size()+6<<20, "what is there is not sent again")
	require.Less(t, nodes[1].runner.sent.Load(), cargo.Size()-10<<20)
}

// A run that is killed cannot tell its stations; the next one finds out.
func TestAKilledSendGoesOnLater(t *testing.T) {
	p := newPlace(t, "n1", settled{})
	cargo := random(40 << 20)
	ctx, kill := context.WithCancel(t.Context())
	p.when(12<<20, func() {
		p.runner.lost.Store(true)
		kill()
	})
	require.Error(t, send(ctx, cargo, Options{}, p)["n1"].Err)
	p.runner.lost.Store(false)
	p.at = nil
	p.holds(cargo, send(t.Context(), cargo, Options{}, p)["n1"])
	p.clean(cargo)
	require.Less(t, p.runner.sent.Load(), cargo.Size()+6<<20)
}

func TestAStarOfManyTakesLittleMemory(t *testing.T) {
	nodes := line(t, 9)
	content := random(20 << 20)
	file, err := os.Create(filepath.Join(t.TempDir(), "cargo"))
	require.NoError(t, err)
	defer file.Close()
	_, err = content.WriteTo(file)
	require.NoError(t, err)
	cargo, sum := onDisk{file, content.Size(), content.id}, content.sum
	content.Reader.Reset(nil)
	debug.FreeOSMemory()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var peak uint64
	for _, p := range nodes {
		at := p.At
		p.At = func(n int64) {
			at(n)
			runtime.ReadMemStats(&now)
			peak = max(peak, now.Sys-now.HeapReleased)
		}
	}
	all := send(t.Context(), cargo, Options{Compress: "zstd"}, nodes...)
	for _, p := range nodes {
		require.NoError(t, all[p.Name].Err)
		require.Equal(t, sum, p.sum())
	}
	grown := int64(peak) - int64(before.Sys-before.HeapReleased)
	t.Logf("%d MiB more than before", grown>>20)
	require.Less(t, grown, int64(54<<20))
}

// onDisk is a cargo that takes no memory.
type onDisk struct {
	*os.File
	size int64
	id   string
}

func (o onDisk) Size() int64 { return o.size }
func (o onDisk) ID() string  { return o.id }

func TestANodeThatNobodyWaitsForLeavesAlone(t *testing.T) {
	nodes := line(t, 3)
	cargo := random(40 << 20)
	gone, leave := context.WithCancel(t.Context())
	nodes[1].Gone = gone
	at := nodes[1].At
	nodes[1].At = func(n int64) {
		at(n)
		leave()
	}
	all := send(t.Context(), cargo, Options{Chain: true}, nodes...)
	require.ErrorIs(t, all["n2"].Err, context.Canceled)
	nodes[0].holds(cargo, all["n1"])
	nodes[2].holds(cargo, all["n3"])
	nodes[0].clean(cargo)
	nodes[2].clean(cargo)
}

func TestTwoSendsToOneNode(t *testing.T) {
	p, q := newPlace(t, "n1", settled{}), (*place)(nil)
	other := *p.Node
	q = &place{Node: &other, t: t, host: p.host, runner: p.runner}
	cargo := random(4 << 20)
	release := filepath.Join(t.TempDir(), "go")
	p.Load = conn.Script(`cat >"$1"; while [ ! -e "$2" ]; do sleep 0.1; done; echo "took it"`, p.file, release)
	other.Load = p.Load
	first := make(chan results)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	whole := make(chan struct{})
	at := p.At
	p.At = func(n int64) {
		at(n)
		if n == cargo.Size() {
			close(whole)
		}
	}
	go func() { first <- send(ctx, cargo, Options{}, p) }()
	<-whole
	r := send(t.Context(), cargo, Options{}, q)["n1"]
	require.ErrorIs(t, r.Err, ErrBusy)
	require.ErrorContains(t, r.Err, fmt.Sprintf("process %d on ", os.Getpid()))
	require.ErrorContains(t, r.Err, ", since 2")
	require.NoError(t, os.WriteFile(release, nil, 0o600))
	p.holds(cargo, (<-first)["n1"])
	p.clean(cargo)
}
