package sql

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// roleState is the role as the server has it.
type roleState struct {
	found      bool
	oid        string
	flags      map[string]bool // by argument
	limit      int
	expired    bool
	proved     bool   // the password in the runbook is the one that logs in
	stored     string // form in which it is kept; "" when that is not to be seen
	form       string // form in which to keep it
	because    string // why in that form; "" for the server's own choice
	groups     []string
	circles    []string // groups, and the groups that those are in
	encryption string   // the server's own choice for new passwords
	entrances  []entrance
}

// look reads all of the role in one call, where the session may.
func (r *Role) look(ctx context.Context, s *session, env *module.Env) (*table, error) {
	t, err := s.query(ctx, r.question(true))
	sees := err == nil
	if stateOf(err) == noPrivilege {
		t, err = s.query(ctx, r.question(false))
	}
	if err != nil {
		return nil, err
	}
	r.now = roleState{found: t.get("found") == "t", oid: t.get("oid"), expired: t.get("expired") == "t", encryption: t.get("encryption"), flags: map[string]bool{}}
	for _, a := range r.attributes() {
		r.now.flags[a.arg] = t.get(a.arg) == "t"
	}
	for column, into := range map[string]any{"groups": &r.now.groups, "circles": &r.now.circles, "entrances": &r.now.entrances} {
		if err := json.Unmarshal([]byte(cmp.Or(t.get(column), "null")), into); err != nil {
			return nil, fmt.Errorf("%s of role %s: %w", column, r.Role, err)
		}
	}
	if !r.now.found {
		return t, nil
	}
	if r.now.limit, err = strconv.Atoi(t.get("limit")); err != nil {
		return nil, err
	}
	switch {
	case sees && !r.Password.IsZero():
		r.now.stored = formOf(t.get("verifier"))
		r.now.proved, err = proves(secret.New(t.get("verifier")), r.Role, r.Password)
	case !r.Password.IsZero():
		r.now.proved, err = r.proveByLogin(ctx, env)
	}
	return t, err
}

// question is what to ask; only a superuser may know the verifier.
func (r *Role) question(verifier bool) string {
	columns, join := "null::text as verifier, null::text as entrances", ""
	if verifier {
		columns = "a.rolpassword::text as verifier, null::text as entrances"
		if !r.Password.IsZero() {
			columns = "a.rolpassword::text as verifier, " + entranceColumn
		}
		join = " left join pg_catalog.pg_authid a on a.oid = r.oid"
	}
	for _, a := range r.attributes() {
		columns += fmt.Sprintf(", r.%s as %s", a.column, ident(a.arg))
	}
	return fmt.Sprintf(`select r.oid is not null as found, r.oid, %s, r.rolconnlimit as "limit",
  coalesce(r.rolvaliduntil <= now(), false) as expired,
  (select json_agg(g.rolname) from pg_catalog.pg_auth_members m join pg_catalog.pg_roles g on g.oid = m.roleid where m.member = r.oid)::text as groups,
  (select json_agg(g.rolname) from pg_catalog.pg_roles g where not r.rolsuper and pg_has_role(r.oid, g.oid, 'member'))::text as circles,
  current_setting('password_encryption') as encryption, %s
from (select 1) as one left join pg_catalog.pg_roles r on r.rolname = %s%s`, columns, replicaColumns, literal(r.Role), join)
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
