// Package cluster sets up what the lab wants inside Kubernetes: ready nodes and volumes for databases.
package cluster

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/adbsql/antdbctl/lab/layout"
	"github.com/adbsql/antdbctl/lab/node"
)

// StorageClass is the default class; its volumes are folders on the nodes.
const StorageClass = "lab"

// WaitReady waits until every node says Ready and the default service account is there, without which no pod starts.
func WaitReady(ctx context.Context, client kubernetes.Interface, lab layout.Lab, limit time.Duration) error {
	deadline := time.Now().Add(limit)
	for {
		waiting, err := notReady(ctx, client, lab)
		if err == nil && len(waiting) == 0 {
			return nil
		}
		if err != nil {
			waiting = []string{err.Error()}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("after %s still not ready: %s (kubelet logs: %s)", limit, strings.Join(waiting, "; "), lab.In("logs", "node*", "kubelet.log"))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func notReady(ctx context.Context, client kubernetes.Interface, lab layout.Lab) ([]string, error) {
	list, err := client.CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	said := map[string]string{}
	for _, n := range list.Items {
		said[n.Name] = "no status yet"
		for _, c := range n.Status.Conditions {
			if c.Type == corev1.NodeReady {
				said[n.Name] = c.Message
				if c.Status == corev1.ConditionTrue {
					said[n.Name] = ""
				}
			}
		}
	}
	var waiting []string
	for _, n := range lab.All() {
		if reason, found := said[n.Name]; !found {
			waiting = append(waiting, n.Name+": not registered")
		} else if reason != "" {
			waiting = append(waiting, n.Name+": "+reason)
		}
		for _, port := range ports {
			if err := answer(ctx, net.JoinHostPort(n.IP, port)); err != nil {
				waiting = append(waiting, n.Name+": "+err.Error())
			}
		}
	}
	if _, err := client.CoreV1().ServiceAccounts("default").Get(ctx, "default", metav1.GetOptions{}); err != nil {
		waiting = append(waiting, "service account default")
	}
	slices.Sort(waiting)
	return waiting, nil
}

// EnsureVolumes makes the default storage class and the nodes' volumes. A claim is bound when its first pod is
// scheduled, so claim and pod meet on one node.
func EnsureVolumes(ctx context.Context, client kubernetes.Interface, lab layout.Lab) error {
	late := storagev1.VolumeBindingWaitForFirstConsumer
	class := &storagev1.StorageClass{
		ObjectMeta:        metav1.ObjectMeta{Name: StorageClass, Annotations: map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}},
		Provisioner:       "kubernetes.io/no-provisioner",
		VolumeBindingMode: &late,
	}
	if _, err := client.StorageV1().StorageClasses().Create(ctx, class, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) {
		return fmt.Errorf("make storage class %s: %w", StorageClass, err)
	}
	for _, n := range lab.All() {
		for _, number := range node.Volumes(n) {
			_, err := client.CoreV1().PersistentVolumes().Create(ctx, volume(n, number), metav1.CreateOptions{})
			if err != nil && !apierrors.IsAlreadyExists(err) {
				return fmt.Errorf("make volume %d: %w", number, err)
			}
		}
	}
	return nil
}

func volume(n layout.Node, number int) *corev1.PersistentVolume {
	kind := corev1.HostPathDirectory
	return &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("pv-%d", number), Labels: map[string]string{nodeLabel: n.Name}},
		Spec: corev1.PersistentVolumeSpec{
			Capacity:                      corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")},
			AccessModes:                   []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce, corev1.ReadWriteMany},
			PersistentVolumeReclaimPolicy: corev1.PersistentVolumeReclaimRetain,
			StorageClassName:              StorageClass,
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				HostPath: &corev1.HostPathVolumeSource{Path: fmt.Sprintf("/data/pv-%d", number), Type: &kind},
			},
			NodeAffinity: &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
				MatchExpressions: []corev1.NodeSelectorRequirement{{
					Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{n.Name},
				}},
			}}}},
		},
	}
}
