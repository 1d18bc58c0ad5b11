package k8s

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/jsonmergepatch"
	"k8s.io/apimachinery/pkg/util/strategicpatch"
	"k8s.io/client-go/kubernetes/scheme"

	"github.com/adbsql/antdbctl/engine/module"
)

// manager is the name by which the server knows what antdbctl set.
const manager = "antdbctl"

// serverSideApply says since when servers merge by themselves.
func (c client) serverSideApply() bool { return c.AtLeast(1, 22) && !*c.classic }

// send applies a document over what the cluster has of it. dryRun may be
// metav1.DryRunAll.
func (c client) send(ctx context.Context, s *subject, dryRun ...string) (*unstructured.Unstructured, error) {
	objects := c.of(s.mapping, s.GetNamespace())
	if c.serverSideApply() {
		raw, err := json.Marshal(s.Object)
		if err != nil {
			return nil, err
		}
		force := true
		merged, err := objects.Patch(ctx, s.GetName(), types.ApplyPatchType, raw,
			metav1.PatchOptions{FieldManager: manager, Force: &force, DryRun: dryRun})
		if !apierrors.IsUnsupportedMediaType(err) {
			return merged, err
		}
		*c.classic = true // an old server that hides its version
	}
	wanted, err := annotated(s.document)
	if err != nil {
		return nil, err
	}
	if s.live == nil {
		return objects.Create(ctx, wanted, metav1.CreateOptions{FieldManager: manager, DryRun: dryRun})
	}
	kind, patch, err := threeWay(s.live, wanted)
	if err != nil || string(patch) == "{}" {
		return s.live, err
	}
	return objects.Patch(ctx, s.GetName(), kind, patch, metav1.PatchOptions{FieldManager: manager, DryRun: dryRun})
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
	if err := c.needsDryRuns(); err != nil {
		return err
	}
	for i, s := range c.subjects(ctx, docs) {
		env.Phase(s.String())
		if err := c.apply(ctx, s, env); err != nil {
			return module.At(a.argument(), c.explain(s.fault(err)))
		}
		env.Progress(int64(i+1), int64(len(docs)), "objects")
	}
	return nil
}

func (c client) apply(ctx context.Context, s *subject, env *module.Env) (err error) {
	if s.mapping == nil { // its definition has been applied by now
		if s.document, s.mapping, s.note, err = c.negotiate(s.document); err != nil {
			return err
		}
		c.place(s.document, s.mapping)
	}
	if s.live == nil {
		if err := c.read(ctx, s); err != nil {
			return err
		}
	}
	if s.live != nil && settled(s.document, s.live) {
		return nil
	}
	made, err := c.send(ctx, s)
	switch {
	case err != nil:
		return err
	case s.live == nil:
		env.Logf("%s: created", s)
	case s.live.GetResourceVersion() != made.GetResourceVersion():
		env.Logf("%s: updated", s)
	}
	if s.GetKind() == "CustomResourceDefinition" {
		return c.established(ctx, s)
	}
	return nil
}

// established waits until the server serves the kind that it was just told of.
// An old server announces a kind some time after it calls it established.
func (c client) established(ctx context.Context, s *subject) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		if err := c.read(ctx, s); err != nil {
			return err
		}
		if s.live == nil {
			return errors.New("somebody has deleted it again")
		}
		if status, _ := conditionOf(s.live, "Established"); status == "True" && c.announced(s.live) {
			return nil
		}
		if status, message := conditionOf(s.live, "NamesAccepted"); status == "False" {
			return fmt.Errorf("the server refuses its names: %s", message)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the server does not come to serve it: %w", ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// announced reports that the kind of a definition can be found.
func (c client) announced(definition *unstructured.Unstructured) bool {
	group, _, _ := unstructured.NestedString(definition.Object, "spec", "group")
	kind, _, _ := unstructured.NestedString(definition.Object, "spec", "names", "kind")
	versions, _, _ := unstructured.NestedFieldNoCopy(definition.Object, "spec", "versions")
	c.Mapper().Reset()
	for _, v := range objectsIn(versions) {
		name, _ := v["name"].(string)
		if _, err := c.Mapper().RESTMapping(schema.GroupKind{Group: group, Kind: kind}, name); err != nil && v["served"] == true {
			return false
		}
	}
	return true
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
