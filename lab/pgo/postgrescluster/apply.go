package postgrescluster

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes/scheme"
)

// Apply brings one object to the form given, by server-side apply.
type Apply func(ctx context.Context, object runtime.Object) error

// Applier returns the Apply of a cluster.
func Applier(client dynamic.Interface) Apply {
	return func(ctx context.Context, object runtime.Object) error {
		u, resource, err := Unstructured(object)
		if err != nil {
			return err
		}
		_, err = client.Resource(resource).Namespace(u.GetNamespace()).
			Apply(ctx, u.GetName(), u, metav1.ApplyOptions{FieldManager: "postgrescluster-controller", Force: true})
		if err != nil {
			return fmt.Errorf("apply %s %s: %w", u.GetKind(), u.GetName(), err)
		}
		return nil
	}
}

// Unstructured is the object without what only the API server writes, and its resource.
func Unstructured(object runtime.Object) (*unstructured.Unstructured, schema.GroupVersionResource, error) {
	kinds, _, err := scheme.Scheme.ObjectKinds(object)
	if err != nil {
		return nil, schema.GroupVersionResource{}, err
	}
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
	if err != nil {
		return nil, schema.GroupVersionResource{}, err
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(kinds[0])
	unstructured.RemoveNestedField(u.Object, "status")
	unstructured.RemoveNestedField(u.Object, "metadata", "creationTimestamp")
	unstructured.RemoveNestedField(u.Object, "spec", "template", "metadata", "creationTimestamp")
	resource, _ := meta.UnsafeGuessKindToResource(kinds[0])
	if strings.HasSuffix(kinds[0].Kind, "Endpoints") { // is a plural already
		resource = kinds[0].GroupVersion().WithResource("endpoints")
	}
	return u, resource, nil
}

// apply sends the object when it is not what was last sent: a pass over a cluster at rest writes nothing.
func (r *Reconciler) apply(ctx context.Context, object runtime.Object) error {
	u, resource, err := Unstructured(object)
	if err != nil {
		return err
	}
	text, err := json.Marshal(u)
	if err != nil {
		return err
	}
	owner := ""
	if owners := u.GetOwnerReferences(); len(owners) > 0 {
		owner = string(owners[0].UID)
	}
	key := owner + "/" + resource.String() + "/" + u.GetNamespace() + "/" + u.GetName()
	if r.sent[key] == string(text) {
		return nil
	}
	if err := r.Apply(ctx, object); err != nil {
		return err
	}
	r.sent[key] = string(text)
	return nil
}

func (r *Reconciler) applyAll(ctx context.Context, objects ...runtime.Object) error {
	for _, object := range objects {
		if err := r.apply(ctx, object); err != nil {
			return err
		}
	}
	return nil
}
