package patroni

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
	"github.com/adbsql/antdbctl/modules/k8s"
	"github.com/adbsql/antdbctl/modules/pgo"
)

// A healthy cluster, as all collectors of the cluster see it: nothing about it
// may look like a fault.
func TestAHealthyClusterOnTheLabIsCollected(t *testing.T) {
	l := openLab(t)
	const name = "clu-look"
	l.create(t, name)
	m := evidence.NewMemory(time.Now(), 1<<20)
	env := moduletest.Env(t, l.host)
	env.Target, env.Dialer = l.site, l.pool
	for _, c := range []module.Collector{&Collect{}, &k8s.Collect{}, &pgo.Collect{}} {
		begun := time.Now()
		require.NoError(t, c.Collect(t.Context(), env, m))
		t.Logf("%T took %s", c, time.Since(begun))
	}
	own := func(f evidence.Fact) bool { return f.Place.Cluster == name }
	count := map[string]int{}
	for f, err := range m.Facts() {
		require.NoError(t, err)
		if !own(f) {
			continue
		}
		count[f.Kind]++
		raw, err := f.MarshalData()
		require.NoError(t, err)
		t.Logf("%s %s %s", f.Kind, f.Name, raw)
		switch data := f.Data.(type) {
		case *evidence.Member:
			require.True(t, data.Reachable, data.Error)
		case *evidence.Patroni:
			require.NotEmpty(t, data.Leader)
			require.NotEmpty(t, data.Initialize)
			require.Less(t, data.LeaderAge, int64(120))
		case *evidence.Record:
			require.False(t, data.Orphan, f.Name)
		case *evidence.Task:
			require.True(t, data.ClusterExists, f.Name)
		case *evidence.Cluster:
			require.Equal(t, "pgcluster Initialized", data.Status)
			require.Equal(t, int64(2), data.Pods)
		case *evidence.Service:
			require.True(t, !data.Database || data.Ready > 0, f.Name)
		case *evidence.Claim:
			require.True(t, data.Phase == "Bound" && data.Used, f.Name)
		case *evidence.Access:
			require.True(t, data.Allowed && data.Exists, f.Name)
		}
	}
	for _, kind := range []string{"patroni.cluster", "k8s.pod", "k8s.container", "k8s.claim", "k8s.service", "k8s.record", "k8s.workload", "pgo.cluster", "pgo.task", "pgo.replica", "pgo.workflow"} {
		require.Positive(t, count[kind], kind)
	}
	require.Equal(t, 2, count["patroni.member"])
	var kinds []string
	for log, err := range m.Logs() {
		require.NoError(t, err)
		if log.Place.Cluster == name {
			kinds = append(kinds, log.Kind)
		}
	}
	require.Contains(t, kinds, evidence.ContainerLog)
	require.Contains(t, kinds, evidence.EventLog)
	require.False(t, slices.Contains(kinds, evidence.JobLog), "Jobs that have succeeded say nothing")
	t.Logf("not seen: %v", m.Gaps())
}
