package pgcluster_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

// recordedObject is one object as it was seen made by PGO 4.7.10; long values were cut.
type recordedObject struct {
	Name, ServiceAccountName string
	Labels, Annotations      map[string]string
	TemplateLabels           map[string]string
	Selector                 map[string]string
	Strategy, Spec           json.RawMessage
	BackoffLimit             int32
	Containers               []recordedContainer
	Volumes                  []string
	SecurityContext          *corev1.PodSecurityContext
	Data                     map[string]string
}

type recordedContainer struct {
	Name, Image, ImagePullPolicy  string
	Ports, Env                    []string
	ReadinessProbe, LivenessProbe *corev1.Probe
	Resources                     corev1.ResourceRequirements
	SecurityContext               *corev1.SecurityContext
}

func recorded(t *testing.T, kind string) []recordedObject {
	t.Helper()
	text, err := os.ReadFile("testdata/objects-final.json")
	require.NoError(t, err)
	var all map[string][]recordedObject
	require.NoError(t, json.Unmarshal(text, &all))
	var out []recordedObject
	for _, o := range all[kind] {
		if strings.Contains(o.Name, "hippo47") && o.Name != "hippo47-appuser-secret" {
			out = append(out, o)
		}
	}
	require.NotEmpty(t, out)
	return out
}

// finished is the world as its objects were recorded: a primary, a backup, a replica.
func finished(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.send(recording(t, "rest-create-cluster.txt")[0])
	w.primary()
	w.finish("hippo47-stanza-create")
	w.finish("backrest-backup-hippo47")
	w.send(recording(t, "rest-scale.txt")[1])
	w.replica("hippo47-gpte")
	w.reconcile()
	return w
}

func anyID(labels map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range labels {
		out[k] = normal(v)
	}
	return out
}

func TestDeploymentsAreHeldToTheRecordedOnes(t *testing.T) {
	w := finished(t)
	for _, want := range recorded(t, "deployments") {
		got, err := w.kube.AppsV1().Deployments(namespace).Get(t.Context(), want.Name, metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, anyID(want.Labels), anyID(got.Labels), want.Name)
		require.Equal(t, anyID(want.TemplateLabels), anyID(got.Spec.Template.Labels), want.Name)
		require.Equal(t, want.Selector, got.Spec.Selector.MatchLabels)
		strategy, err := json.Marshal(got.Spec.Strategy)
		require.NoError(t, err)
		require.JSONEq(t, string(want.Strategy), string(strategy))
		pod := got.Spec.Template.Spec
		require.Equal(t, want.ServiceAccountName, pod.ServiceAccountName)
		require.Equal(t, want.SecurityContext, pod.SecurityContext)
		var volumes []string
		for _, v := range pod.Volumes {
			volumes = append(volumes, v.Name)
		}
		require.Equal(t, want.Volumes, volumes, want.Name)
		require.Len(t, pod.Containers, 1)
		requireContainer(t, want.Containers[0], pod.Containers[0])
	}
}

func requireContainer(t *testing.T, want recordedContainer, got corev1.Container) {
	t.Helper()
	require.Equal(t, want.Name, got.Name)
	require.Equal(t, want.ImagePullPolicy, string(got.ImagePullPolicy))
	if !strings.Contains(want.Image, "pgbackrest-repo") { // the lab's runs the database image
		require.Equal(t, want.Image, got.Image)
	}
	for _, env := range want.Env {
		if strings.HasPrefix(env, "PGBACKREST_REPO1_HOST=") {
			env = "PGBACKREST_REPO1_HOST" // the lab has the address there
		}
		require.True(t, hasEnv(got, env), "%s", env)
	}
	var ports []string
	for _, p := range got.Ports {
		ports = append(ports, p.Name+":"+json.Number(jsonOf(t, p.ContainerPort)).String())
	}
	require.Equal(t, want.Ports, ports)
	require.Equal(t, jsonOf(t, want.Resources), jsonOf(t, got.Resources))
	require.Equal(t, want.SecurityContext, got.SecurityContext)
	for _, pair := range [][2]*corev1.Probe{{want.ReadinessProbe, got.ReadinessProbe}, {want.LivenessProbe, got.LivenessProbe}} {
		require.Equal(t, pair[0] == nil, pair[1] == nil)
		if pair[0] != nil {
			require.Equal(t, pair[0].ProbeHandler, pair[1].ProbeHandler)
			require.Equal(t, pair[0].InitialDelaySeconds, pair[1].InitialDelaySeconds)
		}
	}
}

// hasEnv looks for NAME, with any value, or for NAME=VALUE.
func hasEnv(c corev1.Container, want string) bool {
	name, value, given := strings.Cut(want, "=")
	for _, e := range c.Env {
		if e.Name == name && (!given || e.Value == value) {
			return true
		}
	}
	return false
}

func jsonOf(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return string(text)
}

func TestServicesClaimsAndTheJobAreHeldToTheRecordedOnes(t *testing.T) {
	w := finished(t)
	for _, want := range recorded(t, "services") {
		got, err := w.kube.CoreV1().Services(namespace).Get(t.Context(), want.Name, metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, want.Labels, got.Labels)
		var spec corev1.ServiceSpec
		require.NoError(t, json.Unmarshal(want.Spec, &spec))
		require.Equal(t, spec.Ports, got.Spec.Ports)
		require.Equal(t, spec.Selector, got.Spec.Selector)
	}
	for _, want := range recorded(t, "persistentvolumeclaims") {
		got, err := w.kube.CoreV1().PersistentVolumeClaims(namespace).Get(t.Context(), want.Name, metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, want.Labels, got.Labels)
		var spec corev1.PersistentVolumeClaimSpec
		require.NoError(t, json.Unmarshal(want.Spec, &spec))
		require.Equal(t, spec.AccessModes, got.Spec.AccessModes)
		require.Equal(t, spec.Resources, got.Spec.Resources)
	}
	for _, want := range recorded(t, "jobs") {
		got, err := w.kube.BatchV1().Jobs(namespace).Get(t.Context(), want.Name, metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, want.Labels, got.Labels)
		require.Equal(t, want.BackoffLimit, *got.Spec.BackoffLimit)
		container := got.Spec.Template.Spec.Containers[0]
		require.Equal(t, want.Containers[0].Name, container.Name)
		require.True(t, hasEnv(container, "COMMAND_OPTS=--type=full --db-host=10.88.0.82 --db-path=/pgdata/hippo47"))
		require.True(t, hasEnv(container, "PODNAME=hippo47-backrest-shared-repo-567b7fb85d-t6kc2"))
	}
}

func TestSecretsAndConfigMapsAreHeldToTheRecordedOnes(t *testing.T) {
	w := finished(t)
	for _, want := range recorded(t, "secrets") {
		got, err := w.kube.CoreV1().Secrets(namespace).Get(t.Context(), want.Name, metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, want.Labels, got.Labels)
		require.Equal(t, want.Annotations, got.Annotations, want.Name)
		require.Len(t, got.Data, len(want.Data), want.Name)
		for key, value := range want.Data {
			require.Contains(t, got.Data, key)
			if value == "<24 bytes>" {
				require.Len(t, got.Data[key], 24)
			}
		}
	}
	for _, want := range recorded(t, "configmaps") {
		if want.Labels["pgha-config"] == "" {
			continue // Patroni's own
		}
		got, err := w.kube.CoreV1().ConfigMaps(namespace).Get(t.Context(), want.Name, metav1.GetOptions{})
		require.NoError(t, err)
		require.Equal(t, want.Labels, got.Labels)
		require.Equal(t, want.Data, got.Data)
	}
}

func (w *world) resource(t *testing.T, resource, name string) map[string]any {
	t.Helper()
	kinds := map[string]int{"Pgcluster": 0, "Pgreplica": 1, "Pgtask": 2}
	kind := []struct{ Group, Version, Resource string }{
		{crv1.Group, crv1.Version, "pgclusters"}, {crv1.Group, crv1.Version, "pgreplicas"}, {crv1.Group, crv1.Version, "pgtasks"},
	}[kinds[resource]]
	got, err := w.dyn.Resource(crv1.Clusters.GroupVersion().WithResource(kind.Resource)).Namespace(namespace).Get(t.Context(), name, metav1.GetOptions{})
	require.NoError(t, err)
	return got.Object
}

func TestCustomResourcesAreHeldToTheRecordedOnes(t *testing.T) {
	w := finished(t)
	for _, file := range []string{"pgcluster-later.yaml", "pgreplicas.yaml", "pgtasks-later.yaml"} {
		text, err := os.ReadFile("testdata/" + file)
		require.NoError(t, err)
		var document map[string]any
		require.NoError(t, yaml.Unmarshal(text, &document))
		items, isList := document["items"].([]any)
		if !isList {
			items = []any{document}
		}
		for _, item := range items {
			want := unstructured.Unstructured{Object: item.(map[string]any)}
			if !strings.Contains(want.GetName(), "hippo47") {
				continue
			}
			got := w.resource(t, want.GetKind(), want.GetName())
			for _, part := range []string{"spec", "status"} {
				require.JSONEq(t, normal(jsonOf(t, want.Object[part])), normal(jsonOf(t, got[part])), "%s %s", want.GetName(), part)
			}
			require.Equal(t, anyID(want.GetLabels()), anyID((&unstructured.Unstructured{Object: got}).GetLabels()), want.GetName())
		}
	}
}

// apply creates what a user applies by kubectl.
func (w *world) apply(file string) {
	w.t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	require.NoError(w.t, err)
	u := &unstructured.Unstructured{}
	require.NoError(w.t, yaml.Unmarshal(text, &u.Object))
	_, err = w.dyn.Resource(crv1.Clusters).Namespace(namespace).Create(w.t.Context(), u, metav1.CreateOptions{})
	require.NoError(w.t, err)
}

func TestResourceAloneRunsThroughToInitialized(t *testing.T) {
	w := newWorld(t)
	w.operatorSecret()
	w.apply("crd-only-pgcluster.yaml")
	w.reconcile()
	for _, user := range []string{"appuser", "postgres", "primaryuser"} {
		_, err := w.kube.CoreV1().Secrets(namespace).Get(t.Context(), "crd47-"+user+"-secret", metav1.GetOptions{})
		require.NoError(t, err)
	}
	w.ready("crd47-backrest-shared-repo", "crd47-backrest-shared-repo-1", "")
	w.reconcile()
	w.ready("crd47", "crd47-1", "master")
	w.reconcile()
	w.finish("crd47-stanza-create")
	w.finish("backrest-backup-crd47")
	text, err := os.ReadFile("testdata/crd-only-pgcluster-later.yaml")
	require.NoError(t, err)
	var want map[string]any
	require.NoError(t, yaml.Unmarshal(text, &want))
	got := w.resource(t, "Pgcluster", "crd47")
	require.JSONEq(t, jsonOf(t, want["spec"]), jsonOf(t, got["spec"]))
	require.JSONEq(t, jsonOf(t, want["status"]), jsonOf(t, got["status"]))
	require.Equal(t, "crd47", (&unstructured.Unstructured{Object: got}).GetAnnotations()["primary-deployment"])
}

func TestResourceWithoutTheAnnotationIsProcessedAndNothingElse(t *testing.T) {
	w := newWorld(t)
	w.operatorSecret()
	w.apply("crd-only-minimal.yaml")
	require.ErrorContains(t, w.operator.Reconcile(t.Context()), "no annotation current-primary")
	require.Equal(t, crv1.ClusterProcessed, w.state("crd48").State)
	list, err := w.kube.AppsV1().Deployments(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Empty(t, list.Items)
}

func TestDeletedResourceIsRemovedByAJob(t *testing.T) {
	w := finished(t)
	require.NoError(t, w.dyn.Resource(crv1.Clusters).Namespace(namespace).Delete(t.Context(), "hippo47", metav1.DeleteOptions{}))
	w.reconcile()
	jobs, err := w.kube.BatchV1().Jobs(namespace).List(t.Context(), metav1.ListOptions{LabelSelector: "pgrmdata=true"})
	require.NoError(t, err)
	require.Len(t, jobs.Items, 1)
	require.Regexp(t, regexp.MustCompile("^hippo47-rmdata-[a-z]{4}$"), jobs.Items[0].Name)
	require.True(t, hasEnv(jobs.Items[0].Spec.Template.Spec.Containers[0], "REMOVE_DATA=true"))
	task := w.resource(t, "Pgtask", "hippo47-rmdata")
	require.Equal(t, map[string]string{"pg-cluster": "hippo47", "pgrmdata": "true"}, (&unstructured.Unstructured{Object: task}).GetLabels())
}

func TestResourcesGoToReplicasBeforeThePrimary(t *testing.T) {
	w := finished(t)
	cluster := &unstructured.Unstructured{Object: w.resource(t, "Pgcluster", "hippo47")}
	require.NoError(t, unstructured.SetNestedStringMap(cluster.Object, map[string]string{"memory": "256Mi"}, "spec", "resources"))
	_, err := w.dyn.Resource(crv1.Clusters).Namespace(namespace).Update(t.Context(), cluster, metav1.UpdateOptions{})
	require.NoError(t, err)
	memory := func(deployment string) string {
		d, err := w.kube.AppsV1().Deployments(namespace).Get(t.Context(), deployment, metav1.GetOptions{})
		require.NoError(t, err)
		return d.Spec.Template.Spec.Containers[0].Resources.Requests.Memory().String()
	}
	require.NoError(t, w.operator.Reconcile(t.Context()))
	require.Equal(t, "256Mi", memory("hippo47-gpte"))
	require.Equal(t, "128Mi", memory("hippo47"))
	w.reconcile()
	require.Equal(t, "256Mi", memory("hippo47"))
}
