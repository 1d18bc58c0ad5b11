package sql

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/adbsql/antdbctl/engine/module"
)

// wire speaks the server's protocol through the step's own connections: from
// here, through an SSH host, or into a cluster by port-forward. It uses the
// simple protocol only, which every fork of the server understands.
type wire struct {
	login
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

func (w *wire) query(ctx context.Context, statement string) (*table, error) {
	l, err := w.line(ctx)
	if err != nil {
		return nil, err
	}
	defer l.close()
	return l.query(ctx, statement)
}

// wireLine is a login by wire.
type wireLine struct{ c *pgconn.PgConn }

func (w *wire) line(ctx context.Context) (line, error) {
	c, err := w.connect(ctx)
	if err != nil {
		return nil, err
	}
	return wireLine{c}, nil
}

func (l wireLine) close() { closeSession(l.c) }

// lookHead and lookTail make a statement a look, in one message. Where the
// statement ends the transaction around it, nothing comes after it. No word of
// theirs begins a block in a foreign grammar of AntDB, as BEGIN does.
const (
	lookHead = "start transaction read only;\n"
	lookTail = "\n;rollback"
)

func (l wireLine) query(ctx context.Context, statement string) (*table, error) {
	t, err := read(l.c.Exec(ctx, lookHead+statement+lookTail))
	return t, wireFault(err, lookHead, statement)
}

// read takes the result of the statement from between those of head and tail.
func read(results *pgconn.MultiResultReader) (*table, error) {
	var all []*table
	for results.NextResult() {
		r, t := results.ResultReader(), &table{}
		for _, f := range r.FieldDescriptions() {
			t.columns = append(t.columns, column{name: f.Name, kind: kindOfOID(f.DataTypeOID)})
		}
		for r.NextRow() {
			cells := make([]cell, len(r.Values()))
			for i, v := range r.Values() {
				cells[i] = cell{text: string(v), null: v == nil}
			}
			t.rows = append(t.rows, cells)
		}
		all = append(all, t)
	}
	if err := results.Close(); err != nil {
		return nil, err
	}
	if len(all) != 3 {
		return nil, fmt.Errorf("the server gave %d results for one statement", len(all)-2)
	}
	return all[1], nil
}

func (w *wire) change(ctx context.Context, statements ...string) error {
	c, err := w.connect(ctx)
	if err != nil {
		return err
	}
	defer closeSession(c) // which takes back what was not committed
	for _, statement := range slices.Concat([]string{"start transaction"}, statements) {
		if _, err := c.Exec(ctx, statement).ReadAll(); err != nil {
			return wireFault(err, "", statement)
		}
		if warning, ok := c.CustomData()[notGranted].(*pgconn.PgError); ok {
			return wireFault(warning, "", statement)
		}
	}
	if _, err := c.Exec(ctx, "commit").ReadAll(); err != nil {
		return uncertain(wireFault(err, "", ""))
	}
	return nil
}

// uncertain tells a commit that the server refused from one whose answer never
// came.
func uncertain(err error) error {
	if faultOf(err) != nil {
		return err
	}
	return module.Explain(fmt.Errorf("the connection was lost while the change was being committed: %w", err),
		"apply again: the change was made whole or not at all, and the next look shows which")
}

func (w *wire) command(ctx context.Context, statement string) error {
	c, err := w.connect(ctx)
	if err != nil {
		return err
	}
	defer closeSession(c)
	_, err = c.Exec(ctx, statement).ReadAll()
	return wireFault(err, "", statement)
}

// connect names every setting, so that PG… variables, service files and
// password files of the machine antdbctl runs on play no part.
func (w *wire) connect(ctx context.Context) (*pgconn.PgConn, error) {
	settings := [][2]string{
		{"host", w.host}, {"port", fmt.Sprint(cmp.Or(w.port, 5432))},
		{"user", cmp.Or(w.user, "postgres")}, {"database", cmp.Or(w.database, "postgres")}, {"password", "-"},
		{"sslmode", cmp.Or(w.sslmode, "prefer")}, {"sslcert", ""}, {"sslkey", ""}, {"sslrootcert", ""},
		{"passfile", "/dev/null"}, {"connect_timeout", "15"}, {"target_session_attrs", "any"},
		{"application_name", "antdbctl"}, {"client_encoding", "UTF8"}, {"datestyle", dateStyle},
	}
	var dsn strings.Builder
	for _, s := range settings {
		fmt.Fprintf(&dsn, "%s='%s' ", s[0], strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s[1]))
	}
	cfg, err := pgconn.ParseConfig(dsn.String())
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", w, err)
	}
	cfg.Password = w.password.Reveal()
	cfg.DialFunc = pgconn.DialFunc(w.dial)
	cfg.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil } // names mean something at the far end
	cfg.OnNotice = func(c *pgconn.PgConn, n *pgconn.Notice) {
		if n.Code == notGranted {
			c.CustomData()[notGranted] = (*pgconn.PgError)(n)
		}
	}
	c, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, w.refused(cause(err))
	}
	return c, w.plain(ctx, c)
}

// plain has an AntDB server read the modules' own statements as PostgreSQL's.
// It reports its grammar at every login (GUC_REPORT), so this asks nothing.
func (w *wire) plain(ctx context.Context, c *pgconn.PgConn) error {
	if grammar := c.ParameterStatus("grammar"); w.asItIs || grammar == "" || grammar == "postgres" {
		return nil
	}
	if _, err := c.Exec(ctx, "set grammar to postgres").ReadAll(); err != nil {
		closeSession(c)
		return wireFault(err, "", "")
	}
	return nil
}

// cause is the innermost of the driver's connection errors that says
// something; the outer ones repeat the address once for every attempt.
func cause(err error) error {
	if f := wireFault(err, "", ""); f != err {
		return f
	}
	failed := (*pgconn.ConnectError)(nil)
	if errors.As(err, &failed) && failed.Unwrap() != nil {
		return failed.Unwrap()
	}
	return err
}

func closeSession(c *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = c.Close(ctx) // the work is done or failed already
}
