package kubetest

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
)

const (
	// LabImage has sh, PostgreSQL and the usual utilities.
	LabImage = "docker.io/antdb-lab/pg-base:12"
	// LabNode is the node that LabImage is brought to.
	LabNode = "node1"
)

// Lab connects to the lab's cluster, whose pods really run, in a namespace of
// the test's own. The lab must be up.
func Lab(t testing.TB) *kube.Cluster {
	t.Helper()
	file := LabFile(t, "kubeconfig")
	h, err := kube.Open(t.Context(), conn.Target{Kind: conn.Kubernetes, Name: "lab"}, conn.Settings{Kubeconfig: file}, nil)
	require.NoError(t, err)
	admin, err := kube.Of(h)
	require.NoError(t, err)
	c, err := kube.New(t.Context(), "lab", admin.REST(), (&Server{}).Namespace(t, admin))
	require.NoError(t, err)
	return c
}

// LabFile is a path in the lab's state folder ("kubeconfig", "docker.sock").
func LabFile(t testing.TB, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs the lab")
	}
	dir := os.Getenv("ANTDBCTL_LAB_DIR")
	if dir == "" {
		dir = "/run/antdbctl-lab"
	}
	path := filepath.Join(dir, name)
	_, err := os.Stat(path)
	require.NoError(t, err, "the lab is not up; bring it up with: go -C lab run . up")
	return path
}

// LabPod runs containers of LabImage on LabNode, each until the test ends, and
// returns when they run.
func LabPod(t testing.TB, c *kube.Cluster, name string, containers ...string) {
	t.Helper()
	LabShip(t)
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{"app": name}}, Spec: corev1.PodSpec{
		NodeName: LabNode, TerminationGracePeriodSeconds: new(int64)}}
	for _, container := range containers {
		pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: container, Image: LabImage,
			ImagePullPolicy: corev1.PullNever, Command: []string{"sleep", "3600"}})
	}
	pods := c.Clientset().CoreV1().Pods(c.Namespace())
	Eventually(t, "the namespace's service account", func() bool {
		_, err := c.Clientset().CoreV1().ServiceAccounts(c.Namespace()).Get(t.Context(), "default", metav1.GetOptions{})
		return err == nil
	})
	_, err := pods.Create(t.Context(), pod, metav1.CreateOptions{})
	require.NoError(t, err)
	Eventually(t, "pod "+name, func() bool {
		p, err := pods.Get(t.Context(), name, metav1.GetOptions{})
		return err == nil && kube.Ready(p)
	})
}

var ship sync.Once

// LabShip brings LabImage from the lab's engine to LabNode, unless it is there.
func LabShip(t testing.TB) {
	t.Helper()
	socket := LabFile(t, "docker.sock")
	ship.Do(func() {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
		defer cancel()
		docker := func(stdin io.Reader, args ...string) *exec.Cmd {
			cmd := exec.CommandContext(ctx, "docker", append([]string{"-H", "unix://" + socket}, args...)...)
			cmd.Stdin = stdin
			return cmd
		}
		there, err := docker(nil, "exec", LabNode, "ctr", "-n", "k8s.io", "images", "ls", "-q", "name=="+LabImage).Output()
		require.NoError(t, err)
		if len(bytes.TrimSpace(there)) > 0 {
			return
		}
		save := docker(nil, "save", "antdb-lab/pg-base:12")
		archive, err := save.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, save.Start())
		out, err := docker(archive, "exec", "-i", LabNode, "ctr", "-n", "k8s.io", "images", "import", "-").CombinedOutput()
		require.NoError(t, err, string(out))
		require.NoError(t, save.Wait())
	})
}
