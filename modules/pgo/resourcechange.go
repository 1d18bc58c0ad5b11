package pgo

import (
	"context"
	"fmt"
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
	n.sidecars = map[string]string{"metrics": "crunchy-postgres-exporter", "badger": "crunchy-pgbadger"}
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

// diff compares what the operator can change in a cluster that runs.
func (d *pgclusters) diff(_ context.Context, c *Cluster, v *view) ([]module.Diff, error) {
	o, diff := d.last, []module.Diff(nil)
	differs := func(arg, have, want string) {
		if have != want {
			diff = append(diff, module.Diff{Path: arg, Before: have, After: want})
		}
	}
	differs("image", v.record.image, c.ref().plain())
	differs("autofail", fmt.Sprint(!o.Spec.DisableAutofail), fmt.Sprint(c.Autofail))
	differs("metrics", fmt.Sprint(o.Spec.Exporter), fmt.Sprint(c.Metrics))
	differs("badger", fmt.Sprint(o.Spec.PGBadger), fmt.Sprint(c.Badger))
	if c.ServiceType != "" {
		differs("service_type", firstOf(o.Spec.ServiceType, "ClusterIP"), c.ServiceType)
	}
	for _, q := range c.quantities() {
		have := o.quantities(q.limit)[q.name]
		if q.want != "" && !sameQuantity(have, q.want) {
			differs("resources", strings.TrimSpace(q.text()+" "+have), q.text()+" "+q.want)
		}
	}
	// Before the first backup the operator holds back replicas anyhow.
	if have := len(v.record.replicas); have != c.Replicas && v.record.initialized {
		differs("replicas", fmt.Sprint(have), fmt.Sprint(c.Replicas))
	}
	return diff, nil
}

// quantity is one of a container's resources.
type quantity struct {
	name, want string // "cpu", "500m"
	limit      bool
}

func (q quantity) text() string {
	if q.limit {
		return q.name + " limit"
	}
	return q.name
}

func (c *Cluster) quantities() []quantity {
	if c.Resources == nil {
		return nil
	}
	r := c.Resources
	return []quantity{{"cpu", r.CPU, false}, {"memory", r.Memory, false}, {"cpu", r.CPULimit, true}, {"memory", r.MemoryLimit, true}}
}

func (o *pgclusterObject) quantities(limit bool) map[string]string {
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
// one write; the operator rolls them out, replicas first.
func (d *pgclusters) change(ctx context.Context, c *Cluster, diff []module.Diff) error {
	spec, resources, limits := map[string]any{}, map[string]string{}, map[string]string{}
	for _, change := range diff {
		switch change.Path {
		case "image":
			return module.At("image", module.Explain(
				fmt.Errorf("cluster %s runs %s, and its image cannot be changed to %s in place yet", c.Name, change.Before, change.After),
				"write the image that it runs, or destroy the step and apply again: the data stays while keep_data is true"))
		case "autofail":
			spec["disableAutofail"] = !c.Autofail
		case "metrics":
			spec["exporter"] = c.Metrics
		case "badger":
			spec["pgBadger"] = c.Badger
		case "service_type":
			spec["serviceType"] = c.ServiceType
		case "resources":
			for _, q := range c.quantities() {
				if q.want != "" {
					map[bool]map[string]string{false: resources, true: limits}[q.limit][q.name] = q.want
				}
			}
			spec["resources"], spec["limits"] = resources, limits
		}
	}
	if len(spec) == 0 {
		return nil
	}
	return d.patch(ctx, map[string]any{"spec": spec})
}
