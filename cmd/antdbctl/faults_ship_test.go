package main

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn/conntest"
)

func TestFaultFullDiskWhereAnImageGoes(t *testing.T) {
	if testing.Short() {
		t.Skip("needs docker, containerd and sshd")
	}
	small := startSmallContainerd(t, "4m")
	docker := labDocker(t)
	bigImage(t, docker, "antdbctl-faults/big:1")
	r := newRemoteOn(conntest.StartSSH(t, conntest.SSHOptions{Config: []string{"SetEnv CONTAINERD_ADDRESS=" + small.socket}}), fixture(t, "ship.hcl"))
	r.env = append(r.env, "DOCKER_HOST="+docker)

	r.failsAlone(fault{line: r.line(""), says: "the disk is full", evidence: "no space left on device", remedy: "free space there"})
	small.grow("64m")
	r.goesOn()
	r.apply().done()
}

// smallContainerd is a containerd whose folder is a small disk of its own.
type smallContainerd struct {
	t      *testing.T
	socket string
	root   string
	cmd    *exec.Cmd
}

func startSmallContainerd(t *testing.T, size string) *smallContainerd {
	t.Helper()
	require.Zero(t, os.Geteuid(), "it mounts a disk of its own: run as root")
	dir, err := os.MkdirTemp("", "faults-containerd-") // short enough for a socket
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	c := &smallContainerd{t: t, socket: filepath.Join(dir, "sock"), root: filepath.Join(dir, "root")}
	require.NoError(t, os.Mkdir(c.root, 0o700))
	config := fmt.Sprintf("version = 2\nroot = %q\nstate = %q\ndisabled_plugins = [\"io.containerd.grpc.v1.cri\"]\n[grpc]\n  address = %q\n", c.root, filepath.Join(dir, "state"), c.socket)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.toml"), []byte(config), 0o600))
	var log bytes.Buffer
	c.cmd = exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c",
		`mount -t tmpfs -o size="$1" none "$2" && exec containerd --config "$3"`, "sh", size, c.root, filepath.Join(dir, "config.toml"))
	c.cmd.Stdout, c.cmd.Stderr = &log, &log
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, c.cmd.Start())
	t.Cleanup(func() {
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		_ = c.cmd.Wait()
		if t.Failed() {
			t.Logf("containerd said:\n%s", log.Bytes()[max(0, log.Len()-2000):])
		}
	})
	require.Eventually(t, func() bool { return exec.Command("ctr", "--address", c.socket, "version").Run() == nil }, time.Minute, 50*time.Millisecond)
	return c
}

// grow gives the disk another size, as an operator who adds space.
func (c *smallContainerd) grow(size string) {
	c.t.Helper()
	out, err := exec.Command("nsenter", "--mount", "--target", fmt.Sprint(c.cmd.Process.Pid), "mount", "-o", "remount,size="+size, c.root).CombinedOutput()
	require.NoError(c.t, err, string(out))
}

// bigImage makes an image of 8 MiB that nothing can compress.
func bigImage(t *testing.T, docker, ref string) {
	t.Helper()
	dir := t.TempDir()
	noise := make([]byte, 8<<20)
	_, _ = rand.Read(noise) // never fails
	require.NoError(t, os.WriteFile(filepath.Join(dir, "noise"), noise, 0o600))
	out, err := exec.Command("sh", "-c", `tar -C "$1" -c noise | docker -H "$2" import - "$3"`, "sh", dir, docker, ref).CombinedOutput()
	require.NoError(t, err, string(out))
	t.Cleanup(func() {
		out, err := exec.Command("docker", "-H", docker, "image", "rm", ref).CombinedOutput()
		require.NoError(t, err, string(out))
	})
}
