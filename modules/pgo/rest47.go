package pgo

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
)

// rest47 makes clusters through the apiserver of PGO 4.7. What it does not take
// in a call of its own is changed in the Pgcluster, as the apiserver does itself.
type rest47 struct{ pgclusters }

func newREST47(p *place) driver { return &rest47{pgclusters{place: p}} }

func (d *rest47) generation() string { return "PGO 4.7 (REST)" }

func (d *rest47) lacks(c *Cluster) error {
	return errors.Join(
		lacking(c.StorageClass != "", "storage_class", "PGO 4.7", "name one of the Storage entries of pgo.yaml in storage_config"),
		lacksV47(c))
}

// lacksV47 refuses what PGO 4.7 has no place for, whichever way it is spoken to.
func lacksV47(c *Cluster) error {
	return errors.Join(
		lacking(c.ResourcesConfig != "", "resources_config", "PGO 4.7", "say CPU and memory in resources { }"),
		lacking(c.BackupImage != "", "backup_image", "PGO 4.7", "its images for backups have the database image's prefix and tag"),
		lacking(len(c.Parameters) > 0, "parameters", "PGO 4.7", "set them by a patroni.config step after this one: it restarts only where it must"))
}

func lacking(set bool, arg, generation, remedy string) error {
	if !set {
		return nil
	}
	return module.At(arg, module.Explain(fmt.Errorf("%s takes no %s", generation, arg), remedy))
}

func (d *rest47) record(ctx context.Context) (*record, error) {
	found, err := d.api.show47(ctx, d.namespace, d.name)
	if err != nil || found == nil {
		return nil, err
	}
	r := found.Cluster.record(d.name)
	for _, replica := range found.Replicas {
		r.replicas = append(r.replicas, replica.Name)
	}
	return r, d.beyond(ctx, &found.Cluster, r)
}

func (d *rest47) create(ctx context.Context, env *module.Env, c *Cluster) error {
	if err := d.ready(ctx, c); err != nil {
		return err
	}
	d.tellImages(ctx, env, c)
	workflow, err := d.api.create47(ctx, c.request47(d.namespace, d.api.speaks))
	if err == nil {
		env.Logf("the operator makes cluster %s, workflow %s", c.Name, workflow)
	}
	return locate47(err)
}

// old is the driver of 4.2, for what the two have in common.
func (d *rest47) old() *rest42 { return &rest42{place: d.place} }

func (d *rest47) diff(ctx context.Context, c *Cluster, v *view) ([]module.Diff, error) {
	diff, err := d.pgclusters.diff(ctx, c, v)
	if err != nil || !v.record.initialized {
		return diff, err
	}
	planned, err := d.old().scheduleDiff(ctx, c)
	return append(diff, planned...), err
}

// update changes replicas last: new ones then come with the new image.
func (d *rest47) update(ctx context.Context, env *module.Env, c *Cluster, v *view, diff []module.Diff) error {
	if err := d.change(ctx, env, c, v, diff); err != nil {
		return err
	}
	for _, change := range diff {
		var err error
		if kind, ok := strings.CutPrefix(change.Path, "backup_schedule."); ok {
			err = d.old().schedule(ctx, c, kind, change.Before != "")
		}
		if change.Path == "replicas" {
			err = d.rescale(ctx, env, c, v)
		}
		if err != nil {
			return locate47(err)
		}
	}
	return nil
}

// rescale adds replicas, or takes away those that serve least, one at a time.
func (d *rest47) rescale(ctx context.Context, env *module.Env, c *Cluster, v *view) error {
	have := len(v.record.replicas)
	if have < c.Replicas {
		return d.api.scale47(ctx, d.namespace, c.Name, c.Replicas-have)
	}
	victims, err := d.old().dispensable(v, have-c.Replicas)
	if err != nil {
		return err
	}
	for _, name := range victims {
		env.Logf("replica %s goes", name)
		if err := d.api.scaleDown47(ctx, d.namespace, c.Name, name); err != nil {
			return err
		}
		if err := d.old().replicaGone(ctx, env, c, name); err != nil {
			return err
		}
	}
	return nil
}

func (d *rest47) remove(ctx context.Context, _ *module.Env, keepData, keepBackups bool) error {
	return d.api.remove(ctx, d.namespace, d.name, !keepBackups, !keepData)
}

// locate47 finds the argument of those refusals that 4.7 words in its own way.
func locate47(err error) error {
	no := (*Refusal)(nil)
	if !errors.As(err, &no) {
		return err
	}
	for _, known := range []struct{ text, arg, remedy string }{
		{"storage config was not found", "storage_config", "name an entry of Storage in pgo.yaml"},
		{"could not parse PVC size", "storage_size", ""},
		{"invalid service type", "service_type", ""},
		{"is lower than the request", "resources", "a limit must not be below what is reserved"},
		{"has not yet been upgraded", "name", "upgrade the cluster to the operator's version first: pgo upgrade"},
	} {
		if strings.Contains(no.Msg, known.text) {
			return module.At(known.arg, module.Explain(err, known.remedy))
		}
	}
	return err
}
