package pgo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"

	"github.com/adbsql/antdbctl/engine/module"
)

// diff is asked by the plan: what cannot be changed is refused there. It needs
// no look of its own: the view is of the moment of the last record.
func (d *postgresDriver) diff(_ context.Context, c *Cluster, _ *view) ([]module.Diff, error) {
	pc := d.seen
	if pc == nil {
		return nil, nil
	}
	var all []module.Diff
	var faults []error
	for _, w := range wishes(c, pc) {
		switch {
		case w.same:
			continue
		case w.put == nil:
			faults = append(faults, module.At(w.arg, module.Explain(
				fmt.Errorf("%s of cluster %s is %s and cannot become %s: %s", w.arg, d.name, w.have, w.want, w.reason), w.remedy)))
		case w.arg == "image":
			faults = append(faults, c.otherImage(w.have))
		}
		all = append(all, module.Diff{Path: w.arg, Before: w.have, After: w.want})
	}
	return all, errors.Join(faults...)
}

// update changes the PostgresCluster; the operator does the rest, a member at a
// time. A merge patch serves, which the oldest API servers have; as it takes
// lists as a whole, it holds for the object that it was made from alone.
func (d *postgresDriver) update(ctx context.Context, env *module.Env, c *Cluster, _ *view, diff []module.Diff) error {
	clusters, err := d.clusters(ctx)
	if err != nil {
		return err
	}
	err = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		u, pc, err := d.read(ctx)
		if err != nil {
			return err
		}
		if pc == nil {
			return fmt.Errorf("PostgresCluster %s is gone", d.name)
		}
		patch, err := mend(u.Object, wishes(c, pc))
		if err != nil || patch == nil {
			return err
		}
		if _, err := clusters.Patch(ctx, d.name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			if apierrors.IsConflict(err) {
				return err
			}
			return d.refused("change", err)
		}
		env.Logf("PostgresCluster %s changed", d.name)
		return nil
	})
	if err == nil && slices.ContainsFunc(diff, func(d module.Diff) bool { return strings.HasPrefix(d.Path, "parameters.") }) {
		return d.prove(ctx, env, c)
	}
	return err
}

// mend is the patch that grants the wishes; nil when there is nothing to do.
func mend(live map[string]any, all []wish) ([]byte, error) {
	had, _ := live["spec"].(map[string]any)
	var spec any = had
	for _, w := range all {
		if w.same || w.put == nil {
			continue
		}
		var change postgresSpec
		w.put(&change)
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&change)
		if err != nil {
			return nil, err
		}
		spec = overlay(spec, fields)
	}
	changed := map[string]any{}
	for key, value := range spec.(map[string]any) {
		before, err := json.Marshal(had[key])
		if err != nil {
			return nil, err
		}
		after, err := json.Marshal(value)
		if err != nil {
			return nil, err
		}
		if string(before) != string(after) {
			changed[key] = value
		}
	}
	if len(changed) == 0 {
		return nil, nil
	}
	meta, _ := live["metadata"].(map[string]any)
	return json.Marshal(map[string]any{"metadata": map[string]any{"resourceVersion": meta["resourceVersion"]}, "spec": changed})
}
