package pgo

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/module"
)

// startAnew replaces the cluster's pods that have failed before this run. What
// kept them may be mended by now, and the kubelet would try again only after up
// to five minutes; until then they look as hopeless as they were. They
// never ran, so nothing is lost with them.
func (p *place) startAnew(ctx context.Context, env *module.Env, v *view) error {
	for i := range v.pods { // the repository's too: it runs from the same image
		pod := &v.pods[i]
		bad, owner := p.kube.Judge(ctx, pod), metav1.GetControllerOf(pod)
		if bad == nil || ran(pod, &p.names) || owner == nil || owner.Kind != "ReplicaSet" && owner.Kind != "StatefulSet" {
			continue
		}
		only := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}}
		err := p.kube.Clientset().CoreV1().Pods(p.namespace).Delete(ctx, pod.Name, only)
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			return fmt.Errorf("replace pod %s, which failed before this run (%s): %w", pod.Name, bad.Reason, err)
		}
		env.Logf("pod %s failed before this run (%s): another takes its place", pod.Name, bad.Reason)
	}
	return nil
}

// ran reports whether the pod's main container, which PGO calls database in all
// its pods, has run, now or once.
func ran(pod *corev1.Pod, n *naming) bool {
	s := n.status(pod)
	return s.State.Running != nil || s.State.Terminated != nil || s.LastTerminationState.Terminated != nil
}
