package sql

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
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
	Limit     *int     `hcl:"connection_limit,optional" doc:"Sessions at once, of all but superusers; -1 for no limit."`
	Keep      bool     `hcl:"keep,optional" doc:"Leave the database in place when the step is destroyed."`
	End       bool     `hcl:"end_sessions,optional" doc:"Destroying ends the sessions in the database. Without it, they keep it from being dropped."`

	User     string       `hcl:"user,optional" doc:"Role to do the work as. Over the local socket: the operating system's user postgres."`
	Password secret.Value `hcl:"password,optional" doc:"Password of that user."`
	Host     string       `hcl:"host,optional" doc:"Server to connect to over TCP, as for sql.query. Without it, the local socket."`
	Port     int          `hcl:"port,optional" default:"5432" doc:"Port of the server."`
	SSLMode  string       `hcl:"sslmode,optional" default:"prefer" oneof:"disable,prefer,require" doc:"Encryption of the connection."`

	Size int64 `out:"size" doc:"Bytes on disk."`

	found, chown bool
	relimit      bool
	release      int      // server_version_num / 10000
	lacking      []string // roles of Connect that may not connect
}

func (*Database) Info() module.Info {
	return module.Info{
		Name:    "sql.database",
		Summary: "Keeps a database: its owner, its limit and who may connect.",
		Doc: "A database that is missing is created. Owner, connection limit and the right to connect are kept, changed together in one transaction; " +
			"encoding and locale are compared, and a difference fails the plan, since they cannot be changed in place. " +
			"A template counts only when the database is created.\n\n" +
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

// login is for the database postgres: the one that is kept may not be there.
func (d *Database) login() login {
	return login{host: d.Host, port: d.Port, user: d.User, sslmode: d.SSLMode, password: d.Password, passwordArg: "password"}
}

// Check compares, and refuses what cannot be.
func (d *Database) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	s, err := d.login().open(env)
	if err != nil {
		return module.NoChange, err
	}
	t, err := s.query(ctx, d.question())
	if err != nil {
		return module.NoChange, explain("name", err)
	}
	d.found = t.get("found") == "t"
	if _, err := fmt.Sscan(t.get("release"), &d.release); err != nil {
		return module.NoChange, fmt.Errorf("version of the server: %w", err)
	}
	if err := json.Unmarshal([]byte(t.get("lacking")), &d.lacking); err != nil {
		return module.NoChange, err
	}
	if !d.found {
		return writable(ctx, env, d.login(), t, module.Change{Action: module.Create, Summary: "create database " + d.Name})
	}
	if err := d.fixed(t); err != nil {
		return module.NoChange, module.Refuse(err)
	}
	if diff := d.differences(t); len(diff) > 0 {
		paths := make([]string, len(diff))
		for i, one := range diff {
			paths[i] = one.Path
		}
		return writable(ctx, env, d.login(), t, module.Change{Action: module.Update, Summary: fmt.Sprintf("database %s: change %s", d.Name, strings.Join(paths, ", ")), Diff: diff})
	}
	if _, err := fmt.Sscan(t.get("size"), &d.Size); err != nil {
		return module.NoChange, fmt.Errorf("size of database %s: %w", d.Name, err)
	}
	return module.NoChange, nil
}

func (d *Database) question() string {
	// Who may neither connect nor read statistics may not know the size.
	size := `case when has_database_privilege(d.oid, 'connect') or pg_has_role('pg_read_all_stats', 'member') then pg_database_size(d.oid) else 0 end`
	lacking := "'[]'"
	if len(d.Connect) > 0 {
		lacking = fmt.Sprintf(`(select coalesce(json_agg(n.role order by n.nr), '[]')
  from unnest(array[%s]) with ordinality n(role, nr) left join pg_catalog.pg_roles r on r.rolname = n.role
  where case when r.oid is null or d.oid is null then true else not has_database_privilege(r.oid, d.oid, 'connect') end)::text`, literals(d.Connect))
	}
	return fmt.Sprintf(`select d.oid is not null as found, pg_get_userbyid(d.datdba) as owner, pg_encoding_to_char(d.encoding) as encoding,
  d.datcollate as lc_collate, d.datctype as lc_ctype, d.datconnlimit as "limit", %s as size, %s as lacking,
  current_setting('server_version_num')::int / 10000 as release, %s
from (select 1) as one left join pg_catalog.pg_database d on d.datname = %s`, size, lacking, replicaColumns, literal(d.Name))
}

// fixed finds what is otherwise for good.
func (d *Database) fixed(t *table) error {
	var errs []error
	for _, f := range []struct{ arg, want string }{{"encoding", d.Encoding}, {"lc_collate", d.LCCollate}, {"lc_ctype", d.LCCtype}} {
		if have := t.get(f.arg); f.want != "" && letters(f.want) != letters(have) {
			errs = append(errs, module.At(f.arg, module.Explain(
				fmt.Errorf("database %s has %s %s, not %s, and that cannot be changed in place", d.Name, f.arg, have, f.want),
				"write what it has, or dump it, drop it and let this step make it anew")))
		}
	}
	return errors.Join(errs...)
}

func (d *Database) differences(t *table) []module.Diff {
	var diff []module.Diff
	owner, limit := t.get("owner"), t.get("limit")
	if d.chown = d.Owner != "" && d.Owner != owner; d.chown {
		diff = append(diff, module.Diff{Path: "owner", Before: owner, After: d.Owner})
	}
	if d.relimit = d.Limit != nil && fmt.Sprint(*d.Limit) != limit; d.relimit {
		diff = append(diff, module.Diff{Path: "connection_limit", Before: limit, After: fmt.Sprint(*d.Limit)})
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
