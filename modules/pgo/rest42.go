package pgo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/adbsql/antdbctl/engine/module"
)

// rest42 makes clusters through the apiserver of PGO 4.2.
type rest42 struct{ *place }

func newREST42(p *place) driver { return &rest42{p} }

func (d *rest42) generation() string { return "PGO 4.2 (REST)" }

func (d *rest42) naming() naming { return namingV4(d.name) }

// lacks refuses what a request of 4.2 has no field for.
func (d *rest42) lacks(c *Cluster) error {
	const config = "name one of the Storage entries of pgo.yaml in storage_config"
	var faults []error
	for _, f := range []struct {
		set         bool
		arg, remedy string
	}{
		{c.StorageClass != "", "storage_class", config},
		{c.StorageSize != "", "storage_size", config},
		{c.BackupSize != "", "backup_size", config},
		{c.BackupImage != "", "backup_image", "PGO 4.2 has its own images for backups (PGOImagePrefix and PGOImageTag in pgo.yaml)"},
		{len(c.Parameters) > 0, "parameters", "set them by a patroni.config step after this one: it restarts only where it must"},
	} {
		if f.set {
			faults = append(faults, module.At(f.arg, module.Explain(fmt.Errorf("PGO 4.2 takes no %s", f.arg), f.remedy)))
		}
	}
	return errors.Join(faults...)
}

func (d *rest42) record(ctx context.Context) (*record, error) {
	f, err := d.api.show(ctx, d.namespace, d.name)
	if err != nil || f == nil {
		return nil, err
	}
	spec := f.Cluster.Spec
	r := &record{
		state: f.Cluster.Status.State, initialized: f.Cluster.Status.State == "pgcluster Initialized",
		image: spec.CCPImage + ":" + spec.CCPImageTag, user: spec.User, database: spec.Database, labels: f.Cluster.Metadata.Labels,
		secrets: map[string]string{"postgres": spec.RootSecretName, "primaryuser": spec.PrimarySecretName},
	}
	if spec.User != "" {
		r.secrets[spec.User] = spec.UserSecretName
	}
	for _, replica := range f.Replicas {
		r.replicas = append(r.replicas, replica.Name)
	}
	return r, nil
}

func (d *rest42) diff(_ context.Context, c *Cluster, v *view) ([]module.Diff, error) {
	var diff []module.Diff
	if want := c.ref().plain(); v.record.image != want {
		diff = append(diff, module.Diff{Path: "image", Before: v.record.image, After: want})
	}
	// Before the first backup the operator holds back replicas anyhow.
	if have := len(v.record.replicas); have != c.Replicas && v.record.initialized {
		diff = append(diff, module.Diff{Path: "replicas", Before: fmt.Sprint(have), After: fmt.Sprint(c.Replicas)})
	}
	return diff, nil
}

func (d *rest42) create(ctx context.Context, env *module.Env, c *Cluster) error {
	if err := d.clearStaleTask(ctx, env); err != nil {
		return err
	}
	workflow, err := d.api.create(ctx, c.request42(d.namespace, d.api.speaks))
	if err == nil {
		env.Logf("the operator makes cluster %s, workflow %s", c.Name, workflow)
	}
	return err
}

func (c *Cluster) request42(namespace, version string) createRequest {
	ref := c.ref()
	var labels []string
	for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
		labels = append(labels, k+"="+c.Labels[k])
	}
	return createRequest{
		Name: c.Name, Namespace: namespace, NodeLabel: c.NodeLabel, Password: c.Password.Reveal(),
		UserLabels: strings.Join(labels, ","), Policies: strings.Join(c.Policies, ","),
		CCPImage: ref.name, CCPImageTag: ref.tag, Series: 1, ReplicaCount: c.Replicas, ServiceType: c.ServiceType,
		MetricsFlag: c.Metrics, BadgerFlag: c.Badger, AutofailFlag: c.Autofail, PgbouncerUser: "pgbouncer",
		CustomConfig: c.CustomConfig, StorageConfig: c.StorageConfig, ContainerResources: c.ResourcesConfig, ClientVersion: version,
	}
}

func (d *rest42) update(ctx context.Context, env *module.Env, c *Cluster, v *view, diff []module.Diff) error {
	for _, change := range diff {
		switch change.Path {
		case "image":
			return module.At("image", module.Explain(
				fmt.Errorf("cluster %s runs %s, and its image cannot be changed to %s in place yet", c.Name, change.Before, change.After),
				"write the image that it runs, or destroy the step and apply again: the data stays while keep_data is true"))
		case "replicas":
			have := len(v.record.replicas)
			if have > c.Replicas {
				return module.At("replicas", module.Explain(
					fmt.Errorf("cluster %s has %s, not %d, and they are not taken away yet", c.Name, count(have, "replica"), c.Replicas),
					"take one away by pgo scaledown "+c.Name+" --target=…, or write the number that it has"))
			}
			if err := d.api.scale(ctx, d.namespace, c.Name, c.Replicas-have); err != nil {
				return err
			}
		}
	}
	return nil
}

func (d *rest42) remove(ctx context.Context, _ *module.Env, keepData, keepBackups bool) error {
	return d.api.remove(ctx, d.namespace, d.name, !keepBackups, !keepData)
}

// clearStaleTask removes the workflow record of an earlier cluster of that
// name: with it there, the apiserver answers "ok", makes the Secrets, and no
// cluster. Nothing else reads the record of a cluster that is gone.
func (d *rest42) clearStaleTask(ctx context.Context, env *module.Env) error {
	tasks := d.kube.Dynamic().Resource(schema.GroupVersionResource{Group: groupV4, Version: "v1", Resource: "pgtasks"}).Namespace(d.namespace)
	err := tasks.Delete(ctx, d.names.workflow, metav1.DeleteOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsForbidden(err):
		env.Logf("cannot look for a left-over pgtask %s: %v", d.names.workflow, err)
		return nil
	case err != nil:
		return fmt.Errorf("remove the left-over pgtask %s: %w", d.names.workflow, err)
	}
	env.Logf("removed the left-over pgtask %s", d.names.workflow)
	return nil
}
