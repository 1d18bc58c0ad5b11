package pgo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/module"
)

// pgclusters is what the two ways to speak to PGO 4.7 have in common: the
// Pgcluster, which both of them change.
type pgclusters struct {
	*place
	last *pgclusterObject // as it was when the record was read
}

func (d *pgclusters) naming() naming {
	n := namingV4(d.name)
	// The exporter comes under the operator's own prefix and tag, which nobody
	// outside it knows.
	n.sidecars = map[string]string{"badger": "crunchy-pgbadger"}
	return n
}

// beyond adds to the record what the resource itself does not say.
func (d *pgclusters) beyond(ctx context.Context, o *pgclusterObject, r *record) error {
	d.last = o
	if r.initialized {
		return nil
	}
	if o.asleep() {
		return d.whyAsleep(ctx, o, r)
	}
	// The Job that sets up the repository is tidied away as soon as it is done;
	// the task of the backup that comes after it stays.
	_, err := d.kind("pgtasks").Get(ctx, "backrest-backup-"+d.name, metav1.GetOptions{})
	r.stanza = err == nil
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
		return fmt.Errorf("read the task of the first backup of %s: %w", d.name, err)
	}
	return nil
}

// whyAsleep names the faults that the operator keeps to its log.
func (d *pgclusters) whyAsleep(ctx context.Context, o *pgclusterObject, r *record) error {
	if o.Metadata.Annotations[currentPrimary] == "" {
		r.problem = module.Explain(fmt.Errorf("Pgcluster %s has no annotation %s: the operator has seen it and makes nothing of it", d.name, currentPrimary),
			"delete the Pgcluster, and apply again: this step writes the annotation")
		return nil
	}
	op, err := d.operator(ctx, nil)
	if err == nil {
		r.problem = op.missesSecret()
	}
	return err
}

// diff compares what the operator, or this step, can change in a cluster that
// runs.
func (d *pgclusters) diff(ctx context.Context, c *Cluster, v *view) ([]module.Diff, error) {
	if err := c.fixed47(v.record); err != nil {
		return nil, module.Refuse(err)
	}
	_, diff := v.misfits(c.shape())
	if slices.ContainsFunc(diff, isPath("image")) && (v.record.initialized || v.primary() != nil) {
		if err := c.mayRun(ctx, d.place, v.record.image); err != nil {
			return nil, module.Refuse(err)
		}
	}
	o := d.last
	differs := func(arg, have, want string) {
		if have != want && !slices.ContainsFunc(diff, isPath(arg)) {
			diff = append(diff, module.Diff{Path: arg, Before: have, After: want})
		}
	}
	differs("image", v.record.image, c.ref().plain())
	for _, r := range c.Resources.list() {
		if have := o.resources(r.limit)[string(r.name)]; !sameQuantity(have, r.value) {
			differs("resources."+r.arg, have, r.value)
		}
	}
	differs("autofail", fmt.Sprint(!o.Spec.DisableAutofail), fmt.Sprint(c.Autofail))
	differs("metrics", fmt.Sprint(o.Spec.Exporter), fmt.Sprint(c.Metrics))
	differs("badger", fmt.Sprint(o.Spec.PGBadger), fmt.Sprint(c.Badger))
	if c.ServiceType != "" {
		differs("service_type", firstOf(o.Spec.ServiceType, "ClusterIP"), c.ServiceType)
	}
	// Before the first backup the operator holds back replicas anyhow.
	if have := len(v.record.replicas); have != c.Replicas && v.record.initialized {
		differs("replicas", fmt.Sprint(have), fmt.Sprint(c.Replicas))
	}
	return diff, nil
}

// fixed47 refuses what a cluster that is there cannot be given any more.
func (c *Cluster) fixed47(r *record) error {
	for _, f := range []struct{ arg, want, is string }{{"user", c.User, r.user}, {"dbname", c.Dbname, r.database}} {
		if f.want != "" && f.is != "" && f.want != f.is {
			return module.At(f.arg, module.Explain(fmt.Errorf("cluster %s has %s, not %s", c.Name, f.is, f.want),
				"the operator makes one user and one database with the cluster; make further ones by sql.role and sql.database"))
		}
	}
	return nil
}

func (o *pgclusterObject) resources(limit bool) map[string]string {
	if limit {
		return o.Spec.Limits
	}
	return o.Spec.Resources
}

func sameQuantity(a, b string) bool {
	x, errX := resource.ParseQuantity(a)
	y, errY := resource.ParseQuantity(b)
	return errX == nil && errY == nil && x.Cmp(y) == 0
}

// change brings all differences but those in replicas into the Pgcluster, in
// one write. The operator rolls out what it looks after, replicas first; the
// image it does not, so the Deployments get that here.
func (d *pgclusters) change(ctx context.Context, env *module.Env, c *Cluster, v *view, diff []module.Diff) error {
	spec := map[string]any{}
	image, resources := false, false
	for _, change := range diff {
		switch {
		case change.Path == "image":
			ref := c.ref()
			spec["ccpimage"], spec["ccpimagetag"], image = ref.name, ref.tag, true
		case strings.HasPrefix(change.Path, "resources."):
			resources = true
			spec["resources"], spec["limits"] = c.Resources.amounts(false), c.Resources.amounts(true)
		case change.Path == "autofail":
			spec["disableAutofail"] = !c.Autofail
		case change.Path == "metrics":
			spec["exporter"] = c.Metrics
		case change.Path == "badger":
			spec["pgBadger"] = c.Badger
		case change.Path == "service_type":
			spec["serviceType"] = c.ServiceType
		}
	}
	if len(spec) > 0 {
		if err := d.patch(ctx, map[string]any{"spec": spec}); err != nil {
			return err
		}
		env.Logf("Pgcluster %s changed: %s", c.Name, summary(diff))
	}
	r := &roller{watch: &watch{place: d.place, env: env}, c: c, shape: shape{image: c.shape().image}}
	if resources && v.primary() != nil {
		all := shape{resources: c.Resources}
		if err := r.until(ctx, "the operator has brought the new resources to all members", func(v *view) bool {
			names, _ := v.misfits(all)
			return len(names) == 0 && v.primary() != nil
		}); err != nil {
			return err
		}
	}
	if !image {
		return nil
	}
	r.switchTo = func(ctx context.Context, to string) error { return d.handOver(ctx, r.watch, to) }
	return r.roll(ctx, v)
}

// amounts are the given resources, as a Pgcluster has them.
func (r *Resources) amounts(limit bool) map[string]string {
	amounts := map[string]string{}
	for _, s := range r.list() {
		if s.limit == limit {
			amounts[string(s.name)] = s.value
		}
	}
	return amounts
}
