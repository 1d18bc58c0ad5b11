package pgo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/adbsql/antdbctl/engine/module"
)

// These hold a PostgresCluster that is on its way out, and remember what is to
// be kept: Kubernetes deletes all that the object owns, volumes among it, as
// soon as the object is gone.
const (
	keepDataFinalizer    = "antdbctl.adbsql.com/keep-data"
	keepBackupsFinalizer = "antdbctl.adbsql.com/keep-backups"
)

// remove takes the cluster away. It waits until the operator has done its part,
// and lets go of what is to be kept before the object goes: earlier the operator
// would take it up again, later Kubernetes deletes it. Run again, it goes on
// where it was cut short, and keeps what it was to keep then.
func (d *postgresDriver) remove(ctx context.Context, env *module.Env, keepData, keepBackups bool) error {
	_, pc, err := d.read(ctx)
	if err != nil || pc == nil {
		return err
	}
	keepData = keepData || slices.Contains(pc.Finalizers, keepDataFinalizer)
	keepBackups = keepBackups || slices.Contains(pc.Finalizers, keepBackupsFinalizer)
	if err := d.dropOrphans(ctx, keepData, keepBackups); err != nil {
		return err
	}
	if pc.DeletionTimestamp == nil {
		if keepData {
			if err := d.markPrimary(ctx); err != nil {
				return err
			}
		}
		if err := d.orderRemoval(ctx, pc, keepData, keepBackups); err != nil {
			return err
		}
	}
	if pc, err = d.awaitStopped(ctx, env); err != nil || pc == nil {
		return err
	}
	if err := d.letGo(ctx, env, keepData, keepBackups); err != nil {
		return err
	}
	return d.finalizers(ctx, func(list []string) []string {
		return slices.DeleteFunc(list, func(f string) bool { return f == keepDataFinalizer || f == keepBackupsFinalizer })
	})
}

func (d *postgresDriver) orderRemoval(ctx context.Context, pc *postgresCluster, keepData, keepBackups bool) error {
	err := d.finalizers(ctx, func(list []string) []string {
		if keepData && !slices.Contains(list, keepDataFinalizer) {
			list = append(list, keepDataFinalizer)
		}
		if keepBackups && !slices.Contains(list, keepBackupsFinalizer) {
			list = append(list, keepBackupsFinalizer)
		}
		return list
	})
	if err != nil {
		return fmt.Errorf("hold PostgresCluster %s for what is to be kept: %w", d.name, err)
	}
	clusters, err := d.clusters(ctx)
	if err != nil {
		return err
	}
	background := metav1.DeletePropagationBackground
	err = clusters.Delete(ctx, d.name, metav1.DeleteOptions{PropagationPolicy: &background, Preconditions: &metav1.Preconditions{UID: &pc.UID}})
	if err != nil && !apierrors.IsNotFound(err) {
		return d.refused("delete", err)
	}
	return nil
}

// awaitStopped waits until the operator has stopped the members, and gives the
// cluster as it then is; nil when it is gone.
func (d *postgresDriver) awaitStopped(ctx context.Context, env *module.Env) (*postgresCluster, error) {
	env.Phase(phaseRemoval)
	since := time.Now()
	for {
		_, pc, err := d.read(ctx)
		if err != nil || pc == nil || !slices.Contains(pc.Finalizers, postgresFinalizer) {
			return pc, err
		}
		begun, err := d.stopping(ctx)
		switch {
		case err != nil:
			return nil, err
		case !begun && time.Since(since) > d.stalled:
			return nil, d.hangs(pc)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("stopped waiting for the operator to take cluster %s away: %w", d.name, context.Cause(ctx))
		case <-time.After(d.pace):
		}
	}
}

// stopping reports that the operator has begun to stop the members. It does so
// within the second.
func (d *postgresDriver) stopping(ctx context.Context) (bool, error) {
	sets, err := d.kube.Clientset().AppsV1().StatefulSets(d.namespace).List(ctx,
		metav1.ListOptions{LabelSelector: d.names.own.String() + "," + d.names.database.String()})
	if err != nil {
		return false, fmt.Errorf("list the StatefulSets of cluster %s in %s: %w", d.name, d.namespace, err)
	}
	for _, s := range sets.Items {
		if s.DeletionTimestamp != nil || s.Spec.Replicas != nil && *s.Spec.Replicas == 0 {
			return true, nil
		}
	}
	return false, nil
}

// hangs explains a removal that nobody works on.
func (d *postgresDriver) hangs(pc *postgresCluster) error {
	left := slices.DeleteFunc(slices.Clone(pc.Finalizers), func(f string) bool { return f == postgresFinalizer })
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"finalizers": left}})
	if err != nil {
		return err
	}
	return module.Explain(fmt.Errorf("cluster %s is not taken away: the operator has done nothing about it for %s", d.name, d.stalled),
		fmt.Sprintf("the operator does not run, or not for this namespace: start it, and destroy again. Where it is gone for good, take its finalizer off "+
			"(kubectl -n %s patch postgrescluster %s --type=merge -p '%s') and destroy again: Kubernetes then removes what the cluster owns, without stopping the database first",
			d.namespace, d.name, patch),
		fmt.Sprintf("PostgresCluster %s is to be deleted since %s, and still has the finalizer %s", d.name, pc.DeletionTimestamp.UTC().Format(time.RFC3339), postgresFinalizer),
		"none of its StatefulSets is scaled to 0 yet")
}

// finalizers changes the list of the PostgresCluster. A patch takes it as a
// whole, so it holds for the object that it was made from alone.
func (d *postgresDriver) finalizers(ctx context.Context, change func([]string) []string) error {
	clusters, err := d.clusters(ctx)
	if err != nil {
		return err
	}
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		_, pc, err := d.read(ctx)
		if err != nil || pc == nil {
			return err
		}
		list := change(slices.Clone(pc.Finalizers))
		if slices.Equal(list, pc.Finalizers) {
			return nil
		}
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"finalizers": list, "resourceVersion": pc.ResourceVersion}})
		if err != nil {
			return err
		}
		_, err = clusters.Patch(ctx, d.name, types.MergePatchType, patch, metav1.PatchOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		return err
	})
}
