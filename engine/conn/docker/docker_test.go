package docker

import (
	"context"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/conn/ssh"
)

// pool opens a docker target called "lab" at the given address.
func pool(t *testing.T, address string) *conn.Pool {
	p := conn.NewPool(map[string]conn.Opener{conn.Local: local.Open, conn.Docker: Open, conn.Container: OpenContainer},
		map[string]conn.Settings{"lab": {Kind: conn.Docker, DockerHost: address}})
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return p
}

var target = conn.Target{Kind: conn.Docker, Name: "lab", Config: "lab"}

func run(t *testing.T, socket string, args ...string) string {
	t.Helper()
	out, err := exec.Command("docker", append([]string{"-H", socket}, args...)...).CombinedOutput()
	require.NoError(t, err, string(out))
	return strings.TrimSpace(string(out))
}

// box is a container of the test's own that sleeps.
func box(t *testing.T, socket string) string {
	id := run(t, socket, "run", "-d", "--network=none", "antdb-lab/pg-base:12", "sleep", "3600")
	t.Cleanup(func() { run(t, socket, "rm", "-f", id) })
	return id
}

func TestTheMachineOfAnEngineIsAHost(t *testing.T) {
	socket := labSocket(t)
	h, err := pool(t, socket).Dial(t.Context(), target)
	require.NoError(t, err)
	res, err := h.Run(t.Context(), conn.Command("docker", "info", "--format", "{{.ServerVersion}}"))
	require.NoError(t, err)
	require.NotEmpty(t, strings.TrimSpace(res.Stdout))
	_, err = h.Files()
	require.NoError(t, err)
}

func TestAContainerIsAHost(t *testing.T) {
	socket := labSocket(t)
	id, p := box(t, socket), pool(t, socket)
	conntest.Suite(t, func(t *testing.T) conn.Host {
		h, err := p.Dial(t.Context(), conn.Target{Kind: conn.Container, Name: "box", Config: "lab", Container: id})
		require.NoError(t, err)
		return h
	}, conntest.LacksKill, conntest.LacksDial)
}

func TestAContainerThatIsGoneOrStoppedIsUnreachable(t *testing.T) {
	socket := labSocket(t)
	id, p := box(t, socket), pool(t, socket)
	box := conn.Target{Kind: conn.Container, Name: "box", Config: "lab", Container: id}
	h, err := p.Dial(t.Context(), box)
	require.NoError(t, err)

	_, err = h.Dial(t.Context(), "tcp", "127.0.0.1:5432")
	require.ErrorContains(t, err, "the container has no address")
	_, err = h.Run(t.Context(), conn.Command("no-such-program"))
	code, ok := conn.ExitCode(err)
	require.True(t, ok)
	require.Equal(t, 127, code)
	require.ErrorContains(t, err, "executable file not found")

	run(t, socket, "stop", "-t", "0", id)
	_, err = h.Run(t.Context(), conn.Command("true"))
	require.EqualError(t, err, "cannot reach box: container "+id+" is not running")
	box.Name = "stopped"
	_, err = p.Dial(t.Context(), box)
	require.EqualError(t, err, "cannot reach stopped: container "+id+" is exited, not running")
	_, err = p.Dial(t.Context(), conn.Target{Kind: conn.Container, Name: "x", Config: "lab", Container: "nosuch"})
	require.EqualError(t, err, "cannot reach x: there is no container nosuch")
}

// node3 of the lab has a Docker Engine of its own, which only root may ask.
func TestAnEngineBehindSSHIsReachedThroughItsHost(t *testing.T) {
	labSocket(t)
	node := conn.Target{Kind: conn.SSH, Name: "node3", Config: "nodes", Address: "10.213.0.13", User: "root"}
	p := conn.NewPool(map[string]conn.Opener{conn.SSH: ssh.Open, conn.Docker: Open}, map[string]conn.Settings{
		"nodes": {Kind: conn.SSH, ConfigFile: lab("ssh_config"), IdentityFiles: []string{lab("id_ed25519")}, KnownHosts: []string{lab("known_hosts")}},
		"lab":   {Kind: conn.Docker, Via: &node, DockerHost: "unix:///var/run/docker.sock"},
		"wrong": {Kind: conn.Docker, Via: &node, DockerHost: "unix:///nowhere.sock"},
	})
	defer p.Close()
	h, err := p.Dial(t.Context(), target)
	require.NoError(t, err)
	res, err := h.Run(t.Context(), conn.Script("hostname; docker info --format '{{.Name}}'"))
	require.NoError(t, err)
	require.Equal(t, "node3\nnode3\n", res.Stdout)

	_, err = p.Dial(t.Context(), conn.Target{Kind: conn.Docker, Name: "wrong", Config: "wrong"})
	require.ErrorContains(t, err, "unix:///nowhere.sock")
}

func TestAnEngineThatDoesNotAnswerIsUnreachableWithAHint(t *testing.T) {
	if testing.Short() {
		t.Skip("needs the docker command")
	}
	_, err := pool(t, "unix://"+filepath.Join(t.TempDir(), "docker.sock")).Dial(t.Context(), target)
	var u *conn.Unreachable
	require.ErrorAs(t, err, &u)
	require.Contains(t, u.Hint, "start the docker daemon", err.Error())
}

func TestAMachineWithoutDockerSaysSo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := pool(t, "").Dial(context.Background(), target)
	var u *conn.Unreachable
	require.ErrorAs(t, err, &u)
	require.EqualError(t, err, "cannot reach lab: there is no docker command on this machine")
	require.Contains(t, u.Hint, "install docker")
}
