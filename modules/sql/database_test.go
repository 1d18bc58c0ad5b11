package sql

import (
	"testing"

	"github.com/stretchr/testify/require"

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
		"what is fixed is reported":     testDatabaseFixed,
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
	step := s.step(t, databaseEntry, "name = \"fixed\"\nencoding = \"UTF8\"")
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, []module.Diff{{Path: "encoding", Before: "SQL_ASCII", After: "UTF8"}}, change.Diff)
	_, _, err = step.Apply()
	requireAt(t, err, "encoding", "cannot be changed in place")
	require.NoError(t, step.Destroy(), "a difference does not stand in the way of destroying")
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
