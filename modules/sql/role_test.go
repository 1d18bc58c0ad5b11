package sql

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestRoleExampleFitsTheModule(t *testing.T) { moduletest.Example(t, roleEntry) }

func TestRole(t *testing.T) {
	s := startServer(t)
	for name, test := range map[string]func(*testing.T, *server){
		"made, then in order":               testRoleCreate,
		"changed only where named":          testRoleUpdate,
		"password in either encryption":     testRoleEncryptions,
		"password without superuser":        testRoleOrdinary,
		"trust proves nothing":              testRoleTrust,
		"expired password":                  testRoleExpired,
		"unknown group":                     testRoleUnknownGroup,
		"dropped, unless it owns or stays":  testRoleDestroy,
		"over TCP":                          testRoleWire,
		"password in no statement or argv":  testRoleSilence,
		"one call to check":                 testRoleOneCall,
		"a name that needs quoting":         testRoleName,
		"the form that pg_hba.conf wants":   testRoleDemand,
		"the form that the runbook wants":   testRoleForm,
		"a password of odd characters":      testRolePasswords,
		"not dropped while it is logged in": testRoleInUse,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

func testRoleCreate(t *testing.T, s *server) {
	s.step(t, roleEntry, `
		role             = "made"
		password         = "m4dePassword"
		createdb         = true
		connection_limit = 3
		in_roles         = ["pg_monitor", "pg_read_all_settings"]`).Converge(module.Create)
	require.Equal(t, "t|t|f|3", s.sql(t, "select rolcanlogin, rolcreatedb, rolsuper, rolconnlimit from pg_roles where rolname = 'made'"))
	s.mustLogin(t, "made", "m4dePassword")
}

func testRoleUpdate(t *testing.T, s *server) {
	s.sql(t, "create role changed nologin createdb connection limit 5")
	change, _, err := s.step(t, roleEntry, "role = \"changed\"").Check()
	require.NoError(t, err)
	require.Equal(t, module.NoChange, change)

	step := s.step(t, roleEntry, "role = \"changed\"\nlogin = true\npassword = \"first\"\nin_roles = [\"pg_monitor\"]")
	change, _, err = step.Check()
	require.NoError(t, err)
	require.Equal(t, []module.Diff{
		{Path: "login", Before: "false", After: "true"},
		{Path: "in_roles", Before: "", After: "pg_monitor"},
		{Path: "password", Before: "(another)", After: "(secret)"},
	}, change.Diff)
	step.Converge(module.Update)
	require.Equal(t, "t|t|5", s.sql(t, "select rolcanlogin, rolcreatedb, rolconnlimit from pg_roles where rolname = 'changed'"))

	s.step(t, roleEntry, "role = \"changed\"\npassword = \"second\"").Converge(module.Update)
	s.mustLogin(t, "changed", "second")
	require.ErrorContains(t, s.login(t, "changed", "first"), "authentication failed")
	require.Equal(t, "t", s.sql(t, "select pg_has_role('changed', 'pg_monitor', 'member')"))
}

func testRoleEncryptions(t *testing.T, s *server) {
	for _, encryption := range []string{"md5", "scram-sha-256"} {
		s.sql(t, "alter system set password_encryption = '"+encryption+"'")
		s.sql(t, "select pg_reload_conf()")
		s.step(t, roleEntry, "role = \"kept_%s\"\npassword = \"密码' $x\"", encryption[:3]).Converge(module.Create)
		require.Equal(t, encryption[:3], s.sql(t, "select lower(left(rolpassword, 3)) from pg_authid where rolname = 'kept_"+encryption[:3]+"'"))
		s.mustLogin(t, "kept_"+encryption[:3], "密码' $x")
	}
	// A password kept in the older form still passes: that is no change.
	change, _, err := s.step(t, roleEntry, "role = \"kept_md5\"\npassword = \"密码' $x\"").Check()
	require.NoError(t, err)
	require.Equal(t, module.NoChange, change)
}

// testRoleOrdinary works as a role that may not read verifiers: its own.
func testRoleOrdinary(t *testing.T, s *server) {
	s.sql(t, "create role ordinary login password 'old'; create role boss login createrole password 'b0ss'")
	step := s.step(t, roleEntry, `
		role          = "ordinary"
		password      = "new"
		host          = "127.0.0.1"
		user          = "boss"
		user_password = "b0ss"`)
	step.Converge(module.Update)
	s.mustLogin(t, "ordinary", "new")
}

func testRoleTrust(t *testing.T, s *server) {
	s.sql(t, "create role open login password 'x'; create role helper login createrole password 'h3lper'")
	_, _, err := s.step(t, roleEntry, `
		role          = "open"
		password      = "y"
		host          = "127.0.0.1"
		user          = "helper"
		user_password = "h3lper"`).Check()
	requireAt(t, err, "password", "cannot be proved")
}

func testRoleExpired(t *testing.T, s *server) {
	s.sql(t, "create role stale login password 'good' valid until '2001-01-01'")
	s.step(t, roleEntry, "role = \"stale\"\npassword = \"good\"").Converge(module.Update)
	s.mustLogin(t, "stale", "good")
}

func testRoleUnknownGroup(t *testing.T, s *server) {
	_, _, err := s.step(t, roleEntry, "role = \"lonely\"\nin_roles = [\"nosuch\"]").Apply()
	requireAt(t, err, "in_roles", `role "nosuch" does not exist`)
}

func testRoleDestroy(t *testing.T, s *server) {
	s.sql(t, "create role owner_of_things")
	s.sql(t, "create database things owner owner_of_things")
	step := s.step(t, roleEntry, "role = \"owner_of_things\"")
	err := step.Destroy()
	requireAt(t, err, "role", "drop role owner_of_things")
	require.ErrorContains(t, err, "things")
	explained := (*module.Explained)(nil)
	require.ErrorAs(t, err, &explained)
	require.Contains(t, explained.Remedy, `reassign owned by "owner_of_things"`)

	require.NoError(t, s.step(t, roleEntry, "role = \"owner_of_things\"\nkeep = true").Destroy())
	s.sql(t, "drop database things")
	require.NoError(t, step.Destroy())
	require.NoError(t, step.Destroy(), "destroying twice is no error")
	require.Equal(t, "f", s.sql(t, "select exists (select from pg_roles where rolname = 'owner_of_things')"))
}

func testRoleWire(t *testing.T, s *server) {
	s.sql(t, "drop role if exists chief; create role chief superuser login password 'ch13f'")
	step := s.step(t, roleEntry, `
		role          = "remote"
		password      = "r3mote"
		host          = "127.0.0.1"
		user          = "chief"
		user_password = "ch13f"`)
	step.Converge(module.Create)
	require.Empty(t, commands(step), "no command runs where a connection does")
	s.mustLogin(t, "remote", "r3mote")
	require.NoError(t, step.Destroy())
}

func testRoleSilence(t *testing.T, s *server) {
	step := s.step(t, roleEntry, "role = \"silent\"\npassword = \"wh1sperNow\"")
	step.Converge(module.Create)
	require.NotEmpty(t, commands(step))
	for _, cmd := range commands(step) {
		require.NotContains(t, fmt.Sprint(cmd.Args), "wh1sper")
		require.NotContains(t, fmt.Sprint(cmd.Args), "silent")
	}
	require.NotContains(t, s.log(t), "wh1sper", "the server logs every statement")
}

func testRoleOneCall(t *testing.T, s *server) {
	step := s.step(t, roleEntry, "role = \"postgres\"\nin_roles = [\"pg_monitor\"]")
	_, _, err := step.Check()
	require.NoError(t, err)
	require.Len(t, commands(step), 1)
}

func testRoleName(t *testing.T, s *server) {
	s.step(t, roleEntry, `
		role     = "O'Neil \"x\" 角色"
		password = "p"
		in_roles = ["pg_monitor"]`).Converge(module.Create)
	require.NoError(t, s.step(t, roleEntry, `role = "O'Neil \"x\" 角色"`).Destroy())
}

// testRoleDemand: the server would keep md5, and one line of pg_hba.conf takes
// SCRAM only.
func testRoleDemand(t *testing.T, s *server) {
	s.sql(t, "alter system set password_encryption = 'md5'")
	s.sql(t, "select pg_reload_conf()")
	defer s.sql(t, "alter system reset password_encryption")
	s.sql(t, "create role scrammers; create role scrammed login password 'sc'")
	step := s.step(t, roleEntry, "role = \"scrammed\"\npassword = \"sc\"")
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, []module.Diff{{Path: "encryption", Before: "md5",
		After: "scram-sha-256: line 3 of pg_hba.conf (host all scrammed,+scrammers … scram-sha-256)"}}, change.Diff)
	require.Error(t, s.login(t, "scrammed", "sc"), "right, and of no use")
	step.Converge(module.Update)
	s.mustLogin(t, "scrammed", "sc")

	s.step(t, roleEntry, "role = \"joins\"\npassword = \"j0ins\"\nin_roles = [\"scrammers\"]").Converge(module.Create)
	s.mustLogin(t, "joins", "j0ins")

	_, _, err = s.step(t, roleEntry, "role = \"scrammed\"\npassword = \"sc\"\nencryption = \"md5\"").Check()
	requireAt(t, err, "encryption", "could not log in with an md5 password: line 3 of pg_hba.conf")
	require.ErrorAs(t, err, new(*module.Refusal))
}

// testRoleForm: clients that know only md5, on a server that makes SCRAM.
func testRoleForm(t *testing.T, s *server) {
	form := func() string { return s.sql(t, "select left(rolpassword, 5) from pg_authid where rolname = 'formal'") }
	s.step(t, roleEntry, "role = \"formal\"\npassword = \"f0rmal\"\nencryption = \"md5\"").Converge(module.Create)
	require.Equal(t, "md5", form()[:3])
	s.mustLogin(t, "formal", "f0rmal")
	s.step(t, roleEntry, "role = \"formal\"\npassword = \"f0rmal\"\nencryption = \"scram-sha-256\"").Converge(module.Update)
	require.Equal(t, "SCRAM", form())
	s.mustLogin(t, "formal", "f0rmal")
}

func testRolePasswords(t *testing.T, s *server) {
	const odd = "a'b\\c/d&e\"f $g `h` %i 密码 ;--\n"
	for name, how := range map[string]string{"odd_psql": "", "odd_wire": "host = \"127.0.0.1\"\nuser = \"chief\"\nuser_password = \"ch13f\"\n"} {
		s.sql(t, "drop role if exists chief; create role chief superuser login password 'ch13f'")
		s.step(t, roleEntry, how+"role = %q\npassword = %q", name, odd).Converge(module.Create)
		s.mustLogin(t, name, odd)
		step := s.step(t, queryEntry, "host = \"127.0.0.1\"\nuser = %q\npassword = %q\nsql = \"select 1\"", name, odd)
		step.Env().Target = conn.Target{Kind: conn.Container} // by libpq
		_, _, err := step.Check()
		require.NoError(t, err)
		require.Error(t, s.login(t, name, odd+"x"))
	}
}

func testRoleInUse(t *testing.T, s *server) {
	visitor := s.visit(t, "postgres", "lodger")
	err := s.step(t, roleEntry, "role = \"lodger\"").Destroy()
	requireAt(t, err, "role", "drop role lodger: it has 1 open session")
	require.Contains(t, remedyOf(t, err), "end_sessions")

	s.sql(t, "create table his (n int); alter table his owner to lodger")
	err = s.step(t, roleEntry, "role = \"lodger\"\nend_sessions = true").Destroy()
	requireAt(t, err, "role", "owner of table his")
	_, err = visitor.Exec(t.Context(), "select 1").ReadAll()
	require.NoError(t, err, "nobody is thrown out of a role that stays")

	s.sql(t, "drop table his")
	require.NoError(t, s.step(t, roleEntry, "role = \"lodger\"\nend_sessions = true").Destroy())
	_, err = visitor.Exec(t.Context(), "select 1").ReadAll()
	require.Error(t, err)
}

func TestRoleRefusesNamesOfTheServer(t *testing.T) {
	requireAt(t, moduletest.New(t, roleEntry, nil, `role = "pg_mine"`, nil).Validate(), "role", "belong to the server")
	requireAt(t, moduletest.New(t, roleEntry, nil, `role = ""`, nil).Validate(), "role", "no name")
}

func (s *server) login(t *testing.T, user, password string) error {
	t.Helper()
	_, _, err := s.step(t, queryEntry, "host = \"127.0.0.1\"\nuser = %q\npassword = %q\nsql = \"select 1\"", user, password).Check()
	return err
}

func (s *server) mustLogin(t *testing.T, user, password string) {
	t.Helper()
	require.NoError(t, s.login(t, user, password))
}
