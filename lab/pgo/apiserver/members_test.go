package apiserver_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

const inNamespace = "version=4.2.1&namespace=pgouser1"

func (w *world) get(path string) string {
	return w.send(&exchange{method: "GET", path: path, headers: as(admin)}).Body.String()
}

func (w *world) post(path, body string) *httptest.ResponseRecorder {
	return w.send(&exchange{method: "POST", path: path, headers: as(admin), body: body})
}

func TestReplicaWhoseHashIsShortHasNoName(t *testing.T) {
	w := story(t)
	w.server.HTTP = &http.Client{Transport: patroniSays(`{"members": [
		{"name": "hippo-rcan-5f5b7f4b9-vtvxp", "role": "replica", "state": "running", "timeline": 2, "lag": 3145728},
		{"name": "hippo-abcd-5f5b7f4b97-vtvxp", "role": "replica", "state": "start failed", "timeline": 1, "lag": "unknown"}]}`)}
	w.setRole("hippo-54bf68fbd4-qzkbd", "replica")
	require.JSONEq(t, `{"Results":[
		{"Name":"","Node":"","ReplicationLag":3,"Status":"running","Timeline":2},
		{"Name":"hippo-abcd","Node":"","ReplicationLag":0,"Status":"start failed","Timeline":1}],"Code":"ok","Msg":""}`,
		w.get("/scale/hippo?"+inNamespace))
}

func TestScaleDownAsksForOneReplicaOnAGet(t *testing.T) {
	w := story(t)
	path := "/scaledown/hippo?" + inNamespace + "&replica-name="
	require.Contains(t, w.get(path+"hippo-rcan"), `strconv.ParseBool: parsing \"\": invalid syntax`)
	require.Contains(t, w.get(path+"nosuch&delete-data=true"), "replica nosuch not found for cluster hippo")
	require.Equal(t, `{"Results":["deleted Pgreplica hippo-rcan"],"Code":"ok","Msg":""}`, strings.TrimSpace(w.get(path+"hippo-rcan&delete-data=true")))
	w.reconcile()
	jobs, err := w.server.Kube.BatchV1().Jobs("pgouser1").List(t.Context(), metav1.ListOptions{LabelSelector: "pgrmdata=true"})
	require.NoError(t, err)
	require.Len(t, jobs.Items, 1)
	require.Regexp(t, "^hippo-rcan-rmdata-[a-z]{4}$", jobs.Items[0].Name)
	require.Contains(t, jobs.Items[0].Spec.Template.Spec.Containers[0].Env, corev1.EnvVar{Name: "REPLICA_NAME", Value: "hippo-rcan"})
}

func TestBackupTakesThePlaceOfAnEarlierOne(t *testing.T) {
	w := story(t)
	ask := func(cluster string) string {
		return w.post("/backrestbackup", `{"Namespace":"pgouser1","Args":["`+cluster+`"],"BackupOpts":"--type=incr"}`).Body.String()
	}
	require.Contains(t, ask("nosuch"), `"Code":"error","Msg":"nosuch was not found, verify cluster name"`)
	require.Contains(t, ask("hippo"), `{"Results":["created Pgtask backrest-backup-hippo"],"Code":"ok","Msg":""}`)
	w.reconcile()
	job, err := w.server.Kube.BatchV1().Jobs("pgouser1").Get(t.Context(), "backrest-backup-hippo", metav1.GetOptions{})
	require.NoError(t, err)
	require.NotContains(t, job.Labels, crv1.LabelBackupType)
	require.Contains(t, job.Spec.Template.Spec.Containers[0].Env, corev1.EnvVar{Name: "COMMAND_OPTS", Value: "--type=incr"})

	w.setRole("hippo-rcan-5f5b7f4b97-vtvxp", "replica")
	require.Contains(t, ask("hippo"), `"Code":"error","Msg":"primary pod is not in Ready state"`)
}

func TestFailoverIsFollowedByABackup(t *testing.T) {
	w := story(t)
	w.reconcile()
	w.reconcile()
	job, err := w.server.Kube.BatchV1().Jobs("pgouser1").Get(t.Context(), "backrest-backup-hippo", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "failover", job.Labels[crv1.LabelBackupType])
}

func TestAutofailIsPatronisPause(t *testing.T) {
	w := story(t)
	config := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{
		Name: "hippo-config", Namespace: "pgouser1", Annotations: map[string]string{"config": `{"ttl":30}`},
	}}
	maps := w.server.Kube.CoreV1().ConfigMaps("pgouser1")
	_, err := maps.Create(t.Context(), config, metav1.CreateOptions{})
	require.NoError(t, err)
	for _, step := range []struct{ value, label, config string }{
		{"2", "false", `{"ttl":30,"pause":true}`}, {"1", "true", `{"ttl":30}`},
	} {
		answer := w.post("/clustersupdate", `{"Clustername":["hippo"],"Namespace":"pgouser1","ClientVersion":"4.2.1","Autofail":`+step.value+`}`)
		require.Contains(t, answer.Body.String(), `{"Results":["updated pgcluster hippo"],"Code":"ok"`)
		got, err := maps.Get(t.Context(), "hippo-config", metav1.GetOptions{})
		require.NoError(t, err)
		require.JSONEq(t, step.config, got.Annotations["config"])
		cluster, err := clusterStore(w).Get(t.Context(), "pgouser1", "hippo")
		require.NoError(t, err)
		require.Equal(t, step.label, cluster.Labels["autofail"])
	}
}

func TestUpgradeGoesReplicasRepositoryPrimary(t *testing.T) {
	w := story(t)
	w.reconcile()
	answer := w.post("/upgrades", `{"Args":["hippo"],"Namespace":"pgouser1","ClientVersion":"4.2.1","CCPImageTag":"next"}`)
	require.Contains(t, answer.Body.String(), "created minor upgrade task for hippo")
	deployments := w.server.Kube.AppsV1().Deployments("pgouser1")
	w.reconcile()                                                                        // the task is taken up
	for _, name := range []string{"hippo", "hippo-backrest-shared-repo", "hippo-rcan"} { // the failover made hippo a replica
		w.reconcile()
		d, err := deployments.Get(t.Context(), name, metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, "crunchydata/antdb-ha:next", d.Spec.Template.Spec.Containers[0].Image)
		w.reconcile()
		d.Status.UpdatedReplicas, d.Status.AvailableReplicas, d.Status.Replicas = 1, 1, 1
		_, err = deployments.UpdateStatus(t.Context(), d, metav1.UpdateOptions{})
		require.NoError(t, err)
	}
	w.reconcile()
	task, err := crv1.TaskStore(w.server.Dynamic).Get(t.Context(), "pgouser1", "hippo-minor-upgrade")
	require.NoError(t, err)
	require.Equal(t, crv1.Completed, task.Spec.Status)
}

func TestScheduleIsAConfigMapForTheScheduler(t *testing.T) {
	w := story(t)
	ask := func() string {
		return w.post("/schedule", `{"ClusterName":"hippo","Namespace":"pgouser1","Schedule":"0 1 * * *","ScheduleType":"pgbackrest","PGBackRestType":"full"}`).Body.String()
	}
	require.Contains(t, ask(), `{"Results":["created schedule hippo-pgbackrest-full for cluster hippo"],"Code":"ok"`)
	require.Contains(t, ask(), `"Code":"error","Msg":"schedule hippo-pgbackrest-full already exists for cluster hippo"`)
	list, err := w.server.Kube.CoreV1().ConfigMaps("pgouser1").List(t.Context(), metav1.ListOptions{LabelSelector: "crunchy-scheduler=true,pg-cluster=hippo"})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	require.Contains(t, list.Items[0].Data["hippo-pgbackrest-full"], `"schedule":"0 1 * * *"`)
	require.Contains(t, w.post("/scheduledelete", `{"Namespace":"pgouser1","ScheduleName":"hippo-pgbackrest-full"}`).Body.String(), "deleted schedule hippo-pgbackrest-full")
	require.Contains(t, ask(), "created schedule")
}
