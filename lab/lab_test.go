package main

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/adbsql/antdbctl/lab/control"
	"github.com/adbsql/antdbctl/lab/docker"
	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/progress"
)

const patience = 2 * time.Minute

// TestLabUpDown brings the real lab up, uses it as a runbook would, breaks it, repairs it, and takes it down again.
func TestLabUpDown(t *testing.T) {
	if testing.Short() {
		t.Skip("brings up a whole cluster")
	}
	if os.Geteuid() != 0 {
		t.Skip("the lab needs root")
	}
	lab, err := layout.Locate(sourceFolder())
	require.NoError(t, err)
	lab.Slot, lab.State = layout.MaxSlot, "/run/antdbctl-lab-test" // beside a lab that may be up
	require.Zero(t, recallNodes(lab), "a lab is left in %s from a killed test: ANTDBCTL_LAB_SLOT=%d ANTDBCTL_LAB_DIR=%[1]s lab down", lab.State, lab.Slot)

	prepareTools(t, lab)
	before := tracesOfMachine(t, lab)
	t.Cleanup(func() { _ = run(t, lab, "down") })

	require.NoError(t, run(t, lab, "up"))
	client := clientOf(t, lab)
	t.Run("a second up has nothing to do", func(t *testing.T) {
		begin := time.Now()
		require.NoError(t, run(t, lab, "up"))
		require.Less(t, time.Since(begin), 30*time.Second) // under 5 on a machine with nothing else to do
	})
	t.Run("ssh opens every node with pinned keys", func(t *testing.T) { testSSH(t, lab) })
	t.Run("the host reaches the operator by its service", func(t *testing.T) { testOperatorAnswers(t, lab) })
	t.Run("a volume serves uid 26 and comes back empty", func(t *testing.T) { testVolume(t, client) })
	t.Run("up repairs what was killed", func(t *testing.T) {
		for _, d := range append(control.Plane{Lab: lab}.Daemons(), docker.New(lab).Daemon()) {
			require.NoError(t, syscall.Kill(d.Pid(), syscall.SIGKILL), d.Name)
		}
		require.NoError(t, run(t, lab, "up"))
		testSSH(t, lab)
		testOperatorAnswers(t, lab)
	})

	require.NoError(t, run(t, lab, "down", "--purge"))
	require.NoDirExists(t, lab.State)
	require.NoDirExists(t, lab.Engine())
	require.Empty(t, leftBehind(before, tracesOfMachine(t, lab)))
	require.NoError(t, run(t, lab, "down"), "taking down what is down")
}

// prepareTools installs missing packages before the machine is looked at: those stay, on purpose.
func prepareTools(t *testing.T, lab layout.Lab) {
	t.Helper()
	unlock, err := lock(lab)
	require.NoError(t, err)
	defer unlock()
	a := &ascent{lab: lab, print: progress.New(t.Output())}
	require.NoError(t, a.prepareHost(t.Context()))
	require.NoError(t, os.RemoveAll(lab.State))
}

func run(t *testing.T, lab layout.Lab, args ...string) error {
	t.Helper()
	root := command(lab)
	root.SetArgs(args)
	root.SetOut(t.Output())
	return root.Execute()
}

func clientOf(t *testing.T, lab layout.Lab) kubernetes.Interface {
	t.Helper()
	config, err := control.Config(lab)
	require.NoError(t, err)
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	return client
}

func testSSH(t *testing.T, lab layout.Lab) {
	for _, n := range lab.All() {
		for _, who := range []struct{ login, command string }{{n.Name, "hostname"}, {"op@" + n.Name, "sudo -n hostname"}} {
			out, err := exec.CommandContext(t.Context(), "ssh", "-F", lab.In("ssh_config"), "-o", "BatchMode=yes", who.login, who.command).CombinedOutput()
			require.NoError(t, err, string(out))
			require.Equal(t, n.Name, strings.TrimSpace(string(out)))
		}
	}
	last := lab.Node(lab.Nodes).Name
	require.Eventually(t, func() bool {
		out, err := exec.CommandContext(t.Context(), "ssh", "-F", lab.In("ssh_config"), last, "docker version --format {{.Server.Version}}").Output()
		return err == nil && len(bytes.TrimSpace(out)) > 0
	}, patience, 200*time.Millisecond, "the last node's Docker Engine")
}

func testVolume(t *testing.T, client kubernetes.Interface) {
	ctx := t.Context()
	claims, pods := client.CoreV1().PersistentVolumeClaims("default"), client.CoreV1().Pods("default")
	_, err := claims.Create(ctx, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: "data"},
		Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
			Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1G")}},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	uid := int64(26)
	_, err = pods.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "user"},
		Spec: corev1.PodSpec{
			SecurityContext: &corev1.PodSecurityContext{RunAsUser: &uid},
			Containers: []corev1.Container{{
				Name: "pause", Image: layout.PauseImage, ImagePullPolicy: corev1.PullNever,
				WorkingDir:   "/data", // runc enters it as uid 26, and fails when it may not
				VolumeMounts: []corev1.VolumeMount{{Name: "data", MountPath: "/data"}},
			}},
			Volumes: []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
				PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
			}}},
		},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		pod, err := pods.Get(ctx, "user", metav1.GetOptions{})
		return err == nil && pod.Status.Phase == corev1.PodRunning
	}, patience, 200*time.Millisecond)

	claim, err := claims.Get(ctx, "data", metav1.GetOptions{})
	require.NoError(t, err)
	require.NoError(t, pods.Delete(ctx, "user", *metav1.NewDeleteOptions(0)))
	require.NoError(t, claims.Delete(ctx, "data", metav1.DeleteOptions{}))
	require.Eventually(t, func() bool {
		volume, err := client.CoreV1().PersistentVolumes().Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
		return err == nil && volume.Status.Phase == corev1.VolumeAvailable
	}, patience, 200*time.Millisecond)
}
