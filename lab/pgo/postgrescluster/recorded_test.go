package postgrescluster_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// recordedObject is one object as it was seen made by PGO 6.0.3; long values were cut.
type recordedObject struct {
	Name, ServiceName, Type, ServiceAccountName string
	Labels, Annotations                         map[string]string
	TemplateLabels, TemplateAnnotations         map[string]string
	Selector                                    map[string]string
	Owner                                       []string
	Replicas                                    *int32
	BackoffLimit                                *int32
	UpdateStrategy                              json.RawMessage
	InitContainers, Containers                  []recordedContainer
	Volumes                                     []string
	SecurityContext                             json.RawMessage
	RestartPolicy                               string
	Data                                        map[string]string
	Spec                                        json.RawMessage
}

type recordedContainer struct {
	Name, ImagePullPolicy         string
	Command, Ports, Env           []string
	ReadinessProbe, LivenessProbe *corev1.Probe
	SecurityContext               *corev1.SecurityContext
}

func recorded(t *testing.T) map[string][]recordedObject {
	t.Helper()
	text, err := os.ReadFile("testdata/objects-dbready-backup-running.json")
	require.NoError(t, err)
	var out map[string][]recordedObject
	require.NoError(t, json.Unmarshal(text, &out))
	return out
}

// anyInstance takes the random parts out of names.
var anyInstance = regexp.MustCompile(`(hippo6-(?:db|backup))-[a-z0-9]{4}\b`)

func normal(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	out := anyInstance.ReplaceAllString(string(text), "$1-XXXX")
	return regexp.MustCompile(`pgbackrest@[0-9a-f-]{36}`).ReplaceAllString(out, "pgbackrest@UID")
}

func requireMeta(t *testing.T, want recordedObject, got metav1.ObjectMeta) {
	t.Helper()
	require.Equal(t, normal(t, want.Labels), normal(t, got.Labels))
	var owners []string
	for _, o := range got.OwnerReferences {
		controller := "None"
		if o.Controller != nil {
			controller = "True"
		}
		owners = append(owners, fmt.Sprintf("%s/%s controller=%s", o.Kind, o.Name, controller))
	}
	require.Equal(t, want.Owner, owners)
}

func TestStatefulSetsAreHeldToTheRecordedOnes(t *testing.T) {
	w := served(t)
	list, err := w.kube.AppsV1().StatefulSets(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, list.Items, 2)
	for _, want := range recorded(t)["statefulsets"] {
		var got *appsv1.StatefulSet
		for i := range list.Items {
			if normal(t, list.Items[i].Name) == normal(t, want.Name) {
				got = &list.Items[i]
			}
		}
		require.NotNil(t, got, want.Name)
		requireMeta(t, want, got.ObjectMeta)
		require.Equal(t, normal(t, want.Selector), normal(t, got.Spec.Selector.MatchLabels))
		require.Equal(t, *want.Replicas, *got.Spec.Replicas)
		require.Equal(t, want.ServiceName, got.Spec.ServiceName)
		require.JSONEq(t, string(want.UpdateStrategy), normal(t, got.Spec.UpdateStrategy))
		require.Equal(t, normal(t, want.TemplateLabels), normal(t, got.Spec.Template.Labels))
		require.Equal(t, normal(t, want.TemplateAnnotations), normal(t, got.Spec.Template.Annotations))
		pod := got.Spec.Template.Spec
		require.Equal(t, want.ServiceAccountName, pod.ServiceAccountName)
		require.JSONEq(t, string(want.SecurityContext), normal(t, pod.SecurityContext))
		requireContainers(t, want.InitContainers, pod.InitContainers)
		requireContainers(t, want.Containers, pod.Containers)
		var volumes []string
		for _, v := range pod.Volumes {
			volumes = append(volumes, v.Name)
		}
		require.Equal(t, want.Volumes, volumes)
	}
}

func requireContainers(t *testing.T, want []recordedContainer, got []corev1.Container) {
	t.Helper()
	require.Len(t, got, len(want))
	for i, w := range want {
		g := got[i]
		require.Equal(t, w.Name, g.Name)
		require.Equal(t, w.ImagePullPolicy, string(g.ImagePullPolicy))
		require.Len(t, g.Command, len(w.Command), w.Name)
		for k := range w.Command {
			// a script was recorded by its beginning; the stand-in's own has the same first line
			line, _, _ := strings.Cut(w.Command[k], "\n")
			if cut, short := strings.CutSuffix(line, "..."); short {
				line = cut
			}
			require.True(t, strings.HasPrefix(g.Command[k], line), "%s: %s", w.Name, g.Command[k])
		}
		var env, ports []string
		for _, e := range g.Env {
			if e.Value != "" {
				e.Name += "=" + e.Value
			}
			env = append(env, e.Name)
		}
		require.Equal(t, normal(t, w.Env), normal(t, append([]string{}, env...)), w.Name)
		for _, p := range g.Ports {
			ports = append(ports, fmt.Sprintf("%s:%d", p.Name, p.ContainerPort))
		}
		require.ElementsMatch(t, w.Ports, ports)
		require.Equal(t, w.SecurityContext, g.SecurityContext, w.Name)
		requireProbe(t, w.ReadinessProbe, g.ReadinessProbe)
		requireProbe(t, w.LivenessProbe, g.LivenessProbe)
	}
}

// requireProbe leaves the time limits out: a lab may be slow.
func requireProbe(t *testing.T, want, got *corev1.Probe) {
	t.Helper()
	require.Equal(t, want == nil, got == nil)
	if want != nil {
		require.Equal(t, want.ProbeHandler, got.ProbeHandler)
		require.Equal(t, want.InitialDelaySeconds, got.InitialDelaySeconds)
	}
}

func TestServicesAreHeldToTheRecordedOnes(t *testing.T) {
	w := served(t)
	for _, want := range recorded(t)["services"] {
		got, err := w.kube.CoreV1().Services(namespace).Get(t.Context(), want.Name, metav1.GetOptions{})
		require.NoError(t, err)
		requireMeta(t, want, got.ObjectMeta)
		var spec corev1.ServiceSpec
		require.NoError(t, json.Unmarshal(want.Spec, &spec))
		require.Equal(t, spec.Ports, got.Spec.Ports)
		require.Equal(t, spec.Selector, got.Spec.Selector)
		require.Equal(t, spec.ClusterIP == "None", got.Spec.ClusterIP == "None", want.Name)
	}
}

func TestSecretsAreHeldToTheRecordedOnes(t *testing.T) {
	w := served(t)
	list, err := w.kube.CoreV1().Secrets(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	have := map[string]corev1.Secret{}
	for _, s := range list.Items {
		have[normal(t, s.Name)] = s
	}
	for _, want := range recorded(t)["secrets"] {
		got, found := have[normal(t, want.Name)]
		require.True(t, found, want.Name)
		requireMeta(t, want, got.ObjectMeta)
		require.Len(t, got.Data, len(want.Data), want.Name)
		for key, value := range want.Data {
			require.Contains(t, got.Data, key, want.Name)
			if !strings.HasPrefix(value, "<") {
				require.Equal(t, value, string(got.Data[key]), key)
			}
		}
	}
	require.Len(t, list.Items, len(recorded(t)["secrets"]))
}

func TestConfigMapsAreHeldToTheRecordedOnes(t *testing.T) {
	w := served(t)
	list, err := w.kube.CoreV1().ConfigMaps(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	have := map[string]corev1.ConfigMap{}
	for _, m := range list.Items {
		have[normal(t, m.Name)] = m
	}
	for _, want := range recorded(t)["configmaps"] {
		if want.Name == "kube-root-ca.crt" {
			continue
		}
		got, found := have[normal(t, want.Name)]
		require.True(t, found, want.Name)
		requireMeta(t, want, got.ObjectMeta)
		want.Data["config-hash"], got.Data["config-hash"] = "", ""
		for key := range want.Data {
			require.Equal(t, normal(t, want.Data[key]), normal(t, got.Data[key]), "%s %s", want.Name, key)
		}
	}
}

func TestClaimsAndTheJobAreHeldToTheRecordedOnes(t *testing.T) {
	w := served(t)
	claims, err := w.kube.CoreV1().PersistentVolumeClaims(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, claims.Items, 2)
	for i, want := range recorded(t)["persistentvolumeclaims"] {
		got := claims.Items[i]
		require.Equal(t, normal(t, want.Name), normal(t, got.Name))
		requireMeta(t, want, got.ObjectMeta)
		var spec corev1.PersistentVolumeClaimSpec
		require.NoError(t, json.Unmarshal(want.Spec, &spec))
		require.Equal(t, spec.AccessModes, got.Spec.AccessModes)
		require.Equal(t, spec.Resources, got.Spec.Resources)
	}
	jobs, err := w.kube.BatchV1().Jobs(namespace).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, jobs.Items, 1)
	want, got := recorded(t)["jobs"][0], jobs.Items[0]
	require.Equal(t, normal(t, want.Name), normal(t, got.Name))
	requireMeta(t, want, got.ObjectMeta)
	require.Equal(t, *want.BackoffLimit, *got.Spec.BackoffLimit)
	require.Equal(t, want.ServiceAccountName, got.Spec.Template.Spec.ServiceAccountName)
	require.Equal(t, want.Containers[0].Name, got.Spec.Template.Spec.Containers[0].Name)
	for key := range want.Annotations {
		require.Contains(t, got.Annotations, key)
	}
}

// change is one line of the recorded timeline.
type change struct {
	Kind, Event string
	Change      struct{ Status map[string]any }
}

// TestStatusGoesTheRecordedWay compares the status at each recorded step until the first backup is done.
func TestStatusGoesTheRecordedWay(t *testing.T) {
	text, err := os.ReadFile("testdata/timeline-hippo6.jsonl")
	require.NoError(t, err)
	var want []map[string]any
	for line := range strings.Lines(string(text)) {
		var c change
		require.NoError(t, json.Unmarshal([]byte(line), &c))
		if c.Kind == "PostgresCluster" && len(c.Change.Status) > 0 && len(want) < 6 {
			want = append(want, c.Change.Status)
		}
	}
	w := newWorld(t)
	for step, advance := range []func(){w.nothing, w.claimsBind, w.repoHostStarts, w.databaseStarts, w.databaseReady, w.backupDone} {
		advance()
		w.reconcile()
		got := w.status()
		for _, key := range []string{"databaseRevision", "monitoring", "proxy"} { // not recorded over time
			delete(got, key)
		}
		require.Equal(t, timeless(t, want[step]), timeless(t, got), "step %d", step)
	}
}

// timeless leaves out what differs from run to run.
func timeless(t *testing.T, status map[string]any) string {
	t.Helper()
	text, err := yaml.Marshal(status)
	require.NoError(t, err)
	for _, pattern := range []string{`lastTransitionTime: .*`, `usersRevision: .*`, `systemIdentifier: .*`} {
		text = regexp.MustCompile(pattern).ReplaceAll(text, []byte(strings.SplitN(pattern, ":", 2)[0]))
	}
	return string(text)
}
