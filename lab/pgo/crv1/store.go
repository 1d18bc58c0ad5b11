package crv1

import (
	"context"
	"encoding/json"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

// Store reads and writes the custom resources of one kind, T being its struct.
type Store[T any] struct {
	client   dynamic.Interface
	resource schema.GroupVersionResource
	kind     string
}

// ClusterStore, ReplicaStore and TaskStore are the stores of the three kinds.
func ClusterStore(c dynamic.Interface) Store[Cluster] {
	return Store[Cluster]{c, Clusters, "Pgcluster"}
}
func ReplicaStore(c dynamic.Interface) Store[Replica] {
	return Store[Replica]{c, Replicas, "Pgreplica"}
}
func TaskStore(c dynamic.Interface) Store[Task] { return Store[Task]{c, Tasks, "Pgtask"} }

// StoreOf is the store of a kind whose struct is of another generation.
func StoreOf[T any](c dynamic.Interface, resource schema.GroupVersionResource, kind string) Store[T] {
	return Store[T]{c, resource, kind}
}

// Get returns one object; the error is the API's own, so apierrors.IsNotFound works on it.
func (s Store[T]) Get(ctx context.Context, namespace, name string) (*T, error) {
	obj, err := s.client.Resource(s.resource).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return decode[T](obj)
}

// List returns the objects of a namespace that match the label selector, sorted by name as the API returns them.
func (s Store[T]) List(ctx context.Context, namespace, selector string) ([]*T, error) {
	list, err := s.client.Resource(s.resource).Namespace(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	out := make([]*T, 0, len(list.Items))
	for i := range list.Items {
		item, err := decode[T](&list.Items[i])
		if err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, nil
}

// Create makes the object; an existing one is the API's AlreadyExists error.
func (s Store[T]) Create(ctx context.Context, namespace string, obj *T) error {
	text, err := json.Marshal(obj)
	if err != nil {
		return fmt.Errorf("encode %s: %w", s.kind, err)
	}
	u := &unstructured.Unstructured{}
	if err := json.Unmarshal(text, &u.Object); err != nil {
		return fmt.Errorf("encode %s: %w", s.kind, err)
	}
	u.SetGroupVersionKind(s.resource.GroupVersion().WithKind(s.kind))
	_, err = s.client.Resource(s.resource).Namespace(namespace).Create(ctx, u, metav1.CreateOptions{})
	return err
}

// Patch applies a JSON merge patch, given as any value that encodes to it.
func (s Store[T]) Patch(ctx context.Context, namespace, name string, patch any) error {
	text, err := json.Marshal(patch)
	if err != nil {
		return fmt.Errorf("encode patch of %s %s: %w", s.kind, name, err)
	}
	_, err = s.client.Resource(s.resource).Namespace(namespace).
		Patch(ctx, name, types.MergePatchType, text, metav1.PatchOptions{})
	return err
}

// SetState patches the status, which in these kinds is part of the object itself.
func (s Store[T]) SetState(ctx context.Context, namespace, name, state, message string) error {
	return s.Patch(ctx, namespace, name, map[string]any{"status": Status{State: state, Message: message}})
}

// Delete removes the object.
func (s Store[T]) Delete(ctx context.Context, namespace, name string) error {
	return s.client.Resource(s.resource).Namespace(namespace).Delete(ctx, name, metav1.DeleteOptions{})
}

func decode[T any](obj *unstructured.Unstructured) (*T, error) {
	// The answers of PGO 4.2.1 know no managedFields: its client library was older than them.
	obj.SetManagedFields(nil)
	text, err := json.Marshal(obj.Object)
	if err != nil {
		return nil, fmt.Errorf("decode %s %s: %w", obj.GetKind(), obj.GetName(), err)
	}
	out := new(T)
	if err := json.Unmarshal(text, out); err != nil {
		return nil, fmt.Errorf("decode %s %s: %w", obj.GetKind(), obj.GetName(), err)
	}
	return out, nil
}
