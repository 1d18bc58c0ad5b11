package apiserver_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

// recordedObject is an object of the recording; of Secrets and ConfigMaps it has the keys only.
type recordedObject struct {
	Kind     string
	Metadata struct {
		Name   string
		Labels map[string]string
	}
	Spec json.RawMessage
	Keys []string
}

// story replays the recording, failover and all, and returns the world as it is then.
func story(t *testing.T) *world {
	t.Helper()
	return storyUntil(t, "")
}

// storyUntil stops before the first request of that method and path. The objects were recorded before the failover.
func storyUntil(t *testing.T, end string) *world {
	t.Helper()
	w := newWorld(t)
	number := 0
	for _, e := range readExchanges(t, "rest-traffic.txt") {
		if !modelled(e) || strings.HasPrefix(e.path, "/clustersdelete") {
			continue
		}
		if happen := moments[number]; happen != nil {
			happen(w)
		}
		if e.method+" "+e.path == end {
			break
		}
		w.send(e)
		number++
	}
	return w
}

func TestObjectsAreHeldToTheRecordedOnes(t *testing.T) {
	w := storyUntil(t, "POST /failover")
	text, err := os.ReadFile("testdata/objects.json")
	require.NoError(t, err)
	var recorded []recordedObject
	require.NoError(t, json.Unmarshal(text, &recorded))
	require.NotEmpty(t, recorded)
	for _, want := range recorded {
		t.Run(want.Kind+" "+want.Metadata.Name, func(t *testing.T) {
			labels := w.object(t, want)
			require.Equal(t, anyID(want.Metadata.Labels), anyID(labels))
		})
	}
}

// object returns the labels of the stand-in's object of that name, after comparing what its kind has beyond them.
func (w *world) object(t *testing.T, want recordedObject) map[string]string {
	t.Helper()
	ctx, get, name := t.Context(), metav1.GetOptions{}, want.Metadata.Name
	core := w.server.Kube.CoreV1()
	switch want.Kind {
	case "Service":
		got, err := core.Services("pgouser1").Get(ctx, name, get)
		require.NoError(t, err)
		var spec corev1.ServiceSpec
		require.NoError(t, json.Unmarshal(want.Spec, &spec))
		require.Equal(t, spec.Ports, got.Spec.Ports)
		require.Equal(t, spec.Selector, got.Spec.Selector)
		return got.Labels
	case "PersistentVolumeClaim":
		got, err := core.PersistentVolumeClaims("pgouser1").Get(ctx, name, get)
		require.NoError(t, err)
		var spec corev1.PersistentVolumeClaimSpec
		require.NoError(t, json.Unmarshal(want.Spec, &spec))
		require.Equal(t, spec.AccessModes, got.Spec.AccessModes)
		require.Equal(t, spec.Resources, got.Spec.Resources)
		return got.Labels
	case "Secret":
		got, err := core.Secrets("pgouser1").Get(ctx, name, get)
		require.NoError(t, err)
		for _, key := range want.Keys {
			require.Contains(t, got.Data, key)
		}
		require.Len(t, got.Data, len(want.Keys))
		return got.Labels
	case "ConfigMap":
		got, err := core.ConfigMaps("pgouser1").Get(ctx, name, get)
		require.NoError(t, err)
		for _, key := range want.Keys {
			require.Contains(t, got.Data, key)
		}
		return got.Labels
	case "Job":
		got, err := w.server.Kube.BatchV1().Jobs("pgouser1").Get(ctx, name, get)
		require.NoError(t, err)
		return got.Labels
	case "Deployment":
		got, err := w.server.Kube.AppsV1().Deployments("pgouser1").Get(ctx, name, get)
		require.NoError(t, err)
		return got.Labels
	}
	require.Fail(t, "no comparison for kind "+want.Kind)
	return nil
}

// anyID takes the values out that are made anew for each cluster.
func anyID(labels map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range labels {
		out[k] = normal(v)
	}
	return out
}

func TestDatabasePodIsHeldToTheRecordedOne(t *testing.T) {
	w := story(t)
	text, err := os.ReadFile("testdata/pods.json")
	require.NoError(t, err)
	var pods []corev1.Pod
	require.NoError(t, json.Unmarshal(text, &pods))
	compared := 0
	for _, want := range pods {
		owner, _, isDatabase := strings.Cut(want.Name, "-"+want.Labels["pod-template-hash"]+"-")
		if want.Labels["pod-template-hash"] == "" || !isDatabase {
			continue // of a Job
		}
		got, err := w.server.Kube.AppsV1().Deployments("pgouser1").Get(t.Context(), owner, metav1.GetOptions{})
		require.NoError(t, err)
		requirePodLike(t, want, got)
		compared++
	}
	require.Equal(t, 3, compared)
}

func requirePodLike(t *testing.T, want corev1.Pod, got *appsv1.Deployment) {
	t.Helper()
	delete(want.Labels, "pod-template-hash") // the Deployment's doing
	delete(want.Labels, crv1.LabelRole)      // Patroni's
	require.Equal(t, anyID(want.Labels), anyID(got.Spec.Template.Labels), want.Name)
	spec := got.Spec.Template.Spec
	require.Equal(t, want.Spec.ServiceAccountName, spec.ServiceAccountName)
	require.Len(t, spec.Containers, 1)
	require.Equal(t, want.Spec.Containers[0].Name, spec.Containers[0].Name)
	require.Equal(t, want.Spec.Containers[0].Ports, spec.Containers[0].Ports)
	require.Equal(t, want.Spec.Containers[0].ImagePullPolicy, spec.Containers[0].ImagePullPolicy)
	mounts := map[string]string{}
	for _, m := range spec.Containers[0].VolumeMounts {
		mounts[m.MountPath] = m.Name
	}
	for _, m := range want.Status.ContainerStatuses[0].VolumeMounts {
		if !strings.HasPrefix(m.Name, "kube-api-access") {
			require.Equal(t, m.Name, mounts[m.MountPath], m.MountPath)
		}
	}
}

func TestCustomResourcesAreHeldToTheRecordedOnes(t *testing.T) {
	w := storyUntil(t, "POST /failover")
	requireResource(t, "pgcluster-initialized.yaml", func(name string) any {
		got, err := crv1.ClusterStore(w.server.Dynamic).Get(t.Context(), "pgouser1", name)
		require.NoError(t, err)
		return got
	})
	requireResource(t, "pgreplicas.yaml", func(name string) any {
		got, err := crv1.ReplicaStore(w.server.Dynamic).Get(t.Context(), "pgouser1", name)
		require.NoError(t, err)
		return got
	})
	requireResource(t, "pgtasks.yaml", func(name string) any {
		got, err := crv1.TaskStore(w.server.Dynamic).Get(t.Context(), "pgouser1", name)
		require.NoError(t, err)
		return got
	})
}

// requireResource compares the objects of a file, which may hold a list, in labels, spec and status.
func requireResource(t *testing.T, file string, find func(name string) any) {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	require.NoError(t, err)
	var document map[string]any
	require.NoError(t, yaml.Unmarshal(text, &document))
	items, isList := document["items"].([]any)
	if !isList {
		items = []any{document}
	}
	for _, item := range items {
		want := item.(map[string]any)
		metadata := want["metadata"].(map[string]any)
		got, err := runtime.DefaultUnstructuredConverter.ToUnstructured(find(metadata["name"].(string)))
		require.NoError(t, err)
		for _, part := range []string{"spec", "status"} {
			require.JSONEq(t, normalJSON(t, want[part]), normalJSON(t, got[part]), "%s %s", metadata["name"], part)
		}
		require.JSONEq(t, normalJSON(t, metadata["labels"]), normalJSON(t, got["metadata"].(map[string]any)["labels"]),
			"%s labels", metadata["name"])
	}
}

func normalJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return normal(string(text))
}
