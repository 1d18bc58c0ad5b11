package postgrescluster

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
)

// scale names the instances that are missing and takes away those that are too many. A second instance has to wait for
// the first backup, as the originals' were seen to do.
func (r *Reconciler) scale(ctx context.Context, c *Cluster, have []instance) ([]instance, error) {
	possible := condition(c, conditionReplicaCreate) == metav1.ConditionTrue
	var out []instance
	for n, set := range c.Spec.Instances {
		name := setName(set, n)
		mine := slices.DeleteFunc(slices.Clone(have), func(i instance) bool { return i.set.name != name })
		for len(mine) > max(set.Replicas, 1) {
			k := spare(mine)
			if err := r.removeInstance(ctx, c, mine[k]); err != nil {
				return nil, err
			}
			mine = slices.Delete(mine, k, k+1)
		}
		for len(mine) < max(set.Replicas, 1) && (possible || len(have)+len(out) == 0) {
			i := instance{name: c.Name + "-" + name + "-" + rand.String(4)}
			i.set.InstanceSet, i.set.name = set, name
			r.Log.Printf("postgrescluster %s/%s: new instance %s", c.Namespace, c.Name, i.name)
			mine = append(mine, i)
			if !possible {
				break
			}
		}
		out = append(out, mine...)
	}
	for _, i := range have { // of sets that are not wanted any more
		if c.set(i.set.name) == nil {
			if err := r.removeInstance(ctx, c, i); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// spare is the youngest instance that is not the primary.
func spare(instances []instance) int {
	for k := len(instances) - 1; k >= 0; k-- {
		if instances[k].role() != roleLeader {
			return k
		}
	}
	return len(instances) - 1
}

func (r *Reconciler) removeInstance(ctx context.Context, c *Cluster, i instance) error {
	r.Log.Printf("postgrescluster %s/%s: instance %s goes", c.Namespace, c.Name, i.name)
	core, of := r.Kube.CoreV1(), metav1.DeleteOptions{}
	if err := ignoreMissing(r.Kube.AppsV1().StatefulSets(c.Namespace).Delete(ctx, i.name, of)); err != nil {
		return err
	}
	if err := ignoreMissing(core.PersistentVolumeClaims(c.Namespace).Delete(ctx, dataClaim(i.name), of)); err != nil {
		return err
	}
	if err := ignoreMissing(core.ConfigMaps(c.Namespace).Delete(ctx, i.name+"-config", of)); err != nil {
		return err
	}
	return ignoreMissing(core.Secrets(c.Namespace).Delete(ctx, i.name+"-certs", of))
}

// remove stops the instances one after the other, the primary last, and lets the cluster go then: all else is owned by it.
func (r *Reconciler) remove(ctx context.Context, c *Cluster, instances []instance) error {
	if !slices.Contains(c.Finalizers, Finalizer) {
		return nil
	}
	slices.SortStableFunc(instances, func(a, b instance) int { return leaderLast(a) - leaderLast(b) })
	for _, i := range instances {
		if *i.stateful.Spec.Replicas != 0 {
			_, err := r.Kube.AppsV1().StatefulSets(c.Namespace).
				Patch(ctx, i.name, types.MergePatchType, []byte(`{"spec":{"replicas":0}}`), metav1.PatchOptions{})
			return err
		}
		if i.pod != nil {
			return nil // is on its way out
		}
	}
	if err := r.forgetAuthority(ctx, c); err != nil {
		return err
	}
	kept := slices.DeleteFunc(slices.Clone(c.Finalizers), func(f string) bool { return f == Finalizer })
	return r.patch(ctx, c, "", map[string]any{"metadata": map[string]any{"finalizers": kept}})
}

func leaderLast(i instance) int {
	if i.role() == roleLeader {
		return 1
	}
	return 0
}

// roll replaces one pod whose template has changed, replicas first; a primary hands over to a replica before, if there is
// one. It does nothing while an instance is not ready, but for the one that has to go itself.
func (r *Reconciler) roll(ctx context.Context, c *Cluster, instances []instance) error {
	var old *instance
	for k := range instances {
		i := &instances[k]
		switch {
		case i.pod == nil || i.stateful.Status.ObservedGeneration < i.stateful.Generation:
			return nil
		case i.current() && !i.ready():
			return nil
		case !i.current() && (old == nil || old.role() == roleLeader):
			old = i
		}
	}
	if old == nil {
		return nil
	}
	if old.role() == roleLeader {
		if k := slices.IndexFunc(instances, func(i instance) bool { return i.current() && i.role() == roleReplica }); k >= 0 {
			return r.switchover(ctx, c, old.pod, instances[k].pod)
		}
	}
	r.Log.Printf("postgrescluster %s/%s: pod %s is made anew", c.Namespace, c.Name, old.pod.Name)
	return ignoreMissing(r.Kube.CoreV1().Pods(c.Namespace).Delete(ctx, old.pod.Name, metav1.DeleteOptions{}))
}

func (r *Reconciler) switchover(ctx context.Context, c *Cluster, from, to *corev1.Pod) error {
	if r.Now().Before(r.paused[string(c.UID)]) {
		return nil
	}
	r.paused[string(c.UID)] = r.Now().Add(20 * time.Second)
	r.Log.Printf("postgrescluster %s/%s: %s hands over to %s", c.Namespace, c.Name, from.Name, to.Name)
	return r.run(ctx, to, "database", nil, "patronictl", "switchover", "--master", from.Name, "--candidate", to.Name, "--force", scope(c))
}
