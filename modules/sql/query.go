package sql

import (
	"context"
	_ "embed"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

//go:embed query.hcl
var queryExample string

// Query asks a server one question.
type Query struct {
	SQL      string       `hcl:"sql" doc:"One statement that reads."`
	Database string       `hcl:"database,optional" default:"postgres" doc:"Database to ask."`
	User     string       `hcl:"user,optional" doc:"Role to log in as. Over the local socket: the operating system's user postgres."`
	Password secret.Value `hcl:"password,optional" doc:"Password of the user."`
	Host     string       `hcl:"host,optional" doc:"Server to connect to over TCP, seen from where the step works. In a cluster: \"svc/NAME\" or \"pod/NAME\". Without it, the local socket."`
	Port     int          `hcl:"port,optional" default:"5432" doc:"Port of the server."`
	SSLMode  string       `hcl:"sslmode,optional" default:"prefer" oneof:"disable,prefer,require" doc:"Encryption of the connection."`

	Rows    cty.Value `out:"rows" doc:"The rows, a list of objects: numbers, booleans, null, arrays and JSON as such, timestamps as in RFC 3339, all else as text."`
	Columns []string  `out:"columns" doc:"Names of the columns, in order."`
	Count   int       `out:"count" doc:"Number of rows."`
}

func (*Query) Info() module.Info {
	return module.Info{
		Name:    "sql.query",
		Summary: "Asks a PostgreSQL or AntDB server and gives typed rows.",
		Doc: "Runs one statement in a `READ ONLY` transaction that is rolled back, so the step can never change the database; " +
			"a statement that tries is refused by the server.\n\n" +
			"Without `host`, `psql` runs where the step works, over the server's local socket, as the operating system's user " +
			"`postgres` (in a pod: as the container's own user). With `host`, a container connects by its own `psql`; every other target " +
			"carries antdbctl's own connection: from this machine, through the SSH host, or by a port-forward into the cluster.\n\n" +
			"`timestamptz` comes in the form that `timeadd` and `formatdate` take; JSON and arrays come as values of the language, an " +
			"array of a type of your own as text. NaN and Infinity make a column of numbers text.\n\n" +
			"A step with a `password` logs in anew, so it proves that the login works; steps without one share a session.\n\n" +
			"On AntDB the statement is read in the grammar that server, database or role are set to; `/*ora*/` before it chooses another.\n\n" +
			"The statement reaches `psql` through its standard input and the password through its environment.",
		On:       sqlTargets,
		Example:  queryExample,
		ReadOnly: true,
	}
}

// sqlTargets are the places a server can be asked from.
var sqlTargets = []string{conn.Container, conn.Local, conn.SSH, conn.Kubernetes}

// Validate refuses what is no single statement.
func (q *Query) Validate() error {
	_, err := single(q.SQL)
	return module.At("sql", err)
}

func (q *Query) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	statement, err := single(q.SQL)
	if err != nil {
		return module.NoChange, module.At("sql", err)
	}
	l := login{host: q.Host, port: q.Port, user: q.User, database: q.Database, sslmode: q.SSLMode, password: q.Password, passwordArg: "password",
		anew: !q.Password.IsZero(), asItIs: true}
	s, err := l.open(env)
	if err != nil {
		return module.NoChange, err
	}
	t, err := s.query(ctx, statement)
	if err != nil {
		return module.NoChange, explain("sql", err)
	}
	if q.Rows, err = t.value(); err != nil {
		return module.NoChange, module.At("sql", err)
	}
	q.Columns, q.Count = []string{}, len(t.rows)
	for _, c := range t.columns {
		q.Columns = append(q.Columns, c.name)
	}
	return module.NoChange, nil
}

// Apply is never called: Query is read-only.
func (*Query) Apply(context.Context, *module.Env) error { return nil }
