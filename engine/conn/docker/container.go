package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/shell"
)

// container is the Host of one container.
type container struct {
	engine conn.Host
	name   string
	target string // how people call it
}

// OpenContainer is the conn.Opener of containers of a Docker engine. dial
// opens the engine, whose connection all containers share.
func OpenContainer(ctx context.Context, t conn.Target, _ conn.Settings, dial conn.Dialer) (conn.Host, error) {
	if t.Container == "" {
		return nil, fmt.Errorf("target %s names no container", t)
	}
	host, err := dial.Dial(ctx, conn.Target{Kind: conn.Docker, Name: t.Config, Config: t.Config})
	if err != nil {
		return nil, err
	}
	c := container{engine: host, name: t.Container, target: t.String()}
	state, err := c.inspect(ctx, "{{.State.Status}}")
	if err != nil {
		return nil, err
	}
	if state != "running" {
		return nil, &conn.Unreachable{Target: c.target, Err: fmt.Errorf("container %s is %s, not running", c.name, state),
			Hint: "look at docker logs " + c.name + ", then start it"}
	}
	return c, nil
}

// Run runs cmd in the container. When ctx ends, the docker command is ended;
// docker leaves what it started to itself.
func (c container) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	inside, stdin, err := shell.Wrap(cmd, shell.Start{})
	if err != nil {
		return conn.Result{}, err
	}
	args := []string{"docker", "exec"}
	if stdin != nil {
		args = append(args, "-i")
	}
	if cmd.User != "" {
		args = append(args, "-u", cmd.User)
	}
	res, err := c.engine.Run(ctx, conn.Cmd{
		Args: append(append(args, "--", c.name), inside...), Stdin: stdin, Stdout: cmd.Stdout, Stderr: cmd.Stderr,
	})
	return res, c.explain(err, cmd)
}

// The daemon's answers, which docker exec gives with exit status 1 as it would
// give the command's own.
var (
	missing = regexp.MustCompile(`^(Error: |Error response from daemon: )?No such container`)
	stopped = regexp.MustCompile(`^Error response from daemon: ([Cc]ontainer .* is not running|.*is paused)`)
)

// notStarted is what the runtime says of a program that is not there. Engines
// before 23 print it on stdout, with the exit status of one that cannot be run.
var notStarted = regexp.MustCompile(`exec: "[^"]*": (executable file not found in \$PATH|stat [^:]*: no such file or directory)`)

func (c container) explain(err error, cmd conn.Cmd) error {
	exit := (*conn.ExitError)(nil)
	if !errors.As(err, &exit) {
		return err
	}
	last := lastLine(exit.Stderr)
	switch {
	case exit.Code == 1 && missing.MatchString(last):
		return &conn.Unreachable{Target: c.target, Err: fmt.Errorf("there is no container %s", c.name),
			Hint: "its name may have changed; look at docker ps --all"}
	case exit.Code == 1 && stopped.MatchString(last):
		return &conn.Unreachable{Target: c.target, Err: fmt.Errorf("container %s is not running", c.name),
			Hint: "look at docker logs " + c.name + ", then start it"}
	}
	inner := *exit
	inner.Cmd = cmd
	if text := notStarted.FindString(exit.Stdout + exit.Stderr); exit.Code == 126 && text != "" {
		inner.Code, inner.Stderr = 127, text
	}
	return &inner
}

func (c container) inspect(ctx context.Context, format string) (string, error) {
	cmd := conn.Command("docker", "container", "inspect", "--format", format, "--", c.name)
	res, err := c.engine.Run(ctx, cmd)
	return strings.TrimSpace(res.Stdout), c.explain(err, cmd)
}

// Files are kept by sh in the container.
func (c container) Files() (conn.Files, error) { return shell.Files(c), nil }

// Dial reaches what listens on the container's address, from the machine of
// the engine. The container's own loopback is out of reach, so 127.0.0.1 means
// that address too.
func (c container) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, conn.NotSupported(c.target, "connect to "+addr+": only the container's own ports (127.0.0.1) can be reached")
	}
	out, err := c.inspect(ctx, `{{.HostConfig.NetworkMode}}{{range .NetworkSettings.Networks}} {{.IPAddress}}{{end}}`)
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(out)
	switch {
	case fields[0] == "host":
		return c.engine.Dial(ctx, network, addr)
	case len(fields) < 2:
		return nil, conn.NotSupported(c.target, "connect to "+addr+": the container has no address")
	}
	return c.engine.Dial(ctx, network, net.JoinHostPort(fields[1], port))
}

// Close does nothing: the connection is the engine's.
func (c container) Close() error { return nil }
