package sql

import (
	"context"
	"fmt"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
)

// Apply makes all that is missing in one transaction.
func (r *Role) Apply(ctx context.Context, env *module.Env) error {
	s, err := r.session(env)
	if err != nil {
		return err
	}
	statements, err := r.statements()
	if err != nil {
		return err
	}
	err = s.refusedWrite(ctx, r.login(), s.change(ctx, statements...))
	if f := faultOf(err); f != nil {
		f.Mark = "" // it quotes the statement, with the verifier in it
	}
	if stateOf(err) == noObject && len(r.InRoles) > 0 { // the only other names are the groups
		return explain("in_roles", err)
	}
	if err == nil && r.stale != "" {
		env.Logf("Secret %s now tells another password of %s than the database has", r.stale, r.Role)
	}
	return explain("role", err)
}

// statements holds what the last Check found missing.
func (r *Role) statements() ([]string, error) {
	verb, words := "alter", ""
	if !r.now.found {
		verb = "create"
		if r.Login == nil {
			words += " LOGIN"
		}
	}
	for _, a := range r.attributes() {
		switch {
		case a.want == nil || r.now.found && *a.want == r.now.flags[a.arg]:
		case *a.want:
			words += " " + a.on
		default:
			words += " " + a.off
		}
	}
	if r.ConnectionLimit != nil && (!r.now.found || *r.ConnectionLimit != r.now.limit) {
		words += fmt.Sprintf(" CONNECTION LIMIT %d", *r.ConnectionLimit)
	}
	var statements []string
	if r.setsPassword() {
		v, err := verifier(r.Role, r.Password, r.now.form)
		if err != nil {
			return nil, module.At("password", err)
		}
		words += " PASSWORD " + literal(v.Reveal()) // a verifier, not the password; stdin or the wire
		statements = append(statements, hush)
	}
	if !r.Password.IsZero() && r.now.expired {
		words += " VALID UNTIL 'infinity'"
	}
	if words != "" || !r.now.found {
		statements = append(statements, fmt.Sprintf("%s role %s%s", verb, ident(r.Role), words))
	}
	for _, g := range r.missingGroups() {
		statements = append(statements, fmt.Sprintf("grant %s to %s", ident(g), ident(r.Role)))
	}
	return statements, nil
}

// Destroy drops the role.
func (r *Role) Destroy(ctx context.Context, env *module.Env) error {
	if r.Keep {
		env.Logf("role %s stays (keep)", r.Role)
		return nil
	}
	s, err := r.session(env)
	if err != nil {
		return err
	}
	statements := []string{"drop role if exists " + ident(r.Role)}
	if r.EndSessions && r.now.oid != "" {
		// After the drop: where the role owns something, nobody is thrown out.
		statements = append(statements, "select pg_terminate_backend(pid) from pg_catalog.pg_stat_activity where usesysid = "+r.now.oid)
	} else if err := r.inUse(ctx, s); err != nil {
		return err
	}
	err = s.refusedWrite(ctx, r.login(), s.change(ctx, statements...))
	if state := stateOf(err); state == dependents || state == objectInUse {
		return module.At("role", module.Explain(fmt.Errorf("drop role %s: %w", r.Role, err),
			fmt.Sprintf("give its things away first (reassign owned by %s to …; drop owned by %[1]s; in every database), or set keep = true", ident(r.Role))))
	}
	return explain("role", err)
}

// inUse refuses to drop a role that is logged in: the server itself would do
// it, and let those sessions work on as nobody.
func (r *Role) inUse(ctx context.Context, s *session) error {
	t, err := s.query(ctx, fmt.Sprintf(`select pid, coalesce(datname, '') as database, coalesce(application_name, '') as program, coalesce(host(client_addr), 'the socket') as address
from pg_catalog.pg_stat_activity where usename = %s and pid <> pg_backend_pid() and application_name is distinct from 'antdbctl' order by backend_start`, literal(r.Role)))
	if err != nil || len(t.rows) == 0 {
		return explain("role", err)
	}
	return module.At("role", module.Explain(fmt.Errorf("drop role %s: it has %s", r.Role, sessions(len(t.rows))),
		"stop what uses it, or set end_sessions = true", sessionLines(t)...))
}

// sessions counts them for people.
func sessions(n int) string {
	if n == 1 {
		return "1 open session"
	}
	return fmt.Sprintf("%d open sessions", n)
}

// sessionLines shows who is connected, the oldest first.
func sessionLines(t *table) []string {
	var lines []string
	for i := range min(len(t.rows), 5) {
		line := fmt.Sprintf("pid %s, from %s", t.at(i, "pid"), t.at(i, "address"))
		for _, column := range []string{"user", "database", "program"} {
			if v := t.at(i, column); v != "" {
				line += ", " + column + " " + v
			}
		}
		lines = append(lines, line)
	}
	if more := len(t.rows) - len(lines); more > 0 {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("and %d more", more)))
	}
	return lines
}
