package pgo

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/adbsql/antdbctl/engine/module"
)

func (d *rest42) diff(ctx context.Context, c *Cluster, v *view) ([]module.Diff, error) {
	if err := c.fixed(v); err != nil {
		return nil, module.Refuse(err)
	}
	if err := c.foreignImage(v); err != nil {
		return nil, module.Refuse(err)
	}
	_, diff := v.misfits(c.shape())
	if slices.ContainsFunc(diff, isPath("image")) && (v.record.initialized || v.primary() != nil) {
		if err := c.mayRun(ctx, d.place, v.record.image); err != nil {
			return nil, module.Refuse(err)
		}
	}
	if want := c.ref().plain(); v.record.image != want && !slices.ContainsFunc(diff, isPath("image")) {
		diff = append(diff, module.Diff{Path: "image", Before: v.record.image, After: want})
	}
	if is, err := strconv.ParseBool(v.record.labels["autofail"]); err == nil && is != c.Autofail {
		diff = append(diff, module.Diff{Path: "autofail", Before: strconv.FormatBool(is), After: strconv.FormatBool(c.Autofail)})
	}
	if !v.record.initialized {
		return diff, nil // until the first backup the operator holds back replicas, and schedules have nothing to build on
	}
	if have := len(v.record.replicas); have != c.Replicas {
		diff = append(diff, module.Diff{Path: "replicas", Before: fmt.Sprint(have), After: fmt.Sprint(c.Replicas)})
	}
	planned, err := d.scheduleDiff(ctx, c)
	return append(diff, planned...), err
}

func isPath(path string) func(module.Diff) bool {
	return func(d module.Diff) bool { return d.Path == path }
}

// fixed refuses what a cluster that is there cannot be given any more.
func (c *Cluster) fixed(v *view) error {
	r := v.record
	for _, f := range []struct{ arg, want, is string }{{"user", c.User, r.user}, {"dbname", c.Dbname, r.database}} {
		if f.want != "" && f.is != "" && f.want != f.is {
			return module.At(f.arg, module.Explain(fmt.Errorf("cluster %s has %s, not %s", c.Name, f.is, f.want),
				remedyFirstUser))
		}
	}
	for _, f := range []struct{ arg, want, is string }{{"service_type", c.ServiceType, cmp.Or(v.serviceType(), c.ServiceType)}, {"custom_config", c.CustomConfig, r.customConfig}} {
		if f.want != "" && f.want != f.is {
			return module.At(f.arg, module.Explain(fmt.Errorf("cluster %s was made with %s = %q, and PGO 4.2 cannot change that", c.Name, f.arg, f.is), remedyAnew))
		}
	}
	for _, f := range []struct {
		arg, label string
		want       bool
	}{{"metrics", "crunchy_collect", c.Metrics}, {"badger", "crunchy-pgbadger", c.Badger}} {
		if is, err := strconv.ParseBool(r.labels[f.label]); err == nil && is != f.want {
			return module.At(f.arg, module.Explain(fmt.Errorf("cluster %s was made with %s = %t, and PGO 4.2 cannot change that", c.Name, f.arg, is),
				remedyAnew))
		}
	}
	return nil
}

const remedyAnew = "write what it has, or destroy the step, keeping its data, and make it anew"

// serviceType is the type of the primary's service; "" where there is none yet.
func (v *view) serviceType() string {
	if v.service == nil {
		return ""
	}
	return string(v.service.Spec.Type)
}

// update changes replicas last: new ones then come with the new image.
func (d *rest42) update(ctx context.Context, env *module.Env, c *Cluster, v *view, diff []module.Diff) error {
	if names, _ := v.misfits(c.shape()); len(names) > 0 || slices.ContainsFunc(diff, isPath("image")) {
		if err := d.reshape(ctx, env, c, v); err != nil {
			return err
		}
	}
	for _, change := range diff {
		var err error
		switch {
		case change.Path == "autofail":
			err = d.api.autofail(ctx, d.namespace, c.Name, c.Autofail)
		case strings.HasPrefix(change.Path, "backup_schedule."):
			err = d.schedule(ctx, c, strings.TrimPrefix(change.Path, "backup_schedule."), change.Before != "")
		case change.Path == "replicas":
			err = d.rescale(ctx, env, c, v)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// reshape gives the database pods another image or other resources. The
// operator's own way, its minor upgrade, changes the tag alone, keeps the
// primary where it is while that restarts, waits by edges that it can miss, and
// does not know resources. So the Deployments are changed here, and the record,
// by which the operator makes the replicas of tomorrow.
func (d *rest42) reshape(ctx context.Context, env *module.Env, c *Cluster, v *view) error {
	if err := d.rerecord(ctx, env, c); err != nil {
		return err
	}
	claims, err := d.claimsOf(ctx)
	if err != nil {
		return err
	}
	r := &roller{watch: &watch{place: d.place, env: env}, c: c, shape: c.shape(), engine: engineOf(d.dataClaims(claims)), switchTo: func(ctx context.Context, to string) error {
		return d.api.failover(ctx, d.namespace, d.name, to)
	}}
	return r.roll(ctx, v)
}

// rerecord notes image and resources on the Pgcluster.
func (d *rest42) rerecord(ctx context.Context, env *module.Env, c *Cluster) error {
	ref := c.ref()
	spec := map[string]any{"ccpimage": ref.name, "ccpimagetag": ref.tag}
	if c.Resources != nil {
		spec["ContainerResources"] = map[string]string{
			"requestscpu": c.Resources.CPU, "requestsmemory": c.Resources.Memory,
			"limitscpu": c.Resources.CPULimit, "limitsmemory": c.Resources.MemoryLimit,
		}
	}
	patch, err := json.Marshal(map[string]any{"spec": spec})
	if err != nil {
		return err
	}
	clusters := d.kube.Dynamic().Resource(schema.GroupVersionResource{Group: groupV4, Version: "v1", Resource: "pgclusters"}).Namespace(d.namespace)
	if _, err := clusters.Patch(ctx, c.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		err = fmt.Errorf("note the new image and resources on Pgcluster %s in %s: %w", c.Name, d.namespace, err)
		if apierrors.IsForbidden(err) {
			return module.Explain(err, "give the kubeconfig's user the verb patch on pgclusters.crunchydata.com")
		}
		return err
	}
	env.Logf("Pgcluster %s has %s on record", c.Name, ref.plain())
	return nil
}

// rescale adds replicas, or takes the ones away that serve least.
func (d *rest42) rescale(ctx context.Context, env *module.Env, c *Cluster, v *view) error {
	have := len(v.record.replicas)
	if have < c.Replicas {
		return module.At("replicas", d.api.scale(ctx, d.namespace, c.Name, c.Replicas-have))
	}
	victims, err := d.dispensable(v, have-c.Replicas)
	if err != nil {
		return err
	}
	for _, name := range victims {
		env.Logf("replica %s goes", name)
		// Its data goes with it: nothing could take the volume up again, and it is a copy.
		if err := d.api.scaleDown(ctx, d.namespace, c.Name, name); err != nil {
			return module.At("replicas", err)
		}
		if err := d.replicaGone(ctx, env, c, name); err != nil {
			return err
		}
	}
	return nil
}

// dispensable picks n replicas: first those that do not follow. The operator
// asks no questions: it would take away the primary too, when that runs in what
// was once a replica.
func (d *rest42) dispensable(v *view, n int) ([]string, error) {
	leading := ""
	if pod := v.primary(); pod != nil {
		leading = pod.Labels[v.names.workload]
	} else {
		return nil, module.At("replicas", module.Explain(fmt.Errorf("cluster %s has no primary now, so no replica is taken away", d.name),
			"bring the cluster up first; applying again goes on"))
	}
	follows := map[string]bool{}
	for _, pod := range v.following() {
		follows[pod.Labels[v.names.workload]] = true
	}
	var idle, busy []string
	for _, name := range slices.Sorted(slices.Values(v.record.replicas)) {
		switch {
		case name == leading:
		case follows[name]:
			busy = append(busy, name)
		default:
			idle = append(idle, name)
		}
	}
	if all := append(idle, busy...); len(all) >= n {
		return all[:n], nil
	}
	return nil, module.At("replicas", module.Explain(
		fmt.Errorf("the primary of %s runs in %s, which was made as a replica: taking it away would take the primary away", d.name, leading),
		fmt.Sprintf("switch over to %s first (patroni.switchover)", d.name)))
}

// replicaGone waits until nothing is left of a replica; one is taken away at a time.
func (d *rest42) replicaGone(ctx context.Context, env *module.Env, c *Cluster, name string) error {
	env.Phase(phaseReplicas)
	w, started := &watch{place: d.place, env: env}, time.Now()
	for {
		v, err := w.next(ctx, false)
		if err != nil {
			return d.interrupted(ctx, phaseReplicas, started, err)
		}
		if !slices.Contains(v.record.replicas, name) && v.workload(name) == nil {
			return nil
		}
		if limit := c.limit(phaseReplicas); time.Since(started) > limit {
			return module.At("deadlines", module.Explain(fmt.Errorf("replica %s is not gone after %s", name, limit),
				"look at its rmdata Job and pod, and at the operator's log", d.podEvidence(ctx, v)...))
		}
		if err := w.rest(ctx); err != nil {
			return d.interrupted(ctx, phaseReplicas, started, err)
		}
	}
}
