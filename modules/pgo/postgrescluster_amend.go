package pgo

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/adbsql/antdbctl/engine/conn/kube"
)

// amend looks for itself whether the members are as the spec has them: the
// operator counts them before it changes them, so the first status that it
// writes about a new spec still calls all up to date.
func (d *postgresDriver) amend(v *view) {
	if v.record == nil || d.seen == nil {
		return
	}
	for _, w := range v.holding() {
		if set := d.seen.set(w.labels[postgresInstanceSet]); set != nil && !d.seen.fits(set, &w.template) {
			v.record.pending = true
		}
	}
	var fit int64
	for _, pod := range v.databases() {
		if set := d.seen.set(pod.Labels[postgresInstanceSet]); kube.Ready(pod) && (set == nil || d.seen.fits(set, &pod.Spec)) {
			fit++
		}
	}
	if v.record.serving != nil {
		*v.record.serving = min(*v.record.serving, fit)
	}
}

// set finds a set of members by name.
func (pc *postgresCluster) set(name string) *instanceSet {
	for i := range pc.Spec.Instances {
		if pc.Spec.Instances[i].Name == name {
			return &pc.Spec.Instances[i]
		}
	}
	return nil
}

// fits compares a pod, or what pods are made of, with the arguments that go into
// pods.
func (pc *postgresCluster) fits(set *instanceSet, pod *corev1.PodSpec) bool {
	at := slices.IndexFunc(pod.Containers, func(c corev1.Container) bool { return c.Name == "database" })
	if at < 0 {
		return true // of no pod that this is about
	}
	container := &pod.Containers[at]
	if pc.Spec.Image != "" && container.Image != pc.Spec.Image {
		return false
	}
	if set.Affinity != nil && !equality.Semantic.DeepEqual(set.Affinity, pod.Affinity) {
		return false
	}
	return set.Resources == nil ||
		holds(container.Resources.Requests, set.Resources.Requests) && holds(container.Resources.Limits, set.Resources.Limits)
}

// holds reports whether a list has what is wanted; it may have more.
func holds(have corev1.ResourceList, want map[string]string) bool {
	for name, value := range want {
		is, ok := have[corev1.ResourceName(name)]
		if wanted, err := resource.ParseQuantity(value); !ok || err != nil || is.Cmp(wanted) != 0 {
			return false
		}
	}
	return true
}
