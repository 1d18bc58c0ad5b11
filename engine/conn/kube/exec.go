package kube

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/shell"
)

// Run runs cmd in the container. When ctx ends the connection is closed, which
// ends commands that read stdin or write; the protocol has no way to signal
// the others.
func (h *container) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	if err := ctx.Err(); err != nil {
		return conn.Result{}, err
	}
	args, stdin, err := wire(cmd)
	if err != nil {
		return conn.Result{}, err
	}
	refused := false // a WebSocket, and SPDY was tried in its place
	executor, err := h.executor(args, stdin != nil, &refused)
	if err != nil {
		return conn.Result{}, err
	}
	out := conn.NewOutput(cmd)
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: stdin, Stdout: out.Stdout(), Stderr: out.Stderr()})
	if refused && (err == nil || errors.As(err, new(exec.CodeExitError))) {
		h.cluster.spdy.Store(true)
	}
	return h.finish(ctx, out, cmd, err)
}

func (h *container) finish(ctx context.Context, out *conn.Output, cmd conn.Cmd, err error) (conn.Result, error) {
	var exit exec.CodeExitError
	switch {
	case err == nil:
		return out.Finish(0)
	case errors.As(err, &exit):
		return out.Finish(exit.Code)
	case ctx.Err() != nil:
		return out.Result(), fmt.Errorf("%s: %w", cmd.Args[0], context.Cause(ctx))
	case notStarted.MatchString(err.Error()):
		fmt.Fprintln(out.Stderr(), notStarted.FindString(err.Error()))
		return out.Finish(127)
	case noContainer.MatchString(err.Error()):
		return out.Result(), &conn.Unreachable{Target: h.String(), Err: errors.New("the container does not run"),
			Hint: "it may be restarting; look with k8s.get or k8s.logs"}
	}
	return out.Result(), h.cluster.podUnreachable(h.namespace, h.pod, err)
}

// The runtime reports a program that is not there, and the kubelet a container
// that does not run, as internal errors without a code of their own.
var (
	notStarted  = regexp.MustCompile(`exec: "[^"]*": (executable file not found in \$PATH|stat [^:]*: no such file or directory|permission denied)`)
	noContainer = regexp.MustCompile(`container not found|container is not running|cannot exec in a (deleted|stopped) (state|container)`)
)

// executor speaks WebSocket where the server can, else SPDY. refused is set
// when it has to change from one to the other.
func (h *container) executor(args []string, stdin bool, refused *bool) (remotecommand.Executor, error) {
	url := h.cluster.clientset.CoreV1().RESTClient().Post().Resource("pods").
		Namespace(h.namespace).Name(h.pod).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{
			Container: h.name, Command: args, Stdin: stdin, Stdout: true, Stderr: true,
		}, scheme.ParameterCodec).URL()
	spdy, err := remotecommand.NewSPDYExecutor(h.cluster.config, http.MethodPost, url)
	if err != nil {
		return nil, h.cluster.unreachable(err)
	}
	if h.cluster.spdy.Load() {
		return spdy, nil
	}
	socket, err := remotecommand.NewWebSocketExecutor(h.cluster.config, http.MethodGet, url.String())
	if err != nil {
		return nil, h.cluster.unreachable(err)
	}
	return remotecommand.NewFallbackExecutor(socket, spdy, func(err error) bool {
		*refused = canFallBack(err)
		return *refused
	})
}

// become runs the rest of its arguments as the user $1: as it is when that is
// who the container runs as, else by what a root or a sudoer finds in the image.
const become = `user=$1; shift
[ "$(id -un 2>/dev/null)" = "$user" ] || [ "$(id -u)" = "$user" ] && exec "$@"
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null 2>&1 && exec sudo -n -u "$user" -- "$@"
  echo "run as $user: the container runs as $(id -un), and has no sudo" >&2; exit 126
fi
command -v runuser >/dev/null 2>&1 && exec runuser -u "$user" -- "$@"
command -v setpriv >/dev/null 2>&1 && exec setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups -- "$@"
exec su -s /bin/sh "$user" -c 'exec "$@"' -- sh "$@"`

// drain runs the rest of its arguments and then reads what they left of stdin:
// where a command ends with much of it unread, the stream stands still and its
// status never comes (seen with Kubernetes 1.34 over WebSocket).
const drain = `"$@"; status=$?; cat >/dev/null; exit "$status"`

// wire is the argument vector and the stdin by which cmd goes to the container.
func wire(cmd conn.Cmd) ([]string, io.Reader, error) {
	var start shell.Start
	if cmd.User != "" {
		start.Prefix = []string{"sh", "-c", become, "sh", cmd.User}
	}
	args, stdin, err := shell.Wrap(cmd, start)
	if err == nil && cmd.Stdin != nil {
		args = append([]string{"sh", "-c", drain, "sh"}, args...)
	}
	return args, stdin, err
}

// Files are kept by sh in the container.
func (h *container) Files() (conn.Files, error) { return shell.Files(h), nil }
