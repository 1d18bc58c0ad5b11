// Package docker is the door to a Docker engine and to its containers. It
// speaks by the docker command line of the machine where the engine is, which
// works with every engine that this command works with, also over SSH.
package docker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"regexp"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/secret"
)

// connectTimeout is how long an engine may take to say its version.
const connectTimeout = 20 * time.Second

// engine is the Host of a docker target: the machine whose docker is meant,
// with DOCKER_HOST in the environment of every command.
type engine struct {
	conn.Host // the machine
	name      string
	address   string // DOCKER_HOST; empty for the machine's own
}

// Open is the conn.Opener of docker targets. It asks the engine for its
// version, so that an engine that does not answer fails here.
func Open(ctx context.Context, t conn.Target, s conn.Settings, dial conn.Dialer) (conn.Host, error) {
	via := conn.Target{Kind: conn.Local, Name: "local"}
	if s.Via != nil {
		via = *s.Via
	}
	machine, err := dial.Dial(ctx, via)
	if err != nil {
		return nil, err
	}
	e := engine{Host: machine, name: t.String(), address: s.DockerHost}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	_, err = e.Run(ctx, conn.Command("docker", "version", "--format", "{{.Server.Version}}"))
	return e, e.explain(err, via)
}

// Run runs cmd on the machine, docker or any other.
func (e engine) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	if _, set := cmd.Env["DOCKER_HOST"]; e.address != "" && !set {
		env := map[string]secret.Value{"DOCKER_HOST": secret.New(e.address)}
		maps.Copy(env, cmd.Env)
		cmd.Env = env
	}
	return e.Host.Run(ctx, cmd)
}

// Dial connects from the machine.
func (e engine) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return e.Host.Dial(ctx, network, addr)
}

// Unwrap gives the machine.
func (e engine) Unwrap() conn.Host { return e.Host }

// The words by which the docker command says what keeps it from its engine;
// its exit status is 1 for all.
var (
	daemonDown = regexp.MustCompile(`Cannot connect to the Docker daemon|error during connect|connection refused|no such file or directory`)
	denied     = regexp.MustCompile(`permission denied`)
)

func (e engine) explain(err error, machine conn.Target) error {
	if err == nil {
		return nil
	}
	exit := (*conn.ExitError)(nil)
	if !errors.As(err, &exit) {
		if errors.Is(err, context.DeadlineExceeded) {
			err = fmt.Errorf("docker version took longer than %s", connectTimeout)
		}
		return &conn.Unreachable{Target: e.name, Err: err, Hint: "is the docker daemon of " + called(machine) + " healthy?"}
	}
	u := &conn.Unreachable{Target: e.name, Err: errors.New(lastLine(exit.Stderr))}
	switch {
	case exit.Code == 127:
		u.Err = errors.New("there is no docker command on " + called(machine))
		u.Hint = "install docker there, or give the target block another host"
	case denied.MatchString(exit.Stderr):
		u.Hint = "let the user be in the group docker, or connect as root (sudo = true)"
	case daemonDown.MatchString(exit.Stderr):
		u.Hint = "start the docker daemon (systemctl start docker), or correct the address of the target block"
	}
	return u
}

// called is how a person speaks of the machine.
func called(machine conn.Target) string {
	if machine.Kind == conn.Local {
		return "this machine"
	}
	return machine.String()
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
