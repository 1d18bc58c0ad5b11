package live_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// siteBreaks are about machines, the ways to them, rights and the operator.
var siteBreaks = []breakage{
	{"sshd-down", "G-26", func(l *lab, _ string) {
		l.t.Cleanup(func() { l.node("node3", "pgrep -F /run/sshd.pid >/dev/null 2>&1 || /usr/sbin/sshd") })
		l.node("node3", "kill $(cat /run/sshd.pid)")
	}},
	{"another-host-key", "G-29", func(l *lab, _ string) {
		l.knownHosts(func(line string) string {
			if strings.Contains(line, "10.213.0.12") || strings.Contains(line, "node2") {
				return strings.Fields(line)[0] + " " + authorized(l, newKey(l))
			}
			return line
		})
	}},
	{"unknown-host", "G-28", func(l *lab, _ string) {
		l.knownHosts(func(line string) string {
			if strings.Contains(line, "10.213.0.12") || strings.Contains(line, "node2") {
				return ""
			}
			return line
		})
	}},
	{"kubelet-stopped", "A-10", func(l *lab, _ string) {
		l.stop("node3", "kubelet")
		l.notReady("node3")
	}},
	{"runtime-stopped", "A-12", func(l *lab, _ string) {
		l.stop("node3", "containerd")
		l.notReady("node3")
	}},
	{"operator-stopped", "B-18", func(l *lab, _ string) {
		scale := func(n string) {
			_, err := l.kube.Clientset().AppsV1().Deployments("pgo").Patch(context.Background(), "postgres-operator", types.MergePatchType, []byte(`{"spec":{"replicas":`+n+`}}`), metav1.PatchOptions{})
			require.NoError(l.t, err)
		}
		l.t.Cleanup(func() {
			scale("1")
			l.until("the operator is back", func() bool {
				d, err := l.kube.Clientset().AppsV1().Deployments("pgo").Get(context.Background(), "postgres-operator", metav1.GetOptions{})
				return err == nil && d.Status.ReadyReplicas == 1
			})
		})
		scale("0")
		l.until("the operator's pod is gone", func() bool {
			pods, err := l.kube.Clientset().CoreV1().Pods("pgo").List(l.t.Context(), metav1.ListOptions{})
			return err == nil && len(pods.Items) == 0
		})
	}},
	{"rights-of-patroni-gone", "G-59", func(l *lab, cluster string) {
		bindings := l.kube.Clientset().RbacV1().RoleBindings(namespace)
		old, err := bindings.Get(l.t.Context(), "pgo-pg-role", metav1.GetOptions{})
		require.NoError(l.t, err)
		l.t.Cleanup(func() {
			_, err := bindings.Create(context.Background(), &rbacv1.RoleBinding{ObjectMeta: metav1.ObjectMeta{Name: old.Name, Labels: old.Labels}, RoleRef: old.RoleRef, Subjects: old.Subjects}, metav1.CreateOptions{})
			require.NoError(l.t, err)
		})
		require.NoError(l.t, bindings.Delete(l.t.Context(), "pgo-pg-role", metav1.DeleteOptions{}))
		l.create(cluster, nil)
		l.until("Patroni is refused", func() bool {
			pods := l.pods(cluster)
			return len(pods) > 0 && strings.Contains(l.log(pods[0]), "403") && l.old(pods[0], 60)
		})
	}},
	{"all-nodes-cordoned", "A-11", func(l *lab, cluster string) {
		for _, node := range l.nodes() {
			l.cordon(node, true)
			l.t.Cleanup(func() { l.cordon(node, false) })
		}
		l.create(cluster, nil)
		l.unscheduled(cluster)
	}},
}

func (l *lab) cordon(node string, is bool) {
	text := map[bool]string{true: "true", false: "false"}[is]
	_, err := l.kube.Clientset().CoreV1().Nodes().Patch(context.Background(), node, types.MergePatchType, []byte(`{"spec":{"unschedulable":`+text+`}}`), metav1.PatchOptions{})
	require.NoError(l.t, err)
}

// stop halts a daemon of a machine until the test ends: it hangs, as one does
// whose disk does not answer.
func (l *lab) stop(node, daemon string) {
	l.t.Helper()
	l.t.Cleanup(func() {
		l.node(node, "pkill -CONT -x "+daemon)
		l.until(node+" is back", func() bool { return l.ready(node) == corev1.ConditionTrue })
	})
	l.node(node, "pkill -STOP -x "+daemon)
}

func (l *lab) ready(node string) corev1.ConditionStatus {
	n, err := l.kube.Clientset().CoreV1().Nodes().Get(context.Background(), node, metav1.GetOptions{})
	if err != nil {
		return corev1.ConditionUnknown
	}
	at := slices.IndexFunc(n.Status.Conditions, func(c corev1.NodeCondition) bool { return c.Type == corev1.NodeReady })
	return n.Status.Conditions[at].Status
}

func (l *lab) notReady(node string) {
	l.t.Helper()
	l.until(node+" is not ready", func() bool { return l.ready(node) != corev1.ConditionTrue })
}

// knownHosts gives the runbook another file of host keys.
func (l *lab) knownHosts(change func(line string) string) {
	l.t.Helper()
	text, err := os.ReadFile(filepath.Join(l.dir, "known_hosts"))
	require.NoError(l.t, err)
	var out strings.Builder
	for line := range strings.Lines(string(text)) {
		if line = change(strings.TrimSpace(line)); line != "" {
			out.WriteString(line + "\n")
		}
	}
	require.NotEqual(l.t, string(text), out.String())
	file := filepath.Join(l.t.TempDir(), "known_hosts")
	require.NoError(l.t, os.WriteFile(file, []byte(out.String()), 0o600))
	l.vars = append(slices.Clone(l.vars), "--var", "known_hosts="+file)
}

func newKey(l *lab) ed25519.PrivateKey {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(l.t, err)
	return key
}

func authorized(l *lab, key ed25519.PrivateKey) string {
	public, err := ssh.NewPublicKey(key.Public())
	require.NoError(l.t, err)
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public)))
}
