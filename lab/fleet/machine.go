package fleet

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/node"
)

//go:embed files/start
var startScript string

// startLimit is how long a node's engines may take to answer; all nodes start at once.
const startLimit = 2 * time.Minute

func (f Fleet) writeFiles(n layout.Node, keys node.SSHKeys) error {
	dir := node.Folder(f.Lab, n)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	t, err := template.New("start").Parse(startScript)
	if err != nil {
		return err
	}
	var start bytes.Buffer
	if err := t.Execute(&start, map[string]string{"Cgroup": f.Lab.CgroupRoot() + "/" + n.Name}); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "start"), start.Bytes(), 0o755); err != nil {
		return err
	}
	return keys.Install(n, dir)
}

// start brings one node up and waits until all three of its doors are open.
func (f Fleet) start(ctx context.Context, n layout.Node) error {
	machine := node.Machine{Lab: f.Lab, Node: n, Engine: f.Engine, Owner: f.Owner}
	if f.state(ctx, n.Name) == "paused" {
		if err := f.Unpause(ctx, n.Name); err != nil {
			return err
		}
	}
	if err := machine.Start(ctx); err != nil {
		return err
	}
	const look = "docker version >/dev/null && ctr version >/dev/null && test -e /run/sshd.pid"
	for deadline := time.Now().Add(startLimit); ; {
		_, err := f.Engine.Do(ctx, "exec", n.Name, "sh", "-c", look)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the engines of %s do not answer (see %s): %w", n.Name, f.Lab.In("logs", n.Name), err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}
