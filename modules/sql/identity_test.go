package sql

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

var identityEntry = module.Of[Identity]()

func TestIdentityExampleFitsTheModule(t *testing.T) { moduletest.Example(t, identityEntry) }

func TestIdentityOfPostgreSQL(t *testing.T) {
	s := startServer(t)
	_, out, err := s.step(t, identityEntry, "expect_product = \"PostgreSQL\"\nexpect_role = \"primary\"\nexpect_mode = \"standalone\"").Check()
	require.NoError(t, err)
	got := out.AsValueMap()
	require.Equal(t, "PostgreSQL", got["product"].AsString())
	require.True(t, got["certain"].True())
	require.Zero(t, got["signs"].LengthInt())
	require.Equal(t, s.dir+"/data", got["data_directory"].AsString())
	require.Equal(t, int64(1), number(t, got["timeline"]))
	require.Equal(t, s.sql(t, "select system_identifier from pg_control_system()"), got["system_identifier"].AsString())
	require.Equal(t, s.sql(t, "show server_version_num"), got["server_version_num"].AsBigFloat().String())
	require.Regexp(t, `^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$`, got["started"].AsString())
	require.Empty(t, got["antdb_version"].AsString())

	_, _, err = s.step(t, identityEntry, `expect_product = "AntDB"`).Check()
	requireAt(t, err, "expect_product", "the server is PostgreSQL 15")
	_, _, err = s.step(t, identityEntry, `expect_system_identifier = "123"`).Check()
	requireAt(t, err, "expect_system_identifier", got["system_identifier"].AsString()+", and 123 was expected")
	_, _, err = s.step(t, identityEntry, `expect_role = "replica"`).Check()
	requireAt(t, err, "expect_role", "the server is primary, and replica was expected")
	_, _, err = s.step(t, identityEntry, `expect_cluster = "antdb"`).Check()
	requireAt(t, err, "expect_cluster", "not to be seen from here, and antdb was expected")
	_, _, err = s.step(t, identityEntry, `expect_build = "461fafc"`).Check()
	requireAt(t, err, "expect_build", "unknown (PostgreSQL), and 461fafc was expected")

	s.sql(t, "create role nosy login password 'n0sy'")
	_, out, err = s.step(t, identityEntry, "host = \"127.0.0.1\"\nuser = \"nosy\"\npassword = \"n0sy\"\nexpect_system_identifier = %q", got["system_identifier"].AsString()).Check()
	require.NoError(t, err, "an ordinary role learns as much as it may")
	require.Empty(t, out.GetAttr("data_directory").AsString())
}

func TestIdentityOfAntDB(t *testing.T) {
	for name, tt := range map[string]struct {
		server *antdb
		want   map[string]string
		signs  int
	}{
		"the story's": {standalone(), map[string]string{"product": "AntDB", "antdb_version": "4.1devel", "build": "461fafc", "mode": "standalone", "grammar": "postgres"}, 4},
		"5.0.1, without a commit": {standalone().with("version", "PostgreSQL 11.10 ADB 5.0.1 on x86_64-pc-linux-gnu, compiled by gcc", "server_version", "11.10", "num", "110010"),
			map[string]string{"product": "AntDB", "antdb_version": "5.0.1", "build": "", "mode": "standalone"}, 4},
		"set to Oracle's grammar": {standalone().with("grammar", "oracle"), map[string]string{"product": "AntDB", "grammar": "oracle"}, 4},
		"built for a cluster": {standalone().with("adb_version", "5.0.1", "adb_node_type", "coordinator", "node", "cn1"),
			map[string]string{"product": "AntDB", "mode": "cluster", "node": "cn1 (coordinator)"}, 5},
	} {
		t.Run(name, func(t *testing.T) {
			_, out, err := tt.server.start(t).step(t, identityEntry, `expect_product = "AntDB"`).Check()
			require.NoError(t, err)
			for output, want := range tt.want {
				require.Equal(t, want, out.GetAttr(output).AsString(), output)
			}
			require.Equal(t, tt.signs, out.GetAttr("signs").LengthInt())
			require.Equal(t, cty.True, out.GetAttr("certain"))
			require.Len(t, tt.server.asked, 1, "one question")
		})
	}
}

func TestIdentityDoesNotBelieveHalfAnAntDB(t *testing.T) {
	vanilla := "PostgreSQL 11.5 on x86_64-pc-linux-gnu, compiled by gcc, 64-bit"
	for text, server := range map[string]*antdb{
		"knows neither grammar nor nls_date_format": standalone().with("grammar", "-", "nls", "-", "oracle", "f"),
		"the server is PostgreSQL 11.5, and AntDB":  standalone().with("version", vanilla, "grammar", "-", "nls", "-", "oracle", "f"),
		// The banner of one server and the version of another, as in the story.
		"says PostgreSQL 11.5, and server_version says 11.6": standalone().with("server_version", "11.6"),
		"neither PostgreSQL nor AntDB":                       standalone().with("version", "CockroachDB CCL v23.1"),
	} {
		_, _, err := server.start(t).step(t, identityEntry, `expect_product = "AntDB"`).Check()
		require.ErrorContains(t, err, text)
	}
	_, out, err := standalone().with("version", vanilla).start(t).step(t, identityEntry, "").Check()
	require.NoError(t, err)
	require.Equal(t, cty.False, out.GetAttr("certain"), "AntDB's settings under PostgreSQL's version")
	_, _, err = standalone().with("version", vanilla).start(t).step(t, identityEntry, `expect_product = "PostgreSQL"`).Check()
	requireAt(t, err, "expect_product", "the server has AntDB's grammar, nls_date_format, schema oracle")
}

func TestIdentityTellsBuilds(t *testing.T) {
	_, _, err := standalone().start(t).step(t, identityEntry, "expect_build = \"461fafc0123456789\"\nexpect_mode = \"standalone\"").Check()
	require.NoError(t, err, "one may be the beginning of the other")
	_, _, err = standalone().start(t).step(t, identityEntry, "expect_build = \"0123456\"\nexpect_mode = \"cluster\"").Check()
	requireAt(t, err, "expect_mode", "the build is standalone, and cluster was expected")
	require.ErrorContains(t, err, "the build is 461fafc, and 0123456 was expected", "all differences at once")
}
