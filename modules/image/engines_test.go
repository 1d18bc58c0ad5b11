package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/engine/secret"
)

// The tests run against real engines of their own: two of dockerd, where the
// second plays a node, and a containerd. They start when the first test asks
// and end with the test binary.
var engines struct {
	once sync.Once
	err  error
	dir  string
	run  []*exec.Cmd
}

func TestMain(m *testing.M) {
	if version := os.Getenv("KUBELET_VERSION"); version != "" {
		playKubelet(version, os.Args[1:])
		return
	}
	cache, err := os.MkdirTemp("", "antdbctl-image-cache-")
	if err != nil {
		panic(err)
	}
	_ = os.Setenv("XDG_CACHE_HOME", cache) // each run begins with nothing saved
	code := m.Run()
	for _, daemon := range engines.run {
		_ = daemon.Process.Signal(syscall.SIGTERM)
	}
	for _, daemon := range engines.run {
		_ = daemon.Wait()
	}
	_ = os.RemoveAll(cache)
	if engines.dir != "" {
		_ = os.RemoveAll(engines.dir)
	}
	os.Exit(code)
}

const containerdConfig = `version = 2
root = %q
state = %q
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = %q
`

func startEngines() error {
	dir, err := os.MkdirTemp("", "antdbctl-image-")
	if err != nil {
		return err
	}
	engines.dir = dir
	in := func(name string) string { return filepath.Join(dir, name) }
	config := fmt.Sprintf(containerdConfig, in("containerd"), in("containerd-state"), in("containerd.sock"))
	if err := os.WriteFile(in("containerd.toml"), []byte(config), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(in("docker.json"), []byte("{}"), 0o600); err != nil {
		return err
	}
	if err := launch(in("containerd.log"), []string{"ctr", "--address", in("containerd.sock"), "version"},
		"containerd", "--config", in("containerd.toml")); err != nil {
		return err
	}
	return errors.Join(startDocker("builder"), startDocker("node"))
}

func startDocker(name string) error {
	in := func(name string) string { return filepath.Join(engines.dir, name) }
	host := "unix://" + in(name+".sock")
	return launch(in(name+".log"), []string{"docker", "--host", host, "version"},
		"dockerd", "--host="+host, "--data-root="+in(name), "--exec-root="+in(name+"-exec"), "--pidfile="+in(name+".pid"),
		"--config-file="+in("docker.json"), "--containerd="+in("containerd.sock"), "--containerd-namespace="+name,
		"--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--userland-proxy=false")
}

// launch starts a daemon and waits until ready succeeds.
func launch(logName string, ready []string, args ...string) error {
	log, err := os.Create(logName)
	if err != nil {
		return err
	}
	defer log.Close()
	daemon := exec.Command(args[0], args[1:]...)
	daemon.Stdout, daemon.Stderr = log, log
	daemon.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := daemon.Start(); err != nil {
		return err
	}
	engines.run = append(engines.run, daemon)
	for deadline := time.Now().Add(time.Minute); ; {
		out, err := exec.Command(ready[0], ready[1:]...).CombinedOutput()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(logName)
			return fmt.Errorf("%s does not answer: %s\n%s", args[0], out, tail(string(said), 10))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// place is this machine with some environment: where docker and ctr talk to one
// of the test's engines.
type place struct {
	conn.Host
	env map[string]secret.Value
}

func (p place) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	env := map[string]secret.Value{}
	for _, from := range []map[string]secret.Value{p.env, cmd.Env} {
		for k, v := range from {
			env[k] = v
		}
	}
	cmd.Env = env
	return p.Host.Run(ctx, cmd)
}

// at gives a host whose docker is one of "builder" and "node".
func at(t *testing.T, name string) place {
	t.Helper()
	if testing.Short() {
		t.Skip("needs docker")
	}
	engines.once.Do(func() { engines.err = startEngines() })
	require.NoError(t, engines.err)
	if os.Getenv("XDG_CACHE_HOME") == "" || !strings.HasPrefix(os.Getenv("XDG_CACHE_HOME"), os.TempDir()) {
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
	}
	return place{local.New(), map[string]secret.Value{
		"DOCKER_HOST":        secret.New("unix://" + filepath.Join(engines.dir, name+".sock")),
		"DOCKER_CONFIG":      secret.New(engines.dir),
		"CONTAINERD_ADDRESS": secret.New(filepath.Join(engines.dir, "containerd.sock")),
	}}
}

// do runs a command that must succeed and gives its output.
func (p place) do(t *testing.T, args ...string) string {
	t.Helper()
	out, err := p.Run(context.Background(), conn.Command(args...))
	require.NoError(t, err, out.Stderr)
	return strings.TrimSpace(out.Stdout)
}

// dialer opens the same host for every target.
type dialer struct{ conn.Host }

func (d dialer) Dial(context.Context, conn.Target) (conn.Host, error) { return d.Host, nil }

// builder is what `from` of a step refers to.
var builder = map[string]cty.Value{"builder": conn.Target{Kind: conn.Docker, Name: "builder"}.Cty()}

// folder makes a folder of files; a name ending in "/" is a folder, content
// beginning "-> " a symbolic link.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		p := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		if link, ok := strings.CutPrefix(content, "-> "); ok {
			require.NoError(t, os.Symlink(link, p))
			continue
		}
		require.NoError(t, os.WriteFile(p, []byte(content), 0o644))
	}
	return dir
}

// image makes an image from a Dockerfile and files, and gives its ID.
func image(t *testing.T, p place, tag string, files map[string]string) string {
	t.Helper()
	cmd := exec.Command("tar", "-C", folder(t, files), "-c", ".")
	context, err := cmd.Output()
	require.NoError(t, err)
	out, err := p.Run(t.Context(), conn.Cmd{Args: []string{"docker", "build", "--tag", tag, "-"}, Stdin: bytes.NewReader(context)})
	require.NoError(t, err, out.Stdout)
	return p.do(t, "docker", "image", "inspect", "--format", "{{.Id}}", tag)
}

// on makes a step of a module with arguments in HCL.
func on[T any, P interface {
	*T
	module.Module
}](t *testing.T, host conn.Host, args string) *moduletest.Step {
	t.Helper()
	return moduletest.New(t, module.Of[T, P](), host, args, builder)
}

// looks runs Check where every change is refused.
func looks[T any, P interface {
	*T
	module.Module
}](t *testing.T, host conn.Host, args string) module.Change {
	t.Helper()
	step := on[T, P](t, conntest.ReadOnly(t, host), args)
	step.Env().Dialer = dialer{conntest.ReadOnly(t, host)}
	change, _, err := step.Check()
	require.NoError(t, err)
	return change
}
