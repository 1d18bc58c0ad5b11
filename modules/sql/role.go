package sql

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

//go:embed role.hcl
var roleExample string

// Role keeps one role of a server.
type Role struct {
	Role            string       `hcl:"role" doc:"Name of the role, exact to the letter."`
	Password        secret.Value `hcl:"password,optional" doc:"Its password. Without it the password is left alone."`
	Login           *bool        `hcl:"login,optional" doc:"May log in. A new role may, unless this says false."`
	Superuser       *bool        `hcl:"superuser,optional" doc:"Is a superuser."`
	CreateDB        *bool        `hcl:"createdb,optional" doc:"May create databases."`
	CreateRole      *bool        `hcl:"createrole,optional" doc:"May create roles."`
	Replication     *bool        `hcl:"replication,optional" doc:"May start replication."`
	ConnectionLimit *int         `hcl:"connection_limit,optional" doc:"Sessions at once; -1 for no limit."`
	InRoles         []string     `hcl:"in_roles,optional" doc:"Roles it is a member of. Other memberships are left alone."`
	Keep            bool         `hcl:"keep,optional" doc:"Leave the role in place when the step is destroyed: for a role that others made."`

	Database     string       `hcl:"database,optional" default:"postgres" doc:"Database to connect to for the work."`
	User         string       `hcl:"user,optional" doc:"Role to do the work as. Over the local socket: the operating system's user postgres."`
	UserPassword secret.Value `hcl:"user_password,optional" doc:"Password of that user."`
	Host         string       `hcl:"host,optional" doc:"Server to connect to over TCP, as for sql.query. Without it, the local socket."`
	Port         int          `hcl:"port,optional" default:"5432" doc:"Port of the server."`
	SSLMode      string       `hcl:"sslmode,optional" default:"prefer" oneof:"disable,prefer,require" doc:"Encryption of the connection."`

	now    roleState
	change module.Change
}

// roleState is the role as the server has it.
type roleState struct {
	found      bool
	flags      map[string]bool // by argument
	limit      int
	expired    bool
	proved     bool // the password in the runbook is the one that logs in
	groups     []string
	encryption string
}

func (*Role) Info() module.Info {
	return module.Info{
		Name:    "sql.role",
		Summary: "Keeps a role: its attributes, memberships and password.",
		Doc: "What the runbook does not name is left as it is. Memberships are added, never taken away.\n\n" +
			"The password is proved, not set again at every run: the step takes what the server keeps of the password (its SCRAM-SHA-256 " +
			"or md5 verifier, readable for a superuser) and computes, as the server does at a login, whether the runbook's password passes. " +
			"A session that may not read verifiers logs in as the role over TCP instead, and makes sure that a wrong password is refused.\n\n" +
			"A new password travels as a verifier made here, in the server's own `password_encryption`: its text stands in no statement, " +
			"no list of processes and no log of the server. A role whose `VALID UNTIL` has passed gets `infinity` with its password.\n\n" +
			"Destroying drops the role, unless `keep` is set. The server refuses while the role owns something.\n\n" +
			"Under PGO, change `postgres` and `primaryuser` through the operator instead: it and Patroni hold copies of these two passwords. " +
			"The Secret of any other user that PGO made keeps the old password, too: this step writes the database only.",
		On:      sqlTargets,
		Example: roleExample,
	}
}

// Validate knows the names that PostgreSQL keeps for itself.
func (r *Role) Validate() error {
	switch {
	case r.Role == "":
		return module.At("role", fmt.Errorf("the role has no name"))
	case len(r.Role) > 63:
		return module.At("role", fmt.Errorf("%q is longer than the 63 bytes that a name can have", r.Role))
	case strings.HasPrefix(r.Role, "pg_"):
		return module.At("role", fmt.Errorf("%q: names that start with pg_ belong to the server", r.Role))
	}
	return nil
}

func (r *Role) session(env *module.Env) (*session, error) { return r.login().open(env) }

func (r *Role) login() login {
	return login{host: r.Host, port: r.Port, user: r.User, database: r.Database, sslmode: r.SSLMode,
		password: r.UserPassword, passwordArg: "user_password"}
}

func (r *Role) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	s, err := r.session(env)
	if err != nil {
		return module.NoChange, err
	}
	r.now, err = r.look(ctx, s, env)
	if err != nil {
		return module.NoChange, explain("role", err)
	}
	r.change = r.wanted()
	return r.change, nil
}

// look reads all of the role in one call, where the session may.
func (r *Role) look(ctx context.Context, s *session, env *module.Env) (roleState, error) {
	t, err := s.query(ctx, r.question(true))
	sees := err == nil
	if stateOf(err) == noPrivilege {
		t, err = s.query(ctx, r.question(false))
	}
	if err != nil {
		return roleState{}, err
	}
	now := roleState{found: t.get("found") == "t", expired: t.get("expired") == "t", encryption: t.get("encryption"), flags: map[string]bool{}}
	for _, a := range r.attributes() {
		now.flags[a.arg] = t.get(a.arg) == "t"
	}
	if !now.found {
		return now, nil
	}
	if now.limit, err = strconv.Atoi(t.get("limit")); err != nil {
		return now, err
	}
	if err := json.Unmarshal([]byte(t.get("groups")), &now.groups); err != nil {
		return now, err
	}
	if sees {
		now.proved, err = proves(secret.New(t.get("verifier")), r.Role, r.Password)
		return now, err
	}
	if !r.Password.IsZero() {
		now.proved, err = r.proveByLogin(ctx, env)
	}
	return now, err
}

func (r *Role) question(verifier bool) string {
	columns, join := "null::text as verifier", ""
	if verifier {
		columns = "a.rolpassword::text as verifier"
		join = " left join pg_catalog.pg_authid a on a.oid = r.oid"
	}
	for _, a := range r.attributes() {
		columns += fmt.Sprintf(", r.%s as %s", a.column, ident(a.arg))
	}
	return fmt.Sprintf(`select r.oid is not null as found, %s, r.rolconnlimit as "limit",
  coalesce(r.rolvaliduntil <= now(), false) as expired,
  coalesce((select json_agg(g.rolname) from pg_catalog.pg_auth_members m join pg_catalog.pg_roles g on g.oid = m.roleid where m.member = r.oid), '[]')::text as groups,
  current_setting('password_encryption') as encryption
from (select 1) as one left join pg_catalog.pg_roles r on r.rolname = %s%s`, columns, literal(r.Role), join)
}

// proveByLogin logs in as the role, and then with a password that cannot be
// right: a server that trusts the connection proves nothing.
func (r *Role) proveByLogin(ctx context.Context, env *module.Env) (bool, error) {
	l := r.login()
	l.host, l.user, l.passwordArg = cmp.Or(r.Host, "127.0.0.1"), r.Role, "password"
	ok, err := l.admits(ctx, env, r.Password)
	if !ok || err != nil {
		return false, err
	}
	if anyone, err := l.admits(ctx, env, nonsense()); err != nil || !anyone {
		return err == nil, err
	}
	return false, module.At("password", module.Explain(
		fmt.Errorf("the password of %s cannot be proved: the server at %s lets every password in (trust)", r.Role, l.host),
		"do the work as a superuser, who may read what the server keeps of the password"))
}

// attribute is a yes or no of a role.
type attribute struct {
	arg, column, on, off string
	want                 *bool
}

func (r *Role) attributes() []attribute {
	return []attribute{
		{"login", "rolcanlogin", "LOGIN", "NOLOGIN", r.Login},
		{"superuser", "rolsuper", "SUPERUSER", "NOSUPERUSER", r.Superuser},
		{"createdb", "rolcreatedb", "CREATEDB", "NOCREATEDB", r.CreateDB},
		{"createrole", "rolcreaterole", "CREATEROLE", "NOCREATEROLE", r.CreateRole},
		{"replication", "rolreplication", "REPLICATION", "NOREPLICATION", r.Replication},
	}
}

func (r *Role) wanted() module.Change {
	if !r.now.found {
		return module.Change{Action: module.Create, Summary: "create role " + r.Role}
	}
	var diff []module.Diff
	for _, a := range r.attributes() {
		if a.want != nil && *a.want != r.now.flags[a.arg] {
			diff = append(diff, module.Diff{Path: a.arg, Before: fmt.Sprint(r.now.flags[a.arg]), After: fmt.Sprint(*a.want)})
		}
	}
	if r.ConnectionLimit != nil && *r.ConnectionLimit != r.now.limit {
		diff = append(diff, module.Diff{Path: "connection_limit", Before: strconv.Itoa(r.now.limit), After: strconv.Itoa(*r.ConnectionLimit)})
	}
	if missing := r.missingGroups(); len(missing) > 0 {
		diff = append(diff, module.Diff{Path: "in_roles", Before: strings.Join(r.now.groups, ", "),
			After: strings.Join(slices.Concat(r.now.groups, missing), ", ")})
	}
	if !r.Password.IsZero() && !r.now.proved {
		diff = append(diff, module.Diff{Path: "password", Before: "(another)", After: secret.Hidden})
	}
	if !r.Password.IsZero() && r.now.expired {
		diff = append(diff, module.Diff{Path: "valid until", Before: "(passed)", After: "infinity"})
	}
	if len(diff) == 0 {
		return module.NoChange
	}
	paths := make([]string, len(diff))
	for i, d := range diff {
		paths[i] = d.Path
	}
	return module.Change{Action: module.Update, Summary: fmt.Sprintf("role %s: set %s", r.Role, strings.Join(paths, ", ")), Diff: diff}
}

func (r *Role) missingGroups() []string {
	return slices.DeleteFunc(slices.Clone(r.InRoles), func(g string) bool { return slices.Contains(r.now.groups, g) })
}

func (r *Role) Apply(ctx context.Context, env *module.Env) error {
	s, err := r.session(env)
	if err != nil {
		return err
	}
	statements, err := r.statements()
	if err != nil {
		return err
	}
	err = s.change(ctx, statements...)
	if stateOf(err) == "42704" && len(r.InRoles) > 0 { // undefined_object: the only other names are the groups
		return explain("in_roles", err)
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
	if !r.Password.IsZero() && !r.now.proved {
		v, err := verifier(r.Role, r.Password, r.now.encryption)
		if err != nil {
			return nil, module.At("password", err)
		}
		words += " PASSWORD " + literal(v.Reveal()) // a verifier, not the password; stdin or the wire
	}
	if !r.Password.IsZero() && r.now.expired {
		words += " VALID UNTIL 'infinity'"
	}
	var statements []string
	if words != "" {
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
	err = s.change(ctx, "drop role if exists "+ident(r.Role))
	if state := stateOf(err); state == dependents || state == objectInUse {
		return module.At("role", module.Explain(fmt.Errorf("drop role %s: %w", r.Role, err),
			fmt.Sprintf("give its things away first (reassign owned by %s to …; drop owned by %[1]s; in every database), or set keep = true", ident(r.Role))))
	}
	return explain("role", err)
}
