package k8s

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/conn/kube/kubetest"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/module/moduletest"
)

func waiting(t *testing.T, c *kube.Cluster, args string) *moduletest.Step {
	return moduletest.New(t, module.Of[Wait](), c, args, nil)
}

// podOf waits for the one pod with a label, which a controller makes.
func podOf(t *testing.T, c *kube.Cluster, selector string) *corev1.Pod {
	var pod *corev1.Pod
	kubetest.Eventually(t, "a pod with "+selector, func() bool {
		list, err := c.Clientset().CoreV1().Pods(c.Namespace()).List(t.Context(), metav1.ListOptions{LabelSelector: selector})
		if err != nil || len(list.Items) == 0 {
			return false
		}
		pod = &list.Items[0]
		return true
	})
	return pod
}

// report writes a pod's status as a kubelet would: these tests have no node.
func report(t *testing.T, c *kube.Cluster, pod *corev1.Pod, change func(*corev1.PodStatus)) {
	change(&pod.Status)
	_, err := c.Clientset().CoreV1().Pods(c.Namespace()).UpdateStatus(t.Context(), pod, metav1.UpdateOptions{})
	require.NoError(t, err)
}

// later runs f beside the test, which must outlast it.
func later(t *testing.T, f func()) {
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	t.Cleanup(func() { <-done })
}

func TestWaitReturnsWhenADeploymentIsRolledOut(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	applying(t, c, settings).Converge(module.Create)
	pod := podOf(t, c, "app=web")
	later(t, func() {
		report(t, c, pod, func(s *corev1.PodStatus) {
			s.Phase = corev1.PodRunning
			s.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: metav1.Now()}}
		})
	})
	_, out, err := waiting(t, c, "kind = \"deploy\"\nname = \"web\"\nwithin = \"90s\"").Check()
	require.NoError(t, err)
	require.Equal(t, "1", out.GetAttr("object").GetAttr("status").GetAttr("availableReplicas").AsBigFloat().String())
	target, err := conn.TargetFrom(out.GetAttr("container"))
	require.NoError(t, err)
	require.Equal(t, pod.Name+"/web", target.Name)
	require.Equal(t, pod.Name, out.GetAttr("pods").AsValueSlice()[0].AsString())
}

func TestWaitFailsAtOnceWhenAnImageCannotBePulled(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	applying(t, c, settings).Converge(module.Create)
	pod := podOf(t, c, "app=web")
	report(t, c, pod, func(s *corev1.PodStatus) {
		s.ContainerStatuses = []corev1.ContainerStatus{{Name: "web", Image: "web:1",
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "ImagePullBackOff", Message: "Back-off"}}}}
	})
	begin := time.Now()
	_, _, err := waiting(t, c, "kind = \"deploy\"\nname = \"web\"").Check()
	require.ErrorContains(t, err, "container web: ImagePullBackOff")
	require.Less(t, time.Since(begin), 30*time.Second)
	var explained *module.Explained
	require.ErrorAs(t, err, &explained)
	require.Contains(t, explained.Remedy, "web:1")
	require.Contains(t, explained.Evidence, "container web waits: ImagePullBackOff")
}

func TestWaitLooksAtTheNewestPodsOnly(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	applying(t, c, settings).Converge(module.Create)
	old := podOf(t, c, "app=web")
	report(t, c, old, func(s *corev1.PodStatus) {
		s.ContainerStatuses = []corev1.ContainerStatus{{Name: "web",
			State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "InvalidImageName"}}}}
	})
	deployments := c.Clientset().AppsV1().Deployments(c.Namespace())
	_, err := deployments.Patch(t.Context(), "web", "application/strategic-merge-patch+json",
		[]byte(`{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"web:2"}]}}}}`), metav1.PatchOptions{})
	require.NoError(t, err)
	kubetest.Eventually(t, "the second version", func() bool {
		d, err := deployments.Get(t.Context(), "web", metav1.GetOptions{})
		return err == nil && d.Annotations["deployment.kubernetes.io/revision"] == "2"
	})
	_, _, err = waiting(t, c, "kind = \"deploy\"\nname = \"web\"\nwithin = \"1s\"").Check()
	require.ErrorContains(t, err, "Deployment web is not ready after 1s")
}

const job = `
apiVersion: batch/v1
kind: Job
metadata: {name: backup}
spec:
  backoffLimit: 0
  template:
    metadata: {labels: {app: backup}}
    spec:
      restartPolicy: Never
      containers: [{name: backup, image: "backup:1"}]
`

func TestWaitSeesAFailedJob(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	applying(t, c, job).Converge(module.Create)
	pod := podOf(t, c, "app=backup")
	later(t, func() {
		report(t, c, pod, func(s *corev1.PodStatus) {
			s.Phase = corev1.PodFailed
			s.ContainerStatuses = []corev1.ContainerStatus{{Name: "backup",
				State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error"}}}}
		})
	})
	_, _, err := waiting(t, c, "kind = \"job\"\nname = \"backup\"\nfor = \"complete\"\nwithin = \"60s\"").Check()
	require.ErrorContains(t, err, "job backup: failed")
	var explained *module.Explained
	require.ErrorAs(t, err, &explained)
	require.Contains(t, explained.Evidence, "container backup ended with exit code 3 (Error)")
}

func TestWaitForTheStatesOfPlainObjects(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	maps := c.Clientset().CoreV1().ConfigMaps(c.Namespace())
	later(t, func() {
		_, err := maps.Create(t.Context(), &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "late", Labels: map[string]string{"a": "b"}}}, metav1.CreateOptions{})
		require.NoError(t, err)
	})
	_, out, err := waiting(t, c, "kind = \"configmap\"\nselector = \"a=b\"\nfor = \"exists\"\nwithin = \"60s\"").Check()
	require.NoError(t, err)
	require.Equal(t, "late", out.GetAttr("names").AsValueSlice()[0].AsString())
	later(t, func() { require.NoError(t, maps.Delete(t.Context(), "late", metav1.DeleteOptions{})) })
	_, out, err = waiting(t, c, "kind = \"configmap\"\nname = \"late\"\nfor = \"deleted\"\nwithin = \"60s\"").Check()
	require.NoError(t, err)
	require.True(t, out.GetAttr("object").IsNull())

	_, _, err = waiting(t, c, "kind = \"configmap\"\nname = \"never\"\nwithin = \"100ms\"").Check()
	require.EqualError(t, err, "ConfigMap never is not ready after 100ms: does not exist yet")
	_, _, err = waiting(t, c, "kind = \"namespace\"\nname = \"default\"\nfor = \"condition=Nothing\"\nwithin = \"100ms\"").Check()
	require.ErrorContains(t, err, "namespace default: Nothing is not known yet")
}

func TestWaitOutlivesAnAPIServerThatIsAwayForAMoment(t *testing.T) {
	server := kubetest.Start(t)
	real := server.Cluster(t)
	var asked, away atomic.Int32
	c, err := kube.New(t.Context(), "lab", proxied(t, server, func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, "/configmaps/late") || asked.Add(1) > 3 {
			return false
		}
		away.Add(1)
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}), real.Namespace())
	require.NoError(t, err)
	_, err = real.Clientset().CoreV1().ConfigMaps(real.Namespace()).Create(t.Context(),
		&corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "late"}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, _, err = waiting(t, c, "kind = \"configmap\"\nname = \"late\"\nwithin = \"60s\"").Check()
	require.NoError(t, err)
	require.EqualValues(t, 3, away.Load())
}

func TestACancelledWaitSaysSo(t *testing.T) {
	c := kubetest.Start(t).Cluster(t)
	step := waiting(t, c, "kind = \"configmap\"\nname = \"never\"")
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err := step.Module().Check(ctx, step.Env())
	require.ErrorIs(t, err, context.Canceled)
}

func TestWaitRefusesWhatItDoesNotUnderstandOffline(t *testing.T) {
	for args, says := range map[string]string{
		`kind = "pod"`: "say which",
		"kind = \"pod\"\nname = \"a\"\nfor = \"redy\"":              `no state "redy"`,
		"kind = \"pod\"\nname = \"a\"\nselector = \"a=b\"":          "exclude each other",
		"kind = \"pod\"\nselector = \"a in\"\nfor = \"exists\"":     "a in",
		"kind = \"pod\"\nname = \"a\"\nfor = \"condition=\"":        "no state",
		"kind = \"pod\"\nname = \"a\"\nfor = \"condition=X=False\"": "-",
	} {
		err := waiting(t, nil, args).Validate()
		if says == "-" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, says, args)
	}
}

// On the lab, with a kubelet: what hopeless really looks like.
func TestWaitQuotesTheLogOfAContainerThatEndsAgainAndAgain(t *testing.T) {
	c := kubetest.Lab(t)
	kubetest.LabShip(t)
	applying(t, c, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: loop}
spec:
  nodeName: %s
  containers:
  - name: database
    image: %s
    imagePullPolicy: Never
    command: [sh, -c, "echo 'FATAL:  could not access file pgaudit.so' >&2; exit 0"]
`, kubetest.LabNode, kubetest.LabImage)).Converge(module.Create)
	_, _, err := waiting(t, c, "kind = \"pod\"\nname = \"loop\"\nwithin = \"3m\"\nstable = \"60s\"").Check()
	require.ErrorContains(t, err, "pod loop, container database: CrashLoopBackOff: ended 4 times, last with exit code 0 (Completed)")
	var explained *module.Explained
	require.ErrorAs(t, err, &explained)
	require.Contains(t, explained.Evidence, "database | FATAL:  could not access file pgaudit.so")

	_, out, err := moduletest.New(t, module.Of[Logs](), c, "pod = \"loop\"\nprevious = true", nil).Check()
	require.NoError(t, err)
	require.Equal(t, "FATAL:  could not access file pgaudit.so", out.GetAttr("lines").AsValueSlice()[0].AsString())
}

func TestWaitQuotesTheRuntimeWhenAnImageIsMissing(t *testing.T) {
	c := kubetest.Lab(t)
	applying(t, c, `
apiVersion: v1
kind: Pod
metadata: {name: lost}
spec: {containers: [{name: database, image: "docker.io/antdb-lab/nosuch:1", imagePullPolicy: Never}]}
`).Converge(module.Create)
	begin := time.Now()
	_, _, err := waiting(t, c, "kind = \"pod\"\nname = \"lost\"").Check()
	require.ErrorContains(t, err, "ErrImageNeverPull")
	require.Less(t, time.Since(begin), time.Minute)
}
