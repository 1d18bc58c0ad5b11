package apiserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/oddity"
)

// oddities puts the ConfigMap of a test in place.
func (w *world) oddities(pairs map[string]string) {
	w.t.Helper()
	_, err := w.server.Kube.CoreV1().ConfigMaps("pgouser1").Create(w.t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: oddity.Prefix + "-test", Namespace: "pgouser1"}, Data: pairs,
	}, metav1.CreateOptions{})
	require.NoError(w.t, err)
}

func (w *world) ordinary() {
	w.t.Helper()
	require.NoError(w.t, w.server.Kube.CoreV1().ConfigMaps("pgouser1").
		Delete(w.t.Context(), oddity.Prefix+"-test", metav1.DeleteOptions{}))
}

func (w *world) cluster() *crv1.Cluster {
	w.t.Helper()
	c, err := clusterStore(w).Get(w.t.Context(), "pgouser1", "hippo")
	require.NoError(w.t, err)
	return c
}

func (w *world) has(kind, name string) bool {
	w.t.Helper()
	var err error
	switch kind {
	case "Deployment":
		_, err = w.server.Kube.AppsV1().Deployments("pgouser1").Get(w.t.Context(), name, metav1.GetOptions{})
	case "Job":
		_, err = w.server.Kube.BatchV1().Jobs("pgouser1").Get(w.t.Context(), name, metav1.GetOptions{})
	default:
		require.Fail(w.t, kind)
	}
	return err == nil
}

func (w *world) completed() bool {
	w.t.Helper()
	task, err := crv1.TaskStore(w.server.Dynamic).Get(w.t.Context(), "pgouser1", "hippo-createcluster")
	require.NoError(w.t, err)
	return task.Spec.Parameters[crv1.ParamCompleted] != ""
}

// begun returns a world whose cluster hippo was asked for and whose pods have come up, all with the oddities on.
func begun(t *testing.T, pairs map[string]string) *world {
	t.Helper()
	w := newWorld(t)
	w.oddities(pairs)
	w.send(create(`{"Name":"hippo","Series":1,"AutofailFlag":true,"Namespace":"pgouser1","ClientVersion":"4.2.1","CCPImage":"antdb-ha","CCPImageTag":"latest"}`))
	w.reconcile()
	w.addPod("hippo-54bf68fbd4-qzkbd", "master")
	w.addPod(recordedRepo, "")
	for range 3 {
		w.reconcile()
	}
	return w
}

func TestClusterStuckInEachPhase(t *testing.T) {
	tests := []struct {
		oddity                        oddity.Name
		state                         string
		deployment, completed, stanza bool
	}{
		{oddity.ClusterWorkerEnded, crv1.ClusterCreated, false, false, false},
		{oddity.NoDeployment, crv1.ClusterProcessed, false, false, false},
		{oddity.LostEdge, crv1.ClusterProcessed, true, false, false},
		{oddity.WorkflowStuck, crv1.ClusterProcessed, true, false, true},
	}
	for _, tt := range tests {
		t.Run(string(tt.oddity), func(t *testing.T) {
			w := begun(t, map[string]string{string(tt.oddity): "other hippo"})
			require.Equal(t, tt.state, w.cluster().Status.State)
			require.Equal(t, tt.deployment, w.has("Deployment", "hippo"))
			require.Equal(t, tt.completed, w.completed())
			require.Equal(t, tt.stanza, w.has("Job", "hippo-stanza-create"))
		})
	}
	t.Run("another cluster's oddity", func(t *testing.T) {
		w := begun(t, map[string]string{string(oddity.NoDeployment): "other"})
		require.True(t, w.completed())
	})
}

// The edge does not come again by itself when the operator looks again: only with the container's next start.
func TestLostEdgeComesBackWithTheContainer(t *testing.T) {
	w := begun(t, map[string]string{string(oddity.LostEdge): "*"})
	w.ordinary()
	w.reconcile()
	require.False(t, w.completed())

	pods := w.server.Kube.CoreV1().Pods("pgouser1")
	pod, err := pods.Get(t.Context(), "hippo-54bf68fbd4-qzkbd", metav1.GetOptions{})
	require.NoError(t, err)
	pod.Status.ContainerStatuses[0].ContainerID += "2"
	_, err = pods.UpdateStatus(t.Context(), pod, metav1.UpdateOptions{})
	require.NoError(t, err)
	w.reconcile()
	require.True(t, w.completed())
}

func TestJobsAreMadeToFail(t *testing.T) {
	w := begun(t, map[string]string{string(oddity.StanzaFails): "hippo", string(oddity.BackupFails): "hippo"})
	failure := func(job string) string {
		j, err := w.server.Kube.BatchV1().Jobs("pgouser1").Get(t.Context(), job, metav1.GetOptions{})
		require.NoError(t, err)
		for _, env := range j.Spec.Template.Spec.Containers[0].Env {
			if env.Name == "FAIL" {
				return env.Value
			}
		}
		return ""
	}
	require.Equal(t, `unable to upgrade connection: container not found ("database")`, failure("hippo-stanza-create"))
	w.finish("hippo-stanza-create")
	require.Contains(t, failure("backrest-backup-hippo"), "ERROR: [082]")
}

func TestNeverInitializedKeepsReplicasWaiting(t *testing.T) {
	w := begun(t, map[string]string{string(oddity.NeverInitialized): "hippo"})
	w.get("/clusters/scale/hippo?replica-count=1&" + inNamespace)
	w.finish("hippo-stanza-create")
	w.finish("backrest-backup-hippo")
	w.reconcile()
	require.Equal(t, crv1.ClusterProcessed, w.cluster().Status.State)
	list, err := crv1.ReplicaStore(w.server.Dynamic).List(t.Context(), "pgouser1", "")
	require.NoError(t, err)
	require.Equal(t, crv1.ReplicaPendingInit, list[0].Status.State)
}

func TestOrphanReplicaEndsTheWorkerForGood(t *testing.T) {
	w := begun(t, map[string]string{string(oddity.ReplicaWorkerEnds): "*"})
	replicas := crv1.ReplicaStore(w.server.Dynamic)
	orphan := crv1.NewReplica(&crv1.Cluster{ObjectMeta: metav1.ObjectMeta{Name: "gone", Namespace: "pgouser1"}}, "")
	require.NoError(t, replicas.Create(t.Context(), "pgouser1", orphan))
	w.reconcile()
	require.NoError(t, replicas.Delete(t.Context(), "pgouser1", orphan.Name))
	w.get("/clusters/scale/hippo?replica-count=1&" + inNamespace)
	w.finish("hippo-stanza-create")
	w.finish("backrest-backup-hippo")
	w.reconcile()
	require.Equal(t, crv1.ClusterInitialized, w.cluster().Status.State)
	list, err := replicas.List(t.Context(), "pgouser1", "")
	require.NoError(t, err)
	require.Equal(t, crv1.ReplicaCreated, list[0].Status.State)
	w.ordinary()
	w.reconcile()
	require.True(t, w.has("Deployment", list[0].Name))
}

func TestUserCallsOfOddClusters(t *testing.T) {
	const update = `{"Clusters":["hippo"],"Namespace":"pgouser1","ClientVersion":"4.2.1","Username":"testuser","Password":"Xx123456","PasswordAgeDays":30}`
	w := begun(t, map[string]string{string(oddity.NoEventAddress): "hippo"})
	require.JSONEq(t, `{"Results":["changing password of user testuser on hippo"],"Code":"error","Msg":"EVENT_ADDR not set"}`,
		w.post("/userupdate", update).Body.String())
	require.Len(t, w.sql.statements, 1, "the work is done")
	require.Contains(t, w.sql.statements[0], "VALID UNTIL '"+w.server.Now().UTC().AddDate(0, 0, 30).Format("2006-01-02")+"'")

	w = begun(t, map[string]string{string(oddity.Scram): "hippo"})
	require.JSONEq(t, `{"Results":[],"Code":"error","Msg":"pq: unknown authentication response: 10"}`, w.post("/userupdate", update).Body.String())
	require.Empty(t, w.sql.statements)
}

func TestExpiredUserIsSetTwoDaysBack(t *testing.T) {
	w := begun(t, nil)
	w.post("/userupdate", `{"Clusters":["hippo"],"Namespace":"pgouser1","ClientVersion":"4.2.1","Username":"testuser","ExpireUser":true}`)
	require.Equal(t, []string{`ALTER USER "testuser" VALID UNTIL '` + w.server.Now().UTC().AddDate(0, 0, -2).Format("2006-01-02") + `'`}, w.sql.statements)
}

// A cluster whose label says neither true nor false is never completed.
func TestClusterWithoutAutofailLabelNeverCompletes(t *testing.T) {
	w := newWorld(t)
	w.send(create(`{"Name":"hippo","Series":1,"Namespace":"pgouser1","ClientVersion":"4.2.1","CCPImage":"antdb-ha","CCPImageTag":"latest"}`))
	require.NoError(t, clusterStore(w).Patch(t.Context(), "pgouser1", "hippo",
		map[string]any{"metadata": map[string]any{"labels": map[string]any{"autofail": nil}}}))
	w.reconcile()
	w.addPod("hippo-54bf68fbd4-qzkbd", "master")
	w.reconcile()
	require.False(t, w.completed())
}

func TestStaleDeploymentLeavesTheClusterCreated(t *testing.T) {
	w := begun(t, nil)
	require.NoError(t, clusterStore(w).SetState(t.Context(), "pgouser1", "hippo", crv1.ClusterCreated, ""))
	w.reconcile()
	require.Equal(t, crv1.ClusterCreated, w.cluster().Status.State)
}

func TestMisspeltOddityIsTold(t *testing.T) {
	w := newWorld(t)
	w.oddities(map[string]string{"lost-egde": "*"})
	require.ErrorContains(t, w.operator.Reconcile(t.Context()), `no oddity is called "lost-egde"`)
}

func TestSidecarsResourcesAndNodesAreInThePod(t *testing.T) {
	w := newWorld(t)
	w.send(create(`{"Name":"a","Series":1,"MetricsFlag":true,"BadgerFlag":true,"AutofailFlag":true,"Namespace":"pgouser1","ClientVersion":"4.2.1",
		"CCPImage":"antdb-ha","CCPImageTag":"latest","ContainerResources":"small","NodeLabel":"disk=ssd","StorageConfig":"hostpathstorage"}`))
	w.reconcile()
	d, err := w.server.Kube.AppsV1().Deployments("pgouser1").Get(t.Context(), "a", metav1.GetOptions{})
	require.NoError(t, err)
	spec := d.Spec.Template.Spec
	require.Len(t, spec.Containers, 3)
	require.Equal(t, "crunchydata/crunchy-collect:latest", spec.Containers[1].Image)
	require.Equal(t, "crunchydata/crunchy-pgbadger:latest", spec.Containers[2].Image)
	require.Empty(t, spec.Containers[1].ImagePullPolicy)
	require.Equal(t, "512Mi", spec.Containers[0].Resources.Requests.Memory().String())
	require.Equal(t, "100m", spec.Containers[0].Resources.Limits.Cpu().String())
	preferred := spec.Affinity.NodeAffinity.PreferredDuringSchedulingIgnoredDuringExecution
	require.Equal(t, "disk", preferred[0].Preference.MatchExpressions[0].Key)
}
