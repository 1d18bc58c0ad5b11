package patroni

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
)

// gatherer is one look at all clusters.
type gatherer struct {
	*Collect
	env        *module.Env
	kube       *kube.Cluster
	rec        evidence.Recorder
	now        time.Time // by the API server's clock
	namespaces []string  // none for all

	records   map[string]bool // NAMESPACE/NAME of clusters that an operator has on record
	unknown   bool            // the records could not all be read
	scopes    map[key]*scoped
	forgotten []string // kinds that could not be listed
}

// key is a cluster of Patroni: its namespace and the operator's name for it.
type key struct{ namespace, cluster string }

// scoped is what belongs to a cluster.
type scoped struct {
	key
	pods    []corev1.Pod
	objects []object // in which Patroni keeps its state
}

// object is a ConfigMap, or Endpoints, of Patroni.
type object struct {
	kind    string
	meta    metav1.ObjectMeta
	purpose string // config, leader, failover, sync
}

// find lists the pods, Patroni's objects and the operators' records.
func (g *gatherer) find(ctx context.Context) error {
	core := g.kube.Clientset().CoreV1()
	for _, kind := range []struct {
		what, selector string
		list           func(ns string, o metav1.ListOptions) error
	}{
		{"pods of PGO 4", databaseLabel4, func(ns string, o metav1.ListOptions) error { return g.addPods(core.Pods(ns).List(ctx, o)) }},
		{"pods of PGO 5 and later", databaseLabel5, func(ns string, o metav1.ListOptions) error { return g.addPods(core.Pods(ns).List(ctx, o)) }},
		{"config maps of Patroni", scopeLabel4, func(ns string, o metav1.ListOptions) error { return g.addConfigMaps(core.ConfigMaps(ns).List(ctx, o)) }},
		//nolint:staticcheck // Patroni itself keeps its state in Endpoints
		{"endpoints of Patroni", scopeLabel5, func(ns string, o metav1.ListOptions) error { return g.addEndpoints(core.Endpoints(ns).List(ctx, o)) }},
	} {
		if err := g.everywhere(kind.what, func(ns string) error { return kind.list(ns, metav1.ListOptions{LabelSelector: kind.selector}) }); err != nil {
			return err
		}
	}
	for _, kind := range []schema.GroupVersionResource{
		{Group: "crunchydata.com", Version: "v1", Resource: "pgclusters"},
		{Group: "postgres-operator.crunchydata.com", Version: "v1beta1", Resource: "postgresclusters"},
	} {
		err := g.everywhere(kind.Resource, func(ns string) error {
			l, err := g.kube.Dynamic().Resource(kind).Namespace(ns).List(ctx, metav1.ListOptions{})
			if apierrors.IsNotFound(err) {
				return nil
			}
			if err != nil {
				return err
			}
			for i := range l.Items {
				g.records[l.Items[i].GetNamespace()+"/"+l.Items[i].GetName()] = true
			}
			return nil
		})
		if err != nil {
			return err
		}
		g.unknown = g.unknown || slices.Contains(g.forgotten, kind.Resource)
	}
	return nil
}

// everywhere lists in all namespaces that are meant; where the user may not look
// at all of them, in the connection's own. Its error ends the look.
func (g *gatherer) everywhere(what string, list func(ns string) error) error {
	namespaces := g.namespaces
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	for _, ns := range namespaces {
		err := list(ns)
		if apierrors.IsForbidden(err) && ns == metav1.NamespaceAll {
			ns, g.unknown = g.kube.Namespace(), true
			err = list(ns)
		}
		switch {
		case err == nil:
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, new(*url.Error)), apierrors.IsUnauthorized(err):
			return fmt.Errorf("list %s: %w", what, g.kube.Fault(err))
		default:
			g.rec.Gap(what, evidence.Place{Namespace: ns}, err)
			g.forgotten = append(g.forgotten, what)
		}
	}
	return nil
}

func (g *gatherer) addPods(l *corev1.PodList, err error) error {
	if err != nil {
		return err
	}
	for i := range l.Items {
		p := &l.Items[i]
		if p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded {
			continue // a record of one that was evicted
		}
		s := g.scoped(p.Namespace, firstOf(p.Labels[clusterLabel4], p.Labels[clusterLabel5]))
		s.pods = append(s.pods, *p)
	}
	return nil
}

func (g *gatherer) addConfigMaps(l *corev1.ConfigMapList, err error) error {
	if err != nil {
		return err
	}
	for i := range l.Items {
		g.addObject("ConfigMap", l.Items[i].ObjectMeta, l.Items[i].Labels[scopeLabel4], l.Items[i].Labels[scopeLabel4])
	}
	return nil
}

//nolint:staticcheck // Patroni itself keeps its state in Endpoints
func (g *gatherer) addEndpoints(l *corev1.EndpointsList, err error) error {
	if err != nil {
		return err
	}
	for i := range l.Items {
		labels := l.Items[i].Labels
		g.addObject("Endpoints", l.Items[i].ObjectMeta, labels[clusterLabel5], labels[scopeLabel5])
	}
	return nil
}

// addObject takes an object that Patroni made. Others carry its label, too: the
// configuration that PGO writes, and the Endpoints of its services.
func (g *gatherer) addObject(kind string, meta metav1.ObjectMeta, cluster, scope string) {
	purpose := ""
	switch name := strings.TrimPrefix(meta.Name, scope); {
	case name == meta.Name:
	case name == "" && kind == "Endpoints":
		purpose = "leader"
	case slices.Contains([]string{"-config", "-leader", "-failover", "-sync"}, name):
		purpose = name[1:]
	}
	if purpose != "" && cluster != "" {
		s := g.scoped(meta.Namespace, cluster)
		s.objects = append(s.objects, object{kind, meta, purpose})
	}
}

func (g *gatherer) scoped(namespace, cluster string) *scoped {
	k := key{namespace, cluster}
	if g.scopes[k] == nil {
		g.scopes[k] = &scoped{key: k}
	}
	return g.scopes[k]
}

// wanted are the clusters that are meant, in order.
func (g *gatherer) wanted() []*scoped {
	var all []*scoped
	for _, s := range g.scopes {
		if s.cluster != "" && (len(g.Clusters) == 0 || slices.Contains(g.Clusters, s.cluster)) {
			all = append(all, s)
		}
	}
	slices.SortFunc(all, func(a, b *scoped) int {
		return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.cluster, b.cluster))
	})
	return all
}

// orphan reports that nothing is left of the cluster but what Patroni kept. It
// is not known where records may not be read.
func (g *gatherer) orphan(s *scoped) bool {
	return len(s.pods) == 0 && !g.unknown && len(g.forgotten) == 0 && !g.records[s.namespace+"/"+s.cluster]
}

// annotation is what Patroni keeps under a name, in whichever object it is.
func (s *scoped) annotation(name string) string {
	for _, o := range s.objects {
		if v := o.meta.Annotations[name]; v != "" && o.purpose != "failover" && o.purpose != "sync" {
			return v
		}
	}
	return ""
}
