package sql

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/module"
)

// replica is a server that streams from s, as pg_basebackup sets it up.
func (s *server) replica(t *testing.T) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "sqltest")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	owner := postgres(t)
	require.NoError(t, os.Chown(dir, int(owner.Uid), int(owner.Gid)))
	r, data := &server{dir: dir, bin: s.bin, port: freePort(t)}, filepath.Join(dir, "data")
	s.as(t, "postgres", filepath.Join(s.bin, "pg_basebackup"), "--no-sync", "-c", "fast", "-X", "stream", "-R", "-D", data,
		"-d", fmt.Sprintf("host=%s port=%d user=postgres", s.dir, s.port))
	r.serve(t, data)
	require.Eventually(t, func() bool {
		return r.sql(t, "select count(*) from pg_stat_wal_receiver where status = 'streaming'") == "1"
	},
		time.Minute, 100*time.Millisecond, "the replica does not stream")
	return r
}

func TestOnAReplica(t *testing.T) {
	s := startServer(t)
	s.prepare(t)
	r := s.replica(t)
	position := s.sql(t, "select pg_current_wal_lsn()")
	require.Eventually(t, func() bool { return r.sql(t, "select pg_last_wal_replay_lsn() >= "+literal(position)) == "t" }, time.Minute, 50*time.Millisecond)
	for name, test := range map[string]func(*testing.T, *server, *server){
		"what is in order is in order":           testReplicaInOrder,
		"a change is refused in the plan":        testReplicaPlan,
		"a write that comes too late":            testReplicaLate,
		"identity":                               testReplicaIdentity,
		"a server that is set to take no writes": testReadOnlyServer,
	} {
		t.Run(name, func(t *testing.T) { test(t, s, r) })
	}
}

func testReplicaInOrder(t *testing.T, _, r *server) {
	for _, thing := range tenThings {
		change, _, err := r.step(t, thing.entry, "%s", thing.args).Check()
		require.NoError(t, err, thing.args)
		require.Equal(t, module.NoChange, change, thing.args)
	}
}

func testReplicaPlan(t *testing.T, s, r *server) {
	for _, thing := range []declared{
		{roleEntry, `role = "new"`},
		{databaseEntry, `name = "new"`},
		{grantEntry, "role = \"report\"\nmember_of = [\"pg_monitor\"]"},
		{extensionEntry, `name = "citext"`},
	} {
		_, _, err := r.step(t, thing.entry, "%s", thing.args).Check()
		require.ErrorContains(t, err, "this server is a read-only replica, and there is something to do: ", thing.entry.Name)
		require.Equal(t, fmt.Sprintf("point the step at the primary: this one follows %s:%d", s.dir, s.port), remedyOf(t, err))
		require.ErrorAs(t, err, new(*module.Refusal))
	}
	_, _, err := r.step(t, roleEntry, "role = \"new\"\nhost = \"127.0.0.1\"\nuser = \"boss\"\nuser_password = \"b0ss\"").Check()
	requireAt(t, err, "host", "this server is a read-only replica")
}

// testReplicaLate looks at the primary and writes to the replica, as it is when
// a failover comes between.
func testReplicaLate(t *testing.T, s, r *server) {
	for tongue, how := range map[string]string{"psql": "", "wire": "host = \"127.0.0.1\"\nuser = \"boss\"\nuser_password = \"b0ss\"\n"} {
		step := s.step(t, roleEntry, how+"role = \"late\"\npassword = \"l4te\"")
		m := step.Module().(*Role)
		_, err := m.Check(t.Context(), step.Env())
		require.NoError(t, err, tongue)
		m.Port = r.port
		env := *step.Env()
		env.Host = r.host()
		err = m.Apply(t.Context(), &env)
		require.ErrorContains(t, err, "this server has become a read-only replica: cannot execute", tongue)
		require.Equal(t, readOnlyTurn, stateOf(err))
		require.Contains(t, remedyOf(t, err), "point the step at the primary: this one follows "+s.dir+":"+strconv.Itoa(s.port))
	}
}

func testReplicaIdentity(t *testing.T, s, r *server) {
	_, primary, err := s.step(t, identityEntry, `expect_role = "primary"`).Check()
	require.NoError(t, err)
	_, out, err := r.step(t, identityEntry, "expect_role = \"replica\"\nexpect_system_identifier = %q", primary.GetAttr("system_identifier").AsString()).Check()
	require.NoError(t, err)
	require.Equal(t, int64(1), number(t, out.GetAttr("timeline")))
	require.Equal(t, s.dir+":"+strconv.Itoa(s.port), out.GetAttr("primary").AsString())
	require.Equal(t, r.dir+"/data", out.GetAttr("data_directory").AsString())
	_, _, err = r.step(t, identityEntry, `expect_role = "primary"`).Check()
	requireAt(t, err, "expect_role", "the server is replica, and primary was expected")
}

func testReadOnlyServer(t *testing.T, s, _ *server) {
	s.sql(t, "alter role boss set default_transaction_read_only = on")
	_, _, err := s.step(t, roleEntry, "role = \"new\"\nhost = \"127.0.0.1\"\nuser = \"boss\"\nuser_password = \"b0ss\"").Apply()
	requireAt(t, err, "role", "this server takes no writes (default_transaction_read_only is on in our sessions)")
	require.Contains(t, remedyOf(t, err), "pg_db_role_setting")
}
