package sql

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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

// query has psql describe the statement (\gdesc: names and types, and a second
// statement is refused) and then run it, fields and records ended by zero
// bytes, which no value can hold.
func (p *psql) query(ctx context.Context, statement string) (*table, error) {
	border, null := rand.Text(), rand.Text()
	out, err := p.script(ctx, true, strings.Join([]string{
		"begin transaction read only;",
		statement,
		`\gdesc`,
		`\echo ` + border,
		`\pset null ` + null,
		`\g`,
		"rollback;",
		"",
	}, "\n"))
	if err != nil {
		return nil, err
	}
	head, body, ok := strings.Cut(out, border+"\n")
	if !ok {
		return nil, fmt.Errorf("psql answered something unexpected: %.200q", out)
	}
	return readTable(head, body, null)
}

func (p *psql) exec(ctx context.Context, statements ...string) error {
	_, err := p.script(ctx, false, strings.Join(statements, ";\n")+";\n")
	return err
}

// script feeds psql through stdin, so that no statement is seen in a list of
// processes.
func (p *psql) script(ctx context.Context, readOnly bool, text string) (string, error) {
	args := []string{"psql", "-X", "-q", "-A", "-t", "-z", "-0", "-w",
		"-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=verbose", "-d", cmp.Or(p.database, "postgres")}
	if p.host != "" {
		args = append(args, "-h", p.host)
	}
	if p.port != 0 {
		args = append(args, "-p", strconv.Itoa(p.port))
	}
	if p.user != "" {
		args = append(args, "-U", p.user)
	}
	vars := map[string]secret.Value{"PGCLIENTENCODING": secret.New("UTF8"), "PGAPPNAME": secret.New("antdbctl")}
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
	res, err := p.run.Run(ctx, conn.Cmd{Args: args, Env: vars, User: p.osUser, Stdin: strings.NewReader(text)})
	if err != nil {
		return "", p.failed(err)
	}
	return res.Stdout, nil
}

// failed tells a server's no (psql ends with 3) from no session at all (2) and
// from no psql.
func (p *psql) failed(err error) error {
	exit := (*conn.ExitError)(nil)
	if !errors.As(err, &exit) {
		return err
	}
	if f := psqlFault(exit.Stderr); f != nil && exit.Code != 2 {
		return f
	}
	if exit.Code == 2 {
		said := strings.TrimPrefix(strings.TrimSpace(exit.Stderr), "psql: ")
		return p.refused(errors.New(strings.TrimPrefix(said, "error: ")))
	}
	if exit.Code == 126 || exit.Code == 127 {
		return fmt.Errorf("there is no psql to run here: %w", err)
	}
	return err
}
