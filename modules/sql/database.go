package sql

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

//go:embed database.hcl
var databaseExample string

// Database keeps one database of a server.
type Database struct {
	Name      string   `hcl:"name" doc:"Name of the database, exact to the letter."`
	Owner     string   `hcl:"owner,optional" doc:"Role that owns it."`
	Encoding  string   `hcl:"encoding,optional" doc:"Character set, such as UTF8. Fixed once the database is there."`
	LCCollate string   `hcl:"lc_collate,optional" doc:"Sort order, such as zh_CN.utf8. Fixed once the database is there."`
	LCCtype   string   `hcl:"lc_ctype,optional" doc:"Character classes; the sort order's by default. Fixed once the database is there."`
	Template  string   `hcl:"template,optional" doc:"Database to copy; template0 where encoding or locale are given."`
	Connect   []string `hcl:"connect,optional" doc:"Roles that may connect. The privilege is granted to those that lack it, never taken away."`
	Keep      bool     `hcl:"keep,optional" doc:"Leave the database in place when the step is destroyed."`

	User     string       `hcl:"user,optional" doc:"Role to do the work as. Over the local socket: the operating system's user postgres."`
	Password secret.Value `hcl:"password,optional" doc:"Password of that user."`
	Host     string       `hcl:"host,optional" doc:"Server to connect to over TCP, as for sql.query. Without it, the local socket."`
	Port     int          `hcl:"port,optional" default:"5432" doc:"Port of the server."`
	SSLMode  string       `hcl:"sslmode,optional" default:"prefer" oneof:"disable,prefer,require" doc:"Encryption of the connection."`

	Size int64 `out:"size" doc:"Bytes on disk."`

	found, chown bool
	lacking      []string // roles of Connect that may not connect
	fixed        []module.Diff
}

func (*Database) Info() module.Info {
	return module.Info{
		Name:    "sql.database",
		Summary: "Keeps a database: its owner and who may connect.",
		Doc: "A database that is missing is created. Owner and the right to connect are kept; encoding and locale are compared, " +
			"and a difference is reported, since they cannot be changed in place.\n\n" +
			"Destroying drops the database with all that is in it, unless `keep` is set. The server refuses while somebody is connected.",
		On:      sqlTargets,
		Example: databaseExample,
		Outward: true,
	}
}

// Validate keeps hands off the server's own databases.
func (d *Database) Validate() error {
	switch {
	case d.Name == "":
		return module.At("name", fmt.Errorf("the database has no name"))
	case len(d.Name) > 63:
		return module.At("name", fmt.Errorf("%q is longer than the 63 bytes that a name can have", d.Name))
	case d.Name == "template0" || d.Name == "template1":
		return module.At("name", fmt.Errorf("%s belongs to the server", d.Name))
	}
	return nil
}

// session works from the database postgres: the one that is kept may not be there.
func (d *Database) session(env *module.Env) (*session, error) {
	return login{host: d.Host, port: d.Port, user: d.User, sslmode: d.SSLMode, password: d.Password, passwordArg: "password"}.open(env)
}

func (d *Database) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	s, err := d.session(env)
	if err != nil {
		return module.NoChange, err
	}
	t, err := s.query(ctx, d.question())
	if err != nil {
		return module.NoChange, explain("name", err)
	}
	d.found, d.chown, d.lacking, d.fixed = t.get("found") == "t", false, nil, nil
	if err := json.Unmarshal([]byte(t.get("lacking")), &d.lacking); err != nil {
		return module.NoChange, err
	}
	if !d.found {
		return module.Change{Action: module.Create, Summary: "create database " + d.Name}, nil
	}
	diff := d.differences(t)
	if len(diff) > 0 {
		summary := "database " + d.Name + ": change " + diff[0].Path
		if len(d.fixed) > 0 {
			summary = fmt.Sprintf("database %s has another %s: that cannot be changed in place", d.Name, d.fixed[0].Path)
		}
		return module.Change{Action: module.Update, Summary: summary, Diff: diff}, nil
	}
	if _, err := fmt.Sscan(t.get("size"), &d.Size); err != nil {
		return module.NoChange, fmt.Errorf("size of database %s: %w", d.Name, err)
	}
	return module.NoChange, nil
}

func (d *Database) question() string {
	lacking := "'[]'"
	if len(d.Connect) > 0 {
		lacking = fmt.Sprintf(`(select coalesce(json_agg(n.role order by n.nr), '[]')
  from unnest(array[%s]) with ordinality n(role, nr) left join pg_catalog.pg_roles r on r.rolname = n.role
  where case when r.oid is null or d.oid is null then true else not has_database_privilege(r.oid, d.oid, 'connect') end)::text`, literals(d.Connect))
	}
	return fmt.Sprintf(`select d.oid is not null as found, pg_get_userbyid(d.datdba) as owner, pg_encoding_to_char(d.encoding) as encoding,
  d.datcollate as lc_collate, d.datctype as lc_ctype, pg_database_size(d.oid) as size, %s as lacking
from (select 1) as one left join pg_catalog.pg_database d on d.datname = %s`, lacking, literal(d.Name))
}

func (d *Database) differences(t *table) []module.Diff {
	var diff []module.Diff
	for _, fixed := range []struct{ arg, want string }{{"encoding", d.Encoding}, {"lc_collate", d.LCCollate}, {"lc_ctype", d.LCCtype}} {
		if have := t.get(fixed.arg); fixed.want != "" && letters(fixed.want) != letters(have) {
			d.fixed = append(d.fixed, module.Diff{Path: fixed.arg, Before: have, After: fixed.want})
		}
	}
	diff = append(diff, d.fixed...)
	if owner := t.get("owner"); d.Owner != "" && d.Owner != owner {
		d.chown = true
		diff = append(diff, module.Diff{Path: "owner", Before: owner, After: d.Owner})
	}
	if len(d.lacking) > 0 {
		diff = append(diff, module.Diff{Path: "connect", After: "+ " + strings.Join(d.lacking, ", ")})
	}
	return diff
}

// letters makes names of encodings and locales comparable: UTF8 and utf-8 are
// the same.
func letters(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '_' || r == '.' || unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

func (d *Database) Apply(ctx context.Context, env *module.Env) error {
	if len(d.fixed) > 0 {
		f := d.fixed[0]
		return module.At(f.Path, module.Explain(
			fmt.Errorf("database %s has %s %s, not %s, and that cannot be changed in place", d.Name, f.Path, f.Before, f.After),
			"write what it has, or dump it, drop it and let this step make it anew"))
	}
	s, err := d.session(env)
	if err != nil {
		return err
	}
	var statements []string
	switch {
	case !d.found:
		if err := s.command(ctx, d.create()); err != nil {
			return explain(d.faulty(err), err)
		}
	case d.chown:
		statements = append(statements, fmt.Sprintf("alter database %s owner to %s", ident(d.Name), ident(d.Owner)))
	}
	if d.found {
		statements = append(statements, d.grants(d.lacking)...)
	} else {
		statements = append(statements, d.grants(d.Connect)...)
	}
	err = s.change(ctx, statements...)
	return explain(d.faulty(err), err)
}

func (d *Database) create() string {
	text := "create database " + ident(d.Name)
	template := d.Template
	if template == "" && d.Encoding+d.LCCollate+d.LCCtype != "" {
		template = "template0"
	}
	if d.Owner != "" {
		text += " owner " + ident(d.Owner)
	}
	if template != "" {
		text += " template " + ident(template)
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

func (d *Database) grants(roles []string) []string {
	var statements []string
	for _, role := range roles {
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
	s, err := d.session(env)
	if err != nil {
		return err
	}
	err = s.command(ctx, "drop database if exists "+ident(d.Name))
	if stateOf(err) == objectInUse {
		return module.At("name", module.Explain(fmt.Errorf("drop database %s: %w", d.Name, err),
			"end the sessions first: select pid, usename, application_name from pg_stat_activity where datname = "+literal(d.Name)))
	}
	return explain("name", err)
}
