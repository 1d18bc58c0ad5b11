package pgo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

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
		customConfig: spec.CustomConfig,
		secrets:      map[string]string{"postgres": spec.RootSecretName, "primaryuser": spec.PrimarySecretName},
	}
	if spec.User != "" {
		r.secrets[spec.User] = spec.UserSecretName
	}
	for _, replica := range f.Replicas {
		r.replicas = append(r.replicas, replica.Name)
	}
	return r, nil
}

func (d *rest42) create(ctx context.Context, env *module.Env, c *Cluster) error {
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

func (d *rest42) remove(ctx context.Context, _ *module.Env, keepData, keepBackups bool) error {
	return d.api.remove(ctx, d.namespace, d.name, !keepBackups, !keepData)
}
