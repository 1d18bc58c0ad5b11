package host

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestCollectExampleParses(t *testing.T) { moduletest.Example(t, module.Of[Collect]()) }

// collected is what the collector saw of a place.
type collected struct {
	*evidence.InMemory
	t *testing.T
}

func collect(t *testing.T, h conn.Host, c Collect) collected {
	t.Helper()
	m := evidence.NewMemory(time.Now(), 1<<20)
	require.NoError(t, c.Collect(t.Context(), nodeEnv(t, h), m))
	return collected{m, t}
}

// nodeEnv is an environment on a machine of the site.
func nodeEnv(t *testing.T, h conn.Host) *module.Env {
	env := moduletest.Env(t, h)
	env.Target = conn.Target{Kind: conn.SSH, Name: "node3"}
	return env
}

// fact is the only one of its kind and name.
func fact[T any](c collected, name string) *T {
	c.t.Helper()
	var found []*T
	for f := range c.Facts() {
		if data, ok := f.Data.(*T); ok && f.Name == name {
			found = append(found, data)
		}
	}
	require.Len(c.t, found, 1, "facts %q", name)
	return found[0]
}

func (c collected) gaps() string {
	var all []string
	for _, g := range c.Gaps() {
		all = append(all, g.String())
	}
	return strings.Join(all, "\n")
}

// logs is the text of each kind of log.
func (c collected) logs() map[string]string {
	all := map[string]string{}
	for log := range c.Logs() {
		r, err := log.Open()
		require.NoError(c.t, err)
		text, err := io.ReadAll(r)
		require.NoError(c.t, err)
		all[log.Kind] += string(text)
	}
	return all
}

func TestCollectTellsThisMachine(t *testing.T) {
	everywhere(t, func(t *testing.T, h conn.Host, dir string) {
		volume := filepath.Join(dir, "volume")
		require.NoError(t, os.Mkdir(volume, 0o755))
		require.NoError(t, os.Chmod(volume, 0o770|os.ModeSticky))
		write(t, volume+"/PG_VERSION", "11\n", 0o644)
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		defer listener.Close()

		step := stepOn[Collect](t, h, dir, `
			node    = "node7"
			folders = ["DIR/volume", "DIR/none"]`)
		require.False(t, onlyLooks(t, step, dir).Wanted())

		c := collect(t, h, Collect{Node: "node7", Folders: []string{volume, dir + "/none"}, Since: time.Hour, LogLines: 100, LogBytes: 1 << 16})
		for f := range c.Facts() {
			require.Equal(t, evidence.Place{Node: "node7"}, f.Place)
		}
		require.True(t, fact[evidence.Reach](c, "node7").Reachable)
		memory := fact[evidence.Memory](c, "node7")
		require.Greater(t, memory.Total, memory.Available)
		require.Greater(t, memory.Available, int64(1<<20))
		require.Len(t, strings.Fields(memory.Sem), 4)
		require.NotEmpty(t, memory.ShmMax)
		clock := fact[evidence.Clock](c, "node7")
		require.LessOrEqual(t, max(clock.Offset, -clock.Offset), clock.Error, "it is the same clock")

		root := fact[evidence.Disk](c, "/")
		require.Equal(t, "/", root.Path)
		require.NotEmpty(t, root.Type)
		require.NotEmpty(t, root.Options)
		require.Greater(t, root.Size, root.Free)
		require.True(t, root.Percent > 0 && root.Percent <= 100)

		here := fact[evidence.Folder](c, volume)
		require.Equal(t, evidence.Folder{Path: volume, Exists: true, UID: int64(os.Geteuid()), GID: int64(os.Getegid()), Mode: "1770",
			Has: []string{"PG_VERSION"}, FS: here.FS}, *here)
		require.NotEmpty(t, here.FS)
		require.False(t, fact[evidence.Folder](c, dir+"/none").Exists)

		lo := fact[evidence.Interface](c, "lo")
		require.Equal(t, evidence.Interface{MTU: 65536, Kind: "loopback", Up: true, Address: "127.0.0.1"}, *lo)
		port := listener.Addr().(*net.TCPAddr).Port
		require.Equal(t, int64(port), fact[evidence.Port](c, fmt.Sprintf("127.0.0.1 %d", port)).Port)
		require.NotContains(t, c.gaps(), "the rest of its facts")
	})
}

func TestCollectGivesAPlaybookItsFacts(t *testing.T) {
	step := stepOn[Collect](t, local.New(), t.TempDir(), `node = "node7"`)
	_, out, err := step.Check()
	require.NoError(t, err)
	disks := out.GetAttr("facts").GetAttr("node_disk").AsValueSlice()
	require.NotEmpty(t, disks)
	require.Equal(t, "node7", disks[0].GetAttr("place").GetAttr("node").AsString())
}

// A node of Kubernetes, by the words that its programs print.
func TestCollectReadsANode(t *testing.T) {
	bin := t.TempDir()
	for name, script := range map[string]string{
		"kubelet":    "echo Kubernetes v1.34.4",
		"containerd": "echo 'containerd github.com/containerd/containerd v1.6.20 2806fc1'",
		"timedatectl": `case $1 in show) echo "Unknown operation show." >&2; exit 1;; esac
			printf '      Local time: Mon 2026-11-23 12:00:00 UTC\nNTP synchronized: yes\n'`,
		"crictl": "exit 1",
		"ctr": `case "$*" in
			*"content get sha256:abad"*) echo '{ "schemaVersion": 2, "config": { "mediaType": "x", "size": 1, "digest": "sha256:c0de" }, "layers": [{"digest": "sha256:1"}] }' ;;
			*"content get"*) exit 1 ;;
			*k8s.io*) cat <<'END'
REF                                    TYPE                                                 DIGEST      SIZE     PLATFORMS   LABELS
docker.io/crunchydata/antdb-ha:1a2b3c4 application/vnd.docker.distribution.manifest.v2+json sha256:0001 33.1 MiB linux/amd64 io.cri-containerd.image=managed
docker.io/library/fresh:1              application/vnd.docker.distribution.manifest.v2+json sha256:abad 33.1 MiB linux/amd64 -
docker.io/library/old:1                application/vnd.docker.distribution.manifest.v2+json sha256:0002 33.1 MiB linux/amd64 -
sha256:c0001                           application/vnd.docker.distribution.manifest.v2+json sha256:0001 33.1 MiB linux/amd64 io.cri-containerd.image=managed
END
			;;
			*) cat <<'END'
REF                          TYPE                                                 DIGEST      SIZE     PLATFORMS   LABELS
docker.io/library/astray:1   application/vnd.docker.distribution.manifest.v2+json sha256:0003 33.1 MiB linux/amd64 -
END
			;; esac`,
	} {
		write(t, bin+"/"+name, "#!/bin/sh\n"+script+"\n", 0o755)
	}
	c := collect(t, withPath{local.New(), bin + ":" + os.Getenv("PATH")}, Collect{Node: "node7"})
	require.Equal(t, evidence.Image{Ref: "docker.io/crunchydata/antdb-ha:1a2b3c4", ID: "sha256:c0001", Runtime: "containerd"},
		*fact[evidence.Image](c, "docker.io/crunchydata/antdb-ha:1a2b3c4"))
	require.Equal(t, "sha256:c0de", fact[evidence.Image](c, "docker.io/library/fresh:1").ID)
	require.Empty(t, fact[evidence.Image](c, "docker.io/library/old:1").ID, "not known")
	require.Equal(t, "containerd, namespace default", fact[evidence.Image](c, "docker.io/library/astray:1").Runtime)
	runtime := fact[evidence.Runtime](c, "containerd")
	require.Equal(t, []string{"containerd", "1.6.20", "inactive", ""}, []string{runtime.Name, runtime.Version, runtime.Kubelet, runtime.Error})
	require.True(t, fact[evidence.Clock](c, "node7").Synced)
}

func TestCollectSaysWhatItCouldNotSeeWithoutTools(t *testing.T) {
	bin := t.TempDir()
	for _, name := range []string{"sh", "date", "cat"} {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, bin+"/"+name))
	}
	c := collect(t, bare{local.New(), bin}, Collect{Node: "node7", Folders: []string{"/etc"}, LogLines: 10, LogBytes: 1000})
	require.Greater(t, fact[evidence.Memory](c, "node7").Total, int64(1<<20), "what the kernel's files tell is told")
	require.Equal(t, "loopback", fact[evidence.Interface](c, "lo").Kind)
	for _, want := range []string{"its disks of node node7: there is no df", "addresses of its interfaces", "its routes and listening ports",
		"its images", "owners of its folders of node node7: there is no ls", "the log of its kubelet"} {
		require.Contains(t, c.gaps(), want)
	}
	require.NotContains(t, c.gaps(), "the rest of its facts")
}

// bare has the programs of one folder alone.
type bare struct {
	conn.Host
	path string
}

func (b bare) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	if len(cmd.Args) > 2 && cmd.Args[1] == "-c" {
		cmd.Args = slices.Clone(cmd.Args)
		cmd.Args[2] = "PATH=" + b.path + "\n" + strings.ReplaceAll(cmd.Args[2], "PATH=$PATH:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/usr/bin:/bin", "PATH=$PATH")
		cmd.Args[2] = strings.ReplaceAll(cmd.Args[2], "PATH=$PATH:/opt/bin", "PATH=$PATH")
	}
	return withPath{b.Host, b.path}.Run(ctx, cmd)
}

func TestCollectOfAMachineThatIsDownIsAFact(t *testing.T) {
	down := does(func(conn.Cmd) (conn.Result, error) {
		return conn.Result{}, &conn.Unreachable{Target: "node3", Err: errors.New("no route to host")}
	})
	c := collect(t, down, Collect{Node: "node3"})
	reach := fact[evidence.Reach](c, "node3")
	require.False(t, reach.Reachable)
	require.Contains(t, reach.Error, "no route to host")
	require.Empty(t, c.gaps())
}

func TestCollectKeepsWhatCameBeforeItsTimeWasUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	slow := does(func(cmd conn.Cmd) (conn.Result, error) {
		_, err := io.WriteString(cmd.Stdout, "clock 1.5\nhost node3\nmemory MemTotal: 1024\ndisk - /dev/sd")
		cancel()
		return conn.Result{}, errors.Join(err, context.Canceled)
	})
	m := evidence.NewMemory(time.Now(), 1<<20)
	require.NoError(t, (&Collect{}).Collect(ctx, nodeEnv(t, slow), m))
	c := collected{m, t}
	require.Equal(t, int64(1<<20), fact[evidence.Memory](c, "node3").Total)
	require.Contains(t, c.gaps(), "the rest of its facts of node node3: context canceled")
}

// does stands in for a machine that fails in a way that none here can be made to.
type does func(conn.Cmd) (conn.Result, error)

func (d does) Run(_ context.Context, cmd conn.Cmd) (conn.Result, error) { return d(cmd) }
func (does) Files() (conn.Files, error)                                 { return nil, errors.ErrUnsupported }
func (does) Close() error                                               { return nil }
func (does) Dial(context.Context, string, string) (net.Conn, error) {
	return nil, errors.ErrUnsupported
}

func TestCollectLeavesTheMachineThatAsksOut(t *testing.T) {
	m := evidence.NewMemory(time.Now(), 1<<20)
	require.NoError(t, new(Collect).Collect(t.Context(), moduletest.Env(t, local.New()), m))
	for f := range m.Facts() {
		require.Fail(t, "it is no node", "%s %s", f.Kind, f.Name)
	}
	require.Empty(t, m.Gaps())
}

func TestCollectEndsWithItsTimeOnAMachineThatHangs(t *testing.T) {
	if testing.Short() {
		t.Skip("needs sshd")
	}
	server := conntest.StartSSH(t, conntest.SSHOptions{})
	h := dial(t, server.Target(""), server.Settings)
	server.Freeze()
	defer server.Thaw()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	begin := time.Now()
	m := evidence.NewMemory(time.Now(), 1<<20)
	require.Error(t, new(Collect).Collect(ctx, nodeEnv(t, h), m))
	require.Less(t, time.Since(begin), 10*time.Second, "the connection's own patience is longer")
}
