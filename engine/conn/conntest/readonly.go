package conntest

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/adbsql/antdbctl/engine/conn"
)

// ReadOnly is host in the hands of a Check: what would change something fails
// the test and is not done. Which commands change something it knows by name,
// so it finds the evident breach, not every breach.
func ReadOnly(t testing.TB, host conn.Host) conn.Host { return readOnly{t, host} }

type readOnly struct {
	t    testing.TB
	host conn.Host
}

func (r readOnly) refuse(what string) error {
	r.t.Helper()
	r.t.Errorf("a look must not change anything: %s", what)
	return conn.NotSupported("a look", what)
}

func (r readOnly) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	r.t.Helper()
	if what := Mutates(cmd.Args); what != "" {
		return conn.Result{}, r.refuse(what)
	}
	if cmd.Stdin != nil && isSQL(cmd.Args) { // psql reads its statements from stdin
		if _, whole := cmd.Stdin.(interface{ Len() int }); !whole {
			cmd.Stdin = &watched{Reader: cmd.Stdin, r: r}
			return r.host.Run(ctx, cmd)
		}
		script, err := io.ReadAll(cmd.Stdin)
		if err != nil {
			return conn.Result{}, err
		}
		if what := mutatesSQL(string(script)); what != "" {
			return conn.Result{}, r.refuse(what)
		}
		cmd.Stdin = again(script)
	}
	return r.host.Run(ctx, cmd)
}

// watched is what a psql is told over time. It ends before a word that would
// change something.
type watched struct {
	io.Reader
	r    readOnly
	told []byte
}

func (w *watched) Read(p []byte) (int, error) {
	w.r.t.Helper()
	n, err := w.Reader.Read(p)
	w.told = append(w.told, p[:n]...)
	if what := mutatesSQL(string(w.told)); what != "" {
		return 0, w.r.refuse(what)
	}
	return n, err
}

func (r readOnly) Files() (conn.Files, error) {
	f, err := r.host.Files()
	if err != nil {
		return nil, err
	}
	return readOnlyFiles{f, r}, nil
}

func (r readOnly) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	return r.host.Dial(ctx, network, addr)
}

func (r readOnly) Close() error      { return r.host.Close() }
func (r readOnly) Unwrap() conn.Host { return r.host }

type readOnlyFiles struct {
	conn.Files
	r readOnly
}

func (f readOnlyFiles) Write(_ context.Context, path string, _ io.Reader, _ conn.FileMeta) error {
	return f.r.refuse("write " + path)
}

func (f readOnlyFiles) Remove(_ context.Context, path string) error {
	return f.r.refuse("remove " + path)
}
