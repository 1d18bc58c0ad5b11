package kube_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/rest"

	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
)

func TestAnOldServerIsAskedForNoMoreKindsThanAQuestionNeeds(t *testing.T) {
	for _, version := range []string{"1.13", "1.15"} {
		old := kubetest.StartOld(t, version)
		m := old.Cluster(t).Mapper()
		require.Equal(t, []string{"GET /version"}, old.Requests())

		for _, again := range []bool{false, true} {
			mapping, err := m.RESTMapping(schema.GroupKind{Group: "apps", Kind: "StatefulSet"}, "v1")
			require.NoError(t, err)
			require.Equal(t, meta.RESTScopeNamespace, mapping.Scope)
			_, err = m.RESTMapping(schema.GroupKind{Group: "postgres-operator.crunchydata.com", Kind: "PostgresCluster"}, "v1beta1")
			require.True(t, meta.IsNoMatchError(err))
			kind, err := m.KindFor(schema.GroupVersionResource{Group: "policy", Resource: "pdb"})
			require.NoError(t, err)
			require.Equal(t, "policy/v1beta1, Kind=PodDisruptionBudget", kind.String())
			if !again {
				require.Equal(t, []string{"GET /apis/apps/v1", "GET /apis/postgres-operator.crunchydata.com/v1beta1", "GET /apis/policy", "GET /apis/policy/v1beta1"}, old.Requests())
			}
		}
		require.Empty(t, old.Requests())

		// Where only everything helps, it is asked for once.
		for range 2 {
			kind, err := m.KindFor(schema.GroupVersionResource{Resource: "crd"})
			require.NoError(t, err)
			require.Equal(t, "v1beta1", kind.Version)
		}
		require.Less(t, len(old.Requests()), 40)
		m.Reset()
		_, err := m.RESTMapping(schema.GroupKind{Kind: "Node"}, "v1")
		require.NoError(t, err)
		require.Equal(t, []string{"GET /api/v1"}, old.Requests())
	}
}

func TestAnErrorOfTheServerIsNotTakenForAMissingKind(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	to, err := url.Parse(old.URL)
	require.NoError(t, err)
	proxy := httputil.NewSingleHostReverseProxy(to)
	down := true
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if down && strings.HasPrefix(r.URL.Path, "/apis/") {
			http.Error(w, "no", http.StatusServiceUnavailable)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	defer front.Close()
	c, err := kube.New(t.Context(), "old", &rest.Config{Host: front.URL}, "default")
	require.NoError(t, err)
	find := func() error {
		_, err := c.Mapper().RESTMapping(schema.GroupKind{Group: "apps", Kind: "Deployment"}, "v1")
		return err
	}
	err = find()
	require.Error(t, err)
	require.False(t, meta.IsNoMatchError(err))
	down = false
	require.NoError(t, find())
}

// A server before 1.27 does not know that a watch may begin with the list, and
// an informer that asks for one would wait for ever.
func TestAnInformerFillsOnAServerThatKnowsNoStreamingLists(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	c := old.Cluster(t)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "db"}}
	_, err := c.Clientset().CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{})
	require.NoError(t, err)
	factory := informers.NewSharedInformerFactory(c.Clientset(), 0)
	pods := factory.Core().V1().Pods().Informer()
	factory.Start(t.Context().Done())
	kubetest.Eventually(t, "the informer has the pod", func() bool { return pods.HasSynced() && len(pods.GetStore().List()) == 1 })
	require.Contains(t, old.Requests(), "GET /api/v1/pods")
}

func TestAVerdictOnPodsAsksForEventsAndLogsOnlyOfThoseInTrouble(t *testing.T) {
	old := kubetest.StartOld(t, "1.13")
	c := old.Cluster(t)
	running := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	looping := corev1.ContainerStatus{Name: "database", RestartCount: 5,
		State:                corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
		LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 1}}}
	for name, status := range map[string]corev1.ContainerStatus{"a": {Name: "database", Ready: true, State: running}, "b": looping, "c": looping} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "default", Labels: map[string]string{"app": "antdb"}},
			Spec:   corev1.PodSpec{Containers: []corev1.Container{{Name: "database"}}},
			Status: corev1.PodStatus{Phase: corev1.PodRunning, ContainerStatuses: []corev1.ContainerStatus{status}}}
		_, err := c.Clientset().CoreV1().Pods("default").Create(t.Context(), pod, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	old.Requests()
	pods, bad, err := c.Examine(t.Context(), "default", "app=antdb")
	require.NoError(t, err)
	require.Len(t, pods, 3)
	require.Equal(t, "b", bad.Pod)
	require.NotEmpty(t, bad.Evidence)
	require.Equal(t, []string{"GET /api/v1/namespaces/default/pods", "GET /api/v1/namespaces/default/events",
		"GET /api/v1/namespaces/default/pods/b/log"}, old.Requests())

	healthy := pods[0]
	require.Nil(t, c.Judge(t.Context(), &healthy))
	require.Empty(t, old.Requests())
}
