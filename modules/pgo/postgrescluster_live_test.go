package pgo

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestMain(m *testing.M) { os.Exit(kubetest.Run(m)) }

// step is a step on the API server's cluster hippo6.
func (s *standIn) step(args string) *moduletest.Step {
	entry := module.Of[Cluster]()
	entry.New = func() module.Module { return &Cluster{getenv: noVariables, pace: 20 * time.Millisecond} }
	step := moduletest.New(s.t, entry, s.kube, "name = \"hippo6\"\ngeneration = \"v5\"\n"+args, nil)
	step.Env().Target = conn.Target{Kind: conn.Kubernetes, Name: "test", Config: "test", Namespace: s.kube.Namespace()}
	return step
}

func TestPostgresClusterFromNothingToNothing(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	step := s.step(recordedCluster + "keep_data = false\nkeep_backups = false")
	out := step.Converge(module.Create).AsValueMap()
	require.Equal(t, cty.MapVal(map[string]cty.Value{"appuser": cty.StringVal("hippo6-pguser-appuser")}), out["secrets"])
	require.Equal(t, "appdb", out["database"].AsString())
	require.Equal(t, "PGO 5 or 6 (PostgresCluster)", out["operator"].AsString())
	require.Equal(t, "10.88.0.76", out["pod_ip"].AsString())
	require.NotEmpty(t, out["service_ip"].AsString())
	primary, err := conn.TargetFrom(out["primary"])
	require.NoError(t, err)
	require.Equal(t, "database", primary.Container)
	require.Equal(t, "postgres://"+primary.Pod+".hippo6-pods:5432/postgres", out["conn_url"].AsString())

	wider := recordedCluster + "replicas = 1\nkeep_data = false\nkeep_backups = false"
	out = s.step(wider).Converge(module.Update).AsValueMap()
	require.Equal(t, 1, out["standbys"].LengthInt())
	newer := strings.Replace(wider, "lab2", "lab3", 1)
	s.step(newer).Converge(module.Update)
	u, err := s.clusters().Get(t.Context(), "hippo6", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "lab/crunchy-postgres:15.20-lab3", u.Object["spec"].(object)["image"])
	s.step(strings.Replace(newer, "replicas = 1", "replicas = 0", 1)).Converge(module.Update)

	require.NoError(t, step.Destroy())
	require.NoError(t, step.Destroy(), "destroying twice is no error")
	for _, kind := range []string{"sets", "pods", "claims", "secrets"} {
		require.Empty(t, s.names(kind, "hippo6"), kind)
	}
}

// What a PostgresCluster owns goes with it. What is to be kept is taken from it
// before, and comes back to the next of its name.
func TestPostgresClusterIsRemovedAndItsDataStays(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	step := s.step(recordedCluster + "keep_data = true\nkeep_backups = false\npassword = \"Geheim1\"")
	step.Converge(module.Create)
	data := strings.TrimSuffix(s.names("sets", "hippo6")[0], "-0") + "-pgdata"
	before, err := s.kube.Clientset().CoreV1().PersistentVolumeClaims(s.kube.Namespace()).Get(t.Context(), "hippo6-"+data, metav1.GetOptions{})
	require.NoError(t, err)

	require.NoError(t, step.Destroy())
	require.Equal(t, []string{data}, s.names("claims", "hippo6"))
	require.Equal(t, []string{"pguser-appuser"}, s.names("secrets", "hippo6"))

	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, module.Create, change.Action)
	require.Contains(t, change.Diff[0].Path, data)
	step.Converge(module.Create)
	again, err := s.kube.Clientset().CoreV1().PersistentVolumeClaims(s.kube.Namespace()).Get(t.Context(), "hippo6-"+data, metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, before.UID, again.UID, "the same volume")
	require.Len(t, again.OwnerReferences, 1, "and the new cluster's")
	secret, err := s.kube.Clientset().CoreV1().Secrets(s.kube.Namespace()).Get(t.Context(), "hippo6-pguser-appuser", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "Geheim1", string(secret.Data["password"]))
}

// The replicas stop first, so their data may be older than the primary's.
func TestPostgresClusterTakesUpThePrimarysVolumeOnly(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	step := s.step(recordedCluster + "replicas = 1")
	out := step.Converge(module.Create).AsValueMap()
	primary, err := conn.TargetFrom(out["primary"])
	require.NoError(t, err)
	data := strings.TrimSuffix(strings.TrimPrefix(primary.Pod, "hippo6-"), "-0") + "-pgdata"
	require.NoError(t, step.Destroy())
	require.Len(t, s.names("claims", "hippo6"), 3, "two of data, one of backups")
	claims := s.kube.Clientset().CoreV1().PersistentVolumeClaims(s.kube.Namespace())
	taken, err := claims.List(t.Context(), metav1.ListOptions{LabelSelector: postgresRole + "=" + roleData})
	require.NoError(t, err)
	require.Len(t, taken.Items, 1)
	require.Equal(t, "hippo6-"+data, taken.Items[0].Name)

	step = s.step(recordedCluster + "keep_data = false\nkeep_backups = false")
	step.Converge(module.Create)
	require.Equal(t, []string{strings.TrimSuffix(data, "-pgdata")}, s.names("sets", "hippo6"))
	require.NoError(t, step.Destroy())
	require.Empty(t, s.names("claims", "hippo6"), "the copy too, which nobody owned")
}

// An operator that is down leaves its finalizer; started again it goes on.
func TestPostgresClusterWhoseOperatorIsDownIsNotWaitedForForEver(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	step := s.step(recordedCluster + "keep_data = false\nkeep_backups = true")
	step.Converge(module.Create)
	s.away.Store(true)
	err := s.impatient(step).Destroy()
	require.ErrorContains(t, err, "the operator has done nothing about it")
	require.NotContains(t, advice(t, err), keepDataFinalizer)
	require.Contains(t, advice(t, err), keepBackupsFinalizer, "what is to be kept stays so after the finalizer is taken off by hand")

	change, _, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, "wait until the old hippo6 is gone, then create it", change.Summary)
	s.away.Store(false)
	require.NoError(t, step.Destroy())
	require.Equal(t, []string{"repo1"}, s.names("claims", "hippo6"))
}

// A removal that was cut short holds the object; whoever comes next lets it go,
// keeping what was to be kept.
func TestPostgresClusterComesBackAfterARemovalThatWasCutShort(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	step := s.step(recordedCluster)
	step.Converge(module.Create)
	data := s.names("claims", "hippo6")
	s.away.Store(true)
	require.Error(t, s.impatient(step).Destroy())
	s.away.Store(false)
	kubetest.Eventually(t, "the operator has done its part", func() bool {
		u, err := s.clusters().Get(t.Context(), "hippo6", metav1.GetOptions{})
		return err == nil && len(u.GetFinalizers()) == 2
	})
	change, _, err := s.step(recordedCluster).Apply()
	require.NoError(t, err)
	require.Equal(t, module.Update, change.Action)
	require.Equal(t, data, s.names("claims", "hippo6"), "the volumes of before")
}

func TestPostgresClusterRefusalsOfTheServerPointAtArguments(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	_, _, err := s.step(replaceArg(recordedCluster, "postgres_version = 19")).Apply()
	requireAt(t, err, "postgres_version", "spec.postgresVersion")

	stranger, err := kube.New(t.Context(), "test", kubetest.Start(t).Nobody(), s.kube.Namespace())
	require.NoError(t, err)
	_, _, err = (&standIn{t: t, kube: stranger}).step(recordedCluster).Check()
	require.ErrorContains(t, err, "forbidden")
	require.Contains(t, advice(t, err), "get, create, patch and delete on postgresclusters.postgres-operator.crunchydata.com")
}

// Somebody else's change between reading and writing is not undone.
func TestPostgresClusterChangesOfOthersStay(t *testing.T) {
	t.Parallel()
	s := newStandIn(t)
	step := s.step(recordedCluster)
	step.Converge(module.Create)
	_, err := s.clusters().Patch(t.Context(), "hippo6", types.MergePatchType, []byte(`{"spec":{"paused":false,"monitoring":{"pgmonitor":{}},"port":5432}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	s.step(recordedCluster + `parameters = { work_mem = "8MB" }`).Converge(module.Update)
	u, err := s.clusters().Get(t.Context(), "hippo6", metav1.GetOptions{})
	require.NoError(t, err)
	require.Contains(t, u.Object["spec"], "monitoring")
	require.Contains(t, u.Object["spec"], "patroni")
}

// impatient is the same step, which gives an operator a moment only.
func (s *standIn) impatient(step *moduletest.Step) *impatientStep { return &impatientStep{s, step} }

type impatientStep struct {
	s    *standIn
	step *moduletest.Step
}

func (i *impatientStep) Destroy() error {
	c := i.step.Module().(*Cluster)
	if _, err := c.Check(i.s.t.Context(), i.step.Env()); err != nil {
		return err
	}
	c.at.driver.(*postgresDriver).stalled = 100 * time.Millisecond
	return c.Destroy(i.s.t.Context(), i.step.Env())
}

func advice(t *testing.T, err error) string {
	t.Helper()
	e := (*module.Explained)(nil)
	require.ErrorAs(t, err, &e)
	return e.Remedy
}
