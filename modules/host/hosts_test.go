package host

import (
	"context"
	"io"
	"io/fs"
	"maps"
	"slices"
	"sync"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/secret"
)

// counter counts what goes through a host and keeps the argument vectors.
type counter struct {
	conn.Host
	mu       sync.Mutex
	commands int
	args     []string
}

func (c *counter) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	c.mu.Lock()
	c.commands++
	c.args = append(c.args, cmd.Args...)
	c.mu.Unlock()
	return c.Host.Run(ctx, cmd)
}

// asUser runs everything as another user, as a connection of that user would.
type asUser struct {
	conn.Host
	user string
}

func (a asUser) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	cmd.User = a.user
	return a.Host.Run(ctx, cmd)
}

func (a asUser) Files() (conn.Files, error) { return noFiles{}, nil }

// noFiles refuses to write, as the system would that user.
type noFiles struct{ conn.Files }

func (noFiles) Write(context.Context, string, io.Reader, conn.FileMeta) error {
	return fs.ErrPermission
}

// withPath runs commands with another PATH.
type withPath struct {
	conn.Host
	path string
}

func (w withPath) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	env := map[string]secret.Value{"PATH": secret.New(w.path)}
	maps.Copy(env, cmd.Env)
	cmd.Env = env
	return w.Host.Run(ctx, cmd)
}

// withShell runs scripts by another shell.
type withShell struct {
	conn.Host
	shell []string
}

func (w withShell) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	if len(cmd.Args) > 0 && cmd.Args[0] == "sh" {
		cmd.Args = append(slices.Clone(w.shell), cmd.Args[1:]...)
	}
	return w.Host.Run(ctx, cmd)
}
