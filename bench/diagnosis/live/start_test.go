package live_test

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// startBreaks keep a cluster from coming up: images, scheduling, limits.
var startBreaks = []breakage{
	{"image-without-pgaudit", "G-40", func(l *lab, cluster string) {
		l.create(cluster, with{"CCPImageTag": strings.TrimPrefix(bare, "crunchydata/antdb-ha:")})
		l.until("the database has ended once", func() bool { return l.restarts(cluster) > 0 })
	}},
	{"image-on-no-node", "G-20", func(l *lab, cluster string) {
		l.create(cluster, with{"CCPImageTag": "dx-nowhere"})
		l.waits(cluster, "ErrImagePull", "ImagePullBackOff")
	}},
	{"image-never-pulled", "G-21", func(l *lab, cluster string) {
		l.create(cluster, with{"CCPImageTag": "dx-nowhere"})
		l.patch(cluster+"-backrest-shared-repo", `{"imagePullPolicy":"Never"}`)
		l.patch(cluster, `{"imagePullPolicy":"Never"}`)
		l.waits(cluster, "ErrImageNeverPull")
	}},
	{"image-came-late", "G-20", func(l *lab, cluster string) {
		late := "crunchydata/antdb-ha:" + cluster
		l.docker(nil, "tag", image, late)
		nodes := l.nodes()
		l.t.Cleanup(func() {
			l.docker(nil, "image", "rm", late)
			for _, node := range nodes {
				l.node(node, "ctr -n k8s.io images rm docker.io/"+late+" || true")
			}
		})
		l.create(cluster, with{"CCPImageTag": cluster})
		l.waits(cluster, "ErrImagePull", "ImagePullBackOff")
	}},
	{"image-always-pulled", "A-01", func(l *lab, cluster string) {
		l.create(cluster, nil)
		l.patch(cluster, `{"imagePullPolicy":"Always"}`)
		l.waits(cluster, "ErrImagePull", "ImagePullBackOff")
	}},
	{"image-name-in-capitals", "G-23", func(l *lab, cluster string) {
		l.create(cluster, nil)
		l.patch(cluster, `{"image":"crunchydata/AntDB-ha:dx"}`)
		l.waits(cluster, "InvalidImageName")
	}},
	{"too-much-cpu", "G-38", func(l *lab, cluster string) {
		l.create(cluster, nil)
		l.patch(cluster, `{"resources":{"requests":{"cpu":"64"}}}`)
		l.unscheduled(cluster)
	}},
	{"no-such-node-label", "G-38", func(l *lab, cluster string) {
		l.create(cluster, nil)
		l.patchPod(cluster, `{"nodeSelector":{"zone":"nowhere"}}`)
		l.unscheduled(cluster)
	}},
	{"memory-limit", "G-52", func(l *lab, cluster string) {
		l.create(cluster, nil)
		l.patch(cluster, `{"resources":{"requests":{"memory":"16Mi"},"limits":{"memory":"24Mi"}}}`)
		l.until("it is killed for its memory", func() bool {
			for _, p := range l.pods(cluster) {
				for _, c := range p.Status.ContainerStatuses {
					if t := c.LastTerminationState.Terminated; t != nil && t.Reason == "OOMKilled" && c.RestartCount > 1 {
						return true
					}
				}
			}
			return false
		})
	}},
	{"secret-gone", "G-53", func(l *lab, cluster string) {
		l.create(cluster, nil)
		secrets := l.kube.Clientset().CoreV1().Secrets(namespace)
		require.NoError(l.t, secrets.Delete(l.t.Context(), cluster+"-backrest-repo-config", metav1.DeleteOptions{}))
		l.anew(cluster)
		l.event(cluster, "FailedMount", "not found")
	}},
	{"quota", "G-56b", func(l *lab, cluster string) {
		quotas := l.kube.Clientset().CoreV1().ResourceQuotas(namespace)
		_, err := quotas.Create(l.t.Context(), &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: cluster},
			Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{"pods": resource.MustParse("0")}}}, metav1.CreateOptions{})
		require.NoError(l.t, err)
		l.t.Cleanup(func() { _ = quotas.Delete(context.Background(), cluster, metav1.DeleteOptions{}) })
		l.create(cluster, nil)
		l.until("its ReplicaSet complains", func() bool { return strings.Contains(l.replicaFailure(cluster), "exceeded quota") })
	}},
	{"service-account-gone", "G-56", func(l *lab, cluster string) {
		l.create(cluster, nil)
		l.patchPod(cluster, `{"serviceAccountName":"pgo-pgg","serviceAccount":"pgo-pgg"}`)
		l.until("its ReplicaSet complains", func() bool { return strings.Contains(l.replicaFailure(cluster), "not found") })
	}},
	{"stale-task", "G-96", func(l *lab, cluster string) {
		l.sweep(cluster)
		l.t.Cleanup(func() { l.sweep(cluster) })
		_, err := l.kube.Dynamic().Resource(custom("pgtasks")).Namespace(namespace).Create(l.t.Context(), &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "crunchydata.com/v1", "kind": "Pgtask",
			"metadata": map[string]any{"name": cluster + "-createcluster", "namespace": namespace, "labels": map[string]any{"pg-cluster": cluster}},
			"spec": map[string]any{"name": cluster + "-createcluster", "tasktype": "workflow", "status": "", "namespace": namespace,
				"parameters": map[string]any{"pg-cluster": cluster, "workflowid": "5ab2f1a2-6f0e-4a63-a3d1-54bd4b9a3c11"}},
		}}, metav1.CreateOptions{})
		require.NoError(l.t, err)
		var answer struct {
			Results []string
			Status  struct{ Code, Msg string } `json:"status"`
		}
		l.pgo("/clusters", with{"Name": cluster, "Namespace": namespace, "ClientVersion": "4.2.1", "Series": 1, "AutofailFlag": true,
			"CCPImagePrefix": "crunchydata", "CCPImage": "antdb-ha", "CCPImageTag": "dx"}, &answer)
		l.until("some seconds have passed", l.after(40))
	}},
}

// pods are those of a cluster's database.
func (l *lab) pods(cluster string) []corev1.Pod {
	l.t.Helper()
	list, err := l.kube.Clientset().CoreV1().Pods(namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: "pg-cluster=" + cluster + ",pgo-pg-database=true"})
	require.NoError(l.t, err)
	return list.Items
}

func (l *lab) restarts(cluster string) int32 {
	l.t.Helper()
	n := int32(0)
	for _, p := range l.pods(cluster) {
		for _, c := range p.Status.ContainerStatuses {
			n = max(n, c.RestartCount)
		}
	}
	return n
}

// waits polls until a container of the cluster's waits for one of these reasons.
func (l *lab) waits(cluster string, reasons ...string) {
	l.t.Helper()
	l.until(strings.Join(reasons, " or "), func() bool {
		for _, p := range l.pods(cluster) {
			for _, c := range p.Status.ContainerStatuses {
				for _, reason := range reasons {
					if w := c.State.Waiting; w != nil && w.Reason == reason {
						return true
					}
				}
			}
		}
		return false
	})
}

func (l *lab) unscheduled(cluster string) {
	l.t.Helper()
	l.until("it cannot be scheduled", func() bool {
		for _, p := range l.pods(cluster) {
			for _, c := range p.Status.Conditions {
				if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && strings.Contains(c.Message, "nodes are available") && l.old(p, 20) {
					return true
				}
			}
		}
		return false
	})
}

// event polls for an event about one of the cluster's pods.
func (l *lab) event(cluster, reason, text string) {
	l.t.Helper()
	l.until("event "+reason, func() bool {
		list, err := l.kube.Clientset().CoreV1().Events(namespace).List(l.t.Context(), metav1.ListOptions{FieldSelector: "reason=" + reason})
		require.NoError(l.t, err)
		for _, e := range list.Items {
			if strings.HasPrefix(e.InvolvedObject.Name, cluster+"-") && strings.Contains(e.Message, text) {
				return true
			}
		}
		return false
	})
}

// deployed waits for the cluster's Deployment.
func (l *lab) deployed(cluster string) {
	l.t.Helper()
	l.until("the operator has made it", func() bool {
		_, err := l.kube.Clientset().AppsV1().Deployments(namespace).Get(l.t.Context(), cluster, metav1.GetOptions{})
		return err == nil
	})
}

// patch changes the database container of the cluster's Deployment.
func (l *lab) patch(cluster, container string) {
	l.t.Helper()
	var fields map[string]any
	require.NoError(l.t, json.Unmarshal([]byte(container), &fields))
	fields["name"] = "database"
	text, err := json.Marshal(map[string]any{"containers": []any{fields}})
	require.NoError(l.t, err)
	l.patchPod(cluster, string(text))
}

func (l *lab) patchPod(cluster, spec string) {
	l.t.Helper()
	l.deployed(cluster)
	_, err := l.kube.Clientset().AppsV1().Deployments(namespace).Patch(l.t.Context(), cluster, types.StrategicMergePatchType,
		[]byte(`{"spec":{"strategy":{"type":"Recreate","rollingUpdate":null},"template":{"spec":`+spec+`}}}`), metav1.PatchOptions{})
	require.NoError(l.t, err)
}

// anew has the cluster's database pods made again.
func (l *lab) anew(cluster string) {
	l.t.Helper()
	l.deployed(cluster)
	now := int64(0)
	require.NoError(l.t, l.kube.Clientset().CoreV1().Pods(namespace).DeleteCollection(l.t.Context(), metav1.DeleteOptions{GracePeriodSeconds: &now},
		metav1.ListOptions{LabelSelector: "pg-cluster=" + cluster + ",pgo-pg-database=true"}))
}

func (l *lab) replicaFailure(cluster string) string {
	l.t.Helper()
	list, err := l.kube.Clientset().AppsV1().ReplicaSets(namespace).List(l.t.Context(), metav1.ListOptions{LabelSelector: "pg-cluster=" + cluster})
	require.NoError(l.t, err)
	var all strings.Builder
	for _, r := range list.Items {
		for _, c := range r.Status.Conditions {
			all.WriteString(c.Message)
		}
	}
	return all.String()
}
