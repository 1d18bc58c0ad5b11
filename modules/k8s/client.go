// Package k8s has the modules that speak to a Kubernetes cluster through its
// API server: apply manifests, wait with evidence, read objects and logs.
package k8s

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/dynamic"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
)

// places is where all modules of the family work.
var places = []string{conn.Kubernetes}

// client is a cluster and the namespace that a step means.
type client struct {
	*kube.Cluster
	namespace string
	classic   *bool // the server was found not to know server-side apply
	asked     *bool // the server was asked anew for what it serves, in this step
}

func clientOf(env *module.Env, namespace string) (client, error) {
	c, err := kube.Of(env.Host)
	if err != nil {
		return client{}, err
	}
	if namespace == "" {
		namespace = c.Namespace()
	}
	return client{c, namespace, new(bool), new(bool)}, nil
}

// kind finds a kind as people write it: "Deployment", "deployments", "deploy",
// "pgclusters.crunchydata.com".
func (c client) kind(name string) (*meta.RESTMapping, error) {
	find := func() (*meta.RESTMapping, error) {
		group := schema.ParseGroupResource(strings.ToLower(name))
		kind, err := c.Mapper().KindFor(group.WithVersion(""))
		if err != nil {
			return nil, err
		}
		return c.Mapper().RESTMapping(kind.GroupKind(), kind.Version)
	}
	m, err := c.again(find, name)
	return m, c.looked(err)
}

// mapping finds the kind of an object.
func (c client) mapping(kind schema.GroupVersionKind) (*meta.RESTMapping, error) {
	return c.again(func() (*meta.RESTMapping, error) {
		return c.Mapper().RESTMapping(kind.GroupKind(), kind.Version)
	}, kind.Kind+" ("+kind.GroupVersion().String()+")")
}

// again looks a second time for what the server did not know when it was asked
// last: a CustomResourceDefinition may have come since. Once a step is enough.
func (c client) again(find func() (*meta.RESTMapping, error), name string) (*meta.RESTMapping, error) {
	m, err := find()
	if meta.IsNoMatchError(err) && !*c.asked {
		*c.asked = true
		c.Mapper().Reset()
		m, err = find()
	}
	if meta.IsNoMatchError(err) {
		return nil, unknownKind{name: name, err: err}
	}
	return m, err
}

// looked adds to the error about an unknown kind what else the server has of
// that name, and which groups of kinds did not answer.
func (c client) looked(err error) error {
	var unknown unknownKind
	if !errors.As(err, &unknown) {
		return err
	}
	unknown.silent = c.Silent()
	var kind *meta.NoKindMatchError
	if errors.As(err, &kind) {
		others, _ := c.Mapper().RESTMappings(kind.GroupKind) // none is an answer too
		for _, m := range others {
			unknown.served = append(unknown.served, m.GroupVersionKind.GroupVersion().String())
		}
	}
	return unknown
}

// unknownKind says that the server has no such kind.
type unknownKind struct {
	name     string
	served   []string // other versions of it that the server has
	silent   []string // groups of kinds that do not answer: it may be one of theirs
	versions []string // all that Kubernetes has had of a kind of its own
	err      error
}

func (e unknownKind) Error() string {
	text := "the cluster knows no kind " + e.name
	if len(e.served) > 0 {
		return text + "; it has it as " + strings.Join(e.served, ", ")
	}
	if len(e.silent) > 0 {
		text += "; but nobody answers for its API groups " + strings.Join(e.silent, ", ")
	}
	return text
}
func (e unknownKind) Unwrap() error { return e.err }

// of speaks to the objects of one kind, in the namespace where the kind has any.
func (c client) of(m *meta.RESTMapping, namespace string) dynamic.ResourceInterface {
	r := c.Dynamic().Resource(m.Resource)
	if m.Scope.Name() == meta.RESTScopeNameRoot {
		return r
	}
	return r.Namespace(namespace)
}

// query names objects of one kind: one by name, or all that a selector picks.
type query struct{ kind, name, selector string }

func (q query) validate() error {
	switch {
	case q.kind == "":
		return module.At("kind", errors.New("the kind has no name"))
	case q.name != "" && q.selector != "":
		return module.At("selector", errors.New("name and selector exclude each other"))
	case q.name == "" && q.selector == "":
		return errors.New("say which: name, or selector")
	}
	if _, err := metav1.ParseToLabelSelector(q.selector); err != nil {
		return module.At("selector", err)
	}
	return nil
}

// find reads the objects, sorted by name. None is no error.
func (c client) find(ctx context.Context, m *meta.RESTMapping, q query) ([]unstructured.Unstructured, error) {
	if q.name != "" {
		o, err := c.of(m, c.namespace).Get(ctx, q.name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read %s %s: %w", m.GroupVersionKind.Kind, q.name, err)
		}
		return []unstructured.Unstructured{*o}, nil
	}
	list, err := c.of(m, c.namespace).List(ctx, metav1.ListOptions{LabelSelector: q.selector})
	if err != nil {
		return nil, fmt.Errorf("list %s with %s: %w", m.Resource.Resource, q.selector, err)
	}
	slices.SortFunc(list.Items, func(a, b unstructured.Unstructured) int { return strings.Compare(a.GetName(), b.GetName()) })
	return list.Items, nil
}

// transient reports an error that says nothing about the objects: the API
// server restarts, or has too much to do.
func transient(err error) bool {
	return utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsProbableEOF(err) || utilnet.IsTimeout(err) ||
		apierrors.IsServiceUnavailable(err) || apierrors.IsTooManyRequests(err) || apierrors.IsServerTimeout(err) ||
		apierrors.IsTimeout(err) || apierrors.IsInternalError(err)
}
