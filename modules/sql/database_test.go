package sql

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestDatabaseExampleFitsTheModule(t *testing.T) { moduletest.Example(t, databaseEntry) }

func TestDatabase(t *testing.T) {
	s := startServer(t)
	s.sql(t, "create role holder; create role visitor; create role stranger")
	for name, test := range map[string]func(*testing.T, *server){
		"made, then in order":           testDatabaseCreate,
		"owner and rights kept":         testDatabaseUpdate,
		"what is fixed is refused":      testDatabaseFixed,
		"connection limit":              testDatabaseLimit,
		"all or nothing":                testDatabaseAtomic,
		"somebody is connected":         testDatabaseVisited,
		"names of all kinds":            testDatabaseNames,
		"refusals name their argument":  testDatabaseRefusals,
		"dropped, unless used or stays": testDatabaseDestroy,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

func testDatabaseCreate(t *testing.T, s *server) {
	out := s.step(t, databaseEntry, `
		name       = "orders \"one\""
		owner      = "holder"
		encoding   = "utf-8"
		lc_collate = "C"
		connect    = ["visitor"]`).Converge(module.Create)
	require.Positive(t, number(t, out.GetAttr("size")))
	require.Equal(t, `holder|UTF8|C`, s.sql(t, `select pg_get_userbyid(datdba), pg_encoding_to_char(encoding), datcollate from pg_database where datname = 'orders "one"'`))
}

func testDatabaseUpdate(t *testing.T, s *server) {
	s.sql(t, "create database kept")
	s.sql(t, "revoke connect on database kept from public")
	step := s.step(t, databaseEntry, "name = \"kept\"\nowner = \"holder\"\nconnect = [\"visitor\", \"holder\"]")
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, []module.Diff{
		{Path: "owner", Before: "postgres", After: "holder"},
		{Path: "connect", After: "+ visitor, holder"},
	}, change.Diff)
	step.Converge(module.Update)
	require.Equal(t, "t|f", s.sql(t, "select has_database_privilege('visitor', 'kept', 'connect'), has_database_privilege('stranger', 'kept', 'connect')"))
}

func testDatabaseFixed(t *testing.T, s *server) {
	s.sql(t, "create database fixed encoding 'SQL_ASCII' template template0")
	step := s.step(t, databaseEntry, "name = \"fixed\"\nencoding = \"UTF8\"\nlc_collate = \"zh_CN.utf8\"")
	_, _, err := step.Check()
	requireAt(t, err, "encoding", "database fixed has encoding SQL_ASCII, not UTF8, and that cannot be changed in place")
	require.ErrorContains(t, err, "has lc_collate C, not zh_CN.utf8", "all at once")
	require.NoError(t, step.Destroy(), "a difference does not stand in the way of destroying")
}

func testDatabaseLimit(t *testing.T, s *server) {
	s.step(t, databaseEntry, "name = \"narrow\"\nconnection_limit = 2").Converge(module.Create)
	step := s.step(t, databaseEntry, "name = \"narrow\"\nconnection_limit = -1\nowner = \"holder\"")
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, []module.Diff{{Path: "owner", Before: "postgres", After: "holder"}, {Path: "connection_limit", Before: "2", After: "-1"}}, change.Diff)
	step.Converge(module.Update)
	require.Equal(t, "-1|holder", s.sql(t, "select datconnlimit, pg_get_userbyid(datdba) from pg_database where datname = 'narrow'"))
}

// testDatabaseAtomic has the last of three changes fail.
func testDatabaseAtomic(t *testing.T, s *server) {
	s.sql(t, "create database whole")
	_, _, err := s.step(t, databaseEntry, "name = \"whole\"\nconnection_limit = 7\nowner = \"holder\"\nconnect = [\"nosuch\"]").Apply()
	requireAt(t, err, "connect", "nosuch")
	require.Equal(t, "-1|postgres", s.sql(t, "select datconnlimit, pg_get_userbyid(datdba) from pg_database where datname = 'whole'"))
}

func testDatabaseVisited(t *testing.T, s *server) {
	s.sql(t, "create database busy")
	visitor := s.visit(t, "busy", "lodger")
	err := s.step(t, databaseEntry, "name = \"busy\"").Destroy()
	requireAt(t, err, "name", "being accessed by other users")
	explained := (*module.Explained)(nil)
	require.ErrorAs(t, err, &explained)
	require.Len(t, explained.Evidence, 1)
	require.Regexp(t, `^pid \d+, from 127.0.0.1, user lodger, program lodging$`, explained.Evidence[0])
	require.Contains(t, explained.Remedy, "end_sessions")

	require.NoError(t, s.step(t, databaseEntry, "name = \"busy\"\nend_sessions = true").Destroy())
	_, err = visitor.Exec(t.Context(), "select 1").ReadAll()
	require.Error(t, err, "its session is over")
	require.Equal(t, "f", s.sql(t, "select exists (select from pg_database where datname = 'busy')"))
}

func testDatabaseNames(t *testing.T, s *server) {
	for _, name := range []string{"select", "a=b", `it's "x" back\slash`, " 订单 库 ", "-d"} {
		step := s.step(t, databaseEntry, "name = %q\nowner = \"holder\"\nconnect = [\"visitor\"]", name)
		step.Converge(module.Create)
		_, out, err := s.step(t, queryEntry, "database = %q\nsql = \"select current_database() as name\"", name).Check()
		require.NoError(t, err, name)
		require.Equal(t, name, out.GetAttr("rows").Index(cty.Zero).GetAttr("name").AsString())
		require.NoError(t, step.Destroy())
	}
}

func testDatabaseRefusals(t *testing.T, s *server) {
	for arg, args := range map[string]string{
		"owner":      "name = \"r\"\nowner = \"nosuch\"",
		"template":   "name = \"r\"\ntemplate = \"nosuch\"",
		"lc_collate": "name = \"r\"\nlc_collate = \"xx_XX\"",
		"encoding":   "name = \"r\"\nencoding = \"nosuch\"",
	} {
		_, _, err := s.step(t, databaseEntry, "%s", args).Apply()
		requireAt(t, err, arg, "")
	}
	s.sql(t, "create database r2")
	_, _, err := s.step(t, databaseEntry, "name = \"r2\"\nconnect = [\"nosuch\"]").Apply()
	requireAt(t, err, "connect", "nosuch")
}

func testDatabaseDestroy(t *testing.T, s *server) {
	s.sql(t, "create database going")
	step := s.step(t, databaseEntry, "name = \"going\"")
	require.NoError(t, s.step(t, databaseEntry, "name = \"going\"\nkeep = true").Destroy())
	require.Equal(t, "t", s.sql(t, "select exists (select from pg_database where datname = 'going')"))
	require.NoError(t, step.Destroy())
	require.NoError(t, step.Destroy(), "destroying twice is no error")
	require.Equal(t, "f", s.sql(t, "select exists (select from pg_database where datname = 'going')"))

	err := s.step(t, databaseEntry, "name = \"postgres\"").Destroy()
	requireAt(t, err, "name", "")
}

func TestDatabaseRefusesTemplates(t *testing.T) {
	requireAt(t, moduletest.New(t, databaseEntry, nil, `name = "template1"`, nil).Validate(), "name", "belongs to the server")
}
