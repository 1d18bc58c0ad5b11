package k8s

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/adbsql/antdbctl/engine/module"
)

// manager is the name by which the server knows what antdbctl set.
const manager = "antdbctl"

// serverSideApply says since when servers merge by themselves.
func (c client) serverSideApply() bool { return c.AtLeast(1, 22) }

// dryRun gives the object as it is, nil when it is not there, and as it would
// be after applying d.
func (c client) dryRun(ctx context.Context, m *meta.RESTMapping, d document) (live, merged *unstructured.Unstructured, err error) {
	live, err = c.of(m, d.GetNamespace()).Get(ctx, d.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		live = nil
	} else if err != nil {
		return nil, nil, err
	}
	merged, err = c.send(ctx, m, d, live, metav1.DryRunAll)
	return live, merged, err
}

// send applies one document over live. dryRun may be metav1.DryRunAll.
func (c client) send(ctx context.Context, m *meta.RESTMapping, d document, live *unstructured.Unstructured, dryRun ...string) (*unstructured.Unstructured, error) {
	objects := c.of(m, d.GetNamespace())
	if c.serverSideApply() {
		raw, err := json.Marshal(d.Object)
		if err != nil {
			return nil, err
		}
		force := true
		return objects.Patch(ctx, d.GetName(), types.ApplyPatchType, raw,
			metav1.PatchOptions{FieldManager: manager, Force: &force, DryRun: dryRun})
	}
	wanted, err := annotated(d)
	if err != nil {
		return nil, err
	}
	if live == nil {
		return objects.Create(ctx, wanted, metav1.CreateOptions{FieldManager: manager, DryRun: dryRun})
	}
	kind, patch, err := threeWay(live, wanted)
	if err != nil || string(patch) == "{}" {
		return live, err
	}
	return objects.Patch(ctx, d.GetName(), kind, patch, metav1.PatchOptions{FieldManager: manager, DryRun: dryRun})
}

// annotated is the document with the note that kubectl apply leaves, so that
// either may go on from what the other did.
func annotated(d document) (*unstructured.Unstructured, error) {
	plain := d.DeepCopy()
	unstructured.RemoveNestedField(plain.Object, "metadata", "annotations", lastApplied)
	note, err := json.Marshal(plain.Object)
	if err != nil {
		return nil, err
	}
	annotations := plain.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[lastApplied] = string(note)
	plain.SetAnnotations(annotations)
	return plain, nil
}

// threeWay merges as kubectl apply does: what was applied before and is no
// longer wanted goes, what others added stays.
func threeWay(live, wanted *unstructured.Unstructured) (types.PatchType, []byte, error) {
	original := []byte(live.GetAnnotations()[lastApplied])
	if len(original) == 0 {
		original = []byte("{}")
	}
	modified, err := json.Marshal(wanted.Object)
	if err != nil {
		return "", nil, err
	}
	current, err := json.Marshal(live.Object)
	if err != nil {
		return "", nil, err
	}
	typed, err := scheme.Scheme.New(wanted.GroupVersionKind())
	if err != nil { // a custom resource has no merge keys
		patch, err := jsonmergepatch.CreateThreeWayJSONMergePatch(original, modified, current)
		return types.MergePatchType, patch, err
	}
	keys, err := strategicpatch.NewPatchMetaFromStruct(typed)
	if err != nil {
		return "", nil, err
	}
	patch, err := strategicpatch.CreateThreeWayMergePatch(original, modified, current, keys, true)
	return types.StrategicMergePatchType, patch, err
}

// Apply sends the objects that differ, in their order.
func (a *Apply) Apply(ctx context.Context, env *module.Env) error {
	c, err := clientOf(env, a.Namespace)
	if err != nil {
		return err
	}
	docs, err := a.documents(env)
	if err != nil {
		return err
	}
	for i, d := range docs {
		env.Phase(d.String())
		if err := c.apply(ctx, d, env); err != nil {
			return module.At(a.argument(), explain(d.fault(err)))
		}
		env.Progress(int64(i+1), int64(len(docs)), "objects")
	}
	return nil
}

func (c client) apply(ctx context.Context, d document, env *module.Env) error {
	s, err := c.look(ctx, d, []document{d})
	if err != nil || s.action == module.None {
		return err
	}
	m, err := c.mapping(d.GroupVersionKind())
	if err != nil {
		return err
	}
	live, err := c.of(m, d.GetNamespace()).Get(ctx, d.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		live = nil
	} else if err != nil {
		return err
	}
	if _, err := c.send(ctx, m, d, live); err != nil {
		return err
	}
	env.Logf("%s: %sd", d, s.action)
	if d.GetKind() == "CustomResourceDefinition" {
		return c.established(ctx, m, d)
	}
	return nil
}

// established waits until the server serves the kind that it was just told of.
func (c client) established(ctx context.Context, m *meta.RESTMapping, d document) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		o, err := c.of(m, "").Get(ctx, d.GetName(), metav1.GetOptions{})
		if err != nil {
			return err
		}
		if status, _ := conditionOf(o, "Established"); status == "True" {
			c.Mapper().Reset()
			return nil
		}
		if status, message := conditionOf(o, "NamesAccepted"); status == "False" {
			return fmt.Errorf("the server refuses its names: %s", message)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not come to serve it: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// conditionOf reads a condition of an object's status; empty when it has none
// of that type.
func conditionOf(o *unstructured.Unstructured, kind string) (status, message string) {
	all, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, item := range all {
		c, ok := item.(map[string]any)
		if !ok || c["type"] != kind {
			continue
		}
		status, _ = c["status"].(string)
		reason, _ := c["reason"].(string)
		message, _ = c["message"].(string)
		if message == "" {
			message = reason
		}
	}
	return status, message
}
