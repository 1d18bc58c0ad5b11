package sql

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

var grantEntry = module.Of[Grant]()

func TestGrantExampleFitsTheModule(t *testing.T) { moduletest.Example(t, grantEntry) }

func TestGrant(t *testing.T) {
	s := startServer(t)
	s.sql(t, `create role maker; create role clerk login password 'cl3rk'; create role "角色 ""x"""; create role "team"; create role "other team"`)
	s.sql(t, `create database "订单= ""eu"""`)
	s.in(t, `订单= "eu"`, `create schema sales authorization maker; set role maker;
		create table sales.a (n int); create table sales."B c" (n serial); create view sales.v as select 1 as n; create sequence sales.q;
		create function sales.f(a int, b text default '') returns int language sql as 'select 1';
		create function sales.f() returns int language sql as 'select 1';
		create procedure sales.p(n int) language sql as 'select 1'; create aggregate sales.g(int) (sfunc = int4pl, stype = int)`)
	for name, test := range map[string]func(*testing.T, *server){
		"everything, then in order":     testGrantAll,
		"exact takes the rest away":     testGrantExact,
		"named things only":             testGrantNamed,
		"everybody":                     testGrantPublic,
		"what is not there":             testGrantAbsent,
		"destroyed: what was listed":    testGrantDestroy,
		"all or nothing":                testGrantAtomic,
		"with the right to pass it on":  testGrantOption,
		"one call to check":             testGrantOneCall,
		"a role that needs quoting":     testGrantQuoting,
		"without the right to grant it": testGrantRefused,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

const eu = "database = \"订单= \\\"eu\\\"\"\nschema = \"sales\"\n"

func (s *server) can(t *testing.T, role, kind, thing, privilege string) bool {
	t.Helper()
	return s.in(t, `订单= "eu"`, "select has_"+kind+"_privilege("+literal(role)+", "+literal(thing)+", "+literal(privilege)+")") == "t"
}

func testGrantAll(t *testing.T, s *server) {
	step := s.step(t, grantEntry, eu+`
		role         = "clerk"
		on_database  = ["connect", "temp"]
		on_schema    = ["usage"]
		on_tables    = ["select", "insert"]
		on_sequences = ["all"]
		on_functions = ["execute"]
		future       = ["maker"]
		member_of    = ["team"]`)
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Contains(t, change.Diff, module.Diff{Path: `tables sales."B c", sales.a, sales.v`, After: "INSERT, SELECT"})
	require.Contains(t, change.Diff, module.Diff{Path: "future tables of maker", After: "INSERT, SELECT"})
	require.Contains(t, change.Diff, module.Diff{Path: "memberships", After: "team"})
	step.Converge(module.Update)

	require.True(t, s.can(t, "clerk", "table", `sales."B c"`, "insert"))
	require.False(t, s.can(t, "clerk", "table", "sales.a", "delete"))
	require.True(t, s.can(t, "clerk", "sequence", "sales.q", "update"))
	require.True(t, s.can(t, "clerk", "function", "sales.g(int)", "execute"))
	require.Equal(t, "t", s.sql(t, "select pg_has_role('clerk', 'team', 'member')"))
	s.in(t, `订单= "eu"`, "set role maker; create table sales.later (n serial); create procedure sales.later() language sql as 'select 1'")
	require.True(t, s.can(t, "clerk", "table", "sales.later", "select"))
	require.True(t, s.can(t, "clerk", "sequence", "sales.later_n_seq", "usage"))
	step.Converge(module.None)
}

func testGrantExact(t *testing.T, s *server) {
	s.in(t, `订单= "eu"`, `create role tidy in role "other team"; grant all on all tables in schema sales to tidy; grant usage, create on schema sales to tidy; grant create on database "订单= ""eu""" to tidy`)
	step := s.step(t, grantEntry, eu+"role = \"tidy\"\non_tables = [\"select\"]\nmember_of = [\"team\"]\nexact = true")
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Contains(t, change.Summary, "revoke DELETE, INSERT, REFERENCES, TRIGGER, TRUNCATE, UPDATE on tables")
	require.Contains(t, change.Diff, module.Diff{Path: "memberships", Before: `"other team"`})
	step.Converge(module.Update)
	require.True(t, s.can(t, "tidy", "table", "sales.a", "select"))
	require.False(t, s.can(t, "tidy", "table", "sales.a", "insert"))
	require.True(t, s.can(t, "tidy", "schema", "sales", "create"), "a list that the step does not have is left alone")
	require.Equal(t, "t|f", s.sql(t, "select pg_has_role('tidy', 'team', 'member'), pg_has_role('tidy', 'other team', 'member')"))

	s.step(t, grantEntry, eu+"role = \"tidy\"\non_tables = []\non_schema = []\nexact = true").Converge(module.Update)
	require.False(t, s.can(t, "tidy", "table", "sales.a", "select"), "an empty list takes all")
	require.False(t, s.can(t, "tidy", "schema", "sales", "usage"))

	s.step(t, grantEntry, eu+"role = \"maker\"\non_tables = []\nexact = true").Converge(module.None)
	require.True(t, s.can(t, "maker", "table", "sales.a", "select"), "an owner's own is left alone")
}

func testGrantNamed(t *testing.T, s *server) {
	s.sql(t, "create role picky")
	s.step(t, grantEntry, eu+`
		role         = "picky"
		on_tables    = ["select"]
		tables       = ["B c"]
		on_functions = ["execute"]
		functions    = ["f(integer, text)", "p"]`).Converge(module.Update)
	require.True(t, s.can(t, "picky", "table", `sales."B c"`, "select"))
	require.False(t, s.can(t, "picky", "table", "sales.a", "select"))
	require.Equal(t, "1|0|1", s.in(t, `订单= "eu"`, `select count(*) filter (where p.oid = 'sales.f(int, text)'::regprocedure),
		count(*) filter (where p.oid = 'sales.f()'::regprocedure), count(*) filter (where p.proname = 'p')
		from pg_proc p, aclexplode(p.proacl) a where a.grantee = 'picky'::regrole`))
}

func testGrantPublic(t *testing.T, s *server) {
	s.sql(t, "create database open_house")
	s.step(t, grantEntry, `
		role        = "public"
		database    = "open_house"
		on_database = ["connect"]
		on_schema   = ["usage"]
		exact       = true`).Converge(module.Update)
	require.Equal(t, "t|f", s.sql(t, "select has_database_privilege('clerk', 'open_house', 'connect'), has_database_privilege('clerk', 'open_house', 'temp')"))
}

func testGrantAbsent(t *testing.T, s *server) {
	for arg, args := range map[string]string{
		"role":      eu + "role = \"nosuch\"\non_schema = [\"usage\"]",
		"schema":    "role = \"clerk\"\nschema = \"nosuch\"\non_schema = [\"usage\"]",
		"tables":    eu + "role = \"clerk\"\non_tables = [\"select\"]\ntables = [\"a\", \"nosuch\"]",
		"functions": eu + "role = \"clerk\"\non_functions = [\"execute\"]\nfunctions = [\"f(text)\"]",
		"future":    eu + "role = \"clerk\"\non_tables = [\"select\"]\nfuture = [\"nosuch\"]",
		"member_of": "role = \"clerk\"\nmember_of = [\"nosuch\"]",
		"database":  "role = \"clerk\"\ndatabase = \"nosuch\"\non_schema = [\"usage\"]",
	} {
		_, _, err := s.step(t, grantEntry, "%s", args).Check()
		requireAt(t, err, arg, "")
	}
	require.NoError(t, s.step(t, grantEntry, "role = \"clerk\"\ndatabase = \"nosuch\"\non_schema = [\"usage\"]").Destroy(), "what went with its database is gone")
	require.NoError(t, s.step(t, grantEntry, eu+"role = \"nosuch\"\non_schema = [\"usage\"]").Destroy())
}

func testGrantDestroy(t *testing.T, s *server) {
	s.in(t, `订单= "eu"`, "create role leaver; grant select, insert on sales.a to leaver")
	step := s.step(t, grantEntry, eu+"role = \"leaver\"\non_tables = [\"select\"]\nfuture = [\"maker\"]\nmember_of = [\"team\"]")
	step.Converge(module.Update)
	require.NoError(t, step.Destroy())
	require.NoError(t, step.Destroy(), "destroying twice is no error")
	require.False(t, s.can(t, "leaver", "table", "sales.a", "select"))
	require.True(t, s.can(t, "leaver", "table", "sales.a", "insert"), "what the step never granted stays")
	require.Equal(t, "f|0", s.in(t, `订单= "eu"`, "select pg_has_role('leaver', 'team', 'member'), (select count(*) from pg_default_acl d, aclexplode(d.defaclacl) a where a.grantee = 'leaver'::regrole)"))
}

// testGrantAtomic has the last of several statements fail.
func testGrantAtomic(t *testing.T, s *server) {
	s.in(t, `订单= "eu"`, `create role half; create function reject() returns event_trigger language plpgsql as $$ begin raise exception 'no grants on sequences today'; end $$;
		create event trigger reject on ddl_command_start when tag in ('GRANT') execute function reject(); alter event trigger reject disable`)
	step := s.step(t, grantEntry, eu+"role = \"half\"\non_schema = [\"usage\"]\nmember_of = [\"team\"]")
	_, _, err := step.Check()
	require.NoError(t, err)
	s.in(t, `订单= "eu"`, "alter event trigger reject enable")
	defer s.in(t, `订单= "eu"`, "drop event trigger reject")
	_, _, err = step.Apply()
	requireAt(t, err, "role", "no grants on sequences today")
	require.Equal(t, "f", s.sql(t, "select pg_has_role('half', 'team', 'member')"), "a membership granted before the fault does not stay")
}

func testGrantOption(t *testing.T, s *server) {
	s.in(t, `订单= "eu"`, "create role passer; grant select on sales.a to passer")
	s.step(t, grantEntry, eu+"role = \"passer\"\non_tables = [\"select\"]\ntables = [\"a\"]\ngrant_option = true").Converge(module.Update)
	require.True(t, s.can(t, "passer", "table", "sales.a", "select with grant option"))
}

func testGrantOneCall(t *testing.T, s *server) {
	step := s.step(t, grantEntry, eu+"role = \"clerk\"\non_tables = [\"select\"]\nfuture = [\"maker\"]\nmember_of = [\"team\"]\nexact = true")
	_, _, err := step.Check()
	require.NoError(t, err)
	require.Len(t, commands(step), 1)
}

func testGrantQuoting(t *testing.T, s *server) {
	step := s.step(t, grantEntry, eu+"role = \"角色 \\\"x\\\"\"\non_tables = [\"select\"]\nmember_of = [\"other team\"]\nfuture = [\"maker\"]")
	step.Converge(module.Update)
	require.NoError(t, step.Destroy())
}

func testGrantRefused(t *testing.T, s *server) {
	s.sql(t, `create role guest login password 'gu3st'`)
	grant := func() error {
		_, _, err := s.step(t, grantEntry, eu+`
			role      = "team"
			on_schema = ["usage"]
			host      = "127.0.0.1"
			user      = "guest"
			password  = "gu3st"`).Apply()
		return err
	}
	requireAt(t, grant(), "role", "permission denied")
	// Who has the privilege, but not to pass it on, is only warned by the server.
	s.in(t, `订单= "eu"`, `grant usage on schema sales to guest`)
	requireAt(t, grant(), "role", "no privileges were granted")
}

func TestAWarningThatNothingWasGrantedIsReadFromPsql(t *testing.T) {
	require.NoError(t, psqlShortfall("NOTICE:  00000: something\nWARNING:  01000: else\n"))
	err := psqlShortfall("NOTICE:  00000: something\nWARNUNG:  01007: es wurden keine Privilegien für »sales« gewährt\nLOCATION:  restrict_and_check_grant, aclchk.c:322\n")
	require.Equal(t, notGranted, stateOf(err))
	require.ErrorContains(t, err, "»sales«")
}

func TestGrantRefusesWhatSaysNothing(t *testing.T) {
	for text, args := range map[string]string{
		"grants nothing":                      `role = "x"`,
		`"fly" is no privilege on a table`:    "role = \"x\"\non_tables = [\"fly\"]",
		"write on_tables":                     "role = \"x\"\ntables = [\"t\"]",
		"future is about":                     "role = \"x\"\non_schema = [\"usage\"]\nfuture = [\"y\"]",
		"is a member of nothing":              "role = \"public\"\nmember_of = [\"y\"]",
		"cannot pass privileges on":           "role = \"public\"\non_schema = [\"usage\"]\ngrant_option = true",
		`"truncate" is no privilege on a seq`: "role = \"x\"\non_sequences = [\"truncate\"]",
	} {
		require.ErrorContains(t, moduletest.New(t, grantEntry, nil, args, nil).Validate(), text)
	}
}
