package pgo

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
)

// workload is a Deployment or StatefulSet of the cluster.
type workload struct {
	name      string
	labels    map[string]string
	available bool   // its pod serves, as it is wanted now
	blocked   string // what keeps it from making its pod
	template  corev1.PodSpec
}

// container is a container of its pods; nil when they have none of that name.
func (w *workload) container(name string) *corev1.Container {
	for i := range w.template.Containers {
		if w.template.Containers[i].Name == name {
			return &w.template.Containers[i]
		}
	}
	return nil
}

func (p *place) workloads(ctx context.Context) ([]workload, error) {
	failed := func(err error) error {
		return fmt.Errorf("list the %ss of cluster %s in %s: %w", p.names.kind(), p.name, p.namespace, err)
	}
	apps := p.kube.Clientset().AppsV1()
	var all []workload
	if p.names.sets {
		list, err := apps.StatefulSets(p.namespace).List(ctx, p.selector())
		if err != nil {
			return nil, failed(err)
		}
		for _, s := range list.Items {
			current := s.Status.ObservedGeneration >= s.Generation
			all = append(all, workload{s.Name, s.Labels, current && s.Status.ReadyReplicas > 0, "", s.Spec.Template.Spec})
		}
		return all, nil
	}
	list, err := apps.Deployments(p.namespace).List(ctx, p.selector())
	if err != nil {
		return nil, failed(err)
	}
	for i := range list.Items {
		d := &list.Items[i]
		current := d.Status.ObservedGeneration >= d.Generation
		all = append(all, workload{d.Name, d.Labels, current && d.Status.AvailableReplicas > 0, blocked(d), d.Spec.Template.Spec})
	}
	return all, nil
}

// blocked is what keeps a Deployment from making its pod.
func blocked(d *appsv1.Deployment) string {
	for _, c := range d.Status.Conditions {
		if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
			return fmt.Sprintf("%s: %s", c.Reason, c.Message)
		}
	}
	return ""
}

func (v *view) workload(name string) *workload {
	for i := range v.workloads {
		if v.workloads[i].name == name {
			return &v.workloads[i]
		}
	}
	return nil
}

// holding are the workloads of database pods, in the order of the list.
func (v *view) holding() []*workload {
	var all []*workload
	for i := range v.workloads {
		if w := &v.workloads[i]; v.names.database.on(w.labels) {
			all = append(all, w)
		}
	}
	return all
}
