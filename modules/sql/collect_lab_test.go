package sql

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	apitypes "k8s.io/apimachinery/pkg/types"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// In real pods, one with a server and one where none is to start.
func TestCollectLooksIntoPods(t *testing.T) {
	cluster := kubetest.Lab(t)
	pods := cluster.Clientset().CoreV1().Pods(cluster.Namespace())
	for _, name := range []string{"first", "second", "third"} {
		kubetest.LabPod(t, cluster, name, "database")
		_, err := pods.Patch(t.Context(), name, apitypes.MergePatchType, []byte(`{"metadata":{"labels":{"pg-cluster":"antdb","pgo-pg-database":"true"}}}`), metav1.PatchOptions{})
		require.NoError(t, err)
	}
	run := func(pod, script string) {
		h, err := cluster.Container(t.Context(), cluster.Namespace(), pod, "database")
		require.NoError(t, err)
		_, err = h.Run(t.Context(), conn.Script(script))
		require.NoError(t, err)
	}
	run("first", `set -e
bin=$(echo /usr/lib/postgresql/*/bin)
install -d -o postgres /pgdata /var/run/postgresql
as() { runuser -u postgres -- "$@"; }
as "$bin/initdb" -D /pgdata/antdb -U root -E UTF8 --locale=C --no-sync >/dev/null
as "$bin/pg_ctl" -w -D /pgdata/antdb -o "-c unix_socket_directories=/var/run/postgresql -c fsync=off -c logging_collector=on" start >/dev/null`)
	run("second", `mkdir -p /pgdata/antdb /pgdata/antdb_2026-11-23-05-52-03; echo 11 >/pgdata/antdb/PG_VERSION; touch /pgdata/antdb.initializing; chmod 755 /pgdata/antdb`)
	run("third", `mkdir -p /pgdata/antdb_2026-11-23-05-52-03`)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	env := moduletest.Env(t, cluster)
	env.Target = conn.Target{Kind: conn.Kubernetes, Name: "lab", Namespace: cluster.Namespace()}
	m := evidence.NewMemory(time.Now(), 1<<20)
	require.NoError(t, (&Collect{Patience: 30 * time.Second, LogBytes: 1 << 16}).Collect(ctx, env, m))
	c := collected{m, t}
	require.Contains(t, fact[evidence.Server](c, "first").Version, "PostgreSQL ")
	require.Contains(t, fact[evidence.Server](c, "second").Error, "No such file or directory")
	folders := map[string]*evidence.DataFolder{}
	for f := range c.Facts() {
		if d, ok := f.Data.(*evidence.DataFolder); ok {
			require.Equal(t, "antdb", f.Place.Cluster)
			require.Equal(t, kubetest.LabNode, f.Place.Node)
			folders[f.Place.Pod] = d
		}
	}
	require.Equal(t, "700", folders["first"].Mode)
	require.Equal(t, []string{"11", "755"}, []string{folders["second"].Major, folders["second"].Mode})
	require.Equal(t, []string{"/pgdata/antdb_2026-11-23-05-52-03"}, folders["second"].Copies)
	require.Equal(t, []string{"/pgdata/antdb.initializing"}, folders["second"].Guards)
	require.Equal(t, []string{"/pgdata", ""}, []string{folders["third"].Path, folders["third"].Mode}, "nothing but the volume")
	require.Equal(t, []string{"/pgdata/antdb_2026-11-23-05-52-03"}, folders["third"].Copies)
	require.Greater(t, folders["third"].Free, int64(0))
	for log := range c.Logs() {
		require.Equal(t, "first", log.Place.Pod)
		r, err := log.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Contains(t, string(text), "database system is ready")
		return
	}
	require.Fail(t, "the server's log file was not found", c.gaps())
}
