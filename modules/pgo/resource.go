package pgo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/adbsql/antdbctl/engine/module"
)

// resourceV4 makes clusters of PGO 4 by Pgcluster resources alone.
type resourceV4 struct{ pgclusters }

func newResourceV4(p *place) driver { return &resourceV4{pgclusters{place: p}} }

func (d *resourceV4) generation() string { return "PGO 4 (Pgcluster)" }

func (d *resourceV4) lacks(c *Cluster) error {
	return errors.Join(
		lacking(c.StorageConfig != "", "storage_config", "a Pgcluster", "its entries are the apiserver's: say storage_class and storage_size"),
		lacking(len(c.BackupSchedule) > 0, "backup_schedule", "a Pgcluster", "schedules are the apiserver's: give the step an api block"),
		lacksV47(c))
}

// kind is the client of one of PGO 4's kinds in the cluster's namespace.
func (p *place) kind(plural string) dynamic.ResourceInterface {
	return p.kube.Dynamic().Resource(schema.GroupVersionResource{Group: groupV4, Version: "v1", Resource: plural}).Namespace(p.namespace)
}

func (d *resourceV4) record(ctx context.Context) (*record, error) {
	raw, err := d.kind("pgclusters").Get(ctx, d.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read Pgcluster %s in %s: %w", d.name, d.namespace, err)
	}
	o := &pgclusterObject{}
	if err := runtimeInto(raw, o); err != nil {
		return nil, err
	}
	r := o.record(d.name)
	replicas, err := d.kind("pgreplicas").List(ctx, d.selector())
	if err != nil {
		return nil, fmt.Errorf("list Pgreplicas of %s in %s: %w", d.name, d.namespace, err)
	}
	for _, replica := range replicas.Items {
		r.replicas = append(r.replicas, replica.GetName())
	}
	slices.Sort(r.replicas)
	return r, d.beyond(ctx, o, r)
}

// runtimeInto decodes by way of JSON, whose names the types here have.
func runtimeInto(raw *unstructured.Unstructured, into any) error {
	text, err := raw.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		return fmt.Errorf("%s %s is not of the form that PGO 4 writes: %w", raw.GetKind(), raw.GetName(), err)
	}
	return nil
}

func (d *resourceV4) create(ctx context.Context, env *module.Env, c *Cluster) error {
	op, err := d.operator(ctx, c)
	if err != nil {
		return err
	}
	if err := op.makesClusters(); err != nil {
		return err
	}
	d.tellImages(ctx, env, c)
	if err := d.secrets(ctx, c); err != nil {
		return err
	}
	if op.version == "" {
		op.version = newestV47
		env.Logf("the version of the operator cannot be seen: taking %s", op.version)
	}
	o := &unstructured.Unstructured{Object: c.pgcluster(d.namespace, op.version)}
	if _, err := d.kind("pgclusters").Create(ctx, o, metav1.CreateOptions{}); err != nil {
		return d.refused(err, "make Pgcluster %s in %s", c.Name, d.namespace)
	}
	env.Logf("Pgcluster %s made for operator %s", c.Name, op.version)
	return nil
}

// refused finds the argument that the API server's refusal is about.
func (d *pgclusters) refused(err error, format string, args ...any) error {
	wrapped := fmt.Errorf(format+": %w", append(args, err)...)
	switch {
	case apierrors.IsNotFound(err): // of a creation: the namespace, or the kind
		return module.At("namespace", module.Explain(wrapped, "the namespace must be there, and the operator's resource definitions"))
	case apierrors.IsForbidden(err):
		return module.At("namespace", module.Explain(wrapped, "the kubeconfig's user needs create, patch and delete on pgclusters and pgreplicas (group crunchydata.com)"))
	}
	return wrapped
}

func (d *resourceV4) update(ctx context.Context, env *module.Env, c *Cluster, v *view, diff []module.Diff) error {
	have := len(v.record.replicas)
	if have > c.Replicas && v.record.initialized {
		return module.At("replicas", module.Explain(
			fmt.Errorf("cluster %s has %s, not %d, and by resource alone PGO 4 takes none away", c.Name, count(have, "replica"), c.Replicas),
			"give the step an api block (the apiserver does it), or write the number that it has"))
	}
	if err := d.change(ctx, env, c, v, diff); err != nil {
		return err
	}
	if slices.ContainsFunc(diff, isPath("replicas")) {
		return d.addReplicas(ctx, env, c.Replicas-have)
	}
	return nil
}

// remove deletes the resource: the operator's Job then takes away what is not
// to be kept.
func (d *resourceV4) remove(ctx context.Context, env *module.Env, keepData, keepBackups bool) error {
	raw, err := d.kind("pgclusters").Get(ctx, d.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read Pgcluster %s in %s: %w", d.name, d.namespace, err)
	}
	version := raw.GetLabels()["pgo-version"]
	if minor, ok := minorOf4(version); ok && minor < 6 {
		return module.At("generation", module.Explain(
			fmt.Errorf("cluster %s is of PGO %s, whose operator does not clean up after a deleted Pgcluster as it is told", d.name, version),
			"give the step an api block: the apiserver removes it"))
	}
	marks := map[string]any{"keep-data": nil, "keep-backups": nil} // the operator looks for the names only
	if keepData {
		marks["keep-data"] = "true"
	}
	if keepBackups {
		marks["keep-backups"] = "true"
	}
	if err := d.patch(ctx, map[string]any{"metadata": map[string]any{"annotations": marks}}); err != nil {
		return err
	}
	err = d.kind("pgclusters").Delete(ctx, d.name, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return d.refused(err, "delete Pgcluster %s in %s", d.name, d.namespace)
	}
	env.Logf("Pgcluster %s deleted; the operator takes away what belonged to it", d.name)
	return nil
}

// patch changes the Pgcluster.
func (d *pgclusters) patch(ctx context.Context, change map[string]any) error {
	text, err := json.Marshal(change)
	if err != nil {
		return err
	}
	if _, err := d.kind("pgclusters").Patch(ctx, d.name, types.MergePatchType, text, metav1.PatchOptions{}); err != nil {
		return d.refused(err, "change Pgcluster %s in %s", d.name, d.namespace)
	}
	return nil
}
