package image

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// layered are the files of an image of two layers, of which the upper is to
// differ between images.
func layered(upper string) map[string]string {
	return map[string]string{
		"Dockerfile": "FROM scratch\nCOPY lower /lower\nCOPY upper /upper\n",
		"lower":      strings.Repeat("the lower layer is the large one\n", 40000),
		"upper":      upper,
	}
}

func ship(t *testing.T, to, from conn.Host, args string) *moduletest.Step {
	t.Helper()
	step := on[Ship](t, to, "from = builder\n"+args)
	step.Env().Dialer = dialer{from}
	return step
}

func TestShipToDockerSendsOnlyWhatIsMissing(t *testing.T) {
	b, n := at(t, "builder"), at(t, "node")
	id := image(t, b, "shipped:1", layered("one"))
	args := `image = "` + id + `"
		ref  = "crunchydata/shipped:latest"
		tags = ["shipped:1"]`
	step := ship(t, n, b, args)
	require.NoError(t, step.Validate())
	out := step.Converge(module.Create)
	require.Equal(t, id, n.do(t, "docker", "image", "inspect", "--format", "{{.Id}}", "crunchydata/shipped:latest"))
	require.Equal(t, id, n.do(t, "docker", "image", "inspect", "--format", "{{.Id}}", "shipped:1"))
	require.Equal(t, "docker.io/crunchydata/shipped:latest", out.GetAttr("name").AsString())
	require.Equal(t, "docker", out.GetAttr("engine").AsString())

	next := image(t, b, "shipped:1", layered("two"))
	require.NotEqual(t, id, next)
	args = strings.Replace(args, id, next, 1)
	change, _, err := ship(t, n, b, args).Check()
	require.NoError(t, err)
	require.Contains(t, change.Summary, "send 1 of 2 layers")
	require.Equal(t, []module.Diff{{Path: "crunchydata/shipped:latest", Before: short(id), After: short(next)}}, change.Diff)
	out = ship(t, n, b, args).Converge(module.Update)
	require.Equal(t, next, n.do(t, "docker", "image", "inspect", "--format", "{{.Id}}", "shipped:1"))
	require.Equal(t, int64(0), bytesOf(t, ship(t, n, b, args)))
	sent, _ := out.GetAttr("bytes").AsBigFloat().Int64()
	require.Less(t, sent, int64(20000), "the lower layer must not travel again")

	n.do(t, "docker", "image", "rm", "shipped:1")
	change, _, err = ship(t, n, b, args).Apply()
	require.NoError(t, err)
	require.Contains(t, change.Summary, "all 2 layers are there")

	require.NoError(t, ship(t, n, b, args).Destroy())
	require.Empty(t, n.do(t, "docker", "image", "ls", "-q", "--filter", "reference=*shipped*"))
	require.NoError(t, ship(t, n, b, args).Destroy())
}

func bytesOf(t *testing.T, step *moduletest.Step) int64 {
	t.Helper()
	_, out, err := step.Check()
	require.NoError(t, err)
	n, _ := out.GetAttr("bytes").AsBigFloat().Int64()
	return n
}

func TestShipToContainerdSendsOnlyWhatIsMissing(t *testing.T) {
	b := at(t, "builder")
	id := image(t, b, "forctr:1", layered("ctr one"))
	args := `image   = "` + id + `"
		ref     = "crunchydata/forctr"
		runtime = "containerd"`
	first := ship(t, b, b, args).Converge(module.Create)
	require.Equal(t, "docker.io/crunchydata/forctr:latest", first.GetAttr("name").AsString())
	require.Equal(t, "docker.io/crunchydata/forctr:latest", b.do(t, "ctr", "-n", "k8s.io", "images", "ls", "-q", "name~=forctr"))

	next := image(t, b, "forctr:1", layered("ctr two"))
	args = strings.Replace(args, id, next, 1)
	change, _, err := ship(t, b, b, args).Check()
	require.NoError(t, err)
	require.Contains(t, change.Summary, "send 1 of 2 layers")
	out := ship(t, b, b, args).Converge(module.Update)
	sent, _ := out.GetAttr("bytes").AsBigFloat().Int64()
	require.Less(t, sent, int64(20000))
	require.Equal(t, "docker.io/crunchydata/forctr:latest", b.do(t, "ctr", "-n", "k8s.io", "images", "ls", "-q"), "no interim name may stay")

	require.NoError(t, ship(t, b, b, args).Destroy())
	require.Empty(t, b.do(t, "ctr", "-n", "k8s.io", "images", "ls", "-q"))

	args = strings.Replace(args, `"`+next+`"`, `"`+image(t, b, "forctr:2", layered("ctr three"))+`"
		compress  = "gzip"
		namespace = "zipped"`, 1)
	ship(t, b, b, args).Converge(module.Create)
}

func TestShipRecognisesWhatContainerdImportedByItself(t *testing.T) {
	b := at(t, "builder")
	id := image(t, b, "corp/native:1", layered("native"))
	b.do(t, "sh", "-c", "docker save corp/native:1 | ctr -n other images import -")
	change, out, err := ship(t, b, b, `image = "corp/native:1"
		runtime   = "containerd"
		namespace = "other"`).Check()
	require.NoError(t, err)
	require.False(t, change.Wanted(), change.Summary)
	require.Equal(t, id, out.GetAttr("id").AsString())
}

// forgetful is a host whose engine loses layers between looking and loading.
type forgetful struct {
	place
	claims string // what node.sh is made to add
}

func (f *forgetful) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	out, err := f.place.Run(ctx, cmd)
	if f.claims != "" && len(cmd.Args) > 2 && cmd.Args[2] == nodeLook {
		out.Stdout += f.claims
	}
	return out, err
}

func TestShipSendsAllWhenLayersVanished(t *testing.T) {
	b, n := at(t, "builder"), at(t, "node")
	files := layered("vanish")
	files["lower"] += "and no other image has it\n"
	id := image(t, b, "vanishing:1", files)
	layers := strings.Fields(b.do(t, "docker", "image", "inspect", "--format", "{{join .RootFS.Layers \" \"}}", id))
	for engine, claims := range map[string]string{
		"docker":     "== chains\n" + layers[0] + "\n",
		"containerd": "== blobs\n" + layers[0] + "\n",
	} {
		t.Run(engine, func(t *testing.T) {
			host := &forgetful{n, claims}
			_, out, err := ship(t, host, b, `image = "vanishing:1"
				namespace = "vanishing"
				runtime   = "`+engine+`"`).Apply()
			require.NoError(t, err)
			sent, _ := out.GetAttr("bytes").AsBigFloat().Int64()
			require.Greater(t, sent, int64(1<<20))
		})
	}
	require.Equal(t, "docker.io/library/vanishing:1", n.do(t, "ctr", "-n", "vanishing", "images", "ls", "-q"))
}

func TestBrokenRecordIsNoImage(t *testing.T) {
	b := at(t, "builder")
	id := image(t, b, "torn:1", layered("torn"))
	layer := strings.Fields(b.do(t, "docker", "image", "inspect", "--format", "{{join .RootFS.Layers \" \"}}", id))[0]
	args := `image = "torn:1"
		runtime   = "containerd"
		namespace = "torn"`
	ship(t, b, b, args).Converge(module.Create)
	b.do(t, "ctr", "-n", "torn", "content", "rm", layer)
	// containerd's own collection of garbage may be quicker with some of them.
	b.do(t, "sh", "-c", `list() { ctr -n torn snapshots ls | sed 1d | cut -d' ' -f1; }
		for s in $(list | sed '1!G;h;$!d'); do ctr -n torn snapshots rm $s || :; done; [ -z "$(list)" ]`)
	change, _, err := ship(t, b, b, args).Check()
	require.NoError(t, err)
	require.True(t, change.Wanted(), "a record without its layers is no image")
	ship(t, b, b, args).Converge(module.Update)
}

func TestShipFailsClearly(t *testing.T) {
	b, n := at(t, "builder"), at(t, "node")
	_, _, err := ship(t, n, b, `image = "nowhere:1"`).Check()
	var arg *module.ArgError
	require.ErrorAs(t, err, &arg)
	require.Equal(t, "image", arg.Arg)
	require.ErrorContains(t, err, "no image nowhere:1")

	id := image(t, b, "small:1", layered("small"))
	for name, c := range map[string]struct{ answer, stderr, err, remedy string }{
		"no engine":  {answer: "== engine none\n", err: "no container engine", remedy: "install Docker or containerd"},
		"disk full":  {answer: "== engine docker\n== root /var/lib/docker\n/dev/sda1 100 90 10 90% /\n", err: "has 10.0 KiB free in /var/lib/docker", remedy: "free space"},
		"permission": {stderr: "Got permission denied while trying to connect to the Docker daemon socket", err: "may not use the Docker engine", remedy: "sudo"},
		"no daemon":  {stderr: "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?", err: "does not run", remedy: "systemctl start docker"},
	} {
		t.Run(name, func(t *testing.T) {
			host := says{n, c.answer, c.stderr}
			_, _, err := ship(t, host, b, `image = "`+id+`"
				ref = "small:1"`).Check()
			require.ErrorContains(t, err, c.err)
			var explained *module.Explained
			require.ErrorAs(t, err, &explained)
			require.Contains(t, explained.Remedy, c.remedy)
		})
	}
	require.ErrorContains(t, ship(t, n, b, `image = "`+id+`"`).Validate(), "needs a name")
}

// says is a host whose every answer is known: for states that a test cannot
// bring a real host into.
type says struct {
	conn.Host
	stdout, stderr string
}

func (s says) Run(_ context.Context, cmd conn.Cmd) (conn.Result, error) {
	out := conn.Result{Stdout: s.stdout, Stderr: s.stderr}
	if s.stderr != "" {
		return out, &conn.ExitError{Cmd: cmd, Code: 1, Stderr: s.stderr}
	}
	return out, nil
}

func TestDiskThatFillsUpWhileLoading(t *testing.T) {
	b, n := at(t, "builder"), at(t, "node")
	image(t, b, "toolarge:1", layered("toolarge"))
	host := &full{place: n}
	_, _, err := ship(t, host, b, `image = "toolarge:1"`).Apply()
	require.ErrorContains(t, err, "the disk is full")
	require.ErrorContains(t, err, "were free in")
}

// full refuses what is loaded, as Docker does on a full disk.
type full struct{ place }

func (f *full) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	if i := slices.Index(cmd.Args, "exec docker image load"); i >= 0 {
		cmd.Args = slices.Clone(cmd.Args)
		cmd.Args[i] = "head -c 100000 >/dev/null; echo 'write /usr/x: no space left on device' >&2; exit 1"
	}
	return f.place.Run(ctx, cmd)
}

func TestManyNodesSaveOnce(t *testing.T) {
	b, n := at(t, "builder"), at(t, "node")
	image(t, b, "once:1", layered("once"))
	counting := &counted{place: b}
	errs := make(chan error)
	for _, ns := range []string{"n1", "n2", "n3"} {
		step := ship(t, n, counting, `image = "once:1"
			runtime   = "containerd"
			namespace = "`+ns+`"`)
		go func() {
			m := step.Module()
			_, err := m.Check(context.Background(), step.Env())
			errs <- errors.Join(err, m.Apply(context.Background(), step.Env()))
		}()
	}
	for range 3 {
		require.NoError(t, <-errs)
	}
	require.Equal(t, int64(1), counting.saves.Load())
}

type counted struct {
	place
	saves atomic.Int64
}

func (c *counted) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	if strings.HasPrefix(strings.Join(cmd.Args, " "), "docker image save") {
		c.saves.Add(1)
	}
	return c.place.Run(ctx, cmd)
}

func TestRealFullDisk(t *testing.T) {
	b := at(t, "builder")
	small := smallDocker(t)
	files := layered("fits")
	image(t, b, "fits:1", files)
	files["lower"] = strings.Repeat("more than there is room for\n", 2<<20/28*14)
	image(t, b, "fits-not:1", files)

	_, _, err := ship(t, small, b, `image = "fits-not:1"`).Check()
	require.ErrorContains(t, err, "needs at least 28.0 MiB there")

	files["lower"] = files["lower"][:14<<20] // once as the archive, once unpacked
	image(t, b, "fits-once:1", files)
	_, _, err = ship(t, small, b, `image = "fits-once:1"`).Apply()
	require.ErrorContains(t, err, "the disk is full")
	var exit *conn.ExitError
	require.ErrorAs(t, err, &exit)
	require.Contains(t, exit.Stderr, "no space left on device")

	ship(t, small, b, `image = "fits:1"`).Converge(module.Create)
}

// smallDocker is an engine whose disk has 24 MiB.
func smallDocker(t *testing.T) place {
	t.Helper()
	p := at(t, "small")
	root := filepath.Join(engines.dir, "small")
	require.NoError(t, os.MkdirAll(root, 0o700))
	require.NoError(t, syscall.Mount("small", root, "tmpfs", 0, "size=24m"))
	before := len(engines.run)
	require.NoError(t, startDocker("small"))
	t.Cleanup(func() {
		for _, daemon := range engines.run[before:] {
			require.NoError(t, daemon.Process.Signal(syscall.SIGTERM))
			_ = daemon.Wait()
		}
		engines.run = engines.run[:before]
		require.NoError(t, syscall.Unmount(root, syscall.MNT_DETACH))
	})
	return p
}
