package postgrescluster_test

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	dynamicfake "k8s.io/client-go/dynamic/fake"
	"k8s.io/client-go/kubernetes/fake"
	"sigs.k8s.io/yaml"

	"github.com/adbsql/antdbctl/lab/pgo/postgrescluster"
)

const namespace = "pguser6"

// world is a fake cluster (client-go's in-memory objects; no controllers run in it) with the stand-in and the recorded
// PostgresCluster in it.
type world struct {
	t    *testing.T
	kube *fake.Clientset
	dyn  *dynamicfake.FakeDynamicClient
	r    *postgrescluster.Reconciler
	ran  []string // commands in pods, with their input
}

func newWorld(t *testing.T) *world {
	t.Helper()
	text, err := os.ReadFile("testdata/postgrescluster-applied.yaml")
	require.NoError(t, err)
	u := &unstructured.Unstructured{}
	require.NoError(t, yaml.Unmarshal(text, &u.Object))
	u.SetUID("1e845b4a-87fd-4e8b-af91-7dd813e1210d")
	u.SetGeneration(1)
	require.NoError(t, unstructured.SetNestedField(u.Object, int64(5432), "spec", "port")) // the API server's default
	w := &world{t: t, kube: fake.NewSimpleClientset()}
	w.dyn = dynamicfake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(),
		map[schema.GroupVersionResource]string{postgrescluster.Resource: "PostgresClusterList"}, u)
	w.r = &postgrescluster.Reconciler{
		Kube: w.kube, Dynamic: w.dyn, Apply: w.apply, OwnImage: "standin", DNS: "10.96.0.9", Six: true, Now: time.Now,
		Log: log.New(io.Discard, "", 0),
		Exec: func(_ context.Context, _, pod, container string, stdin io.Reader, _ io.Writer, command ...string) error {
			line := container + ": " + strings.Join(command, " ")
			if stdin != nil {
				text, err := io.ReadAll(stdin)
				require.NoError(t, err)
				line += "\n" + string(text)
			}
			w.ran = append(w.ran, line)
			return nil
		},
	}
	return w
}

// apply stands for the API server's, for objects that nobody else changes.
func (w *world) apply(_ context.Context, object runtime.Object) error {
	u, resource, err := postgrescluster.Unstructured(object)
	require.NoError(w.t, err)
	err = w.kube.Tracker().Create(resource, object, u.GetNamespace())
	if apierrors.IsAlreadyExists(err) {
		return w.kube.Tracker().Update(resource, object, u.GetNamespace())
	}
	return err
}

func (w *world) reconcile() {
	w.t.Helper()
	require.NoError(w.t, w.r.Reconcile(w.t.Context()))
}

func (w *world) cluster() *unstructured.Unstructured {
	w.t.Helper()
	u, err := w.dyn.Resource(postgrescluster.Resource).Namespace(namespace).Get(w.t.Context(), "hippo6", metav1.GetOptions{})
	require.NoError(w.t, err)
	return u
}

func (w *world) status() map[string]any {
	w.t.Helper()
	text, err := json.Marshal(w.cluster().Object["status"])
	require.NoError(w.t, err)
	var out map[string]any
	require.NoError(w.t, json.Unmarshal(text, &out))
	return out
}

// change edits the specification as a user does.
func (w *world) change(edit func(spec map[string]any)) {
	w.t.Helper()
	u := w.cluster()
	edit(u.Object["spec"].(map[string]any))
	u.SetGeneration(u.GetGeneration() + 1)
	_, err := w.dyn.Resource(postgrescluster.Resource).Namespace(namespace).Update(w.t.Context(), u, metav1.UpdateOptions{})
	require.NoError(w.t, err)
}

func (w *world) nothing() { w.reconcile() } // the finalizer is all that the first pass does

// claimsBind lets volumes be bound and the StatefulSets have their pods.
func (w *world) claimsBind() {
	w.t.Helper()
	claims := w.kube.CoreV1().PersistentVolumeClaims(namespace)
	claim, err := claims.Get(w.t.Context(), "hippo6-repo1", metav1.GetOptions{})
	require.NoError(w.t, err)
	claim.Spec.VolumeName = "rec-pv1"
	_, err = claims.Update(w.t.Context(), claim, metav1.UpdateOptions{})
	require.NoError(w.t, err)
	w.reconcile() // the first status
	w.pods()
}

// pods makes what the StatefulSets' controller makes.
func (w *world) pods() {
	w.t.Helper()
	list, err := w.kube.AppsV1().StatefulSets(namespace).List(w.t.Context(), metav1.ListOptions{})
	require.NoError(w.t, err)
	for i := range list.Items {
		s := &list.Items[i]
		s.Status.UpdateRevision = s.Name + "-1"
		_, err := w.kube.AppsV1().StatefulSets(namespace).UpdateStatus(w.t.Context(), s, metav1.UpdateOptions{})
		require.NoError(w.t, err)
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{
			Name: s.Name + "-0", Namespace: namespace, Labels: map[string]string{appsv1.ControllerRevisionHashLabelKey: s.Name + "-1"},
		}}
		for k, v := range s.Spec.Template.Labels {
			pod.Labels[k] = v
		}
		if _, err := w.kube.CoreV1().Pods(namespace).Create(w.t.Context(), pod, metav1.CreateOptions{}); !apierrors.IsAlreadyExists(err) {
			require.NoError(w.t, err)
		}
	}
}

// pod changes the pods whose name begins so.
func (w *world) pod(prefix string, edit func(*corev1.Pod)) {
	w.t.Helper()
	list, err := w.kube.CoreV1().Pods(namespace).List(w.t.Context(), metav1.ListOptions{})
	require.NoError(w.t, err)
	for i := range list.Items {
		if strings.HasPrefix(list.Items[i].Name, prefix) {
			edit(&list.Items[i])
			_, err := w.kube.CoreV1().Pods(namespace).Update(w.t.Context(), &list.Items[i], metav1.UpdateOptions{})
			require.NoError(w.t, err)
		}
	}
}

func ready(p *corev1.Pod) {
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
}

func serves(p *corev1.Pod) {
	p.Status.ContainerStatuses = []corev1.ContainerStatus{
		{Name: "database", State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}},
	}
}

func (w *world) repoHostStarts() { w.pod("hippo6-repo-host", ready) }

func (w *world) databaseStarts() {
	w.pod("hippo6-db-", func(p *corev1.Pod) {
		serves(p)
		p.Labels[postgrescluster.LabelRole] = "master"
	})
	_, err := w.kube.CoreV1().Endpoints(namespace).Create(w.t.Context(), &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{
		Name: "hippo6-ha-config", Namespace: namespace, Annotations: map[string]string{"initialize": "7711129429204525152"},
	}}, metav1.CreateOptions{})
	require.NoError(w.t, err)
}

func (w *world) databaseReady() {
	w.pod("hippo6-db-", ready)
	w.reconcile()
}

func (w *world) backupDone() {
	w.t.Helper()
	list, err := w.kube.BatchV1().Jobs(namespace).List(w.t.Context(), metav1.ListOptions{})
	require.NoError(w.t, err)
	require.Len(w.t, list.Items, 1)
	job := &list.Items[0]
	job.Status.Conditions = []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}
	_, err = w.kube.BatchV1().Jobs(namespace).UpdateStatus(w.t.Context(), job, metav1.UpdateOptions{})
	require.NoError(w.t, err)
	w.reconcile()
}

// served is the world when the database serves and the first backup runs, as the objects were recorded.
func served(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	for _, advance := range []func(){w.nothing, w.claimsBind, w.repoHostStarts, w.databaseStarts, w.databaseReady} {
		advance()
		w.reconcile()
	}
	return w
}
