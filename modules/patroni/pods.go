package patroni

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/patroni/rest"
)

// The labels by which the operators mark the pods of a cluster, and which of
// them tells its name. PGO 4 and PGO 5 differ in all of it.
const (
	clusterLabel4  = "pg-cluster"
	databaseLabel4 = "pgo-pg-database=true"
	scopeLabel4    = "crunchy-pgha-scope"
	clusterLabel5  = "postgres-operator.crunchydata.com/cluster"
	databaseLabel5 = "postgres-operator.crunchydata.com/data=postgres"
	scopeLabel5    = "postgres-operator.crunchydata.com/patroni"
	roleLabel4     = "role"
	roleLabel5     = "postgres-operator.crunchydata.com/role"
	apiPort4       = 8009
	databaseName   = "database" // the container, in both
)

// findPods finds the members as pods.
func (p *place) findPods(ctx context.Context, w where) error {
	if err := p.openCluster(ctx, w); err != nil {
		return err
	}
	var selectors []string
	switch {
	case w.selector != "":
		selectors = []string{w.selector}
		p.name = firstOf(p.name, w.selector)
	case p.name == "":
		return module.At("cluster", fmt.Errorf("name the cluster"))
	default:
		selectors = []string{clusterLabel4 + "=" + p.name + "," + databaseLabel4, clusterLabel5 + "=" + p.name + "," + databaseLabel5}
	}
	var pods []corev1.Pod
	for _, selector := range selectors {
		list, err := p.kube.Clientset().CoreV1().Pods(p.namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return fmt.Errorf("list the pods of cluster %s in %s: %w", p.name, p.namespace, err)
		}
		if pods = list.Items; len(pods) > 0 {
			break
		}
	}
	if len(pods) == 0 {
		return module.At("cluster", module.Explain(fmt.Errorf("namespace %s has no pod of a cluster %s", p.namespace, p.name),
			"looked for pods with "+strings.Join(selectors, ", or with ")))
	}
	slices.SortFunc(pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	for i := range pods {
		m, err := p.inPod(ctx, &pods[i])
		if err != nil {
			return err
		}
		p.members = append(p.members, m)
	}
	return nil
}

// openCluster finds the cluster of Kubernetes, and from a container also the
// cluster of databases that its pod belongs to.
func (p *place) openCluster(ctx context.Context, w where) error {
	t, host := p.env.Target, p.env.Host
	if t.Pod != "" {
		var err error
		if host, err = p.env.Dialer.Dial(ctx, conn.Target{Kind: conn.Kubernetes, Name: t.Config, Config: t.Config}); err != nil {
			return err
		}
	}
	var err error
	if p.kube, err = kube.Of(host); err != nil {
		return err
	}
	p.namespace = firstOf(w.namespace, t.Namespace, p.kube.Namespace())
	if t.Pod == "" || p.name != "" || w.selector != "" {
		return nil
	}
	pod, err := p.kube.Clientset().CoreV1().Pods(p.namespace).Get(ctx, t.Pod, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return &conn.Unreachable{Target: t.String(), Err: errors.New("there is no such pod"), Hint: "it may have been replaced since the target was known; apply again"}
	}
	if err != nil {
		return fmt.Errorf("read pod %s: %w", t.Pod, err)
	}
	p.name = firstOf(pod.Labels[clusterLabel4], pod.Labels[clusterLabel5])
	if p.name == "" {
		return module.At("cluster", fmt.Errorf("pod %s does not tell by a label which cluster it belongs to: name it", t.Pod))
	}
	return nil
}

// inPod is the member that runs in pod: its name is the pod's.
func (p *place) inPod(ctx context.Context, pod *corev1.Pod) (*member, error) {
	m := &member{name: pod.Name, pod: pod, dial: func(ctx context.Context, port int) (net.Conn, error) {
		if p.where.reach != nil {
			return p.where.reach(ctx, pod, port)
		}
		return p.kube.Dial(ctx, "tcp", fmt.Sprintf("pod/%s.%s:%d", pod.Name, pod.Namespace, port))
	}}
	access := p.api
	if access == nil && managed5(pod) {
		var err error
		if access, err = p.operatorAccess(ctx, pod); err != nil {
			return nil, err
		}
	}
	config, err := access.config(p.env)
	if err != nil {
		return nil, err
	}
	port := access.port(apiPort(pod))
	m.api = rest.New(pod.Name, func(ctx context.Context) (net.Conn, error) { return m.dial(ctx, port) }, config)
	return m, nil
}

// managed5 reports that PGO 5 or later keeps the pod.
func managed5(pod *corev1.Pod) bool { return pod.Labels[clusterLabel5] != "" }

func apiPort(pod *corev1.Pod) int {
	if pod.Labels[clusterLabel4] != "" {
		return apiPort4
	}
	return defaultPort
}

// container is where the database of the pod runs.
func container(pod *corev1.Pod) string {
	for _, c := range pod.Spec.Containers {
		if c.Name == databaseName {
			return c.Name
		}
	}
	return kube.DefaultContainer(pod)
}

// target is the container of the member's database, for other steps.
func (p *place) target(m *member) conn.Target {
	if m.pod == nil {
		return conn.Target{}
	}
	name := container(m.pod)
	return conn.Target{Kind: conn.Container, Name: m.name + "/" + name, Config: p.env.Target.Config, Namespace: m.pod.Namespace,
		Pod: m.name, Container: name, Labels: []string{}, Vars: map[string]string{}}
}

// role is what the pod's label says the member is; empty while it is neither.
func role(pod *corev1.Pod) string { return firstOf(pod.Labels[roleLabel4], pod.Labels[roleLabel5]) }

// scope is Patroni's name for the cluster, by the pod's label.
func scope(pod *corev1.Pod) string { return firstOf(pod.Labels[scopeLabel4], pod.Labels[scopeLabel5]) }

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
