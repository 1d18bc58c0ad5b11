package image

import (
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/ssh"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// Unwrap lets a pull find the SSH connection behind the place.
func (p place) Unwrap() conn.Host { return p.Host }

// pulled lets a host pull an image, and gives the step as it was then.
func pulled(t *testing.T, to, from conn.Host, args string) (*Ship, error) {
	t.Helper()
	step := ship(t, to, from, args)
	require.NoError(t, step.Validate())
	s := step.Module().(*Ship)
	require.NoError(t, s.validateRegistry())
	_, err := s.Check(t.Context(), step.Env())
	require.NoError(t, err)
	img, err := fetch(t.Context(), step.Env(), s.source, s.info)
	require.NoError(t, err)
	err = s.pull(t.Context(), step.Env(), img)
	if err == nil {
		change, err := s.Check(t.Context(), step.Env())
		require.NoError(t, err)
		require.False(t, change.Wanted(), "after the pull it still wants to %s", change.Summary)
	}
	return s, err
}

// withPodman is the place with a podman that keeps its images in a folder of
// the test's own.
func withPodman(t *testing.T, p place) place {
	t.Helper()
	dir := t.TempDir()
	config := filepath.Join(dir, "storage.conf")
	require.NoError(t, os.WriteFile(config, []byte("[storage]\ndriver = \"vfs\"\ngraphroot = \""+dir+"/graph\"\nrunroot = \""+dir+"/run\"\n"), 0o600))
	env := map[string]secret.Value{"CONTAINERS_STORAGE_CONF": secret.New(config)}
	for name, v := range p.env {
		env[name] = v
	}
	return place{p.Host, env}
}

// everyEngine runs a test on a node with each kind of engine, reached over SSH.
// The names it gives list what the engine has.
func everyEngine(t *testing.T, test func(t *testing.T, engine string, n place, names func() string)) {
	for _, engine := range []string{"docker", "containerd", "podman"} {
		t.Run(engine, func(t *testing.T) {
			n, _ := remote(t)
			list := map[string][]string{
				"docker":     {"docker", "image", "ls", "--digests", "--format", "{{.Repository}}:{{.Tag}}@{{.Digest}}"},
				"containerd": {"ctr", "-n", "pulled", "images", "ls", "-q"},
				"podman":     {"podman", "image", "ls", "--noheading", "--format", "{{.Repository}}:{{.Tag}}@{{.Digest}}"},
			}
			if engine == "podman" {
				n = withPodman(t, n)
			}
			test(t, engine, n, func() string { return n.do(t, list[engine]...) })
		})
	}
}

func TestANodePullsThroughItsConnection(t *testing.T) {
	b := at(t, "builder")
	everyEngine(t, func(t *testing.T, engine string, n place, names func() string) {
		args := `image = "tunnel-` + engine + `:1"
			namespace = "pulled"
			ref       = "corp/tunnel:4.1"
			tags      = ["tunnel:also"]
			runtime   = "` + engine + `"`
		image(t, b, "tunnel-"+engine+":1", sized("tunnel"+engine))
		seen, stop := &watched{place: n}, commandLines()
		s, err := pulled(t, seen, b, args)
		require.NoError(t, err)
		require.Greater(t, s.Bytes, int64(20<<20))
		lines := stop()
		require.Contains(t, lines, "127.0.0.1", "the pull was seen")
		require.Len(t, seen.stdin, 1)
		require.NotContains(t, lines, seen.stdin[0], "no user of the node sees the password")
		require.Contains(t, names(), "corp/tunnel:4.1")
		require.Contains(t, names(), "tunnel:also")
		require.NotContains(t, names(), "127.0.0.1", "no interim name may stay")

		files := sized("tunnel" + engine)
		files["upper"] = "another"
		image(t, b, "tunnel-"+engine+":1", files)
		s, err = pulled(t, n, b, args)
		require.NoError(t, err)
		require.Less(t, s.Bytes, int64(20000), "the lower layer must not travel again")
		require.NotContains(t, names(), "127.0.0.1")
	})
}

func TestAStepThatPullsConverges(t *testing.T) {
	b := at(t, "builder")
	everyEngine(t, func(t *testing.T, engine string, n place, names func() string) {
		id := image(t, b, "step-"+engine+":1", layered("step"+engine))
		args := `image = "step-` + engine + `:1"
			namespace = "pulled"
			ref       = "corp/step-` + engine + `:1"
			runtime   = "` + engine + `"
			via       = "registry"`
		out := ship(t, n, b, args).Converge(module.Create)
		require.Equal(t, id, out.GetAttr("id").AsString())
		next := image(t, b, "step-"+engine+":1", layered("next"+engine))
		out = ship(t, n, b, args).Converge(module.Update)
		require.Equal(t, next, out.GetAttr("id").AsString())
		require.NoError(t, ship(t, n, b, args).Destroy())
		require.NotContains(t, names(), "corp/step-")
	})
}

// watched is a host that keeps what goes to its commands by stdin.
type watched struct {
	place
	mu    sync.Mutex
	stdin []string
}

func (w *watched) Unwrap() conn.Host { return w.place.Host }

func (w *watched) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	if cmd.Stdin != nil {
		text, err := io.ReadAll(cmd.Stdin)
		if err != nil {
			return conn.Result{}, err
		}
		w.mu.Lock()
		w.stdin = append(w.stdin, string(text))
		w.mu.Unlock()
		cmd.Stdin = bytes.NewReader(text)
	}
	return w.place.Run(ctx, cmd)
}

// commandLines looks, until stop is called, at the command lines of all
// processes of this machine, as any of its users can, and gives those it saw.
func commandLines() (stop func() string) {
	done, all := make(chan struct{}), make(chan string)
	go func() {
		seen := map[string]bool{}
		for {
			files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, file := range files {
				if text, err := os.ReadFile(file); err == nil {
					seen[strings.ReplaceAll(string(text), "\x00", " ")] = true
				}
			}
			select {
			case <-done:
				all <- strings.Join(slices.Collect(maps.Keys(seen)), "\n")
				return
			case <-time.After(5 * time.Millisecond):
			}
		}
	}()
	return func() string {
		close(done)
		return <-all
	}
}

// A cut costs a node nothing: it has no more names than before, and no files of
// ours. containerd even keeps what it has of a layer.
func TestAPullThatIsCutLeavesTheNodeAsItWas(t *testing.T) {
	b := at(t, "builder")
	t.Cleanup(func() { // what the end of sshd kills cannot clean up behind itself
		left, _ := filepath.Glob("/dev/shm/antdbctl.*")
		for _, dir := range left {
			_ = os.RemoveAll(dir)
		}
	})
	for _, engine := range []string{"docker", "containerd"} {
		t.Run(engine, func(t *testing.T) {
			image(t, b, "cut-"+engine+":1", sized("cut"+engine))
			n, server := remote(t)
			step := ship(t, n, b, `image = "cut-`+engine+`:1"
				namespace = "cut"
				ref       = "corp/cut-`+engine+`:1"
				runtime   = "`+engine+`"`)
			s := step.Module().(*Ship)
			_, err := s.Check(t.Context(), step.Env())
			require.NoError(t, err)
			img, err := fetch(t.Context(), step.Env(), s.source, s.info)
			require.NoError(t, err)
			var once sync.Once
			step.Env().Progress = func(done, total int64, unit string) {
				require.Equal(t, "B", unit)
				if done > total/2 {
					once.Do(server.Stop)
				}
			}
			var lost *conn.Unreachable
			require.ErrorAs(t, s.pull(t.Context(), step.Env(), img), &lost)
			server.Start()
			listed := n.do(t, "docker", "image", "ls") + n.do(t, "ctr", "-n", "cut", "images", "ls", "-q")
			require.NotContains(t, listed, "127.0.0.1")
			require.NotContains(t, listed, "corp/cut-"+engine)

			step.Env().Progress = func(int64, int64, string) {}
			s.Bytes = 0
			require.NoError(t, s.pull(t.Context(), step.Env(), img))
			if engine == "containerd" {
				require.Less(t, s.Bytes, img.Size()-4<<20, "it goes on where it was cut")
			}
		})
	}
}

func TestAPullThatFillsTheDiskNamesNothing(t *testing.T) {
	b := at(t, "builder")
	small := smallDocker(t)
	files := layered("pulls too much")
	files["lower"] = strings.Repeat("once as it comes, once unpacked\n", 14<<20/32)
	image(t, b, "pull-fills:1", files)
	_, err := pulled(t, small, b, `image = "pull-fills:1"`)
	require.ErrorContains(t, err, "the disk is full")
	require.Empty(t, small.do(t, "docker", "image", "ls", "--all", "--quiet"))
}

func TestAnEngineThatEndsUnderAPullIsExplained(t *testing.T) {
	b := at(t, "builder")
	image(t, b, "pull-ends:1", sized("pull ends"))
	require.NoError(t, startDocker("victim"))
	victim := engines.run[len(engines.run)-1]
	engines.run = engines.run[:len(engines.run)-1]
	end := sync.OnceFunc(func() {
		_ = victim.Process.Kill()
		_ = victim.Wait()
	})
	t.Cleanup(end)
	step := ship(t, at(t, "victim"), b, `image = "pull-ends:1"`)
	s := step.Module().(*Ship)
	_, err := s.Check(t.Context(), step.Env())
	require.NoError(t, err)
	img, err := fetch(t.Context(), step.Env(), s.source, s.info)
	require.NoError(t, err)
	step.Env().Progress = func(int64, int64, string) { go end() }
	err = s.pull(t.Context(), step.Env(), img)
	require.ErrorContains(t, err, "pull docker.io/library/pull-ends:1 into docker of test: ")
	require.ErrorContains(t, err, "went away meanwhile")
}

func TestTwoPullsToOneNodeAtOnce(t *testing.T) {
	b := at(t, "builder")
	image(t, b, "twice:1", sized("twice"))
	everyEngine(t, func(t *testing.T, engine string, n place, names func() string) {
		errs := make(chan error)
		for _, ref := range []string{"corp/first:1", "corp/second:1"} {
			step := ship(t, n, b, `image = "twice:1"
				namespace = "pulled"
				ref       = "`+ref+`"
				runtime   = "`+engine+`"`)
			go func() {
				s := step.Module().(*Ship)
				_, err := s.Check(context.Background(), step.Env())
				if err != nil {
					errs <- err
					return
				}
				img, err := fetch(context.Background(), step.Env(), s.source, s.info)
				if err == nil {
					err = s.pull(context.Background(), step.Env(), img)
				}
				errs <- err
			}()
		}
		require.NoError(t, errors.Join(<-errs, <-errs))
		require.Contains(t, names(), "corp/first:1")
		require.Contains(t, names(), "corp/second:1")
		require.NotContains(t, names(), "127.0.0.1")
	})
}

func TestLatestIsATrap(t *testing.T) {
	require.Contains(t, latestTrap([]string{"docker.io/corp/a:1", "docker.io/corp/a:latest"}), "corp/a:latest: a container of tag latest")
	require.Empty(t, latestTrap([]string{"docker.io/corp/a:1", "docker.io/corp/latest:2"}))
}

func TestOnlySomeWaysLeadToANode(t *testing.T) {
	b := at(t, "builder")
	image(t, b, "noway:1", layered("noway"))
	_, err := pulled(t, says{b, "== engine docker\n", ""}, b, `image = "noway:1"`)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	var explained *module.Explained
	require.ErrorAs(t, err, &explained)
	require.Contains(t, explained.Remedy, `via = "star"`)

	server := conntest.StartSSH(t, conntest.SSHOptions{Config: []string{"AllowTcpForwarding no"}})
	host, err := ssh.Open(t.Context(), server.Target(""), server.Settings, nil)
	require.NoError(t, err)
	defer host.Close()
	_, err = pulled(t, place{host, at(t, "node").env}, b, `image = "noway:1"`)
	var refused *ssh.ListenError
	require.ErrorAs(t, err, &refused)
	require.Contains(t, refused.Hint(), "AllowTcpForwarding")
}
