package kube

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
)

// DefaultContainer is the container that is meant when none is named: the one
// that the pod's annotation says, as for kubectl, else the first.
func DefaultContainer(pod *corev1.Pod) string {
	return orElse(pod.Annotations["kubectl.kubernetes.io/default-container"], pod.Spec.Containers[0].Name)
}

// container is the Host of one container of a pod.
type container struct {
	cluster        *Cluster
	namespace, pod string
	name           string // empty when the API server shall choose
}

// OpenContainer is the conn.Opener of containers of pods. dial opens the
// cluster, whose connection all containers share.
func OpenContainer(ctx context.Context, t conn.Target, s conn.Settings, dial conn.Dialer) (conn.Host, error) {
	if t.Pod == "" {
		return nil, fmt.Errorf("target %s names no pod", t)
	}
	host, err := dial.Dial(ctx, conn.Target{Kind: conn.Kubernetes, Name: t.Config, Config: t.Config, Namespace: s.Namespace})
	if err != nil {
		return nil, err
	}
	cluster, err := Of(host)
	if err != nil {
		return nil, err
	}
	return cluster.Container(ctx, t.Namespace, t.Pod, t.Container)
}

// Container is the Host of a container that runs. Empty names mean the
// cluster's namespace and the pod's default container.
func (c *Cluster) Container(ctx context.Context, namespace, pod, name string) (conn.Host, error) {
	h := &container{cluster: c, namespace: orElse(namespace, c.namespace), pod: pod, name: name}
	p, err := c.clientset.CoreV1().Pods(h.namespace).Get(ctx, pod, metav1.GetOptions{})
	if apierrors.IsForbidden(err) {
		return c.passed(h), nil // exec may be allowed where reading is not
	}
	if err != nil {
		return nil, c.podUnreachable(h.namespace, pod, err)
	}
	if h.name == "" {
		h.name = DefaultContainer(p)
	}
	return c.passed(h), h.runs(p)
}

// passed is h in the hands that it goes through.
func (c *Cluster) passed(h *container) conn.Host {
	if c.through.Container == nil {
		return h
	}
	return c.through.Container(h.namespace, h.pod, h.name, h)
}

// runs explains why no command can run in the container now.
func (h *container) runs(p *corev1.Pod) error {
	var names []string
	for _, c := range p.Spec.Containers {
		names = append(names, c.Name)
	}
	if !slices.Contains(names, h.name) {
		return &conn.Unreachable{Target: h.String(), Err: fmt.Errorf("pod %s has no container %s", h.pod, h.name),
			Hint: "its containers: " + strings.Join(names, ", ")}
	}
	for _, s := range p.Status.ContainerStatuses {
		if s.Name == h.name && s.State.Running != nil {
			return nil
		}
	}
	hint := "let a k8s.wait step come before this one"
	for _, s := range p.Status.ContainerStatuses {
		if text := describeContainer(s); s.Name == h.name && text != "" {
			hint = text
		}
	}
	return &conn.Unreachable{Target: h.String(), Err: fmt.Errorf("it does not run (pod is %s)", p.Status.Phase), Hint: hint}
}

func (h *container) String() string {
	return fmt.Sprintf("container %s of pod %s in %s", orElse(h.name, "(default)"), h.pod, h.namespace)
}

// Dial reaches what listens in the pod: its own loopback, by port-forward.
func (h *container) Dial(ctx context.Context, network, addr string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	if host != "localhost" && host != h.pod {
		if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
			return nil, conn.NotSupported(h.String(), "connect to "+addr+": only the pod's own ports (127.0.0.1) can be forwarded")
		}
	}
	return h.cluster.Dial(ctx, network, fmt.Sprintf("pod/%s.%s:%s", h.pod, h.namespace, port))
}

// Close does nothing: the connection is the cluster's.
func (h *container) Close() error { return nil }
