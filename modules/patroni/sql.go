package patroni

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// login says how to get a session on the members' databases.
type login struct {
	user, database, sslmode string
	password                secret.Value
}

const (
	databasePort = 5432 // where the store does not tell the port
	sessionTime  = 15 * time.Second
)

// ask runs one statement on a member and gives its single value. In a pod it
// takes psql over the local socket, which needs no password; with a password,
// and everywhere else, a connection of its own.
func (p *place) ask(ctx context.Context, m *member, l login, statement string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, sessionTime)
	defer cancel()
	if m.pod != nil && l.password.IsZero() {
		return p.psql(ctx, m, l, statement)
	}
	c, err := l.connect(ctx, func(ctx context.Context) (net.Conn, error) { return m.dial(ctx, m.port()) })
	if err != nil {
		return "", l.refused(fmt.Errorf("log in to the database of %s: %w", m.name, err))
	}
	defer closeSession(c)
	return single(ctx, c, statement)
}

// port is where the member's database listens.
func (m *member) port() int {
	if m.listed != nil && m.listed.Port > 0 {
		return m.listed.Port
	}
	return databasePort
}

func (p *place) psql(ctx context.Context, m *member, l login, statement string) (string, error) {
	host, err := p.kube.Container(ctx, m.pod.Namespace, m.name, container(m.pod))
	if err != nil {
		return "", err
	}
	args := []string{"psql", "-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-d", firstOf(l.database, "postgres")}
	if l.user != "" {
		args = append(args, "-U", l.user)
	}
	res, err := host.Run(ctx, conn.Cmd{Args: args, Stdin: strings.NewReader(statement + ";\n"),
		Env: map[string]secret.Value{"PGCLIENTENCODING": secret.New("UTF8"), "PGAPPNAME": secret.New("antdbctl")}})
	if err != nil {
		return "", fmt.Errorf("ask the database of %s: %w", m.name, err)
	}
	return strings.TrimSuffix(res.Stdout, "\n"), nil
}

// connect names every setting, so that variables and files of the machine
// antdbctl runs on play no part.
func (l login) connect(ctx context.Context, dial func(context.Context) (net.Conn, error)) (*pgconn.PgConn, error) {
	var dsn strings.Builder
	for _, s := range [][2]string{
		{"host", "patroni"}, {"port", "5432"}, {"user", firstOf(l.user, "postgres")}, {"database", firstOf(l.database, "postgres")}, {"password", "-"},
		{"sslmode", firstOf(l.sslmode, "prefer")}, {"sslcert", ""}, {"sslkey", ""}, {"sslrootcert", ""}, {"passfile", "/dev/null"},
		{"connect_timeout", "15"}, {"target_session_attrs", "any"}, {"application_name", "antdbctl"}, {"client_encoding", "UTF8"},
	} {
		fmt.Fprintf(&dsn, "%s='%s' ", s[0], strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s[1]))
	}
	config, err := pgconn.ParseConfig(dsn.String())
	if err != nil {
		return nil, err
	}
	config.Password = l.password.Reveal()
	config.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	config.LookupFunc = func(_ context.Context, host string) ([]string, error) { return []string{host}, nil }
	c, err := pgconn.ConnectConfig(ctx, config)
	return c, cause(err)
}

// cause is the innermost of the driver's errors that says something.
func cause(err error) error {
	if failed := (*pgconn.ConnectError)(nil); errors.As(err, &failed) && failed.Unwrap() != nil {
		return failed.Unwrap()
	}
	return err
}

// refused points at the argument that a refused login is about.
func (l login) refused(err error) error {
	pg := (*pgconn.PgError)(nil)
	if !errors.As(err, &pg) {
		return err
	}
	switch pg.Code {
	case "28P01":
		return module.At("password", err)
	case "28000":
		return module.At("user", err)
	case "3D000":
		return module.At("database", err)
	}
	return err
}

// single runs one statement by the simple protocol and gives the first value
// of its first row; empty for no row and for null.
func single(ctx context.Context, c *pgconn.PgConn, statement string) (string, error) {
	results, err := c.Exec(ctx, statement).ReadAll()
	if err != nil {
		return "", err
	}
	if len(results) == 0 || len(results[0].Rows) == 0 || len(results[0].Rows[0]) == 0 {
		return "", nil
	}
	return string(results[0].Rows[0][0]), nil
}

func closeSession(c *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_ = c.Close(ctx) // the work is done or failed already
}
