package k8s

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/module"
)

// Destroy deletes the objects, last one first, and returns when they are gone.
func (a *Apply) Destroy(ctx context.Context, env *module.Env) error {
	c, err := clientOf(env, a.Namespace)
	if err != nil {
		return err
	}
	docs, err := a.documents(env)
	if err != nil {
		return err
	}
	for _, d := range slices.Backward(docs) {
		env.Phase("delete " + d.String())
		d, m, _, err := c.negotiate(d)
		if unknown := (unknownKind{}); errors.As(err, &unknown) {
			continue // with its kind, the object is gone
		}
		if err == nil {
			c.place(d, m)
			err = c.remove(ctx, m, d)
		}
		if err != nil {
			return module.At(a.argument(), c.explain(d.fault(err)))
		}
		env.Logf("%s: deleted", d)
	}
	return nil
}

// remove deletes an object; what makes pods, after its pods. Other owners are
// not waited for: a garbage collector that does not know their kind yet lets
// such a deletion hang.
func (c client) remove(ctx context.Context, m *meta.RESTMapping, d document) error {
	objects := c.of(m, d.GetNamespace())
	policy := metav1.DeletePropagationBackground
	if g := m.GroupVersionKind.Group; g == "apps" || g == "batch" || g == "extensions" {
		policy = metav1.DeletePropagationForeground
	}
	err := objects.Delete(ctx, d.GetName(), metav1.DeleteOptions{PropagationPolicy: &policy})
	for pause := 50 * time.Millisecond; err == nil; pause = min(2*pause, time.Second) {
		if _, err = objects.Get(ctx, d.GetName(), metav1.GetOptions{}); err != nil {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it is being deleted, and not gone yet: %w", ctx.Err())
		case <-time.After(pause):
		}
	}
	if apierrors.IsNotFound(err) {
		if d.GetKind() == "CustomResourceDefinition" {
			c.Mapper().Reset()
		}
		return nil
	}
	return err
}

// explain adds what to do to the answers that people meet most.
func (c client) explain(err error) error {
	unknown := unknownKind{}
	switch err = c.Fault(err); {
	case err == nil:
		return nil
	case errors.As(err, new(*module.Explained)):
		return err // says more already
	case errors.As(err, &unknown) && len(unknown.served) > 0:
		return module.Explain(err, "write the manifest for a version that the cluster has, or renew what defines the kind (its operator)")
	case errors.As(err, &unknown) && len(unknown.versions) > 0:
		return module.Explain(err, fmt.Sprintf("it came later than %s, or has gone since (%s): leave it out of the manifest for this cluster",
			c.skills().version, strings.Join(unknown.versions, ", ")))
	case errors.As(err, &unknown):
		return module.Explain(err, "install what defines this kind (its CustomResourceDefinition or operator) first, or correct apiVersion and kind")
	case isMissingNamespace(err):
		return module.Explain(err, "put a document of kind Namespace before it, or correct the namespace")
	case apierrors.IsBadRequest(err) && strings.Contains(err.Error(), "does not support dry run"):
		return module.Explain(err, "the plan is made by dry runs: let the webhook's configuration say sideEffects: None or NoneOnDryRun, if that is so")
	case apierrors.IsForbidden(err):
		return module.Explain(err, "let the cluster's administrator grant what the message names")
	case apierrors.IsInvalid(err):
		return module.Explain(err, "correct the field that the message names; a field that is immutable needs destroy, then apply")
	}
	return err
}
