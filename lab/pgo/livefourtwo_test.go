package pgo_test

import (
	"bytes"
	"context"
	"database/sql"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/lib/pq"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/adbsql/antdbctl/lab/pgo/apiserver"
	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/jobs"
)

func (l *live) life(t *testing.T) {
	ctx := t.Context()
	store := crv1.ClusterStore(l.dyn)
	l.customConfig(t, "optest-custom", "bootstrap: {dcs: {postgresql: {parameters: {max_connections: 77}}}}\n")
	l.post(t, "/clusters", `{"Name":"optest","Namespace":"pgouser1","CCPImage":"antdb-ha","CCPImageTag":"operator-test",
		"Series":1,"ReplicaCount":1,"AutofailFlag":true,"CustomConfig":"optest-custom","ClientVersion":"4.2.1"}`)
	t.Cleanup(func() { l.sweep("optest") })
	l.eventually(t, 5*time.Minute, "the first backup", func() bool {
		c, err := store.Get(ctx, "pgouser1", "optest")
		return err == nil && c.Status.State == crv1.ClusterInitialized
	})
	l.eventually(t, 4*time.Minute, "a ready replica", func() bool { return l.ready("pg-cluster=optest,role=replica") })

	replicas, err := crv1.ReplicaStore(l.dyn).List(ctx, "pgouser1", "pg-cluster=optest")
	require.NoError(t, err)
	require.Len(t, replicas, 1)
	replica := replicas[0].Name
	l.post(t, "/failover", `{"Namespace":"pgouser1","ClusterName":"optest","Target":"`+replica+`","ClientVersion":"4.2.1"}`)
	l.eventually(t, 4*time.Minute, "the new primary after a failover by REST", func() bool { return l.leads(replica) && l.follows("optest") })
	l.eventually(t, 4*time.Minute, "the backup after it", func() bool { return l.backedUp("failover") })

	// The call goes through the Service, whose endpoints follow the role a moment later.
	l.eventually(t, 3*time.Minute, "a changed password", func() bool {
		answer := l.send(t, "/userupdate", `{"Clusters":["optest"],"Namespace":"pgouser1","ClientVersion":"4.2.1",
			"Username":"postgres","Password":"changedPass1","PasswordAgeDays":30}`)
		return answer.Code == "ok"
	})
	service, err := l.kube.CoreV1().Services("pgouser1").Get(ctx, "optest", metav1.GetOptions{})
	require.NoError(t, err)
	writes := func(statements ...string) error {
		return apiserver.Postgres{}.Exec(ctx, net.JoinHostPort(service.Spec.ClusterIP, "5432"), "changedPass1", statements...)
	}
	require.NoError(t, writes("CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1)"))
	require.NoError(t, writes("DO $$ BEGIN ASSERT current_setting('max_connections') = '77'; END $$"), "the custom configuration")
	require.ErrorContains(t, loginAs(ctx, service.Spec.ClusterIP, "postgres", "wrong", "postgres"), "password authentication failed")

	l.survives(t, replica, writes)
	l.post(t, "/backrestbackup", `{"Namespace":"pgouser1","Args":["optest"],"BackupOpts":"--type=incr"}`)
	l.eventually(t, 4*time.Minute, "a backup that was asked for", func() bool { return l.backedUp("") })
	if l.leads(replica) { // only a replica's Deployment can be taken away
		l.post(t, "/failover", `{"Namespace":"pgouser1","ClusterName":"optest","Target":"optest","ClientVersion":"4.2.1"}`)
		l.eventually(t, 4*time.Minute, "the first Deployment as primary", func() bool { return l.leads("optest") && l.follows(replica) })
	}
	down := l.request(t, http.MethodGet, "/scaledown/optest?version=4.2.1&namespace=pgouser1&delete-data=true&replica-name="+replica, "")
	require.Equal(t, "ok", down.Code, down.Msg)
	l.eventually(t, 4*time.Minute, "the replica and its volume to go", func() bool {
		_, err := l.kube.CoreV1().PersistentVolumeClaims("pgouser1").Get(ctx, replica, metav1.GetOptions{})
		list, fault := crv1.ReplicaStore(l.dyn).List(ctx, "pgouser1", "pg-cluster=optest")
		return apierrors.IsNotFound(err) && fault == nil && len(list) == 0
	})

	l.delete(t, "optest")
	l.eventually(t, 4*time.Minute, "the claims to go", func() bool {
		list, err := l.kube.CoreV1().PersistentVolumeClaims("pgouser1").List(ctx, metav1.ListOptions{LabelSelector: "pg-cluster=optest"})
		return err == nil && len(list.Items) == 0
	})
}

// survives takes the primary away twice: first its pod, which is the replica's after the failover, then the server of the
// one that took over.
func (l *live) survives(t *testing.T, primary string, writes func(...string) error) {
	t.Helper()
	l.deletePrimary(t, primary)
	l.eventually(t, 5*time.Minute, "writing again after the primary's pod was deleted", func() bool {
		return l.leads("optest") && writes("INSERT INTO kept VALUES (2)") == nil
	})
	l.eventually(t, 5*time.Minute, "the other member follows", func() bool { return l.follows(primary) })
	l.killServer(t, "optest")
	l.eventually(t, 5*time.Minute, "writing again after the server process was killed", func() bool {
		return writes("INSERT INTO kept VALUES (3)") == nil
	})
	require.NoError(t, writes("DO $$ BEGIN ASSERT (SELECT count(DISTINCT n) FROM kept) = 3; END $$"), "nothing acknowledged was lost")
	l.eventually(t, 5*time.Minute, "a primary and a replica", func() bool {
		return l.ready("pg-cluster=optest,role=master") && l.ready("pg-cluster=optest,role=replica")
	})
}

func (l *live) broken(t *testing.T) {
	ctx := t.Context()
	l.post(t, "/clusters", `{"Name":"opbroken","Namespace":"pgouser1","CCPImage":"antdb-ha",
		"CCPImageTag":"operator-test-without-pgaudit","Series":1,"AutofailFlag":true,"ClientVersion":"4.2.1"}`)
	t.Cleanup(func() { l.sweep("opbroken") })
	l.eventually(t, 4*time.Minute, "a completed database container", func() bool {
		pods, err := l.kube.CoreV1().Pods("pgouser1").List(ctx, metav1.ListOptions{LabelSelector: "deployment-name=opbroken"})
		if err != nil || len(pods.Items) != 1 || len(pods.Items[0].Status.ContainerStatuses) != 1 {
			return false
		}
		end := pods.Items[0].Status.ContainerStatuses[0].LastTerminationState.Terminated
		return end != nil && end.Reason == "Completed" && end.ExitCode == 0
	})
	l.delete(t, "opbroken")
	l.eventually(t, 4*time.Minute, "a failed removal", func() bool {
		list, err := l.kube.BatchV1().Jobs("pgouser1").List(ctx, metav1.ListOptions{LabelSelector: "pg-cluster=opbroken,pgrmdata=true"})
		return err == nil && len(list.Items) == 1 && list.Items[0].Status.Failed == 1
	})
	_, err := crv1.ClusterStore(l.dyn).Get(ctx, "pgouser1", "opbroken")
	require.NoError(t, err)
}

// leads and follows tell of the one ready pod of a Deployment.
func (l *live) leads(deployment string) bool {
	return l.ready("pg-cluster=optest,role=master,deployment-name=" + deployment)
}

func (l *live) follows(deployment string) bool {
	return l.ready("pg-cluster=optest,role=replica,deployment-name=" + deployment)
}

// backedUp tells whether the last backup was of that kind and has succeeded.
func (l *live) backedUp(kind string) bool {
	job, err := l.kube.BatchV1().Jobs("pgouser1").Get(l.t.Context(), "backrest-backup-optest", metav1.GetOptions{})
	return err == nil && job.Labels[crv1.LabelBackupType] == kind && job.Status.Succeeded == 1
}

func (l *live) customConfig(t *testing.T, name, text string) {
	t.Helper()
	maps := l.kube.CoreV1().ConfigMaps("pgouser1")
	t.Cleanup(func() { _ = maps.Delete(context.Background(), name, metav1.DeleteOptions{}) })
	_, err := maps.Create(t.Context(), &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "pgouser1"}, Data: map[string]string{"postgres-ha.yaml": text},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
}

func (l *live) podOf(t *testing.T, deployment string) string {
	t.Helper()
	list, err := l.kube.CoreV1().Pods("pgouser1").List(t.Context(), metav1.ListOptions{LabelSelector: "role=master,deployment-name=" + deployment})
	require.NoError(t, err)
	require.Len(t, list.Items, 1)
	return list.Items[0].Name
}

func (l *live) deletePrimary(t *testing.T, deployment string) {
	t.Helper()
	require.NoError(t, l.kube.CoreV1().Pods("pgouser1").Delete(t.Context(), l.podOf(t, deployment), metav1.DeleteOptions{}))
}

// killServer kills the server of the primary, as a fault of its memory would.
func (l *live) killServer(t *testing.T, deployment string) {
	t.Helper()
	var out bytes.Buffer
	err := jobs.Exec{Config: l.config, Kube: l.kube}.Run(t.Context(), "pgouser1", l.podOf(t, deployment),
		[]string{"bash", "-c", "kill -9 $(head -1 /pgdata/" + deployment + "/postmaster.pid)"}, &out)
	require.NoError(t, err, out.String())
}

func loginAs(ctx context.Context, host, user, password, database string) error {
	connector, err := pq.NewConnector("host=" + host + " user=" + user + " password=" + password + " dbname=" + database + " sslmode=disable connect_timeout=5")
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close()
	return db.PingContext(ctx)
}

func (l *live) delete(t *testing.T, cluster string) {
	t.Helper()
	l.post(t, "/clustersdelete", `{"Clustername":"`+cluster+`","Namespace":"pgouser1","ClientVersion":"4.2.1",
		"DeleteData":true,"DeleteBackups":true}`)
}

// sweep takes away by hand what a failed removal leaves, the operator's wishes before their results.
func (l *live) sweep(cluster string) {
	ctx := context.Background()
	background := metav1.DeletePropagationBackground
	_ = crv1.ClusterStore(l.dyn).Delete(ctx, "pgouser1", cluster)
	for _, kind := range []schema.GroupVersionResource{
		crv1.Tasks, crv1.Replicas,
		{Group: "apps", Version: "v1", Resource: "deployments"}, {Group: "batch", Version: "v1", Resource: "jobs"},
		{Version: "v1", Resource: "services"}, {Version: "v1", Resource: "secrets"}, {Version: "v1", Resource: "configmaps"},
		{Version: "v1", Resource: "persistentvolumeclaims"},
	} {
		for _, selector := range []string{"pg-cluster=" + cluster, "crunchy-pgha-scope=" + cluster} {
			list, err := l.dyn.Resource(kind).Namespace("pgouser1").List(ctx, metav1.ListOptions{LabelSelector: selector})
			if err != nil {
				continue
			}
			for _, object := range list.Items {
				_ = l.dyn.Resource(kind).Namespace("pgouser1").
					Delete(ctx, object.GetName(), metav1.DeleteOptions{PropagationPolicy: &background})
			}
		}
	}
}
