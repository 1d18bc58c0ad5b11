package host

import (
	"context"
	"sync"

	"github.com/adbsql/antdbctl/engine/conn"
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
