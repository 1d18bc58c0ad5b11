package backup

import (
	"bytes"
	"context"
	"strings"
	"sync"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// exec calls pgbackrest where it runs.
func (r *Run) exec(ctx context.Context, env *module.Env, p *place) error {
	args := append([]string{"pgbackrest", "backup", "--stanza=" + p.stanza, "--log-level-console=info"}, r.arguments()...)
	if p.vault != nil && p.vault.Labels["pgo-backrest-repo"] == "true" {
		// PGO 4's repository does not know where the database is: each Job says so.
		args = append(args, "--pg1-host="+p.primary.Status.PodIP, "--pg1-path=/pgdata/"+p.primary.Labels["deployment-name"])
	}
	out := &lines{logf: env.Logf}
	_, err := p.repo.Run(ctx, conn.Cmd{Args: args, User: p.user, Stdout: out, Stderr: out})
	out.end()
	if exit, ok := conn.ExitCode(err); ok {
		return p.failed(ctx, "backup", &conn.ExitError{Cmd: conn.Command(args...), Code: exit, Stdout: out.all.String()})
	}
	return err
}

// lines logs what is written to it, line by line, and keeps it. Both streams
// of a command may write at once.
type lines struct {
	mu   sync.Mutex
	all  bytes.Buffer
	logf func(format string, args ...any)
	line []byte
}

func (l *lines) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all.Write(text)
	l.line = append(l.line, text...)
	for {
		line, rest, whole := bytes.Cut(l.line, []byte("\n"))
		if !whole {
			return len(text), nil
		}
		l.logf("%s", strings.TrimSpace(string(line)))
		l.line = append([]byte(nil), rest...)
	}
}

func (l *lines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.line) > 0 {
		l.logf("%s", l.line)
		l.line = nil
	}
}
