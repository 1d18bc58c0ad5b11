package postgrescluster_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/postgrescluster"
)

func (w *world) stateful() []string {
	w.t.Helper()
	list, err := w.kube.AppsV1().StatefulSets(namespace).List(w.t.Context(), metav1.ListOptions{})
	require.NoError(w.t, err)
	var names []string
	for _, s := range list.Items {
		names = append(names, s.Name)
	}
	return names
}

// instances asks for so many.
func (w *world) instances(n int64) {
	w.change(func(spec map[string]any) { spec["instances"].([]any)[0].(map[string]any)["replicas"] = n })
}

func TestReplicaWaitsForTheFirstBackup(t *testing.T) {
	w := newWorld(t)
	w.instances(2)
	for _, advance := range []func(){w.nothing, w.claimsBind, w.repoHostStarts, w.databaseStarts, w.databaseReady} {
		advance()
		w.reconcile()
	}
	require.Len(t, w.stateful(), 2, "one instance and the repository")
	w.backupDone()
	w.reconcile()
	require.Len(t, w.stateful(), 3)
	require.Equal(t, map[string]any{"name": "db", "readyReplicas": 1.0, "replicas": 1.0, "updatedReplicas": 1.0}, w.status()["instances"].([]any)[0])
	w.pods()
	w.reconcile()
	require.Equal(t, map[string]any{"name": "db", "readyReplicas": 1.0, "replicas": 2.0, "updatedReplicas": 2.0}, w.status()["instances"].([]any)[0])
}

func TestInstanceThatIsTooManyIsNeverThePrimary(t *testing.T) {
	w := served(t)
	w.backupDone()
	w.instances(2)
	w.reconcile()
	primary := w.stateful()
	w.pods()
	w.instances(1)
	w.reconcile()
	require.Len(t, w.stateful(), 2)
	master, err := w.kube.CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: postgrescluster.LabelRole + "=master"})
	require.NoError(t, err)
	require.Len(t, master.Items, 1)
	require.Contains(t, w.stateful(), strings.TrimSuffix(master.Items[0].Name, "-0"))
	require.Len(t, primary, 3)
	claims, err := w.kube.CoreV1().PersistentVolumeClaims(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, claims.Items, 2, "its volume goes, too")
}

func TestUsersAreMadeWithVerifiersByStandardInput(t *testing.T) {
	w := served(t)
	var sql []string
	for _, line := range w.ran {
		if command, input, found := strings.Cut(line, "\n"); found && strings.HasPrefix(command, "database: psql") {
			require.NotContains(t, command, "SCRAM")
			sql = append(sql, input)
		}
	}
	require.Len(t, sql, 1, "and once")
	require.Regexp(t, `ALTER ROLE "appuser" WITH LOGIN  PASSWORD 'SCRAM-SHA-256\$4096:[^']{114}';`, sql[0])
	require.Contains(t, sql[0], `GRANT ALL PRIVILEGES ON DATABASE "appdb" TO "appuser";`)

	secret, err := w.kube.CoreV1().Secrets(namespace).Get(t.Context(), "hippo6-pguser-appuser", metav1.GetOptions{})
	require.NoError(t, err)
	require.Len(t, secret.Data["password"], 24)
	require.Len(t, secret.Data["verifier"], 133)
	uri, err := url.Parse(string(secret.Data["uri"]))
	require.NoError(t, err)
	password, _ := uri.User.Password()
	require.Equal(t, string(secret.Data["password"]), password)
	require.Equal(t, "hippo6-primary.pguser6.svc:5432", uri.Host)
}

func TestPasswordChangesWithItsSecret(t *testing.T) {
	w := served(t)
	secrets := w.kube.CoreV1().Secrets(namespace)
	secret, err := secrets.Get(t.Context(), "hippo6-pguser-appuser", metav1.GetOptions{})
	require.NoError(t, err)
	before := string(secret.Data["verifier"])
	revision := w.status()["usersRevision"]
	secret.Data["password"], secret.Data["verifier"] = []byte("datalake"), nil
	_, err = secrets.Update(t.Context(), secret, metav1.UpdateOptions{})
	require.NoError(t, err)
	w.reconcile()
	secret, err = secrets.Get(t.Context(), "hippo6-pguser-appuser", metav1.GetOptions{})
	require.NoError(t, err)
	require.Equal(t, "datalake", string(secret.Data["password"]))
	require.NotEqual(t, before, string(secret.Data["verifier"]))
	require.Contains(t, string(secret.Data["uri"]), ":datalake@")
	require.Contains(t, w.ran[len(w.ran)-1], string(secret.Data["verifier"]))
	require.NotEqual(t, revision, w.status()["usersRevision"])
}

func TestParametersGoThroughPatroniAndRestartWhatWaits(t *testing.T) {
	w := served(t)
	w.ran = nil
	w.reconcile()
	require.Empty(t, w.ran, "a cluster at rest is left alone")
	w.change(func(spec map[string]any) {
		spec["config"] = map[string]any{"parameters": map[string]any{"max_connections": int64(150), "shared_preload_libraries": "pg_stat_statements"}}
	})
	w.reconcile()
	require.Len(t, w.ran, 1)
	require.Contains(t, w.ran[0], "database: patronictl edit-config --replace - --force hippo6-ha")
	require.Contains(t, w.ran[0], `"max_connections":150`)
	require.Contains(t, w.ran[0], `"shared_preload_libraries":"pgaudit,pg_stat_statements"`)
	w.pod("hippo6-db-", func(p *corev1.Pod) {
		p.Annotations = map[string]string{"status": `{"role":"master","pending_restart":true}`}
	})
	w.reconcile()
	require.Equal(t, "database: patronictl restart --pending --force hippo6-ha", w.ran[1])
}

func TestChangedTemplateGoesToReplicasBeforeThePrimary(t *testing.T) {
	w := served(t)
	w.backupDone()
	w.instances(2)
	w.reconcile()
	w.pods()
	var replica string
	w.pod("hippo6-db-", func(p *corev1.Pod) {
		if p.Labels[postgrescluster.LabelRole] == "" {
			p.Labels[postgrescluster.LabelRole], replica = "replica", p.Name
			ready(p)
			serves(p)
		}
	})
	outdate := func() {
		w.pod("hippo6-db-", func(p *corev1.Pod) { p.Labels["controller-revision-hash"] = "old" })
	}
	outdate()
	w.reconcile()
	_, err := w.kube.CoreV1().Pods(namespace).Get(t.Context(), replica, metav1.GetOptions{})
	require.Error(t, err, "the replica goes first")
	w.reconcile()
	w.pods() // it is back, with the new template
	w.pod(replica, func(p *corev1.Pod) {
		p.Labels[postgrescluster.LabelRole] = "replica"
		ready(p)
		serves(p)
	})
	w.ran = nil
	w.reconcile()
	require.Len(t, w.ran, 1)
	require.Regexp(t, regexp.MustCompile(`patronictl switchover --master \S+ --candidate `+replica+` --force hippo6-ha`), w.ran[0])
}

func TestDeletedClusterStopsItsPrimaryLastAndGoes(t *testing.T) {
	w := served(t)
	u := w.cluster()
	now := metav1.Now()
	u.SetDeletionTimestamp(&now)
	_, err := w.dyn.Resource(postgrescluster.Resource).Namespace(namespace).Update(t.Context(), u, metav1.UpdateOptions{})
	require.NoError(t, err)
	w.reconcile()
	list, err := w.kube.AppsV1().StatefulSets(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: postgrescluster.LabelData + "=postgres"})
	require.NoError(t, err)
	require.Zero(t, *list.Items[0].Spec.Replicas)
	require.Contains(t, w.cluster().GetFinalizers(), postgrescluster.Finalizer)
	require.NoError(t, w.kube.CoreV1().Pods(namespace).Delete(t.Context(), list.Items[0].Name+"-0", metav1.DeleteOptions{}))
	w.reconcile()
	require.Empty(t, w.cluster().GetFinalizers())
	_, err = w.kube.CoreV1().Secrets(namespace).Get(t.Context(), "pgo-root-cacert", metav1.GetOptions{})
	require.Error(t, err, "it goes with the namespace's last cluster")
}

func TestFiveHasNoPostgresVersionInItsStatus(t *testing.T) {
	w := newWorld(t)
	w.r.Six = false
	w.nothing()
	w.reconcile()
	require.NotContains(t, w.status(), "postgresVersion")
}
