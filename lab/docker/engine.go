// Package docker runs a Docker Engine that belongs to the lab alone: its own socket, folders and pid file, no
// firewall rules, no default bridge. An engine that runs on the machine already is never touched.
package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/proc"
)

// KeyLabel marks the lab's images with a digest of what went into them, and its containers.
const KeyLabel = "com.adbsql.antdbctl.lab"

// Engine talks to the lab's engine.
type Engine struct{ lab layout.Lab }

func New(lab layout.Lab) Engine { return Engine{lab: lab} }

// Daemon is the engine's process, to look at.
func (e Engine) Daemon() proc.Daemon {
	return proc.Daemon{Name: "dockerd", Dir: e.lab.State, Argv: []string{
		"dockerd",
		"--host=unix://" + e.lab.DockerSocket(),
		"--data-root=" + e.lab.Engine(),
		"--exec-root=" + e.lab.In("docker"),
		"--pidfile=" + e.lab.In("docker.pid"),
		"--config-file=" + e.lab.In("docker.json"),
		"--storage-driver=overlay2",
		"--cgroup-parent=/" + e.lab.CgroupRoot() + "/engine",
		"--exec-opt=native.cgroupdriver=cgroupfs",
		"--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--userland-proxy=false",
	}}
}

// Running reports whether the engine's process lives.
func (e Engine) Running() bool { return e.Daemon().Pid() != 0 }

// Start brings the engine up and waits until it answers.
func (e Engine) Start(ctx context.Context) error {
	for _, dir := range []string{e.lab.State, e.lab.Engine(), e.lab.In("docker-cli")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	// an empty file of its own: /etc/docker/daemon.json is another engine's
	if err := os.WriteFile(e.lab.In("docker.json"), []byte("{}\n"), 0o644); err != nil {
		return err
	}
	d := e.Daemon()
	if d.Pid() == 0 {
		if err := e.clearDead(); err != nil {
			return err
		}
	}
	if _, err := d.Start(); err != nil {
		return err
	}
	return d.WaitFor(ctx, time.Minute, func(ctx context.Context) error {
		_, err := e.Do(ctx, "version", "--format", "{{.Server.Version}}")
		return err
	})
}

// clearDead removes what a killed engine leaves in its successor's way: pid files (a pid may be in use again, and a zombie
// counts as alive) and a containerd that holds the lock on the data. Containers live on below their shims.
func (e Engine) clearDead() error {
	for _, file := range []string{e.lab.In("docker.pid"), e.lab.In("docker", "containerd", "containerd.pid")} {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return proc.KillMentioning(e.lab.In("docker", "containerd", "containerd.toml"))
}

// Stop ends the engine; containers must be gone before.
func (e Engine) Stop() error { return e.Daemon().Stop(30 * time.Second) }

// Do runs the docker command line against the engine.
func (e Engine) Do(ctx context.Context, args ...string) (string, error) {
	return e.Feed(ctx, nil, args...)
}

// Feed is Do with a standard input.
func (e Engine) Feed(ctx context.Context, stdin io.Reader, args ...string) (string, error) {
	cmd := proc.Command{Argv: append([]string{"docker"}, args...), Stdin: stdin, Env: e.Env()}
	out, err := cmd.Output(ctx)
	return strings.TrimSpace(out), err
}

// Env makes any docker command talk to the lab's engine, whatever the user's contexts say.
func (e Engine) Env() []string {
	return []string{
		"DOCKER_HOST=unix://" + e.lab.DockerSocket(), "DOCKER_CONFIG=" + e.lab.In("docker-cli"),
		"DOCKER_CONTEXT=", "DOCKER_TLS_VERIFY=", "DOCKER_BUILDKIT=0",
	}
}

// Label returns a label of an image; empty when there is no such label or image.
func (e Engine) Label(ctx context.Context, image, label string) string {
	out, err := e.Do(ctx, "image", "inspect", "--format", fmt.Sprintf("{{index .Config.Labels %q}}", label), image)
	if err != nil {
		return ""
	}
	return out
}

// EnsureNetwork makes the nodes' network. It is internal: no default route leads out of it.
func (e Engine) EnsureNetwork(ctx context.Context) error {
	if _, err := e.Do(ctx, "network", "inspect", e.lab.Network()); err == nil {
		return nil
	}
	_, err := e.Do(ctx, "network", "create", "--driver=bridge", "--internal", "--subnet="+e.lab.Subnet(), "--gateway="+e.lab.Gateway(),
		"--opt", "com.docker.network.bridge.name="+e.lab.Bridge(), e.lab.Network())
	return err
}

// RemoveNetwork removes the nodes' network, if it is there.
func (e Engine) RemoveNetwork(ctx context.Context) error {
	if _, err := e.Do(ctx, "network", "inspect", e.lab.Network()); err != nil {
		return nil
	}
	_, err := e.Do(ctx, "network", "rm", e.lab.Network())
	return err
}

// RemoveContainers removes the nodes with all they hold, also stopped ones, but not those that belong to the lab called keep.
func (e Engine) RemoveContainers(ctx context.Context, keep string) error {
	out, err := e.Do(ctx, "ps", "--all", "--filter", "label="+KeyLabel, "--format", fmt.Sprintf("{{.Names}} {{.Label %q}}", KeyLabel))
	if err != nil {
		return err
	}
	remove := []string{"rm", "--force", "--volumes"}
	for _, line := range strings.Split(out, "\n") {
		if name, owner, _ := strings.Cut(line, " "); name != "" && (keep == "" || owner != keep) {
			remove = append(remove, name)
		}
	}
	if len(remove) == 3 {
		return nil
	}
	_, err = e.Do(ctx, remove...)
	return err
}

// Pipe feeds what one docker command writes into another.
func (e Engine) Pipe(ctx context.Context, from, to []string) error {
	reader, writer := io.Pipe()
	failed := make(chan error, 1)
	go func() {
		var said strings.Builder
		cmd := exec.CommandContext(ctx, "docker", from...)
		cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), e.Env()...), writer, &said
		err := cmd.Run()
		writer.CloseWithError(err)
		if err != nil {
			err = fmt.Errorf("docker %s: %w: %s", from[0], err, strings.TrimSpace(said.String()))
		}
		failed <- err
	}()
	_, err := e.Feed(ctx, reader, to...)
	reader.Close() // unblocks the writer when the reader died first
	return errors.Join(err, <-failed)
}
