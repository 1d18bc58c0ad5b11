package sql

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/conn/local"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/engine/secret"
)

func TestCollectExampleParses(t *testing.T) { moduletest.Example(t, module.Of[Collect]()) }

// collected is what the collector saw.
type collected struct {
	*evidence.InMemory
	t *testing.T
}

// collect looks into a container that stands on this machine.
func (s *server) collect(t *testing.T, host conn.Host) collected {
	t.Helper()
	c := &Collect{Port: s.port, Patience: time.Minute, LogBytes: 1 << 16}
	env := moduletest.Env(t, &oneByOne{Host: host})
	env.Target = conn.Target{Kind: conn.Container, Name: "db"}
	m := evidence.NewMemory(time.Now(), 1<<20)
	require.NoError(t, c.Collect(t.Context(), env, m))
	return collected{m, t}
}

// oneByOne runs commands one after another: the hosts of tests keep a record.
type oneByOne struct {
	conn.Host
	mu sync.Mutex
}

func (h *oneByOne) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.Host.Run(ctx, cmd)
}

// inside is the container's host: its environment names the data directory.
func (s *server) inside() conn.Host {
	return withEnv{s.host(), map[string]string{"PATRONI_POSTGRESQL_DATA_DIR": filepath.Join(s.dir, "data")}}
}

type withEnv struct {
	conn.Host
	env map[string]string
}

func (h withEnv) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	env := map[string]secret.Value{}
	for k, v := range cmd.Env {
		env[k] = v
	}
	for k, v := range h.env {
		env[k] = secret.New(v)
	}
	cmd.Env = env
	return h.Host.Run(ctx, cmd)
}

// fact is the only one of its kind and name.
func fact[T any](c collected, name string) *T {
	c.t.Helper()
	var found []*T
	for f := range c.Facts() {
		if data, ok := f.Data.(*T); ok && f.Name == name {
			found = append(found, data)
		}
	}
	require.Len(c.t, found, 1, "facts %q; gaps: %s", name, c.gaps())
	return found[0]
}

func (c collected) gaps() string {
	var all []string
	for _, g := range c.Gaps() {
		all = append(all, g.String())
	}
	return strings.Join(all, "\n")
}

func TestCollectTellsOfARunningServer(t *testing.T) {
	s := startServer(t, "-c", "shared_preload_libraries=pg_stat_statements", "-c", "max_connections=33")
	s.sql(t, "select pg_create_physical_replication_slot('idle', true)")
	s.sql(t, "create table t (n int)")
	visitor := s.visit(t, "postgres", "visitor")
	_, err := visitor.Exec(t.Context(), "begin; lock table t").ReadAll()
	require.NoError(t, err)
	data := filepath.Join(s.dir, "data")
	s.as(t, "postgres", "mkdir", data+"_2026-11-23-05-52-03", data+".failed")
	s.as(t, "postgres", "touch", s.dir+"/antdb.initializing")

	c := s.collect(t, conntest.ReadOnly(t, s.inside()))
	require.Empty(t, c.gaps())
	v := fact[evidence.Server](c, "db")
	require.Contains(t, v.Version, "PostgreSQL ")
	require.False(t, v.AntDB)
	require.False(t, v.Recovery)
	require.Equal(t, int64(33), v.MaxConnections)
	require.GreaterOrEqual(t, v.Connections, int64(2))
	require.GreaterOrEqual(t, v.Started, int64(0))
	require.Equal(t, int64(-1), v.ReplayAge)
	require.Greater(t, v.XIDAge, int64(0))
	require.Equal(t, "pg_stat_statements", v.Settings["shared_preload_libraries"])
	require.Equal(t, data, v.Settings["data_directory"])
	require.NotContains(t, v.Settings, "primary_conninfo", "passwords may stand in it")
	slot := fact[evidence.Slot](c, "idle")
	require.False(t, slot.Active)
	require.Equal(t, "off", fact[evidence.Archiver](c, "db").Mode)
	require.False(t, fact[evidence.Archiver](c, "db").Failing)

	d := fact[evidence.DataFolder](c, data)
	major, err := os.ReadFile(data + "/PG_VERSION")
	require.NoError(t, err)
	require.Equal(t, strings.TrimSpace(string(major)), d.Major)
	require.Equal(t, int64(postgres(t).Uid), d.UID)
	require.Equal(t, "700", d.Mode)
	require.Greater(t, d.Free, int64(1<<20))
	require.True(t, d.Percent > 0 && d.Percent <= 100)
	require.Greater(t, d.WAL, int64(1<<20))
	require.Equal(t, []string{data + "_2026-11-23-05-52-03", data + ".failed"}, d.Copies)
	require.Equal(t, []string{s.dir + "/antdb.initializing"}, d.Guards)
}

func TestCollectSeesAnArchiverThatFails(t *testing.T) {
	s := startServer(t, "-c", "archive_mode=on", "-c", "archive_command=false")
	s.sql(t, "create table t (n int)")
	s.sql(t, "select pg_switch_wal()")
	require.Eventually(t, func() bool { return s.sql(t, "select failed_count > 0 from pg_stat_archiver") == "t" }, time.Minute, 50*time.Millisecond)
	a := fact[evidence.Archiver](s.collect(t, s.inside()), "db")
	require.True(t, a.Failing)
	require.Equal(t, "on", a.Mode)
	require.Equal(t, "false", a.Command)
	require.Equal(t, int64(-1), a.LastOK)
	require.GreaterOrEqual(t, a.LastFailed, int64(0))
	require.GreaterOrEqual(t, a.Pending, int64(1))
}

func TestCollectSeesBothSidesOfReplication(t *testing.T) {
	s := startServer(t)
	r := s.replica(t)
	position := s.sql(t, "select pg_current_wal_lsn()")
	require.Eventually(t, func() bool { return r.sql(t, "select pg_last_wal_replay_lsn() >= "+literal(position)) == "t" }, time.Minute, 50*time.Millisecond)
	standby := fact[evidence.Replication](s.collect(t, s.inside()), "walreceiver")
	require.Equal(t, "streaming", standby.State)
	require.Less(t, standby.Lag, int64(1<<24))
	v := fact[evidence.Server](r.collect(t, r.inside()), "db")
	require.True(t, v.Recovery)
	require.True(t, v.Receiving)
	require.Equal(t, int64(0), v.ReplayAge, "there is nothing to replay")
}

func TestCollectTellsOfADataDirectoryWhoseServerIsDown(t *testing.T) {
	s := startServer(t, "-c", "logging_collector=on", "-c", "log_directory=pg_log")
	s.stop()
	c := s.collect(t, s.inside())
	require.Contains(t, fact[evidence.Server](c, "db").Error, "No such file or directory")
	require.NotEmpty(t, fact[evidence.DataFolder](c, filepath.Join(s.dir, "data")).Major)
	logs := map[string]string{}
	for log := range c.Logs() {
		r, err := log.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		logs[log.Kind] = string(text)
	}
	require.Contains(t, logs[evidence.ServerLog], "database system is ready")
}

func TestCollectWithoutPsqlAndDataIsTwoGaps(t *testing.T) {
	c := (&server{}).collect(t, noPsql{local.New()})
	require.Len(t, c.Gaps(), 2)
	for f := range c.Facts() {
		require.Fail(t, "nothing was seen", "%s", f.Kind)
	}
}

// noPsql is a place that has none.
type noPsql struct{ conn.Host }

func (h noPsql) Run(ctx context.Context, cmd conn.Cmd) (conn.Result, error) {
	if cmd.Args[0] == "psql" {
		cmd.Args = []string{"no-such-psql"}
	}
	return h.Host.Run(ctx, cmd)
}

func TestCollectHoldsSecretsAgainstRolesAndKeepsThemSecret(t *testing.T) {
	api := kubetest.Start(t)
	e := &estate{server: startServer(t), cluster: api.Cluster(t)}
	e.seen = e.cluster
	labels := map[string]string{"pg-cluster": "antdb"}
	e.pod(t, "antdb-5c4", map[string]string{"pg-cluster": "antdb", "role": "master", "pgo-pg-database": "true"})
	passwords := map[string]string{"scrammed": "sCramRight", "md5er": "mD5Right", "drifted": "secretSays", "expired": "eXpired", "missing": "mIssing", "nologin": "nOlogin"}
	for user, password := range passwords {
		e.secret(t, "antdb-"+user+"-secret", labels, map[string]string{"username": user, "password": password})
	}
	e.secret(t, "antdb-backrest-repo-config", labels, map[string]string{"config": "x"})
	e.sql(t, `set password_encryption = 'scram-sha-256'; create role scrammed login password 'sCramRight'; create role drifted login password 'byHand';
		create role expired login password 'eXpired' valid until '2020-01-01'; create role nologin password 'nOlogin' valid until 'infinity'`)
	e.sql(t, `set password_encryption = 'md5'; create role md5er login password 'mD5Right'`)

	before := len(e.log(t)) // the test itself has told passwords
	step := e.inside(t, "antdb-5c4", module.Of[Collect](), `patience = "1m"`)
	recorded := step.Env().Host.(asPostgres)
	step.Env().Host = &oneByOne{Host: recorded}
	m := evidence.NewMemory(time.Now(), 1<<20)
	require.NoError(t, step.Module().(*Collect).Collect(t.Context(), step.Env(), m))
	c := collected{m, t}
	for user, want := range map[string]evidence.Role{
		"scrammed": {Exists: true, Login: true, Matches: "yes"},
		"md5er":    {Exists: true, Login: true, Matches: "yes"},
		"drifted":  {Exists: true, Login: true, Matches: "no"},
		"missing":  {Matches: "unknown"},
		"nologin":  {Exists: true, Matches: "yes"},
	} {
		want.Secret = "antdb-" + user + "-secret"
		require.Equal(t, want, *fact[evidence.Role](c, user), user)
	}
	require.Less(t, fact[evidence.Role](c, "expired").Expires, int64(-365*24*3600))
	require.Equal(t, "antdb", placeOf(c, "scrammed").Cluster)

	var said strings.Builder
	for f := range c.Facts() {
		text, err := json.Marshal(f.Data)
		require.NoError(t, err)
		said.Write(text)
	}
	said.WriteString(c.gaps() + e.log(t)[before:])
	for _, cmd := range recorded.cmds {
		said.WriteString(strings.Join(cmd.Args, " "))
	}
	for _, password := range passwords {
		require.NotContains(t, said.String(), password)
	}
	require.NotContains(t, said.String(), "SCRAM-SHA-256$4096")
}

func placeOf(c collected, name string) evidence.Place {
	for f := range c.Facts() {
		if f.Name == name {
			return f.Place
		}
	}
	return evidence.Place{}
}

func TestCollectFindsDatabasePodsOfBothGenerations(t *testing.T) {
	api := kubetest.Start(t)
	e := &estate{server: &server{dir: t.TempDir()}, cluster: api.Cluster(t)}
	five := "postgres-operator.crunchydata.com/"
	e.pod(t, "antdb-5c4", map[string]string{"pg-cluster": "antdb", "pgo-pg-database": "true"})
	e.pod(t, "antdb-backrest-shared-repo-1", map[string]string{"pg-cluster": "antdb", "pgo-backrest-repo": "true"})
	e.pod(t, "antdb-stanza-create-1", map[string]string{"pg-cluster": "antdb", "pgo-backrest": "true", "job-name": "antdb-stanza-create"})
	e.pod(t, "hippo-00-abcd-0", map[string]string{five + "cluster": "hippo", five + "data": "postgres"})
	e.pod(t, "hippo-repo-host-0", map[string]string{five + "cluster": "hippo", five + "data": "pgbackrest"})
	e.pod(t, "antdb-dead", map[string]string{"pg-cluster": "antdb", "pgo-pg-database": "true"})
	pods := e.cluster.Clientset().CoreV1().Pods(e.cluster.Namespace())
	dead, err := pods.Get(t.Context(), "antdb-dead", metav1.GetOptions{})
	require.NoError(t, err)
	dead.Status.ContainerStatuses[0].State = corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}}
	_, err = pods.UpdateStatus(t.Context(), dead, metav1.UpdateOptions{})
	require.NoError(t, err)

	m := evidence.NewMemory(time.Now(), 0)
	found, err := new(Collect).inCluster(t.Context(), e.cluster, e.cluster.Namespace(), m)
	require.NoError(t, err)
	var names []string
	for _, s := range found {
		names = append(names, s.place.Cluster+" "+s.name)
	}
	require.Equal(t, []string{"antdb antdb-5c4", "hippo hippo-00-abcd-0"}, names)
	require.Contains(t, collected{m, t}.gaps(), "its server and data directory of pod antdb-dead, container database: the container waits: CrashLoopBackOff")

	nobody, err := kube.New(t.Context(), "test", api.Nobody(), e.cluster.Namespace())
	require.NoError(t, err)
	_, err = new(Collect).inCluster(t.Context(), nobody, "", m)
	require.ErrorContains(t, err, "forbidden")
}
