package sql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
)

// compare gives a row for each grant and revoke to be done, and for each thing
// that the step names and that is not there; with revoke, a row for each of the
// step's privileges that the role has.
func (g *Grant) compare(ctx context.Context, env *module.Env, revoke bool) (*table, error) {
	s, err := g.login().open(env)
	if err != nil {
		return nil, err
	}
	t, err := s.query(ctx, g.question(revoke))
	if noSuchDatabase(err) {
		return nil, module.Refuse(module.At("database", fmt.Errorf("privileges of %s: %w", g.Role, err)))
	}
	return t, explain("role", err)
}

func (g *Grant) question(revoke bool) string {
	var classes, privileges, named []string
	want := func(class string, list []string) {
		named = append(named, class)
		for _, p := range list {
			classes, privileges = append(classes, class), append(privileges, p)
		}
	}
	for _, c := range g.extents() {
		list, _ := c.privileges() // Validate has read them
		if c.want == nil {
			continue
		}
		want(c.name, list)
		if len(g.Future) > 0 && c.name != "database" && c.name != "schema" {
			want("future "+c.name, list)
		}
	}
	too := "false"
	switch {
	case revoke:
		too = "w.class is not null"
	case g.Exact:
		too = "w.class is null"
	}
	who := "select r.oid from pg_catalog.pg_roles r where r.rolname = " + literal(g.Role)
	if g.Role == "public" {
		who = "select 0::oid"
	}
	grantable := ""
	if g.GrantOption {
		grantable = " and a.is_grantable"
	}
	return fmt.Sprintf(`with who(oid) as (%[1]s),
want(class, privilege) as (select * from unnest(%[2]s, %[3]s)),
space as (select n.oid, n.nspname, n.nspowner, n.nspacl from pg_catalog.pg_namespace n where n.nspname = %[4]s),
object(class, name, owner, acl) as (%[5]s),
deed(act, class, name, privilege) as (
  select 'grant', o.class, o.name, w.privilege from object o join want w on w.class = o.class cross join who
  where not %[6]t and not exists (select from aclexplode(o.acl) a where a.grantee = who.oid and a.privilege_type = w.privilege%[7]s)
  union all
  select 'revoke', o.class, o.name, a.privilege_type from object o cross join who cross join aclexplode(o.acl) a
    left join want w on w.class = o.class and w.privilege = a.privilege_type
  where a.grantee = who.oid and o.owner <> who.oid and o.class = any (%[8]s) and %[9]s
%[10]s)
select act, class, name, string_agg(privilege, ', ' order by privilege) as privileges, %[11]s
from deed group by act, class, name order by act, class, name`,
		who, textArray(classes), textArray(privileges), literal(g.Schema), g.objects(), revoke, grantable, textArray(named), too,
		g.members(revoke)+g.absent(), replicaColumns)
}

// objects lists the things in reach with their access lists. The server's own
// defaults stand for lists that nobody has touched.
func (g *Grant) objects() string {
	parts := []string{
		`select 'database', quote_ident(d.datname), d.datdba, coalesce(d.datacl, acldefault('d', d.datdba)) from pg_catalog.pg_database d where d.datname = current_database()`,
		`select 'schema', quote_ident(nspname), nspowner, coalesce(nspacl, acldefault('n', nspowner)) from space`,
	}
	relation := func(class, kinds, acl string, only []string) {
		parts = append(parts, fmt.Sprintf(`select '%s', format('%%I.%%I', s.nspname, c.relname), c.relowner, coalesce(c.relacl, acldefault('%s', c.relowner))
  from pg_catalog.pg_class c join space s on s.oid = c.relnamespace where c.relkind in (%s)%s`, class, acl, kinds, oneOf("c.relname", only)))
	}
	if g.OnTables != nil {
		relation("table", "'r', 'p', 'v', 'm', 'f'", "r", g.Tables)
	}
	if g.OnSequences != nil {
		relation("sequence", "'S'", "s", g.Sequences)
	}
	if g.OnFunctions != nil {
		only := ""
		if len(g.Functions) > 0 {
			only = fmt.Sprintf(" and (p.proname = any (%[1]s) or replace(%[2]s, ' ', '') = any (%[3]s))", textArray(g.Functions), signature, textArray(noBlanks(g.Functions)))
		}
		parts = append(parts, `select 'function', case when `+procedure+` then 'procedure ' else 'function ' end || format('%I.%I(%s)', s.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
  p.proowner, coalesce(p.proacl, acldefault('f', p.proowner)) from pg_catalog.pg_proc p join space s on s.oid = p.pronamespace where true`+only)
	}
	for _, c := range g.extents() {
		if kind := map[string]string{"table": "r", "sequence": "S", "function": "f"}[c.name]; kind != "" && len(g.Future) > 0 {
			parts = append(parts, fmt.Sprintf(`select 'future %s', quote_ident(r.rolname), r.oid, d.defaclacl from pg_catalog.pg_roles r cross join space s
    left join pg_catalog.pg_default_acl d on d.defaclrole = r.oid and d.defaclnamespace = s.oid and d.defaclobjtype = '%s' where r.rolname = any (%s)`, c.name, kind, textArray(g.Future)))
		}
	}
	return strings.Join(parts, "\n  union all ")
}

// A function's signature as people write it; and what tells a procedure, which
// servers before 11 do not know.
const (
	signature = `p.proname || '(' || oidvectortypes(p.proargtypes) || ')'`
	procedure = `to_jsonb(p) ->> 'prokind' = 'p'`
)

// members compares memberships.
func (g *Grant) members(revoke bool) string {
	if g.MemberOf == nil {
		return ""
	}
	list, missing, extra := textArray(g.MemberOf), "true", "false"
	switch {
	case revoke:
		missing, extra = "false", "r.rolname = any ("+list+")"
	case g.Exact:
		extra = "not r.rolname = any (" + list + ")"
	}
	is := "exists (select from pg_catalog.pg_auth_members m where m.roleid = r.oid and m.member = who.oid)"
	return fmt.Sprintf(`  union all
  select 'grant', 'member', quote_ident(r.rolname), '' from pg_catalog.pg_roles r cross join who where %[1]s and r.rolname = any (%[2]s) and not %[3]s
  union all
  select 'revoke', 'member', quote_ident(r.rolname), '' from pg_catalog.pg_roles r cross join who where %[4]s and %[3]s
`, missing, list, is, extra)
}

// absent finds what the step names and the server does not have.
func (g *Grant) absent() string {
	parts := []string{"select 'absent', 'role', " + literal(g.Role) + ", '' where not exists (select from who)"}
	for arg, roles := range map[string][]string{"future": g.Future, "member_of": g.MemberOf} {
		if len(roles) > 0 {
			parts = append(parts, fmt.Sprintf("select 'absent', '%s', n, '' from unnest(%s) n where not exists (select from pg_catalog.pg_roles r where r.rolname = n)", arg, textArray(roles)))
		}
	}
	if g.OnSchema != nil || g.OnTables != nil || g.OnSequences != nil || g.OnFunctions != nil {
		parts = append(parts, "select 'absent', 'schema', "+literal(g.Schema)+", '' where not exists (select from space)")
	}
	for _, c := range g.extents()[2:4] {
		if len(c.only) > 0 {
			parts = append(parts, fmt.Sprintf(`select 'absent', '%ss', n, '' from unnest(%s) n
  where exists (select from space) and not exists (select from object o cross join space s where o.class = '%[1]s' and o.name = format('%%I.%%I', s.nspname, n))`, c.name, textArray(c.only)))
		}
	}
	if len(g.Functions) > 0 {
		parts = append(parts, fmt.Sprintf(`select 'absent', 'functions', n, '' from unnest(%s) n where exists (select from space) and not exists (
  select from pg_catalog.pg_proc p join space s on s.oid = p.pronamespace where p.proname = n or replace(%s, ' ', '') = replace(n, ' ', ''))`, textArray(g.Functions), signature))
	}
	slices.Sort(parts)
	return "  union all " + strings.Join(parts, "\n  union all ")
}

func oneOf(column string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return " and " + column + " = any (" + textArray(names) + ")"
}

func noBlanks(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = strings.ReplaceAll(n, " ", "")
	}
	return out
}
