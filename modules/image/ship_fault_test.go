package image

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/relay"
)

func TestDockerThatDiesWhileLoading(t *testing.T) {
	b, victim := at(t, "builder"), at(t, "victim")
	before := len(engines.run)
	require.NoError(t, startDocker("victim"))
	t.Cleanup(func() {
		for _, daemon := range engines.run[before:] {
			if daemon.ProcessState == nil {
				require.NoError(t, daemon.Process.Signal(syscall.SIGTERM))
				_ = daemon.Wait()
			}
		}
		engines.run = engines.run[:before]
	})
	image(t, b, "dying:1", sized("dying"))
	args := `image = "dying:1"`
	step := ship(t, victim, b, args)
	var dies sync.Once
	step.Env().Progress = func(done, _ int64, _ string) {
		if done == 0 {
			return
		}
		dies.Do(func() {
			daemon := engines.run[before]
			_ = daemon.Process.Kill()
			_ = daemon.Wait()
		})
	}
	_, _, err := step.Apply()
	require.ErrorContains(t, err, "dying:1 into docker of")
	t.Log(err)
	var explained *module.Explained
	require.ErrorAs(t, err, &explained)
	require.Contains(t, explained.Remedy, "docker")

	require.NoError(t, startDocker("victim"))
	require.Empty(t, victim.do(t, "docker", "image", "ls", "--all", "--quiet"))
	require.Empty(t, stations(t))
	ship(t, victim, b, args).Converge(module.Create)
}

// stations are the folders of stations on this machine that a test left behind.
func stations(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("/run/antdbctl/cargo-*")
	require.NoError(t, err)
	return all
}

func TestTwoRunsShipToOneNode(t *testing.T) {
	b, n := at(t, "builder"), at(t, "node")
	image(t, b, "twice:1", sized("twice"))
	args := `image = "twice:1"`
	first, second := ship(t, n, b, args), ship(t, n, b, args)
	own := pier
	t.Cleanup(func() { pier = own })
	var begins sync.Once
	came := make(chan error, 1)
	first.Env().Progress = func(_, _ int64, _ string) {
		begins.Do(func() {
			pier = newMeetings(relay.Send) // as another process has
			go func() {
				_, _, err := second.Apply()
				came <- err
			}()
		})
	}
	_, _, err := first.Apply()
	require.NoError(t, err)
	require.NoError(t, <-came)
	change, _, err := ship(t, n, b, args).Check()
	require.NoError(t, err)
	require.False(t, change.Wanted())
	require.Empty(t, stations(t))
}

// spoil changes a byte in the store's copy of an image's first layer.
func spoil(t *testing.T, b place, id string) {
	t.Helper()
	layer := strings.Fields(b.do(t, "docker", "image", "inspect", "--format", "{{join .RootFS.Layers \" \"}}", id))[0]
	file := filepath.Join(os.Getenv("XDG_CACHE_HOME"), "antdbctl", "images", "blobs", strings.TrimPrefix(layer, "sha256:"))
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.WriteAt([]byte("not what the layer has"), 1<<20)
	require.NoError(t, err)
}

func TestASpoiltStoreIsSavedAgain(t *testing.T) {
	b, n := at(t, "builder"), at(t, "node")
	files := sized("spoilt")
	for _, runtime := range []string{"docker", "containerd"} {
		t.Run(runtime, func(t *testing.T) {
			files["upper"] = runtime
			files["lower"] += runtime
			id := image(t, b, "spoilt:1", files)
			elsewhere := ship(t, n, b, `image = "spoilt:1"
				runtime = "containerd"
				namespace = "elsewhere-`+runtime+`"`)
			elsewhere.Converge(module.Create) // which saves it
			n.do(t, "ctr", "-n", "elsewhere-"+runtime, "images", "rm", "--sync", "docker.io/library/spoilt:1")
			spoil(t, b, id)
			step := ship(t, n, b, `image = "spoilt:1"
				namespace = "spoilt"
				runtime = "`+runtime+`"`)
			var said []string
			step.Env().Logf = func(format string, args ...any) { said = append(said, format) }
			step.Converge(module.Create)
			require.Contains(t, said, "saving the image again: %s")
		})
	}
}

func TestContainerdIsAsBeforeAfterAnImportThatFailed(t *testing.T) {
	b, n := at(t, "builder"), at(t, "node")
	id := image(t, b, "rolled:1", layered("rolled back"))
	layers := strings.Fields(b.do(t, "docker", "image", "inspect", "--format", "{{join .RootFS.Layers \" \"}}", id))
	args := `image = "rolled:1"
		runtime = "containerd"
		namespace = "rolled"`
	// It claims to have both layers, so the first import leaves a record without them.
	host := &forgetful{n, "== blobs\n" + strings.Join(layers, "\n") + "\n"}
	var names string
	step := ship(t, host, b, args)
	step.Env().Logf = func(format string, _ ...any) {
		if strings.HasPrefix(format, "sending all layers") {
			names = n.do(t, "ctr", "-n", "rolled", "images", "ls", "-q") + "."
		}
	}
	_, _, err := step.Apply()
	require.NoError(t, err)
	require.Equal(t, ".", names, "the record of the import that failed is gone")
	require.Equal(t, "docker.io/library/rolled:1", n.do(t, "ctr", "-n", "rolled", "images", "ls", "-q"))
}
