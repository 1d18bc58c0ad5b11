package k8s

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

// site is a cluster of databases whose first start has failed, as far as a
// server without nodes can have it.
const site = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: pgo-default}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: pgo-backrest}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: half}
rules: [{apiGroups: [""], resources: [pods], verbs: [list]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: half}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: half}
subjects: [{kind: ServiceAccount, name: pgo-backrest}]
---
apiVersion: v1
kind: Secret
metadata: {name: antdb-testuser-secret, labels: {pg-cluster: antdb, vendor: crunchydata}}
stringData: {username: testuser, password: pl4nted-Secret}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: antdb, labels: {pg-cluster: antdb}}
spec:
  storageClassName: fast
  accessModes: [ReadWriteOnce]
  resources: {requests: {storage: 1Gi}}
---
apiVersion: v1
kind: Service
metadata: {name: antdb, labels: {pg-cluster: antdb}}
spec:
  selector: {pg-cluster: antdb, role: master}
  ports: [{port: 5432}]
---
apiVersion: v1
kind: ResourceQuota
metadata: {name: few}
spec: {hard: {configmaps: "1"}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: antdb, labels: {pg-cluster: antdb, vendor: crunchydata}}
spec:
  replicas: 1
  selector: {matchLabels: {name: antdb}}
  template:
    metadata: {labels: {name: antdb, pg-cluster: antdb, pgo-pg-database: "true"}}
    spec:
      serviceAccountName: pgo-pg
      containers: [{name: database, image: "crunchydata/antdb-ha:latest"}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: antdb-backrest-shared-repo, labels: {pg-cluster: antdb}}
spec:
  replicas: 0
  selector: {matchLabels: {name: antdb-backrest-shared-repo}}
  template:
    metadata: {labels: {name: antdb-backrest-shared-repo, pg-cluster: antdb, pgo-backrest-repo: "true"}}
    spec:
      serviceAccountName: pgo-default
      containers: [{name: database, image: "crunchydata/antdb-ha:latest"}]
---
apiVersion: v1
kind: Pod
metadata: {name: antdb-0, labels: {pg-cluster: antdb, pgo-pg-database: "true", role: master}}
spec:
  volumes: [{name: pgdata, persistentVolumeClaim: {claimName: antdb}}]
  containers: [{name: database, image: "crunchydata/antdb-ha:latest"}]
`

// broken makes the site, with a pod whose container crashes.
func brokenSite(t *testing.T, c *kube.Cluster) {
	t.Helper()
	_, _, err := applying(t, c, site).Apply()
	require.NoError(t, err)
	pods := c.Clientset().CoreV1().Pods(c.Namespace())
	pod, err := pods.Get(t.Context(), "antdb-0", metav1.GetOptions{})
	require.NoError(t, err)
	pod.Status = corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{{Name: "database", RestartCount: 4, Image: "x", ImageID: "y",
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", FinishedAt: metav1.Now()}}}}}
	_, err = pods.UpdateStatus(t.Context(), pod, metav1.UpdateOptions{})
	require.NoError(t, err)
	kubetest.Eventually(t, "the replica set that can make no pod", func() bool {
		d, err := c.Clientset().AppsV1().Deployments(c.Namespace()).Get(t.Context(), "antdb", metav1.GetOptions{})
		if err != nil {
			return false
		}
		for _, condition := range d.Status.Conditions {
			if condition.Type == "ReplicaFailure" {
				return true
			}
		}
		return false
	})
	kubetest.Eventually(t, "the quota", func() bool {
		q, err := c.Clientset().CoreV1().ResourceQuotas(c.Namespace()).Get(t.Context(), "few", metav1.GetOptions{})
		return err == nil && len(q.Status.Hard) > 0
	})
}

// collecting runs a collector as a diagnosis does.
func collecting(t *testing.T, c *kube.Cluster, what *Collect) *evidence.InMemory {
	t.Helper()
	return collectingIn(t, t.Context(), c, what)
}

func collectingIn(t *testing.T, ctx context.Context, c *kube.Cluster, what *Collect) *evidence.InMemory {
	t.Helper()
	m := evidence.NewMemory(time.Now(), 1<<20)
	env := moduletest.Env(t, c)
	env.Target = conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: c.Namespace()}
	require.NoError(t, what.Collect(ctx, env, m))
	return m
}

func TestANamespaceThatIsNotThereIsSaidNotToBe(t *testing.T) {
	m := collecting(t, kubetest.Start(t).ClusterIn(t, "default"), &Collect{Namespaces: []string{"nosuch"}})
	require.Equal(t, []evidence.Gap{{What: "all", Place: evidence.Place{Namespace: "nosuch"}, Reason: "there is no such namespace"}}, m.Gaps())
}

// lastWords is a kubelet's answer, which this server has none to ask for.
func lastWords(w http.ResponseWriter, r *http.Request) bool {
	if !strings.HasSuffix(r.URL.Path, "/pods/antdb-0/log") {
		return false
	}
	q := r.URL.Query()
	if q.Get("previous") != "true" || q.Get("timestamps") != "true" || q.Get("container") != "database" {
		http.Error(w, "not asked for", http.StatusBadRequest)
		return true
	}
	for i := range 1000 {
		fmt.Fprintf(w, "2026-11-22T05:52:02.%09dZ some line before\n", i)
	}
	fmt.Fprintf(w, "2026-11-22T05:52:03.096000000Z FATAL:  could not access file \"pgaudit.so\": No such file or directory\n")
	return true
}

func TestABrokenSiteIsCollectedWhole(t *testing.T) {
	server := kubetest.Start(t)
	own := server.Cluster(t)
	brokenSite(t, own)
	var asked []string
	requests := make(chan string, 1000)
	config := proxied(t, server, func(w http.ResponseWriter, r *http.Request) bool {
		requests <- r.Method + " " + r.URL.Path
		return lastWords(w, r)
	})
	c, err := kube.New(t.Context(), "lab", config, own.Namespace())
	require.NoError(t, err)
	m := collecting(t, c, &Collect{LogLines: 500, LogBytes: 4096})
	close(requests)
	for r := range requests {
		asked = append(asked, r)
	}
	require.Less(t, len(asked), 80, asked)

	require.Equal(t, "CrashLoopBackOff", fact[evidence.Container](t, m, "database").Reason)
	require.True(t, fact[evidence.Pod](t, m, "antdb-0").Leads)
	require.Equal(t, "Pending", fact[evidence.Claim](t, m, "antdb").Phase)
	require.True(t, fact[evidence.Quota](t, m, "few configmaps").Full)
	require.True(t, fact[evidence.Service](t, m, "antdb").Database)
	for f := range m.Facts() {
		if w, ok := f.Data.(*evidence.Workload); ok && w.Type == "Deployment" && f.Name == "antdb" {
			require.Contains(t, w.Failure, `serviceaccount "pgo-pg" not found`)
		}
	}
	gone := fact[evidence.Access](t, m, "system:serviceaccount:"+own.Namespace()+":pgo-pg")
	require.False(t, gone.Exists || gone.Allowed)
	jobs := "system:serviceaccount:" + own.Namespace() + ":pgo-backrest"
	require.True(t, fact[evidence.Access](t, m, jobs+" list pods").Allowed)
	poor := fact[evidence.Access](t, m, jobs+" create pods/exec")
	require.Equal(t, evidence.Access{Who: jobs, Verb: "create", Resource: "pods/exec", Exists: true, Reason: poor.Reason}, *poor)
	require.True(t, fact[evidence.Access](t, m, "create pods/exec").Allowed)
	api := fact[evidence.APIServer](t, m, config.Host)
	require.Empty(t, api.Error)
	require.NotEmpty(t, api.Version)
	require.Positive(t, api.Millis)

	said, log := text(t, m, "container database, the run before")
	require.True(t, log.Previous)
	require.True(t, strings.HasSuffix(said, "could not access file \"pgaudit.so\": No such file or directory\n"))
	require.LessOrEqual(t, len(said), 4096)
	require.True(t, strings.HasPrefix(said, "2026-"), "a log begins with a line")
	said, log = text(t, m, "events of ReplicaSet "+replicaSet(t, own))
	require.Contains(t, said, "Warning FailedCreate ReplicaSet/")
	require.Equal(t, evidence.Place{Namespace: own.Namespace(), Cluster: "antdb"}, log.Place)
	require.Empty(t, m.Gaps())
	noSecret(t, m, "pl4nted-Secret")
}

func replicaSet(t *testing.T, c *kube.Cluster) string {
	t.Helper()
	l, err := c.Clientset().AppsV1().ReplicaSets(c.Namespace()).List(t.Context(), metav1.ListOptions{LabelSelector: "name=antdb"})
	require.NoError(t, err)
	require.Len(t, l.Items, 1)
	return l.Items[0].Name
}

// noSecret reads everything that was collected.
func noSecret(t *testing.T, m *evidence.InMemory, value string) {
	t.Helper()
	for f, err := range m.Facts() {
		require.NoError(t, err)
		raw, err := f.MarshalData()
		require.NoError(t, err)
		require.False(t, bytes.Contains(raw, []byte(value)), "%s %s", f.Kind, f.Name)
	}
	for log, err := range m.Logs() {
		require.NoError(t, err)
		said, _ := text(t, m, log.Name)
		require.NotContains(t, said, value, log.Name)
	}
}

func TestAStepGivesFactsAndReadsNoLog(t *testing.T) {
	server := kubetest.Start(t)
	own := server.Cluster(t)
	brokenSite(t, own)
	c, requests := counted(t, server, own.Namespace())
	step := moduletest.New(t, module.Of[Collect](), c, "", nil)
	step.Env().Target = conn.Target{Kind: conn.Kubernetes, Name: "lab", Namespace: own.Namespace()}
	change, out, err := step.Check()
	require.NoError(t, err)
	require.False(t, change.Wanted())
	require.Equal(t, 0, out.GetAttr("gaps").LengthInt())
	claim := out.GetAttr("facts").GetAttr("k8s_claim").AsValueSlice()[0]
	require.Equal(t, "Pending", claim.GetAttr("phase").AsString())
	require.Equal(t, "antdb", claim.GetAttr("place").GetAttr("cluster").AsString())
	for _, r := range requests() {
		require.NotContains(t, r, "/log")
		require.True(t, strings.HasPrefix(r, "GET ") || strings.Contains(r, "accessreviews"), r)
	}
}

func TestPagesAreReadToTheirEnd(t *testing.T) {
	server := kubetest.Start(t)
	own := server.Cluster(t)
	brokenSite(t, own)
	config := proxied(t, server, func(_ http.ResponseWriter, r *http.Request) bool {
		r.URL.RawQuery = strings.Replace(r.URL.RawQuery, fmt.Sprintf("limit=%d", pageSize), "limit=1", 1)
		return false
	})
	c, err := kube.New(t.Context(), "lab", config, own.Namespace())
	require.NoError(t, err)
	m := collecting(t, c, &Collect{})
	fact[evidence.Workload](t, m, "antdb-backrest-shared-repo")
	fact[evidence.Pod](t, m, "antdb-0")
}
