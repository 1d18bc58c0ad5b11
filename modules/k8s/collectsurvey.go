package k8s

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

const (
	pageSize      = 500
	maxObjects    = 10_000 // of one kind in one namespace
	maxNamespaces = 20
	system        = "kube-system"
)

// survey is everything that was listed. What could not be is empty.
type survey struct {
	mu        sync.Mutex
	late      *crew    // lists the events
	told      bool     // they are wanted
	databases []string // namespaces
	operators []string

	namespaces  []corev1.Namespace
	nodes       []corev1.Node
	leases      []coordinationv1.Lease // of the nodes
	volumes     []corev1.PersistentVolume
	classes     []storagev1.StorageClass
	pods        []corev1.Pod
	events      []corev1.Event
	claims      []corev1.PersistentVolumeClaim
	jobs        []batchv1.Job
	deployments []appsv1.Deployment
	replicaSets []appsv1.ReplicaSet
	stateful    []appsv1.StatefulSet
	services    []corev1.Service
	endpoints   []corev1.Endpoints //nolint:staticcheck // servers before 1.21 have nothing else
	quotas      []corev1.ResourceQuota
	configMaps  []corev1.ConfigMap
	secrets     []corev1.Secret
	accounts    []corev1.ServiceAccount
	accountsOf  map[string]bool // namespaces whose accounts were listed
	endpointsOf map[string]bool // and those whose endpoints were
	records     map[string]bool // NAMESPACE/NAME of clusters that an operator has on record
	recordsOf   bool            // whether such records were listed
	recordsIn   string          // the one namespace where; empty for all
}

// list lists all objects of a kind in a namespace, page by page.
func list[T any, L interface{ GetContinue() string }](c *crew, s *survey, what, namespace, fields string, into *[]T,
	get func(context.Context, metav1.ListOptions) (L, error), items func(L) []T) {
	listWithin(c, s, lookTime, what, namespace, fields, into, get, items)
}

func listWithin[T any, L interface{ GetContinue() string }](c *crew, s *survey, within time.Duration, what, namespace, fields string, into *[]T,
	get func(context.Context, metav1.ListOptions) (L, error), items func(L) []T) {
	c.do(what, evidence.Place{Namespace: namespace}, within, func(ctx context.Context) error {
		opts := metav1.ListOptions{Limit: pageSize, FieldSelector: fields}
		for n := 0; ; {
			page, err := get(ctx, opts)
			if err != nil {
				return err
			}
			found := items(page)
			s.mu.Lock()
			*into = append(*into, found...)
			s.mu.Unlock()
			n += len(found)
			if opts.Continue = page.GetContinue(); opts.Continue == "" {
				return nil
			}
			if n >= maxObjects {
				return fmt.Errorf("there are more than %d", n)
			}
		}
	})
}

// survey lists what matters; late takes the events, where they are wanted: they
// can be many, and nothing else waits for them. explicit are the namespaces of databases, where they
// are known.
func (g *gatherer) survey(crew, late *crew, explicit []string, events bool) *survey {
	s := &survey{late: late, told: events, accountsOf: map[string]bool{}, endpointsOf: map[string]bool{}, records: map[string]bool{}}
	core := g.Clientset().CoreV1()
	listWithin(crew, s, firstTime, "namespaces", "", "", &s.namespaces, core.Namespaces().List, func(l *corev1.NamespaceList) []corev1.Namespace { return l.Items })
	g.records(crew, s)
	operators := g.operators(crew)
	found := g.clustersEverywhere(crew, len(explicit) > 0)
	crew.wait()
	s.databases, s.operators = explicit, operators()
	if len(explicit) == 0 {
		s.databases = s.homes(found(), g.namespace)
	}
	for _, ns := range explicit {
		if len(s.namespaces) > 0 && !slices.ContainsFunc(s.namespaces, func(n corev1.Namespace) bool { return n.Name == ns }) {
			g.rec.Gap("all", evidence.Place{Namespace: ns}, errors.New("there is no such namespace"))
		}
	}
	if n := len(s.databases); n > maxNamespaces {
		s.databases = s.databases[:maxNamespaces]
		g.rec.Gap(fmt.Sprintf("%d more namespaces with database clusters", n-maxNamespaces), evidence.Place{},
			fmt.Errorf("only %d are looked at unless they are named", maxNamespaces))
	}
	list(crew, s, "nodes", "", "", &s.nodes, core.Nodes().List, func(l *corev1.NodeList) []corev1.Node { return l.Items })
	list(crew, s, "volumes", "", "", &s.volumes, core.PersistentVolumes().List, func(l *corev1.PersistentVolumeList) []corev1.PersistentVolume { return l.Items })
	list(crew, s, "storage classes", "", "", &s.classes, g.Clientset().StorageV1().StorageClasses().List, func(l *storagev1.StorageClassList) []storagev1.StorageClass { return l.Items })
	g.listEvents(s, "events of nodes", metav1.NamespaceDefault, "involvedObject.kind=Node")
	g.heartbeats(crew, s)
	for _, ns := range s.databases {
		g.listDatabases(crew, s, ns)
	}
	for _, ns := range s.operators {
		if !slices.Contains(s.databases, ns) {
			g.listOperator(crew, s, ns)
		}
	}
	if !slices.Contains(s.databases, system) {
		g.listSystem(crew, s)
	}
	crew.wait()
	s.sort()
	return s
}

// listSystem lists what tells whether the cluster's own services work.
func (g *gatherer) listSystem(crew *crew, s *survey) {
	g.listPods(crew, s, system)
	g.listNetwork(crew, s, system)
	g.listDeployments(crew, s, system)
}

func (g *gatherer) listOperator(crew *crew, s *survey, ns string) {
	g.listPods(crew, s, ns)
	g.listNetwork(crew, s, ns)
	g.listDeployments(crew, s, ns)
	g.listRecords(crew, s, ns)
}

func (g *gatherer) listDatabases(crew *crew, s *survey, ns string) {
	core, apps := g.Clientset().CoreV1(), g.Clientset().AppsV1()
	g.listOperator(crew, s, ns)
	list(crew, s, "claims", ns, "", &s.claims, core.PersistentVolumeClaims(ns).List, func(l *corev1.PersistentVolumeClaimList) []corev1.PersistentVolumeClaim { return l.Items })
	list(crew, s, "jobs", ns, "", &s.jobs, g.Clientset().BatchV1().Jobs(ns).List, func(l *batchv1.JobList) []batchv1.Job { return l.Items })
	list(crew, s, "stateful sets", ns, "", &s.stateful, apps.StatefulSets(ns).List, func(l *appsv1.StatefulSetList) []appsv1.StatefulSet { return l.Items })
	list(crew, s, "quotas", ns, "", &s.quotas, core.ResourceQuotas(ns).List, func(l *corev1.ResourceQuotaList) []corev1.ResourceQuota { return l.Items })
}

func (g *gatherer) listPods(crew *crew, s *survey, ns string) {
	core := g.Clientset().CoreV1()
	list(crew, s, "pods", ns, "", &s.pods, core.Pods(ns).List, func(l *corev1.PodList) []corev1.Pod { return l.Items })
	g.listEvents(s, "events", ns, "")
}

func (g *gatherer) listEvents(s *survey, what, ns, fields string) {
	if s.told {
		list(s.late, s, what, ns, fields, &s.events, g.Clientset().CoreV1().Events(ns).List, func(l *corev1.EventList) []corev1.Event { return l.Items })
	}
}

func (g *gatherer) listNetwork(crew *crew, s *survey, ns string) {
	core := g.Clientset().CoreV1()
	list(crew, s, "services", ns, "", &s.services, core.Services(ns).List, func(l *corev1.ServiceList) []corev1.Service { return l.Items })
	//nolint:staticcheck // servers before 1.21 have nothing else
	list(crew, s, "endpoints", ns, "", &s.endpoints, noting(s, s.endpointsOf, ns, core.Endpoints(ns).List), func(l *corev1.EndpointsList) []corev1.Endpoints { return l.Items })
}

func (g *gatherer) listDeployments(crew *crew, s *survey, ns string) {
	apps := g.Clientset().AppsV1()
	list(crew, s, "deployments", ns, "", &s.deployments, apps.Deployments(ns).List, func(l *appsv1.DeploymentList) []appsv1.Deployment { return l.Items })
	list(crew, s, "replica sets", ns, "", &s.replicaSets, apps.ReplicaSets(ns).List, func(l *appsv1.ReplicaSetList) []appsv1.ReplicaSet { return l.Items })
}

// listRecords lists what is looked at by name and key alone. What Helm and the
// accounts keep in Secrets can be large, and is nobody's business here.
func (g *gatherer) listRecords(crew *crew, s *survey, ns string) {
	core := g.Clientset().CoreV1()
	list(crew, s, "config maps", ns, "", &s.configMaps, core.ConfigMaps(ns).List, func(l *corev1.ConfigMapList) []corev1.ConfigMap { return l.Items })
	list(crew, s, "secrets", ns, "type!=helm.sh/release.v1,type!=kubernetes.io/service-account-token", &s.secrets, core.Secrets(ns).List, func(l *corev1.SecretList) []corev1.Secret { return l.Items })
	list(crew, s, "service accounts", ns, "", &s.accounts, noting(s, s.accountsOf, ns, core.ServiceAccounts(ns).List), func(l *corev1.ServiceAccountList) []corev1.ServiceAccount { return l.Items })
}

// noting notes the namespaces that could be listed in: where a list is missing,
// what would be on it is not.
func noting[L any](s *survey, listed map[string]bool, ns string, get func(context.Context, metav1.ListOptions) (L, error)) func(context.Context, metav1.ListOptions) (L, error) {
	return func(ctx context.Context, o metav1.ListOptions) (L, error) {
		l, err := get(ctx, o)
		if err == nil {
			s.mu.Lock()
			listed[ns] = true
			s.mu.Unlock()
		}
		return l, err
	}
}

// heartbeats lists the leases by which kubelets say that they live. Servers
// before 1.14 have none.
func (g *gatherer) heartbeats(crew *crew, s *survey) {
	const home = "kube-node-lease"
	list(crew, s, "heartbeats of nodes", home, "", &s.leases, func(ctx context.Context, o metav1.ListOptions) (*coordinationv1.LeaseList, error) {
		l, err := g.Clientset().CoordinationV1().Leases(home).List(ctx, o)
		if apierrors.IsNotFound(err) {
			return &coordinationv1.LeaseList{}, nil
		}
		return l, err
	}, func(l *coordinationv1.LeaseList) []coordinationv1.Lease { return l.Items })
}

// sort takes the chance out of the order in which answers came.
func (s *survey) sort() {
	byPlace := func(a, b metav1.Object) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	}
	slices.SortFunc(s.pods, func(a, b corev1.Pod) int { return byPlace(&a, &b) })
	slices.SortFunc(s.replicaSets, func(a, b appsv1.ReplicaSet) int { return byPlace(&a, &b) })
	slices.SortFunc(s.secrets, func(a, b corev1.Secret) int { return byPlace(&a, &b) })
}

var errNoRight = errors.New("forbidden: the user may not look everywhere for them; name their namespaces, or look there with a user who may")
