package sql

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

var extensionEntry = module.Of[Extension]()

func TestExtensionExampleFitsTheModule(t *testing.T) { moduletest.Example(t, extensionEntry) }

func TestExtension(t *testing.T) {
	s := startServer(t)
	s.sql(t, `create schema tools; create schema "odd ""one"""; create role plain login password 'pl4in'`)
	for name, test := range map[string]func(*testing.T, *server){
		"made, moved, updated":            testExtensionLife,
		"not on this server":              testExtensionMissing,
		"needs to be loaded at the start": testExtensionPreload,
		"versions that cannot be had":     testExtensionVersions,
		"needs another":                   testExtensionNeeds,
		"schemas":                         testExtensionSchemas,
		"dropped, unless used or stays":   testExtensionDestroy,
		"without the right":               testExtensionRefused,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
}

func testExtensionLife(t *testing.T, s *server) {
	out := s.step(t, extensionEntry, `
		name    = "pg_trgm"
		version = "1.3"
		schema  = "odd \"one\""`).Converge(module.Create)
	require.Equal(t, cty.StringVal("1.3"), out.GetAttr("installed"))
	s.step(t, extensionEntry, `name = "pg_trgm"`).Converge(module.None)

	step := s.step(t, extensionEntry, "name = \"pg_trgm\"\nupdate = true\nschema = \"tools\"")
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, []module.Diff{{Path: "version", Before: "1.3", After: "1.6"}, {Path: "schema", Before: `odd "one"`, After: "tools"}}, change.Diff)
	out = step.Converge(module.Update)
	require.Equal(t, cty.StringVal("1.6"), out.GetAttr("installed"))
	require.NoError(t, step.Destroy())
	require.NoError(t, step.Destroy(), "destroying twice is no error")
}

func remedyOf(t *testing.T, err error) string {
	t.Helper()
	explained := (*module.Explained)(nil)
	require.ErrorAs(t, err, &explained)
	return explained.Remedy
}

func testExtensionMissing(t *testing.T, s *server) {
	_, _, err := s.step(t, extensionEntry, `name = "post'gis"`).Check()
	requireAt(t, err, "name", "there is no post'gis.control in /usr/share/postgresql/15/extension")
	require.Contains(t, remedyOf(t, err), "postgresql-15-post'gis")
	require.ErrorAs(t, err, new(*module.Refusal))
}

func testExtensionPreload(t *testing.T, s *server) {
	_, _, err := s.step(t, extensionEntry, `name = "pg_stat_statements"`).Check()
	requireAt(t, err, "name", "shared_preload_libraries does not have it")
	require.Contains(t, remedyOf(t, err), "patroni.config")

	loaded := startServer(t, "-c", "shared_preload_libraries=auto_explain, pg_stat_statements")
	loaded.step(t, extensionEntry, `name = "pg_stat_statements"`).Converge(module.Create)
}

func testExtensionVersions(t *testing.T, s *server) {
	_, _, err := s.step(t, extensionEntry, "name = \"hstore\"\nversion = \"9.9\"").Check()
	requireAt(t, err, "version", "has no version 9.9 of extension hstore")
	require.Contains(t, remedyOf(t, err), "1.4, 1.5")

	s.sql(t, "create extension hstore version '1.8'")
	_, _, err = s.step(t, extensionEntry, "name = \"hstore\"\nversion = \"1.4\"").Check()
	requireAt(t, err, "version", "cannot go from version 1.8 to 1.4")
	require.NoError(t, s.step(t, extensionEntry, "name = \"hstore\"\nversion = \"1.4\"").Destroy(), "a refusal does not stand in the way of destroying")
}

func testExtensionNeeds(t *testing.T, s *server) {
	_, _, err := s.step(t, extensionEntry, `name = "earthdistance"`).Check()
	requireAt(t, err, "name", "extension earthdistance needs cube")
	s.step(t, extensionEntry, "name = \"earthdistance\"\ncascade = true").Converge(module.Create)
}

func testExtensionSchemas(t *testing.T, s *server) {
	_, _, err := s.step(t, extensionEntry, "name = \"citext\"\nschema = \"nosuch\"").Check()
	requireAt(t, err, "schema", "there is no schema nosuch")
	_, _, err = s.step(t, extensionEntry, "name = \"plpgsql\"\nschema = \"tools\"").Check()
	requireAt(t, err, "schema", "is in schema pg_catalog and cannot be moved")
	_, _, err = s.step(t, extensionEntry, "name = \"citext\"\ndatabase = \"nosuch\"").Check()
	requireAt(t, err, "database", "does not exist")
}

func testExtensionDestroy(t *testing.T, s *server) {
	step := s.step(t, extensionEntry, `name = "citext"`)
	step.Converge(module.Create)
	s.sql(t, "create table names (n citext)")
	err := step.Destroy()
	requireAt(t, err, "name", "drop extension citext")
	require.ErrorContains(t, err, "column n of table names depends on type citext")
	require.NoError(t, s.step(t, extensionEntry, "name = \"citext\"\nkeep = true").Destroy())
	s.sql(t, "drop table names")
	require.NoError(t, step.Destroy())
	require.Equal(t, "f", s.sql(t, "select exists (select from pg_extension where extname = 'citext')"))
}

func testExtensionRefused(t *testing.T, s *server) {
	_, _, err := s.step(t, extensionEntry, `
		name     = "dblink"
		host     = "127.0.0.1"
		user     = "plain"
		password = "pl4in"`).Apply()
	requireAt(t, err, "name", "permission denied to create extension")
	require.Contains(t, remedyOf(t, err), "superuser")
}

func TestExtensionRefusesTwoVersions(t *testing.T) {
	requireAt(t, moduletest.New(t, extensionEntry, nil, "name = \"x\"\nversion = \"1\"\nupdate = true", nil).Validate(), "update", "exclude each other")
}
