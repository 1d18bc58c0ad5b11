package cluster

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/adbsql/antdbctl/lab/docker"
)

const nodeLabel = "antdb-lab/node"

// Recycle empties released volumes and offers them again, until ctx ends. Kubernetes itself has no provisioner for
// folders on nodes, and a lab would run out of volumes after a few clusters. Errors go to report; the next round tries again.
func Recycle(ctx context.Context, client kubernetes.Interface, engine docker.Engine, report func(error)) {
	for {
		if err := recycleOnce(ctx, client, engine, report); err != nil {
			report(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(2 * time.Second):
		}
	}
}

func recycleOnce(ctx context.Context, client kubernetes.Interface, engine docker.Engine, report func(error)) error {
	list, err := client.CoreV1().PersistentVolumes().List(ctx, metav1.ListOptions{LabelSelector: nodeLabel})
	if err != nil {
		return fmt.Errorf("list volumes: %w", err)
	}
	for i := range list.Items {
		volume := &list.Items[i]
		if volume.Status.Phase != corev1.VolumeReleased || volume.Spec.HostPath == nil {
			continue
		}
		if err := renew(ctx, client, engine, volume); err != nil {
			report(fmt.Errorf("recycle %s: %w", volume.Name, err))
		}
	}
	return nil
}

func renew(ctx context.Context, client kubernetes.Interface, engine docker.Engine, volume *corev1.PersistentVolume) error {
	empty := []string{"exec", volume.Labels[nodeLabel], "find", volume.Spec.HostPath.Path, "-mindepth", "1", "-delete"}
	if _, err := engine.Do(ctx, empty...); err != nil {
		return err
	}
	volume.Spec.ClaimRef = nil
	_, err := client.CoreV1().PersistentVolumes().Update(ctx, volume, metav1.UpdateOptions{})
	return err
}
