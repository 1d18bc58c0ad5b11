package pgo

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
)

// shape is what the database containers of a cluster shall be like. The zero
// values leave alone.
type shape struct {
	image     imageRef // without prefix: that of the container stays
	resources *Resources
}

// shape is what the runbook asks of the database containers.
func (c *Cluster) shape() shape {
	ref := c.ref()
	return shape{image: imageRef{name: ref.name, tag: ref.tag}, resources: c.Resources}
}

// diff is what a container has instead.
func (s shape) diff(have *corev1.Container) []module.Diff {
	var diff []module.Diff
	if is := refOf(have.Image); s.image.name != "" && is.plain() != s.image.plain() {
		diff = append(diff, module.Diff{Path: "image", Before: is.plain(), After: s.image.plain()})
	}
	for _, r := range s.resources.list() {
		is := r.of(have.Resources)[r.name]
		if want, err := resource.ParseQuantity(r.value); err != nil || is.Cmp(want) != 0 {
			before := is.String()
			if is.IsZero() {
				before = ""
			}
			diff = append(diff, module.Diff{Path: "resources." + r.arg, Before: before, After: r.value})
		}
	}
	return diff
}

// patch makes a Deployment's container so. The operator lets the new pod and the
// old overlap, and both would open the same data directory: Recreate ends the
// old one first.
func (s shape) patch(have *corev1.Container) []byte {
	container := map[string]any{"name": have.Name}
	if s.image.name != "" {
		container["image"] = imageRef{refOf(have.Image).prefix, s.image.name, s.image.tag}.String()
	}
	requests, limits := map[string]string{}, map[string]string{}
	for _, r := range s.resources.list() {
		if r.limit {
			limits[string(r.name)] = r.value
		} else {
			requests[string(r.name)] = r.value
		}
	}
	if len(requests)+len(limits) > 0 {
		container["resources"] = map[string]any{"requests": requests, "limits": limits}
	}
	text, _ := json.Marshal(map[string]any{"spec": map[string]any{
		"strategy": map[string]any{"type": "Recreate", "rollingUpdate": nil},
		"template": map[string]any{"spec": map[string]any{"containers": []any{container}}},
	}})
	return text
}

// setting is one of the resources that a runbook gives.
type setting struct {
	arg   string
	name  corev1.ResourceName
	limit bool
	value string
}

func (s setting) of(r corev1.ResourceRequirements) corev1.ResourceList {
	if s.limit {
		return r.Limits
	}
	return r.Requests
}

// list are the resources that are given.
func (r *Resources) list() []setting {
	if r == nil {
		return nil
	}
	var given []setting
	for _, s := range []setting{
		{"cpu", corev1.ResourceCPU, false, r.CPU},
		{"memory", corev1.ResourceMemory, false, r.Memory},
		{"cpu_limit", corev1.ResourceCPU, true, r.CPULimit},
		{"memory_limit", corev1.ResourceMemory, true, r.MemoryLimit},
	} {
		if s.value != "" {
			given = append(given, s)
		}
	}
	return given
}

// misfits are the database Deployments that are not of the shape, with the
// differences of the first.
func (v *view) misfits(s shape) (names []string, diff []module.Diff) {
	for _, w := range v.holding() {
		container := w.container(v.names.container)
		if container == nil {
			continue
		}
		if d := s.diff(container); len(d) > 0 {
			if names = append(names, w.name); diff == nil {
				diff = d
			}
		}
	}
	return names, diff
}

// roller brings the database Deployments of a running cluster to a shape, one
// after the other, the primary's last.
type roller struct {
	*watch
	c        *Cluster
	shape    shape
	engine   string // of the data; "" where nothing says it
	switchTo func(ctx context.Context, deployment string) error
}

// roll goes through the misfits. Where nobody leads there is nothing to save by
// going slowly: all are changed at once, but for those that run: they may be
// making their first data directory, and half of one never heals.
func (r *roller) roll(ctx context.Context, v *view) error {
	names, _ := v.misfits(r.shape)
	leader := v.primary()
	if leader == nil {
		for _, name := range names {
			if v.runs(name) {
				r.env.Logf("%s is left to start first", name)
				continue
			}
			if err := r.reshape(ctx, v, name); err != nil {
				return err
			}
		}
		return nil
	}
	lead := leader.Labels[v.names.workload]
	last := false
	for _, name := range names {
		if last = last || name == lead; name == lead {
			continue
		}
		if err := r.one(ctx, v, name); err != nil {
			return err
		}
	}
	if !last {
		return nil
	}
	if followers := v.following(); len(followers) > 0 {
		if err := r.handOver(ctx, lead, followers[0].Labels[v.names.workload]); err != nil {
			return err
		}
		return r.one(ctx, v, lead)
	}
	return r.reshape(ctx, v, lead) // the caller waits for it
}

// one changes a replica, waits until it follows again, and sees that it is still
// of the engine that the data is of: so far only a copy would be lost.
func (r *roller) one(ctx context.Context, v *view, name string) error {
	if err := r.reshape(ctx, v, name); err != nil {
		return err
	}
	v, err := r.seen(ctx, "replica "+name+" follows again", func(v *view) bool {
		w := v.workload(name)
		return w != nil && w.available && v.follows(name, r.shape) != ""
	})
	if err != nil || r.engine == "" {
		return err
	}
	who, err := r.identify(ctx, v.follows(name, r.shape))
	if err != nil {
		return err
	}
	if who.engine != r.engine {
		return module.At("image", module.Explain(
			fmt.Errorf("replica %s runs %s now, on the data of %s; what has not been changed yet stays as it is", name, engineName(who.engine), engineName(r.engine)),
			"write the image that the others run, and apply again; then take this replica away and add another"))
	}
	return nil
}

// runs reports that the database container of a Deployment runs at this moment.
func (v *view) runs(deployment string) bool {
	for _, pod := range v.databases() {
		if pod.Labels[v.names.workload] == deployment && v.names.status(pod).State.Running != nil {
			return true
		}
	}
	return false
}

// follows finds a Deployment's pod if it is a replica that follows, and of the
// shape; "" while it is not.
func (v *view) follows(deployment string, s shape) string {
	for _, pod := range v.following() {
		if pod.Labels[v.names.workload] != deployment {
			continue
		}
		for i := range pod.Spec.Containers {
			if have := &pod.Spec.Containers[i]; have.Name == v.names.container {
				if len(s.diff(have)) == 0 {
					return pod.Name
				}
			}
		}
	}
	return ""
}

func (r *roller) handOver(ctx context.Context, from, to string) error {
	r.env.Logf("the primary goes from %s to %s", from, to)
	if err := r.switchTo(ctx, to); err != nil {
		return fmt.Errorf("hand over from %s to %s: %w", from, to, err)
	}
	return r.until(ctx, to+" leads", func(v *view) bool {
		pod := v.primary()
		return pod != nil && pod.Labels[v.names.workload] == to
	})
}

func (r *roller) reshape(ctx context.Context, v *view, name string) error {
	r.env.Logf("change %s", name)
	patch := r.shape.patch(v.workload(name).container(v.names.container))
	_, err := r.kube.Clientset().AppsV1().Deployments(r.namespace).Patch(ctx, name, types.StrategicMergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("change Deployment %s in %s: %w", name, r.namespace, err)
	}
	return nil
}

// until waits for one step of the way.
func (r *roller) until(ctx context.Context, what string, is func(*view) bool) error {
	_, err := r.seen(ctx, what, is)
	return err
}

// seen waits for one step of the way, with the patience of the phase replicas,
// and gives what was seen then.
func (r *roller) seen(ctx context.Context, what string, is func(*view) bool) (*view, error) {
	r.env.Phase(phaseReplicas)
	for started := time.Now(); ; {
		v, err := r.next(ctx, true)
		if err != nil {
			return nil, r.interrupted(ctx, phaseReplicas, started, err)
		}
		if is(v) {
			return v, nil
		}
		if err := r.c.hopeless(ctx, r.place, v, phaseReplicas); err != nil {
			return nil, fmt.Errorf("waiting until %s; what has not been changed yet stays as it is: %w", what, err)
		}
		if limit := r.c.limit(phaseReplicas); time.Since(started) > limit {
			return nil, module.At("deadlines", module.Explain(fmt.Errorf("after %s it is still not so that %s; what has not been changed yet stays as it is", limit, what),
				"look at the evidence; applying again goes on", r.podEvidence(ctx, v)...))
		}
		if err := r.rest(ctx); err != nil {
			return nil, r.interrupted(ctx, phaseReplicas, started, err)
		}
	}
}

func (p *place) podEvidence(ctx context.Context, v *view) []string {
	var evidence []string
	for i := range v.pods {
		if !kube.Ready(&v.pods[i]) {
			evidence = append(evidence, p.kube.Evidence(ctx, &v.pods[i])...)
		}
	}
	return evidence
}
