package sql

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestQueryExampleFitsTheModule(t *testing.T) { moduletest.Example(t, queryEntry) }

func TestQueryAgainstAServer(t *testing.T) {
	s := startServer(t)
	s.sql(t, "create role reader login password 'r34der'")
	s.sql(t, "create table t (n int)")
	// Both tongues must give the same answers.
	tongues := map[string]string{
		"psql": "",
		"wire": "host = \"127.0.0.1\"\nuser = \"reader\"\npassword = \"r34der\"\n",
	}
	for name, how := range tongues {
		t.Run(name+" gives typed rows", func(t *testing.T) { testTypedRows(t, s, how) })
		t.Run(name+" refuses to write", func(t *testing.T) { testRefusesToWrite(t, s, how) })
		t.Run(name+" explains wrong SQL", func(t *testing.T) { testWrongSQL(t, s, how) })
		t.Run(name+" answers what is no SELECT", func(t *testing.T) { testUtility(t, s, how) })
	}
	t.Run("password", func(t *testing.T) { testPassword(t, s) })
	t.Run("no such database", func(t *testing.T) { testNoDatabase(t, s) })
	t.Run("nothing secret in arguments", func(t *testing.T) { testArguments(t, s) })
	t.Run("from a container by TCP", func(t *testing.T) { testContainer(t, s) })
}

func testTypedRows(t *testing.T, s *server, how string) {
	step := s.step(t, queryEntry, how+`sql = <<-SQL
	  select 1::int2 as small, 12345678901234567890.5::numeric(30,2) as big, 1.5::float8 as f, true as yes, null::int as nothing,
	         'a''b\' || chr(10) || 'c' as "the text", ''::text as empty, array[1,2] as list, 'NaN'::float8 as nan, '密码' as chinese;
	  -- the end
	SQL`)
	_, out, err := step.Check()
	require.NoError(t, err)
	rows := out.GetAttr("rows")
	require.Equal(t, 1, rows.LengthInt())
	row := rows.Index(cty.Zero).AsValueMap()
	require.True(t, row["small"].RawEquals(cty.NumberIntVal(1)))
	require.True(t, row["big"].RawEquals(cty.MustParseNumberVal("12345678901234567890.50")))
	require.True(t, row["f"].RawEquals(cty.NumberFloatVal(1.5)))
	require.True(t, row["yes"].RawEquals(cty.True))
	require.True(t, row["nothing"].RawEquals(cty.NullVal(cty.Number)))
	require.Equal(t, "a'b\\\nc", row["the text"].AsString())
	require.Equal(t, "", row["empty"].AsString())
	require.True(t, row["list"].RawEquals(cty.ListVal([]cty.Value{cty.NumberIntVal(1), cty.NumberIntVal(2)})))
	require.Equal(t, "NaN", row["nan"].AsString())
	require.Equal(t, "密码", row["chinese"].AsString())
	require.Equal(t, int64(1), number(t, out.GetAttr("count")))
	require.Equal(t, "small", out.GetAttr("columns").Index(cty.Zero).AsString())

	_, out, err = s.step(t, queryEntry, how+`sql = "select n, 'x' as y from generate_series(1, 3) n"`).Check()
	require.NoError(t, err)
	require.Equal(t, int64(3), number(t, out.GetAttr("count")))
	require.True(t, out.GetAttr("rows").Index(cty.NumberIntVal(2)).GetAttr("n").RawEquals(cty.NumberIntVal(3)))

	_, out, err = s.step(t, queryEntry, how+`sql = "select 1 as n where false"`).Check()
	require.NoError(t, err)
	require.True(t, out.GetAttr("rows").RawEquals(cty.ListValEmpty(cty.Object(map[string]cty.Type{"n": cty.Number}))))

	_, _, err = s.step(t, queryEntry, how+`sql = "select 1 as n, 2 as n"`).Check()
	requireAt(t, err, "sql", `two columns of the result are called "n"`)
}

func testUtility(t *testing.T, s *server, how string) {
	_, out, err := s.step(t, queryEntry, how+`sql = "show server_version_num"`).Check()
	require.NoError(t, err)
	require.NotEmpty(t, out.GetAttr("rows").Index(cty.Zero).GetAttr("server_version_num").AsString())
	_, out, err = s.step(t, queryEntry, how+`sql = "select"`).Check()
	require.NoError(t, err)
	require.Equal(t, 0, out.GetAttr("columns").LengthInt())
}

func testRefusesToWrite(t *testing.T, s *server, how string) {
	_, _, err := s.step(t, queryEntry, how+`sql = "create table u (n int)"`).Check()
	requireAt(t, err, "sql", "read-only transaction")
	require.Equal(t, readOnlyTurn, stateOf(err))
	require.Equal(t, "f", s.sql(t, "select exists (select from pg_class where relname = 'u')"))
}

func testWrongSQL(t *testing.T, s *server, how string) {
	_, _, err := s.step(t, queryEntry, how+`sql = "select 1,\n  密码 form pg_class"`).Check()
	requireAt(t, err, "sql", "syntax error")
	require.Equal(t, "42601", stateOf(err))
	explained := (*module.Explained)(nil)
	require.ErrorAs(t, err, &explained)
	require.Len(t, explained.Evidence, 2)
	require.Equal(t, "LINE 2:   密码 form pg_class", explained.Evidence[0])
	require.Regexp(t, `^ +\^$`, explained.Evidence[1])

	_, _, err = s.step(t, queryEntry, how+`sql = "select length(nosuch)"`).Check()
	requireAt(t, err, "sql", `column "nosuch" does not exist`)
	require.Equal(t, "42703", stateOf(err))
}

func testPassword(t *testing.T, s *server) {
	login := func(password string) error {
		_, _, err := s.step(t, queryEntry, "host = \"127.0.0.1\"\nuser = \"reader\"\npassword = %q\nsql = \"select current_user\"", password).Check()
		return err
	}
	require.NoError(t, login("r34der"))
	err := login("wrong")
	requireAt(t, err, "password", "password authentication failed")
	require.NotContains(t, err.Error(), "wrong")

	_, _, err = s.step(t, queryEntry, `
		user = "reader"
		sql  = "select 1"`).Check()
	require.ErrorContains(t, err, "over the local socket")
}

func testNoDatabase(t *testing.T, s *server) {
	for _, how := range []string{"", "host = \"127.0.0.1\"\nuser = \"reader\"\npassword = \"r34der\"\n"} {
		_, _, err := s.step(t, queryEntry, how+"database = \"nosuch\"\nsql = \"select 1\"").Check()
		requireAt(t, err, "database", `database "nosuch" does not exist`)
	}
	_, _, err := s.step(t, queryEntry, "host = \"127.0.0.2\"\nuser = \"reader\"\npassword = \"r34der\"\nsql = \"select 1\"").Check()
	requireAt(t, err, "host", "refused")
}

func testArguments(t *testing.T, s *server) {
	step := s.step(t, queryEntry, "password = \"s3cr3t\"\nsql = \"select 'a statement' as text\"")
	_, _, err := step.Check()
	require.NoError(t, err)
	require.Len(t, commands(step), 1, "a query is one call of psql")
	cmd := commands(step)[0]
	require.NotContains(t, fmt.Sprint(cmd.Args), "statement")
	require.NotContains(t, fmt.Sprint(cmd.Args), "s3cr3t")
	require.Equal(t, "s3cr3t", cmd.Env["PGPASSWORD"].Reveal())
}

// testContainer stands this machine in for a container: what matters is that
// psql there opens the connection.
func testContainer(t *testing.T, s *server) {
	step := s.step(t, queryEntry, "host = \"127.0.0.1\"\nuser = \"reader\"\npassword = \"r34der\"\nsql = \"select current_user as who\"")
	step.Env().Target = conn.Target{Kind: conn.Container, Pod: "antdb-1", Container: "database"}
	_, out, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, "reader", out.GetAttr("rows").Index(cty.Zero).GetAttr("who").AsString())
	require.Len(t, commands(step), 1)
	require.Contains(t, commands(step)[0].Args, "-h")
}

func TestQueryInAClusterNeedsAHost(t *testing.T) {
	step := moduletest.New(t, queryEntry, nil, `sql = "select 1"`, nil)
	step.Env().Target = conn.Target{Kind: conn.Kubernetes, Name: "lab"}
	_, _, err := step.Check()
	requireAt(t, err, "host", "a cluster has no local socket")
}

func TestQueryRefusesWhatIsNotOneStatement(t *testing.T) {
	step := moduletest.New(t, queryEntry, nil, `sql = "select 1; drop table t"`, nil)
	requireAt(t, step.Validate(), "sql", "second statement")
}

func requireAt(t *testing.T, err error, arg, text string) {
	t.Helper()
	require.ErrorContains(t, err, text)
	at := (*module.ArgError)(nil)
	require.True(t, errors.As(err, &at), "%v names no argument", err)
	require.Equal(t, arg, at.Arg)
}

func number(t *testing.T, v cty.Value) int64 {
	t.Helper()
	n, _ := v.AsBigFloat().Int64()
	return n
}
