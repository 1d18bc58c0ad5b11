package sql

import (
	"cmp"
	"context"
	"fmt"

	"github.com/adbsql/antdbctl/engine/module"
)

// Apply creates the database, which no transaction can hold, or changes all
// that differs in one. Cut off after the creation, it finds the rest next time.
func (d *Database) Apply(ctx context.Context, env *module.Env) error {
	s, err := d.login().open(env)
	if err != nil {
		return err
	}
	var statements []string
	if !d.found {
		err = s.command(ctx, d.create())
		if stateOf(err) == objectInUse { // the template
			err = module.Explain(err, "a database is copied while nobody is in it: end its sessions, or copy template0", d.visitors(ctx, s, d.template())...)
		}
	}
	if d.chown {
		statements = append(statements, fmt.Sprintf("alter database %s owner to %s", ident(d.Name), ident(d.Owner)))
	}
	if d.relimit {
		statements = append(statements, fmt.Sprintf("alter database %s connection limit %d", ident(d.Name), *d.Limit))
	}
	if statements = append(statements, d.grants()...); err == nil && len(statements) > 0 {
		err = s.change(ctx, statements...)
	}
	err = s.refusedWrite(ctx, d.login(), err)
	return explain(d.faulty(err), err)
}

// template is what a new database is a copy of.
func (d *Database) template() string {
	if d.Template == "" && d.Encoding+d.LCCollate+d.LCCtype != "" {
		return "template0"
	}
	return cmp.Or(d.Template, "template1")
}

func (d *Database) create() string {
	text := "create database " + ident(d.Name)
	if d.Owner != "" {
		text += " owner " + ident(d.Owner)
	}
	text += " template " + ident(d.template())
	if d.Limit != nil {
		text += fmt.Sprintf(" connection limit %d", *d.Limit)
	}
	ctype := d.LCCtype
	if ctype == "" {
		ctype = d.LCCollate
	}
	for _, option := range [][2]string{{"encoding", d.Encoding}, {"lc_collate", d.LCCollate}, {"lc_ctype", ctype}} {
		if option[1] != "" {
			text += " " + option[0] + " " + literal(option[1])
		}
	}
	return text
}

func (d *Database) grants() []string {
	var statements []string
	for _, role := range d.lacking {
		statements = append(statements, fmt.Sprintf("grant connect on database %s to %s", ident(d.Name), ident(role)))
	}
	return statements
}

// faulty names the argument that a refusal is about.
func (d *Database) faulty(err error) string {
	f := faultOf(err)
	if f == nil {
		return "name"
	}
	for _, arg := range []struct{ name, value string }{
		{"owner", d.Owner}, {"template", d.Template}, {"encoding", d.Encoding}, {"lc_collate", d.LCCollate}, {"lc_ctype", d.LCCtype},
	} {
		if f.names(arg.value) {
			return arg.name
		}
	}
	for _, role := range d.Connect {
		if f.names(role) {
			return "connect"
		}
	}
	return "name"
}

// Destroy drops the database.
func (d *Database) Destroy(ctx context.Context, env *module.Env) error {
	if d.Keep {
		env.Logf("database %s stays (keep)", d.Name)
		return nil
	}
	s, err := d.login().open(env)
	if err != nil {
		return err
	}
	err = s.refusedWrite(ctx, d.login(), d.drop(ctx, s))
	if stateOf(err) == objectInUse {
		return module.At("name", module.Explain(fmt.Errorf("drop database %s: %w", d.Name, err),
			"stop what uses it, or set end_sessions = true", d.visitors(ctx, s, d.Name)...))
	}
	return explain("name", err)
}

func (d *Database) drop(ctx context.Context, s *session) error {
	text := "drop database if exists " + ident(d.Name)
	switch {
	case !d.End:
	case d.release >= 13:
		text += " with (force)"
	default:
		err := s.command(ctx, "select pg_terminate_backend(pid) from pg_catalog.pg_stat_activity where datname = "+literal(d.Name))
		if err != nil {
			return err
		}
	}
	return s.command(ctx, text)
}

// visitors shows who is connected to a database; nothing where that is not to
// be seen.
func (d *Database) visitors(ctx context.Context, s *session, database string) []string {
	t, err := s.query(ctx, fmt.Sprintf(`select pid, coalesce(usename, '') as "user", coalesce(application_name, '') as program, coalesce(host(client_addr), 'the socket') as address
from pg_catalog.pg_stat_activity where datname = %s and pid <> pg_backend_pid() order by backend_start`, literal(database)))
	if err != nil {
		return nil
	}
	return sessionLines(t)
}
