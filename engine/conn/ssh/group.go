package ssh

import (
	"bytes"
	"io"
	"strings"
	"sync"

	"github.com/adbsql/antdbctl/engine/conn/shell"
)

// groupLine passes stderr on, but for the line that tells the process group
// (shell.Start.Group). What comes before it is from sudo or su.
type groupLine struct {
	to    io.Writer
	found bool   // or not expected
	held  []byte // the beginning of a line that may be the one

	mu    sync.Mutex
	group string
}

// id is the process group; empty when it was not told.
func (g *groupLine) id() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.group
}

func (g *groupLine) Write(p []byte) (int, error) {
	n := len(p)
	if g.found {
		return g.to.Write(p)
	}
	g.held = append(g.held, p...)
	for !g.found {
		end := bytes.IndexByte(g.held, '\n')
		if end < 0 {
			break
		}
		line := g.held[:end+1]
		g.held = g.held[end+1:]
		if id, ok := strings.CutPrefix(string(line), shell.GroupMark); ok {
			g.found = true
			g.mu.Lock()
			g.group = strings.TrimSpace(id)
			g.mu.Unlock()
			break
		}
		if _, err := g.to.Write(line); err != nil {
			return 0, err
		}
	}
	if !g.found && bytes.HasPrefix([]byte(shell.GroupMark), g.held[:min(len(g.held), len(shell.GroupMark))]) {
		return n, nil
	}
	return n, g.flush()
}

// flush passes on what is held back.
func (g *groupLine) flush() error {
	if len(g.held) == 0 {
		return nil
	}
	held := g.held
	g.held = nil
	_, err := g.to.Write(held)
	return err
}
