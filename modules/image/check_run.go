package image

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/image/preflight"
)

// A probe ends by itself after probeSeconds, and nobody waits longer than
// probeWait for it.
const (
	probeSeconds = 90
	probeWait    = (probeSeconds + 20) * time.Second
)

// prove runs the probe in a throw-away container and adds to the findings what
// it says. Without dynamic = "true" a probe that cannot run is only told of.
func (c *Check) prove(ctx context.Context, env *module.Env, probe *preflight.Probe) error {
	failed := slices.ContainsFunc(c.Findings, func(f preflight.Finding) bool { return f.Verdict == string(preflight.Fail) })
	if c.Dynamic == "false" || c.Archive != "" || c.Dynamic == "auto" && failed {
		return nil
	}
	env.Phase("prove in a container")
	output, err := dockerOn(env).probe(ctx, c.ID, probe)
	if err == nil {
		preflight.Prove(c.Findings, output)
		return nil
	}
	if c.Dynamic == "true" || ctx.Err() != nil {
		return module.At("dynamic", err)
	}
	env.Logf("warning: nothing was proved in a container: %s", err)
	return nil
}

// probe runs a probe in a container that has no network, no volume, no right of
// root's and no way to write but to its memory. The container ends when the
// probe does, or its time is over, or this program is gone, however that came:
// then the probe's standard input ends. Docker removes it by itself.
func (d docker) probe(ctx context.Context, image string, probe *preflight.Probe) (string, error) {
	name := "antdbctl-check-" + rand.Text()[:12]
	alive, lifeline, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer alive.Close()
	cut := sync.OnceFunc(func() { _ = lifeline.Close() })
	defer cut()
	// The client is not killed, for a container that it is making would stay:
	// it ends with the probe, and that with its lifeline.
	defer context.AfterFunc(ctx, cut)()
	waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeWait)
	defer cancel()
	out := &probeOutput{ended: cut}
	_, err = d.Run(waiting, conn.Cmd{Args: probeArgs(name, image, probe), Stdin: alive, Stdout: out})
	exit := (*conn.ExitError)(nil)
	isExit := errors.As(err, &exit)
	if err != nil {
		d.removeProbe(waiting, name, isExit && exit.Code >= dockersOwn && exit.Code < 128)
	}
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case isExit:
		return "", d.explain(err, "start a container of "+short(image))
	case err != nil:
		return "", fmt.Errorf("a container of %s: %w", short(image), err)
	case !preflight.Proves(out.String()):
		return "", fmt.Errorf("a container of %s proved nothing: %s", short(image), strings.TrimSpace(out.String()))
	}
	return out.String(), nil
}

// dockersOwn is the first exit status that `docker run` has of its own: no
// container was started.
const dockersOwn = 125

func probeArgs(name, image string, probe *preflight.Probe) []string {
	args := []string{"docker", "run", "--rm", "--interactive", "--name", name, "--network", "none", "--user", fmt.Sprint(probe.User),
		"--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
		"--tmpfs", preflight.ProbeDir + ":rw,exec,mode=1777", "--tmpfs", "/tmp"}
	for _, volume := range probe.Volumes {
		if volume != "/tmp" {
			args = append(args, "--tmpfs", volume)
		}
	}
	return append(append(args, "--entrypoint", "/bin/sh", image), probe.Args(probeSeconds)...)
}

// removeProbe sees to it that a container is gone whose client did not end well.
// The engine may still be making it when the client is gone, so it is asked for
// some seconds, unless it never came to that.
func (d docker) removeProbe(ctx context.Context, name string, once bool) {
	ctx, done := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer done()
	for {
		out, _ := d.Run(ctx, conn.Command("docker", "container", "rm", "--force", "--volumes", name))
		if once || strings.TrimSpace(out.Stdout) == name { // newer ones do not fail when there is none
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(250 * time.Millisecond):
		}
	}
}

// probeOutput keeps what a probe writes, and says when that is all.
type probeOutput struct {
	bytes.Buffer
	ended func()
}

func (o *probeOutput) Write(p []byte) (int, error) {
	n, err := o.Buffer.Write(p)
	if bytes.Contains(o.Bytes(), []byte(preflight.ProbeEnd)) {
		o.ended()
	}
	return n, err
}
