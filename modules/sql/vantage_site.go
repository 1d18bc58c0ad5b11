package sql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
)

// vantageSite is what the cluster tells about the pod and the ways to it.
type vantageSite struct {
	cluster   *kube.Cluster
	pod       *corev1.Pod
	pods      map[string]string // names by address, of the whole namespace
	service   *corev1.Service
	noService string   // why there is none
	backends  []string // pods that are ready behind the service
	nodes     []nodeAddress
	noNodes   string
	rules     func(ctx context.Context) []hbaRule // of the server, asked once
	v         *Vantage
}

type nodeAddress struct{ name, address string }

// survey asks the API server what there is.
func (v *Vantage) survey(ctx context.Context, env *module.Env) (*vantageSite, error) {
	t := env.Target
	if t.Pod == "" {
		return nil, errors.New("sql.vantage works on the database container of a pod, such as step.cluster.primary")
	}
	host, err := env.Dialer.Dial(ctx, conn.Target{Kind: conn.Kubernetes, Name: t.Config, Config: t.Config, Namespace: t.Namespace})
	if err != nil {
		return nil, err
	}
	s := &vantageSite{v: v, pods: map[string]string{}}
	if s.cluster, err = kube.Of(host); err != nil {
		return nil, err
	}
	list, err := s.cluster.Clientset().CoreV1().Pods(t.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list the pods of %s: %w", t.Namespace, err)
	}
	for i := range list.Items {
		p := &list.Items[i]
		if p.Status.PodIP != "" && !p.Spec.HostNetwork && p.Status.Phase == corev1.PodRunning {
			s.pods[p.Status.PodIP] = p.Name
		}
		if p.Name == t.Pod {
			s.pod = p
		}
	}
	if s.pod == nil {
		return nil, &conn.Unreachable{Target: "pod " + t.Pod + " in " + t.Namespace, Err: errors.New("there is no such pod"),
			Hint: "it may have been replaced since the target was known; apply again"}
	}
	if err := s.findService(ctx, v.Service); err != nil {
		return nil, err
	}
	s.findNodes(ctx)
	s.rules = hbaRules(v, env)
	return s, nil
}

// findService finds the service that clients use: the one named, or the one
// that the operator names after the cluster, or any that leads to the pod.
func (s *vantageSite) findService(ctx context.Context, name string) error {
	services := s.cluster.Clientset().CoreV1().Services(s.pod.Namespace)
	names := []string{name}
	if name == "" {
		names = servicesOf(s.pod)
	}
	for _, n := range names {
		svc, err := services.Get(ctx, n, metav1.GetOptions{})
		if err == nil {
			s.service = svc
			return s.findBackends(ctx)
		}
		if !apierrors.IsNotFound(err) {
			return fmt.Errorf("read service %s: %w", n, err)
		}
		if name != "" {
			return module.At("service", fmt.Errorf("there is no service %s in namespace %s", name, s.pod.Namespace))
		}
	}
	list, err := services.List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list the services of %s: %w", s.pod.Namespace, err)
	}
	slices.SortFunc(list.Items, func(a, b corev1.Service) int { return strings.Compare(a.Name, b.Name) })
	for i := range list.Items {
		svc := &list.Items[i]
		leads := len(svc.Spec.Selector) > 0 && labels.SelectorFromSet(svc.Spec.Selector).Matches(labels.Set(s.pod.Labels))
		if leads && hasAddress(svc) && s.portOf(svc) != nil {
			s.service = svc
			return s.findBackends(ctx)
		}
	}
	s.noService = fmt.Sprintf("no service of namespace %s leads to pod %s on port %d", s.pod.Namespace, s.pod.Name, s.v.Port)
	return nil
}

// servicesOf are the names that operators give to the service of a cluster's
// primary: PGO 4 the cluster's own, PGO 5 and 6 one that Patroni points.
func servicesOf(pod *corev1.Pod) []string {
	var names []string
	if cluster := pod.Labels["pg-cluster"]; cluster != "" {
		names = append(names, cluster)
	}
	if cluster := pod.Labels["postgres-operator.crunchydata.com/cluster"]; cluster != "" {
		names = append(names, cluster+"-ha")
	}
	return names
}

func hasAddress(svc *corev1.Service) bool {
	return svc.Spec.ClusterIP != "" && svc.Spec.ClusterIP != corev1.ClusterIPNone
}

// address is the service's own; empty for one without.
func (s *vantageSite) address() string {
	if s.service == nil || !hasAddress(s.service) {
		return ""
	}
	return s.service.Spec.ClusterIP
}

func (s *vantageSite) portOf(svc *corev1.Service) *corev1.ServicePort {
	for i := range svc.Spec.Ports {
		if int(svc.Spec.Ports[i].Port) == s.v.Port {
			return &svc.Spec.Ports[i]
		}
	}
	return nil
}

func (s *vantageSite) nodePort() int {
	if p := s.portOf(s.service); p != nil {
		return int(p.NodePort)
	}
	return 0
}

func (s *vantageSite) findBackends(ctx context.Context) error {
	//nolint:staticcheck // deprecated in favour of EndpointSlices, which servers before 1.21 lack
	endpoints, err := s.cluster.Clientset().CoreV1().Endpoints(s.pod.Namespace).Get(ctx, s.service.Name, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("read endpoints of service %s: %w", s.service.Name, err)
	}
	for _, subset := range endpoints.Subsets {
		for _, a := range subset.Addresses {
			s.backends = append(s.backends, a.IP)
		}
	}
	return nil
}

// findNodes is of no importance where no service has a node port, so a refusal
// is only noted.
func (s *vantageSite) findNodes(ctx context.Context) {
	if s.service == nil || s.nodePort() == 0 {
		return
	}
	list, err := s.cluster.Clientset().CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		s.noNodes = err.Error()
		return
	}
	for _, n := range list.Items {
		for _, a := range n.Status.Addresses {
			if a.Type == corev1.NodeInternalIP {
				s.nodes = append(s.nodes, nodeAddress{n.Name, a.Address})
				break
			}
		}
	}
	slices.SortFunc(s.nodes, func(a, b nodeAddress) int { return strings.Compare(a.name, b.name) })
}

// podAt names the pod that has the address which a server gave as its own. Over
// the socket and through a port-forward that is none, or loopback: then it is
// the step's own pod.
func (s *vantageSite) podAt(address string) string {
	if address == "" || strings.HasPrefix(address, "127.") || address == "::1" {
		return s.pod.Name
	}
	if name := s.pods[address]; name != "" {
		return name
	}
	return address
}
