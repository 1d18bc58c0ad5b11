package k8s

import (
	"context"
	"slices"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// The operators' Deployments, and where they live unless they were told
// otherwise: PGO 4, then 5 and later.
var operatorNames = []struct{ deployment, namespace string }{
	{"postgres-operator", "pgo"},
	{"pgo", "postgres-operator"},
}

// operators looks where the operators live: in all namespaces, or, where the
// user may not, where they usually are. The answer is there when the crew has
// been waited for.
func (g *gatherer) operators(crew *crew) (homes func() []string) {
	var mu sync.Mutex
	found := map[string]bool{}
	for _, name := range operatorNames {
		crew.do("the operator's Deployment "+name.deployment, evidence.Place{}, firstTime, func(ctx context.Context) error {
			opts := metav1.ListOptions{FieldSelector: "metadata.name=" + name.deployment}
			l, err := g.Clientset().AppsV1().Deployments(metav1.NamespaceAll).List(ctx, opts)
			if apierrors.IsForbidden(err) {
				l, err = g.Clientset().AppsV1().Deployments(name.namespace).List(ctx, opts)
			}
			if apierrors.IsForbidden(err) {
				return errNoRight
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for i := range l.Items {
				if isOperator(&l.Items[i]) {
					found[l.Items[i].Namespace] = true
				}
			}
			return nil
		})
	}
	return func() []string { return sorted(found) }
}

// isOperator tells an operator from what merely has its name.
func isOperator(d *appsv1.Deployment) bool {
	labels := d.Spec.Template.Labels
	if labels[controlPlane5] != "" || labels["vendor"] == "crunchydata" {
		return true
	}
	for _, c := range d.Spec.Template.Spec.Containers {
		for _, e := range c.Env {
			if e.Name == "PGO_OPERATOR_NAMESPACE" || e.Name == "PGO_NAMESPACE" {
				return true
			}
		}
	}
	return false
}

// The kinds in which the operators keep clusters on record.
var recordKinds = []schema.GroupVersionResource{
	{Group: "crunchydata.com", Version: "v1", Resource: "pgclusters"},
	{Group: "postgres-operator.crunchydata.com", Version: "v1beta1", Resource: "postgresclusters"},
}

// records notes which clusters the operators have on record, so that what is
// left of others can be told.
func (g *gatherer) records(crew *crew, s *survey) {
	s.recordsOf = true
	for _, kind := range recordKinds {
		crew.do("records of kind "+kind.Resource, evidence.Place{}, firstTime, func(ctx context.Context) error {
			l, err := g.Dynamic().Resource(kind).List(ctx, metav1.ListOptions{})
			narrow := apierrors.IsForbidden(err)
			if narrow {
				l, err = g.Dynamic().Resource(kind).Namespace(g.namespace).List(ctx, metav1.ListOptions{})
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if narrow {
				s.recordsIn = g.namespace
			}
			if apierrors.IsNotFound(err) {
				return nil // there is no such operator
			}
			if err != nil {
				s.recordsOf = false
				return err
			}
			for i := range l.Items {
				s.records[l.Items[i].GetNamespace()+"/"+l.Items[i].GetName()] = true
			}
			return nil
		})
	}
}

// clustersEverywhere finds the namespaces that have workloads of database
// clusters, unless it is known which namespaces are meant.
func (g *gatherer) clustersEverywhere(crew *crew, known bool) (homes func() map[string]bool) {
	var mu sync.Mutex
	found := map[string]bool{}
	if known {
		return func() map[string]bool { return found }
	}
	look := func(what, selector string, list func(context.Context, metav1.ListOptions) ([]string, error)) {
		crew.do(what, evidence.Place{}, firstTime, func(ctx context.Context) error {
			all, err := list(ctx, metav1.ListOptions{LabelSelector: selector})
			if apierrors.IsForbidden(err) {
				return errNoRight
			}
			mu.Lock()
			defer mu.Unlock()
			for _, ns := range all {
				found[ns] = true
			}
			return err
		})
	}
	apps := g.Clientset().AppsV1()
	look("namespaces with clusters of PGO 4", clusterLabel4, func(ctx context.Context, o metav1.ListOptions) (all []string, err error) {
		l, err := apps.Deployments(metav1.NamespaceAll).List(ctx, o)
		if err != nil {
			return nil, err
		}
		for i := range l.Items {
			all = append(all, l.Items[i].Namespace)
		}
		return all, nil
	})
	look("namespaces with clusters of PGO 5 and later", clusterLabel5, func(ctx context.Context, o metav1.ListOptions) (all []string, err error) {
		l, err := apps.StatefulSets(metav1.NamespaceAll).List(ctx, o)
		if err != nil {
			return nil, err
		}
		for i := range l.Items {
			all = append(all, l.Items[i].Namespace)
		}
		return all, nil
	})
	return func() map[string]bool { return found }
}

// homes are the namespaces of databases: those that an operator of PGO 4 has
// marked as its own, those that have a cluster, or its record, and the one that
// the connection means.
func (s *survey) homes(found map[string]bool, own string) []string {
	found[own] = true
	for i := range s.namespaces {
		if labels := s.namespaces[i].Labels; labels["vendor"] == "crunchydata" && labels[installationLabel] != "" {
			found[s.namespaces[i].Name] = true
		}
	}
	for record := range s.records {
		ns, _, _ := strings.Cut(record, "/")
		found[ns] = true
	}
	return sorted(found)
}

func sorted(set map[string]bool) []string {
	var all []string
	for one := range set {
		all = append(all, one)
	}
	slices.Sort(all)
	return all
}
