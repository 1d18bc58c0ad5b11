package pgo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/adbsql/antdbctl/lab/pgo"
	"github.com/adbsql/antdbctl/lab/pgo/jobs"
	"github.com/adbsql/antdbctl/lab/pgo/postgrescluster"
)

const fiveNamespace = "lab-five"

const fiveCluster = `
apiVersion: postgres-operator.crunchydata.com/v1beta1
kind: PostgresCluster
metadata: {name: five, namespace: lab-five}
spec:
  postgresVersion: 15
  image: crunchydata/antdb-ha:operator-test
  imagePullPolicy: IfNotPresent
  users: [{name: appuser, databases: [appdb]}]
  instances:
  - name: db
    replicas: 2
    dataVolumeClaimSpec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 900Mi}}}
  backups:
    pgbackrest:
      repos: [{name: repo1, volume: {volumeClaimSpec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 900Mi}}}}}]
`

// five is a PostgresCluster on the lab.
type five struct {
	*live
	config *rest.Config
}

func (l *live) five(t *testing.T) {
	f := five{l, l.config}
	ctx := t.Context()
	require.NoError(t, pgo.InstallFive(ctx, f.config, pgo.FiveOptions{Build: "test"}))
	namespaces := l.kube.CoreV1().Namespaces()
	_, err := namespaces.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fiveNamespace}}, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) { // of a run that was cut short
		require.NoError(t, err)
	}
	t.Cleanup(func() { _ = namespaces.Delete(context.Background(), fiveNamespace, metav1.DeleteOptions{}) })
	u := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal([]byte(fiveCluster), &u.Object))
	clusters := l.dyn.Resource(postgrescluster.Resource).Namespace(fiveNamespace)
	_, err = clusters.Create(ctx, u, metav1.CreateOptions{})
	require.NoError(t, err)

	l.eventually(t, 6*time.Minute, "the first backup and a ready replica", func() bool {
		s := f.status(t)
		return len(s.Instances) == 1 && s.Instances[0].ReadyReplicas == 2 && s.PGBackRest.Repos[0].ReplicaCreateBackupComplete
	})
	secret, err := l.kube.CoreV1().Secrets(fiveNamespace).Get(ctx, "five-pguser-appuser", metav1.GetOptions{})
	require.NoError(t, err)
	query := func(sql string) string { return f.psql(t, string(secret.Data["uri"]), sql) }
	l.eventually(t, 4*time.Minute, "a login by the Secret's uri", func() bool { return query("SELECT current_user || current_database()") == "appuserappdb" })

	patch := `{"spec":{"config":{"parameters":{"max_connections":151}}}}`
	_, err = clusters.Patch(ctx, "five", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	require.NoError(t, err)
	l.eventually(t, 5*time.Minute, "a parameter that takes a restart", func() bool { return query("SHOW max_connections") == "151" })

	l.eventually(t, 4*time.Minute, "a streaming replica", func() bool { return len(f.pods(t, "replica")) == 1 })
	before := f.pods(t, "master")
	require.Len(t, before, 1)
	require.NoError(t, l.kube.CoreV1().Pods(fiveNamespace).Delete(ctx, before[0], metav1.DeleteOptions{}))
	l.eventually(t, 5*time.Minute, "another primary", func() bool {
		now := f.pods(t, "master")
		return len(now) == 1 && now[0] != before[0]
	})
	l.eventually(t, 5*time.Minute, "both instances again", func() bool {
		s := f.status(t)
		return s.Instances[0].ReadyReplicas == 2 && len(f.pods(t, "replica")) == 1
	})

	require.NoError(t, clusters.Delete(ctx, "five", metav1.DeleteOptions{}))
	l.eventually(t, 5*time.Minute, "everything of the cluster to go", func() bool {
		claims, err := l.kube.CoreV1().PersistentVolumeClaims(fiveNamespace).List(ctx, metav1.ListOptions{})
		pods, fault := l.kube.CoreV1().Pods(fiveNamespace).List(ctx, metav1.ListOptions{})
		return err == nil && fault == nil && len(claims.Items)+len(pods.Items) == 0
	})
}

func (f five) status(t *testing.T) postgrescluster.Status {
	t.Helper()
	u, err := f.dyn.Resource(postgrescluster.Resource).Namespace(fiveNamespace).Get(t.Context(), "five", metav1.GetOptions{})
	require.NoError(t, err)
	text, err := json.Marshal(u.Object)
	require.NoError(t, err)
	var c postgrescluster.Cluster
	require.NoError(t, json.Unmarshal(text, &c))
	return c.Status
}

// pods are the names of the ready pods with that role.
func (f five) pods(t *testing.T, role string) []string {
	t.Helper()
	list, err := f.kube.CoreV1().Pods(fiveNamespace).List(t.Context(), metav1.ListOptions{LabelSelector: postgrescluster.LabelRole + "=" + role})
	require.NoError(t, err)
	var names []string
	for _, p := range list.Items {
		for _, c := range p.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				names = append(names, p.Name)
			}
		}
	}
	return names
}

// psql runs a query by that uri from the repository's pod, which knows the names that are in it.
func (f five) psql(t *testing.T, uri, sql string) string {
	t.Helper()
	var out bytes.Buffer
	err := jobs.Exec{Config: f.config, Kube: f.kube}.RunIn(t.Context(), fiveNamespace, "five-repo-host-0", "pgbackrest",
		strings.NewReader(sql), &out, "psql", "-XAtqw", uri)
	if err != nil {
		t.Logf("psql: %v: %s", err, out.String())
		return ""
	}
	return strings.TrimSpace(out.String())
}
