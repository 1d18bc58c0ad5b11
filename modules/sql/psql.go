package sql

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/secret"
)

// psql speaks to the server through its own client, where the step works. It
// asks for nothing newer than psql 11, which AntDB 4 and 5 bring.
type psql struct {
	login
	run    conn.Runner
	osUser string
}

// look is a statement in psql's hands, with marks to find its answer by.
type look struct{ border, null, end string }

func newLook() look { return look{rand.Text(), rand.Text(), rand.Text()} }

// script has psql describe the statement (\gdesc: names and types, and a second
// statement is refused) and then run it, fields and records ended by zero
// bytes, which no value can hold.
func (l look) script(statement string) string {
	return strings.Join([]string{
		"start transaction read only;",
		statement,
		`\gdesc`,
		`\echo ` + l.border,
		`\pset null ` + l.null,
		`\g`,
		"rollback;",
		`\echo ` + l.end,
		"",
	}, "\n")
}

// read takes the answer out of all that psql printed.
func (l look) read(out string) (*table, error) {
	head, body, ok := strings.Cut(out, l.border+"\n")
	body, whole := strings.CutSuffix(body, l.end+"\n")
	if !ok || !whole {
		return nil, fmt.Errorf("psql answered something unexpected: %.200q", out)
	}
	return readTable(head, body, l.null)
}

func (p *psql) query(ctx context.Context, statement string) (*table, error) {
	l := newLook()
	res, err := p.run.Run(ctx, p.cmd(strings.NewReader(p.plain()+l.script(statement)), true))
	if err != nil {
		return nil, p.failed(err)
	}
	return l.read(res.Stdout)
}

func (p *psql) change(ctx context.Context, statements ...string) error {
	return p.script(ctx, "start transaction;\n"+strings.Join(statements, ";\n")+";\ncommit;\n")
}

func (p *psql) command(ctx context.Context, statement string) error {
	return p.script(ctx, statement+";\n")
}

func (p *psql) script(ctx context.Context, text string) error {
	res, err := p.run.Run(ctx, p.cmd(strings.NewReader(p.plain()+text), false))
	if err != nil {
		return p.failed(err)
	}
	return psqlShortfall(res.Stderr)
}

// plain has an AntDB server read what follows as PostgreSQL's language.
func (p *psql) plain() string {
	if p.asItIs {
		return ""
	}
	return "select set_config('grammar', 'postgres', false) from pg_catalog.pg_settings where name = 'grammar' and setting <> 'postgres' \\g /dev/null\n"
}

// cmd feeds psql through stdin, so that no statement is seen in a list of
// processes.
func (p *psql) cmd(stdin io.Reader, readOnly bool) conn.Cmd {
	args := []string{"psql", "-X", "-q", "-A", "-t", "-z", "-0", "-w",
		"-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose"}
	if p.host != "" {
		args = append(args, "-h", p.host)
	}
	if p.port != 0 {
		args = append(args, "-p", strconv.Itoa(p.port))
	}
	if p.user != "" {
		args = append(args, "-U", p.user)
	}
	vars := map[string]secret.Value{
		"PGDATABASE":       secret.New(cmp.Or(p.database, "postgres")), // an argument with "=" in it would be more than a name
		"PGCLIENTENCODING": secret.New("UTF8"), "PGAPPNAME": secret.New("antdbctl"), "PGDATESTYLE": secret.New(dateStyle),
	}
	if !p.password.IsZero() {
		vars["PGPASSWORD"] = p.password
	}
	if p.sslmode != "" {
		vars["PGSSLMODE"] = secret.New(p.sslmode)
	}
	if readOnly {
		// Holds even where a statement ends the transaction around it.
		vars["PGOPTIONS"] = secret.New("-c default_transaction_read_only=on")
	}
	return conn.Cmd{Args: args, Env: vars, User: p.osUser, Stdin: stdin}
}

// failed tells a server's no (psql ends with 3) from no session at all (2) and
// from no psql.
func (p *psql) failed(err error) error {
	exit := (*conn.ExitError)(nil)
	if !errors.As(err, &exit) {
		return err
	}
	f := psqlFault(exit.Stderr)
	switch {
	case f != nil && exit.Code != 2:
		return f
	case exit.Code == 2 && f != nil:
		return p.refused(f)
	case exit.Code == 2:
		said := strings.TrimPrefix(strings.TrimSpace(exit.Stderr), "psql: ")
		return p.refused(errors.New(strings.TrimPrefix(said, "error: ")))
	case exit.Code == 126 || exit.Code == 127:
		return fmt.Errorf("there is no psql to run here: %w", err)
	}
	return err
}
