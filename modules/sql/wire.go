package sql

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// wire speaks the server's protocol through the step's own connections: from
// here, through an SSH host, or into a cluster by port-forward. It uses the
// simple protocol only, which every fork of the server understands.
type wire struct {
	login
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

func (w *wire) query(ctx context.Context, statement string) (*table, error) {
	c, err := w.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer closeSession(c)
	if _, err := c.Exec(ctx, "begin transaction read only").ReadAll(); err != nil {
		return nil, wireFault(err, "")
	}
	t, err := read(c.Exec(ctx, statement))
	return t, wireFault(err, statement)
}

// read takes the one result of a statement.
func read(results *pgconn.MultiResultReader) (*table, error) {
	t := &table{}
	for n := 0; results.NextResult(); n++ {
		if n > 0 {
			return nil, errors.Join(fmt.Errorf("the server gave several results for one statement"), results.Close())
		}
		r := results.ResultReader()
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
	}
	return t, results.Close()
}

func (w *wire) exec(ctx context.Context, statements ...string) error {
	c, err := w.connect(ctx)
	if err != nil {
		return err
	}
	defer closeSession(c)
	for _, statement := range statements {
		if _, err := c.Exec(ctx, statement).ReadAll(); err != nil {
			return wireFault(err, statement)
		}
	}
	return nil
}

// connect names every setting, so that PG… variables, service files and
// password files of the machine antdbctl runs on play no part.
func (w *wire) connect(ctx context.Context) (*pgconn.PgConn, error) {
	settings := [][2]string{
		{"host", w.host}, {"port", fmt.Sprint(cmp.Or(w.port, 5432))},
		{"user", cmp.Or(w.user, "postgres")}, {"database", cmp.Or(w.database, "postgres")}, {"password", "-"},
		{"sslmode", cmp.Or(w.sslmode, "prefer")}, {"sslcert", ""}, {"sslkey", ""}, {"sslrootcert", ""},
		{"passfile", "/dev/null"}, {"connect_timeout", "15"}, {"target_session_attrs", "any"},
		{"application_name", "antdbctl"}, {"client_encoding", "UTF8"},
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
	c, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, w.refused(cause(err))
	}
	return c, nil
}

// cause is the innermost of the driver's connection errors that says
// something; the outer ones repeat the address once for every attempt.
func cause(err error) error {
	if f := wireFault(err, ""); f != err {
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
