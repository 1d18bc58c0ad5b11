package sql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// generation is how one line of the PostgreSQL operator labels its things, and
// what its Secrets call a user.
type generation struct{ cluster, role, user string }

var generations = []generation{
	{"pg-cluster", "role", "username"}, // PGO 4
	{"postgres-operator.crunchydata.com/cluster", "postgres-operator.crunchydata.com/role", "user"}, // PGO 5 and 6
}

// site is the place of a server in a Kubernetes cluster.
type site struct {
	cluster   *kube.Cluster
	namespace string
	pod       *corev1.Pod // nil behind a service
	operator  *generation // nil where no operator labelled it
	name      string      // the operator's name of the database cluster
}

// siteOf looks where the server of a step is; nil when that is not to be seen
// from its target.
func siteOf(ctx context.Context, env *module.Env, host string) (*site, error) {
	t := env.Target
	switch {
	case t.Kind == conn.Container && t.Pod != "" && env.Dialer != nil:
		h, err := env.Dialer.Dial(ctx, conn.Target{Kind: conn.Kubernetes, Name: t.Config, Config: t.Config, Namespace: t.Namespace})
		if err != nil {
			return nil, err
		}
		return siteIn(ctx, h, t.Namespace, "pod/"+t.Pod)
	case t.Kind == conn.Kubernetes:
		return siteIn(ctx, env.Host, t.Namespace, host)
	}
	return nil, nil
}

// siteIn finds "pod/NAME" or "svc/NAME", with ".NAMESPACE" or without.
func siteIn(ctx context.Context, h conn.Host, namespace, address string) (*site, error) {
	c, err := kube.Of(h)
	if err != nil {
		return nil, err
	}
	if namespace == "" {
		namespace = c.Namespace()
	}
	kind, name, _ := strings.Cut(address, "/")
	if at := strings.LastIndexByte(name, '.'); at >= 0 {
		name, namespace = name[:at], name[at+1:]
	}
	s, labels := &site{cluster: c, namespace: namespace}, map[string]string{}
	switch core := c.Clientset().CoreV1(); kind {
	case "pod":
		if s.pod, err = core.Pods(namespace).Get(ctx, name, metav1.GetOptions{}); err == nil {
			labels = s.pod.Labels
		}
	case "svc":
		service := (*corev1.Service)(nil)
		if service, err = core.Services(namespace).Get(ctx, name, metav1.GetOptions{}); err == nil {
			labels = service.Labels
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read %s in %s: %w", address, namespace, err)
	}
	for i, g := range generations {
		if labels[g.cluster] != "" {
			s.operator, s.name = &generations[i], labels[g.cluster]
		}
	}
	return s, nil
}

// container is the one of that name, or the first.
func (s *site) container(name string) corev1.Container {
	at := slices.IndexFunc(s.pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == name })
	return s.pod.Spec.Containers[max(at, 0)]
}

// image is what a container of the pod was told to run.
func (s *site) image(container string) string { return s.container(container).Image }

// env is the first of the variables that a container of the pod was given.
func (s *site) env(container string, names ...string) string {
	for _, name := range names {
		for _, v := range s.container(container).Env {
			if v.Name == name && v.Value != "" {
				return v.Value
			}
		}
	}
	return ""
}

// kept is the Secret in which an operator tells a user's password.
type kept struct {
	name   string // "namespace/name"
	agrees bool   // it tells the password that the runbook has
}

// keeps finds the operator's Secret of a user; nil when there is none.
func (s *site) keeps(ctx context.Context, user string, password secret.Value) (*kept, error) {
	if s.operator == nil {
		return nil, nil
	}
	list, err := s.cluster.Clientset().CoreV1().Secrets(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: s.operator.cluster + "=" + s.name})
	if err != nil {
		return nil, err
	}
	for _, o := range list.Items {
		if string(o.Data[s.operator.user]) == user && o.Data["password"] != nil {
			return &kept{s.namespace + "/" + o.Name, same(secret.New(string(o.Data["password"])), password)}, nil
		}
	}
	return nil, nil
}

// leader is the pod that Patroni labelled as the primary; "" when that cannot
// be told.
func (s *site) leader(ctx context.Context) string {
	if s == nil || s.operator == nil {
		return ""
	}
	pods, err := s.cluster.Clientset().CoreV1().Pods(s.namespace).List(ctx, metav1.ListOptions{LabelSelector: s.operator.cluster + "=" + s.name})
	if err != nil {
		return ""
	}
	at := slices.IndexFunc(pods.Items, func(p corev1.Pod) bool {
		return slices.Contains([]string{"master", "primary", "promoted"}, p.Labels[s.operator.role])
	})
	if at < 0 {
		return ""
	}
	return pods.Items[at].Name
}

// hidden says why the cluster does not show something; "" for other errors.
func hidden(err error) string {
	if apierrors.IsForbidden(err) {
		return "this user of Kubernetes may not read it"
	}
	return ""
}
