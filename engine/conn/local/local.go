// Package local is the machine that antdbctl runs on, as a conn.Host.
package local

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"syscall"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
)

// grace is how long a cancelled command may take to end by itself.
const grace = 3 * time.Second

// Open is the conn.Opener of local targets.
func Open(context.Context, conn.Target, conn.Settings, conn.Dialer) (conn.Host, error) {
	return New(), nil
}

// New gives this machine.
func New() conn.Host { return host{} }

type host struct{}

func (host) Files() (conn.Files, error) { return files{}, nil }
func (host) Close() error               { return nil }

func (host) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, addr)
}

// Listen listens on this machine.
func (host) Listen(ctx context.Context, network, addr string) (net.Listener, error) {
	var l net.ListenConfig
	return l.Listen(ctx, network, addr)
}

// Run starts cmd in a process group of its own, which as a whole is told to end
// when ctx does: SIGTERM, then SIGKILL.
func (host) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	if err := ctx.Err(); err != nil {
		return conn.Result{}, err
	}
	p, err := prepare(ctx, cmd)
	if err != nil {
		return conn.Result{}, err
	}
	out := conn.NewOutput(cmd)
	p.Stdout, p.Stderr = out.Stdout(), out.Stderr()

	if err := p.Start(); err != nil {
		return startFailure(out, cmd, err)
	}
	err = p.Wait()
	if ctx.Err() != nil && err != nil {
		// Whoever ignored SIGTERM; also children that outlive their leader.
		_ = syscall.Kill(-p.Process.Pid, syscall.SIGKILL)
		return out.Result(), fmt.Errorf("%s: %w", cmd.Args[0], context.Cause(ctx))
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		return out.Result(), fmt.Errorf("%s: %w", cmd.Args[0], err)
	}
	return out.Finish(exitCode(p.ProcessState.Sys().(syscall.WaitStatus)))
}

// startFailure says what a shell would say of a program that cannot be
// started, so that callers see one kind of answer from every place.
func startFailure(out *conn.Output, cmd conn.Cmd, err error) (conn.Result, error) {
	code := 126
	if isMissing(err) {
		code = 127
	} else if !isRefused(err) {
		return conn.Result{}, fmt.Errorf("start %s: %w", cmd.Args[0], err)
	}
	fmt.Fprintln(out.Stderr(), err)
	return out.Finish(code)
}

func exitCode(s syscall.WaitStatus) int {
	if s.Signaled() {
		return 128 + int(s.Signal())
	}
	return s.ExitStatus()
}
