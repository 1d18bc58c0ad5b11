package sql

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// In a real pod: psql stays at the end of one exec of the API server.
func TestOneExecServesManySteps(t *testing.T) {
	cluster := kubetest.Lab(t)
	kubetest.LabPod(t, cluster, "sql", "database")
	target := conn.Target{Kind: conn.Container, Name: "sql/database", Config: "lab", Namespace: cluster.Namespace(), Pod: "sql", Container: "database"}
	m := &meter{}
	pool := conn.NewPool(map[string]conn.Opener{conn.Kubernetes: kube.Open, conn.Container: func(ctx context.Context, target conn.Target, s conn.Settings, d conn.Dialer) (conn.Host, error) {
		h, err := kube.OpenContainer(ctx, target, s, d)
		m.Host, m.dir = h, "/tmp"
		return m, err
	}}, map[string]conn.Settings{"lab": {Kubeconfig: kubetest.LabFile(t, "kubeconfig"), Namespace: cluster.Namespace()}})
	t.Cleanup(func() { require.NoError(t, pool.Close()) })
	h, err := pool.Dial(t.Context(), target)
	require.NoError(t, err)
	_, err = h.Run(t.Context(), conn.Script(`set -e
bin=$(echo /usr/lib/postgresql/*/bin)
as() { runuser -u postgres -- "$@"; }
as "$bin/initdb" -D /tmp/data -U root -E UTF8 --locale=C --no-sync >/dev/null
as "$bin/pg_ctl" -w -D /tmp/data -l /tmp/log -o "-c unix_socket_directories=/tmp -c fsync=off" start >/dev/null
psql -h /tmp -q -X -d postgres -v ON_ERROR_STOP=1 -c "$1" -c "create database orders owner app encoding 'UTF8' template template0"`,
		`create role app login password '密码'' \ / & x' in role pg_monitor; create role report login in role pg_read_all_stats;
		grant connect on database postgres to report; alter default privileges for role app in schema public grant select on tables to report`))
	require.NoError(t, err)
	step := func(entry module.Entry, args string) *moduletest.Step {
		s := moduletest.New(t, entry, h, args, map[string]cty.Value{})
		s.Env().Target, s.Env().Dialer = target, pool
		return s
	}

	before, begun := m.runs.Load(), time.Now()
	for _, thing := range tenThings {
		change, _, err := step(thing.entry, thing.args).Check()
		require.NoError(t, err, thing.args)
		require.Equal(t, module.NoChange, change, thing.args)
	}
	t.Logf("ten things in %s", time.Since(begun))
	require.EqualValues(t, 1, m.runs.Load()-before)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	wrong := step(queryEntry, `sql = "select nosuch"`)
	_, err = wrong.Module().Check(ctx, wrong.Env())
	requireAt(t, err, "sql", `column "nosuch" does not exist`)
	require.NoError(t, ctx.Err(), "a psql that fails ends its exec")

	step(roleEntry, "role = \"fresh\"\npassword = \"fr3sh\"\nin_roles = [\"pg_monitor\"]").Converge(module.Create)
	step(grantEntry, "role = \"fresh\"\non_schema = [\"create\"]").Converge(module.Update)
	step(extensionEntry, "name = \"citext\"\ndatabase = \"orders\"").Converge(module.Create)
	require.NoError(t, step(databaseEntry, "name = \"orders\"").Destroy(), "our own sessions are gone in time")
}
