package patroni

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

const labCluster = "pat-test"

// The life of one cluster under PGO: its state, a parameter, a disagreement,
// and a drill that takes its primary away.
func TestPatroniOnTheLab(t *testing.T) {
	l := openLab(t)
	l.create(t, labCluster)
	args := "cluster = \"" + labCluster + "\"\n"

	_, before, err := l.step(t, statusEntry, args).Check()
	require.NoError(t, err)
	require.Equal(t, cty.True, before.GetAttr("healthy"), "%#v", before.GetAttr("problems"))
	require.Equal(t, before.GetAttr("leader"), before.GetAttr("leader_by_annotation"))
	require.Equal(t, cty.NumberIntVal(1), before.GetAttr("replicas"))
	primary, err := conn.TargetFrom(before.GetAttr("primary"))
	require.NoError(t, err)

	t.Run("a container of the cluster knows which cluster it is", func(t *testing.T) {
		_, out, err := l.on(t, statusEntry, primary, "").Check()
		require.NoError(t, err)
		require.Equal(t, before.GetAttr("found"), out.GetAttr("found"))
	})
	t.Run("a parameter is set and read in the pods without a password", func(t *testing.T) {
		out := l.step(t, configEntry, args+`parameters = { work_mem = "6MB" }`).Converge(module.Update)
		require.Equal(t, cty.StringVal("6MB"), out.GetAttr("running").Index(cty.StringVal("work_mem")))
	})
	t.Run("two pods that are labelled as primary are told", func(t *testing.T) { l.disagree(t, args) })
	t.Run("the primary's pod is lost and another member takes over", func(t *testing.T) { l.loseThePod(t, args) })
}

// disagree puts a label on the replica that only the primary may have. Patroni
// mends it in its next loop.
func (l *lab) disagree(t *testing.T, args string) {
	pods := l.kube.Clientset().CoreV1().Pods(l.site.Namespace)
	list, err := pods.List(t.Context(), metav1.ListOptions{LabelSelector: "pg-cluster=" + labCluster + ",role=replica"})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	label := func(role string) {
		_, err := pods.Patch(t.Context(), list.Items[0].Name, types.MergePatchType, []byte(`{"metadata":{"labels":{"role":"`+role+`"}}}`), metav1.PatchOptions{})
		require.NoError(t, err)
	}
	label("master")
	_, out, err := l.step(t, statusEntry, args).Check()
	label("replica")
	require.NoError(t, err)
	require.Contains(t, out.GetAttr("problems").Index(cty.NumberIntVal(0)).AsString(), "2 pods are labelled as master")
}

func (l *lab) loseThePod(t *testing.T, args string) {
	drill := args + "interval = \"20ms\"\nmax_downtime = \"90s\"\n"
	step := l.step(t, drillEntry, drill)
	change, _, err := step.Check()
	require.NoError(t, err)
	require.Contains(t, change.Summary, "under writes (never drilled)")
	out := step.Converge(module.Update)
	require.Equal(t, cty.True, out.GetAttr("passed"))
	require.Equal(t, cty.True, out.GetAttr("failed_over"))
	require.Equal(t, cty.NumberIntVal(0), out.GetAttr("lost"))
	before, _ := out.GetAttr("timeline_before").AsBigFloat().Int64()
	require.Equal(t, cty.NumberIntVal(before+1), out.GetAttr("timeline_after"))
	require.True(t, out.GetAttr("downtime_ms").GreaterThan(cty.NumberIntVal(100)).True(), "%#v", out.GetAttr("downtime_ms"))
	require.True(t, strings.HasPrefix(out.GetAttr("verdict").AsString(), "passed: "+out.GetAttr("new_leader").AsString()+" took over"))

	change, _, err = l.step(t, drillEntry, drill+`by = "process"`).Check()
	require.NoError(t, err)
	require.Contains(t, change.Summary, "the last drill was by pod")
	_, after, err := l.step(t, statusEntry, args).Check()
	require.NoError(t, err)
	require.Equal(t, out.GetAttr("new_leader"), after.GetAttr("leader"))
	require.Equal(t, cty.True, after.GetAttr("healthy"), "%#v", after.GetAttr("problems"))
}
