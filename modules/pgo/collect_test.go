package pgo

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func TestTheExampleOfCollectIsWellFormed(t *testing.T) { moduletest.Example(t, module.Of[Collect]()) }

// archive is a namespace of a real API server that keeps the records of both
// generations; no operator acts on them.
type archive struct {
	t    *testing.T
	kube *kube.Cluster
}

func newArchive(t *testing.T) *archive {
	t.Helper()
	a := &archive{t, kubetest.Start(t).Cluster(t)}
	a.define(postgresDefinition)
	for _, kind := range []string{"Pgcluster", "Pgreplica", "Pgtask"} {
		single := strings.ToLower(kind)
		a.define(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: ` + single + `s.crunchydata.com}
spec:
  group: crunchydata.com
  names: {kind: ` + kind + `, listKind: ` + kind + `List, plural: ` + single + `s, singular: ` + single + `}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`)
	}
	for plural, group := range map[string]string{"pgclusters": groupV4 + "/v1", "pgreplicas": groupV4 + "/v1", "pgtasks": groupV4 + "/v1", "postgresclusters": groupV5 + "/v1beta1"} {
		kubetest.Eventually(t, plural+" are served", func() bool {
			_, err := a.kind(group, plural).List(t.Context(), metav1.ListOptions{})
			return err == nil
		})
	}
	return a
}

func (a *archive) define(text string) {
	a.t.Helper()
	definitions := a.kube.Dynamic().Resource(schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"})
	_, err := definitions.Create(a.t.Context(), &unstructured.Unstructured{Object: objectFrom(a.t, []byte(text))}, metav1.CreateOptions{})
	require.True(a.t, err == nil || apierrors.IsAlreadyExists(err), "%v", err)
}

func (a *archive) kind(groupVersion, plural string) interface {
	List(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error)
	Create(context.Context, *unstructured.Unstructured, metav1.CreateOptions, ...string) (*unstructured.Unstructured, error)
	UpdateStatus(context.Context, *unstructured.Unstructured, metav1.UpdateOptions) (*unstructured.Unstructured, error)
} {
	gv, err := schema.ParseGroupVersion(groupVersion)
	require.NoError(a.t, err)
	return a.kube.Dynamic().Resource(gv.WithResource(plural)).Namespace(a.kube.Namespace())
}

// file puts the objects of a recorded file into the namespace; change may alter
// each before.
func (a *archive) file(path string, change func(*unstructured.Unstructured)) {
	a.t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", path))
	require.NoError(a.t, err)
	var list struct{ Items []object }
	require.NoError(a.t, yaml.Unmarshal(text, &list))
	if len(list.Items) == 0 {
		list.Items = []object{objectFrom(a.t, text)}
	}
	for _, o := range list.Items {
		raw := &unstructured.Unstructured{Object: o}
		status := o["status"]
		raw.Object["metadata"] = object{"name": raw.GetName(), "labels": raw.Object["metadata"].(object)["labels"]}
		if change != nil {
			change(raw)
		}
		plural := strings.ToLower(raw.GetKind()) + "s"
		made, err := a.kind(raw.GetAPIVersion(), plural).Create(a.t.Context(), raw, metav1.CreateOptions{})
		require.NoError(a.t, err)
		if plural == "postgresclusters" {
			made.Object["status"] = status
			_, err = a.kind(raw.GetAPIVersion(), plural).UpdateStatus(a.t.Context(), made, metav1.UpdateOptions{})
			require.NoError(a.t, err)
		}
	}
}

func (a *archive) collect(c *Collect) *evidence.InMemory { return a.collectFrom(a.kube, c) }

func (a *archive) collectFrom(host conn.Host, c *Collect) *evidence.InMemory {
	a.t.Helper()
	if c.getenv == nil {
		c.getenv = noVariables
	}
	env := moduletest.Env(a.t, host)
	env.Target = conn.Target{Kind: conn.Kubernetes, Name: "lab", Config: "lab", Namespace: a.kube.Namespace()}
	m := evidence.NewMemory(time.Now(), 0)
	require.NoError(a.t, c.Collect(a.t.Context(), env, m))
	return m
}

func recordOf[T any](t *testing.T, m *evidence.InMemory, name string) *T {
	t.Helper()
	for f, err := range m.Facts() {
		require.NoError(t, err)
		if data, ok := f.Data.(*T); ok && f.Name == name {
			return data
		}
	}
	require.Fail(t, "no such fact is called "+name)
	return nil
}

func TestTheRecordsOfPGO4AreCollected(t *testing.T) {
	a := newArchive(t)
	a.file("pgo-4.2.1/pgcluster-initialized.yaml", func(o *unstructured.Unstructured) {
		require.NoError(t, unstructured.SetNestedField(o.Object, "true", "metadata", "labels", "crunchy-pgbadger"))
	})
	a.file("pgo-4.2.1/pgreplicas.yaml", nil)
	a.file("pgo-4.2.1/pgtasks.yaml", nil)
	a.file("pgo-4.2.1/pgtasks.yaml", func(o *unstructured.Unstructured) {
		o.SetName(strings.ReplaceAll(o.GetName(), "hippo", "gone"))
		o.SetLabels(map[string]string{"pg-cluster": "gone"})
		parameters, _, _ := unstructured.NestedStringMap(o.Object, "spec", "parameters")
		delete(parameters, "task completed")
		parameters["user-password"] = "pl4nted-Secret"
		require.NoError(t, unstructured.SetNestedStringMap(o.Object, parameters, "spec", "parameters"))
	})
	m := a.collect(&Collect{})
	require.Empty(t, m.Gaps())
	require.Equal(t, evidence.Cluster{Generation: "4", Status: "pgcluster Initialized", Message: "Cluster has been initialized", Image: "antdb-ha:latest",
		Images: []string{"antdb-ha:latest", "crunchy-pgbadger:latest"}, Replicas: 1, Autofail: true, Age: recordOf[evidence.Cluster](t, m, "hippo").Age}, *recordOf[evidence.Cluster](t, m, "hippo"))
	replica := recordOf[evidence.Replica](t, m, "hippo-rcan")
	require.True(t, replica.ClusterExists)
	require.Contains(t, replica.Status, "pgreplica ")
	require.True(t, recordOf[evidence.Task](t, m, "hippo-stanza-create").ClusterExists)
	workflow := recordOf[evidence.Workflow](t, m, "hippo-createcluster")
	require.Equal(t, []any{true, "task completed"}, []any{workflow.Completed, workflow.Last})
	stale := recordOf[evidence.Task](t, m, "gone-createcluster")
	require.Equal(t, []any{"workflow", "pgtask Processed", false}, []any{stale.Type, stale.Status, stale.ClusterExists})
	require.Equal(t, "task submitted", recordOf[evidence.Workflow](t, m, "gone-createcluster").Last)
	for f := range m.Facts() {
		raw, err := f.MarshalData()
		require.NoError(t, err)
		require.NotContains(t, string(raw), "pl4nted-Secret")
	}
}

func TestARecordOfAnotherFormIsAGapAndTheRestGoesOn(t *testing.T) {
	a := newArchive(t)
	a.file("pgo-4.2.1/pgcluster-initialized.yaml", nil)
	a.file("pgo-4.2.1/pgcluster-initialized.yaml", func(o *unstructured.Unstructured) {
		o.SetName("strange")
		o.Object["spec"] = object{"ccpimage": []any{"x"}}
	})
	a.file("pgo-4.2.1/pgcluster-initialized.yaml", func(o *unstructured.Unstructured) {
		o.SetName("empty")
		o.Object["spec"], o.Object["status"] = object{}, object{}
	})
	m := a.collect(&Collect{})
	require.Len(t, m.Gaps(), 1)
	require.Equal(t, "the Pgcluster strange", m.Gaps()[0].What)
	recordOf[evidence.Cluster](t, m, "hippo")
	require.Empty(t, recordOf[evidence.Cluster](t, m, "empty").Image)
}

func TestTheRecordsOfPGO6AreCollectedWithTheirFalseConditions(t *testing.T) {
	a := newArchive(t)
	a.file("pgo-6.0.3/postgrescluster-imagepull.yaml", nil)
	a.file("pgo-6.0.3/postgrescluster-tworeplicas.yaml", nil)
	m := a.collect(&Collect{})
	c := recordOf[evidence.Cluster](t, m, "hippo6pull")
	require.Equal(t, []string{"PGBackRestReplicaCreate RepoBackupNotComplete: pgBackRest replica creation is not currently possible",
		"PGBackRestReplicaRepoReady StanzaNotCreated: pgBackRest replica create repo is not ready for backups"}, c.Problems)
	require.Equal(t, []string{"lab/no-such-image:1.0", "lab/crunchy-postgres:15.20-lab2"}, c.Images)
	require.Equal(t, []any{"5", "0 of 1 members ready", int64(0)}, []any{c.Generation, c.Status, c.Replicas})
	require.Empty(t, recordOf[evidence.Cluster](t, m, "hippo6").Problems)
}

// operator puts an operator of PGO 4 into the namespace. There is no node, so
// it never runs.
func (a *archive) operator() {
	a.t.Helper()
	labels := map[string]string{"name": "postgres-operator"}
	env := []corev1.EnvVar{{Name: "PGO_OPERATOR_NAMESPACE", Value: a.kube.Namespace()}}
	_, err := a.kube.Clientset().AppsV1().Deployments(a.kube.Namespace()).Create(a.t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: "postgres-operator", Labels: map[string]string{"vendor": "crunchydata"}},
		Spec: appsv1.DeploymentSpec{Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "apiserver", Image: "crunchydata/pgo-apiserver:centos7-4.2.1", Env: env},
				{Name: "operator", Image: "crunchydata/postgres-operator:centos7-4.2.1", Env: env}}}}}}, metav1.CreateOptions{})
	require.NoError(a.t, err)
	_, err = a.kube.Clientset().CoreV1().Services(a.kube.Namespace()).Create(a.t.Context(), &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "postgres-operator"},
		Spec: corev1.ServiceSpec{Selector: labels, Ports: []corev1.ServicePort{{Port: 8443}}}}, metav1.CreateOptions{})
	require.NoError(a.t, err)
}

// detour leads what is dialled to an address of this machine: the server of
// these tests has no pods to forward to.
type detour struct {
	*kube.Cluster
	to string
}

func (f detour) Unwrap() conn.Host { return f.Cluster }
func (f detour) Dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, f.to)
}

func TestAnOperatorThatIsDownIsTold(t *testing.T) {
	a := newArchive(t)
	a.operator()
	m := a.collect(&Collect{})
	require.Empty(t, m.Gaps())
	require.Equal(t, evidence.Operator{Image: "crunchydata/postgres-operator:centos7-4.2.1", Version: "4.2.1", Started: -1}, *recordOf[evidence.Operator](t, m, "postgres-operator"))
	api := recordOf[evidence.PGOServer](t, m, "apiserver")
	require.False(t, api.Reachable)
	require.Contains(t, api.Error, "no pod behind service postgres-operator is ready")

	// One that wants a certificate has answered.
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Forbidden: Client Certificate Required", http.StatusForbidden)
	}))
	t.Cleanup(server.Close)
	m = a.collectFrom(detour{a.kube, server.Listener.Addr().String()}, &Collect{})
	api = recordOf[evidence.PGOServer](t, m, "apiserver")
	require.Equal(t, evidence.PGOServer{URL: "https://postgres-operator." + a.kube.Namespace() + ":8443", Reachable: true, Version: "4.2.1"}, *api)
	require.Positive(t, recordOf[evidence.Certificate](t, m, "the PGO apiserver postgres-operator."+a.kube.Namespace()+":8443").Left)
}

func TestWithoutRightsTheOperatorsRecordsAreGaps(t *testing.T) {
	a := newArchive(t)
	nobody, err := kube.New(t.Context(), "lab", kubetest.Start(t).Nobody(), a.kube.Namespace())
	require.NoError(t, err)
	m := a.collectFrom(nobody, &Collect{})
	require.NotEmpty(t, m.Gaps())
	for _, gap := range m.Gaps() {
		require.Contains(t, gap.Reason, "forbidden")
	}
	old := kubetest.StartOld(t, "1.13")
	gone := old.Cluster(t)
	old.Close()
	m = a.collectFrom(gone, &Collect{})
	require.Len(t, m.Gaps(), 1)
	require.Contains(t, m.Gaps()[0].Reason, "connection refused")
}

func TestAStepOfCollectGivesTheRecords(t *testing.T) {
	a := newArchive(t)
	a.file("pgo-4.2.1/pgcluster-initialized.yaml", nil)
	step := moduletest.New(t, module.Of[Collect](), a.kube, `namespaces = ["`+a.kube.Namespace()+`"]`, nil)
	_, out, err := step.Check()
	require.NoError(t, err)
	require.Equal(t, "hippo", out.GetAttr("facts").GetAttr("pgo_cluster").AsValueSlice()[0].GetAttr("name").AsString())
}

func TestVersionsAreReadOffTheOperatorsImage(t *testing.T) {
	for image, want := range map[string]string{"crunchydata/postgres-operator:centos7-4.2.1": "4.2.1", "registry.example:5000/postgres-operator:ubi8-5.8.9-0": "5.8.9",
		"x/operator:v6.0.3": "6.0.3", "x/operator:6.0.3": "6.0.3", "x/operator:latest": ""} {
		d := &appsv1.Deployment{}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Image: image}}
		require.Equal(t, want, operatorVersion(d), image)
	}
}
