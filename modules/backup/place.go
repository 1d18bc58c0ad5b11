package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
)

// places are what the modules of the family work on.
var places = []string{conn.Kubernetes, conn.Container, conn.SSH, conn.Local}

// which says whose backups a step means.
type which struct{ cluster, namespace, stanza, user string }

// place is where a cluster's backups are made.
type place struct {
	which
	repo conn.Runner // where pgbackrest runs: the repository where that has a pod
	db   conn.Runner // where psql reaches the primary over its socket

	kube    *kube.Cluster // nil outside Kubernetes
	primary *corev1.Pod
	vault   *corev1.Pod // of the repository; nil where there is none
}

// find opens the place that a step works on. A container stands for the whole
// cluster that its pod belongs to.
func (w which) find(ctx context.Context, env *module.Env) (*place, error) {
	p := &place{which: w, repo: env.Host, db: env.Host}
	switch t := env.Target; {
	case t.Kind == conn.Kubernetes && w.cluster == "":
		return nil, module.At("cluster", errors.New("which one? Name the cluster, or let the step work on its database container"))
	case t.Kind == conn.Kubernetes:
		k, err := kube.Of(env.Host)
		if err != nil {
			return nil, err
		}
		p.kube, p.namespace = k, cmp.Or(w.namespace, t.Namespace, k.Namespace())
		return p, p.openPods(ctx, env)
	case t.Kind == conn.Container && t.Pod != "":
		return p, p.openContainer(ctx, env)
	}
	p.user = cmp.Or(w.user, "postgres")
	return p, nil
}

// openContainer finds the cluster of a container's pod by its labels. A pod
// that no operator has labelled has to have all in it.
func (p *place) openContainer(ctx context.Context, env *module.Env) error {
	t := env.Target
	host, err := env.Dialer.Dial(ctx, conn.Target{Kind: conn.Kubernetes, Name: t.Config, Config: t.Config, Namespace: t.Namespace})
	if err != nil {
		return err
	}
	k, err := kube.Of(host)
	if err != nil {
		return err
	}
	pod, err := k.Clientset().CoreV1().Pods(t.Namespace).Get(ctx, t.Pod, metav1.GetOptions{})
	if err != nil {
		return fmt.Errorf("read pod %s: %w", t.Pod, err)
	}
	cluster := cmp.Or(pod.Labels["pg-cluster"], pod.Labels[v5+"cluster"])
	if p.cluster != "" && p.cluster != cluster {
		return module.At("cluster", fmt.Errorf("pod %s belongs to cluster %q", t.Pod, cluster))
	}
	if cluster == "" {
		return nil
	}
	p.kube, p.namespace, p.cluster = k, t.Namespace, cluster
	return p.openPods(ctx, env)
}

// v5 begins the labels and annotations of PGO 5 and 6.
const v5 = "postgres-operator.crunchydata.com/"

// openPods finds the primary and the repository among the cluster's pods.
func (p *place) openPods(ctx context.Context, env *module.Env) error {
	var pods []corev1.Pod
	for _, label := range []string{"pg-cluster", v5 + "cluster"} {
		list, err := p.kube.Clientset().CoreV1().Pods(p.namespace).List(ctx, metav1.ListOptions{LabelSelector: label + "=" + p.cluster})
		if err != nil {
			return fmt.Errorf("list the pods of cluster %s: %w", p.cluster, err)
		}
		pods = append(pods, list.Items...)
	}
	if len(pods) == 0 {
		return module.At("cluster", fmt.Errorf("namespace %s has no pods of a cluster %s", p.namespace, p.cluster))
	}
	for i := range pods {
		pod := &pods[i]
		if pod.DeletionTimestamp != nil {
			continue
		}
		running := pod.Status.Phase == corev1.PodRunning
		switch {
		case isRepository(pod):
			p.vault = pod
		case isPrimary(pod) && running && p.primary != nil:
			return fmt.Errorf("cluster %s has two primaries: pods %s and %s", p.cluster, p.primary.Name, pod.Name)
		case isPrimary(pod) && running:
			p.primary = pod
		}
	}
	if p.primary == nil {
		return module.Explain(fmt.Errorf("cluster %s has no primary", p.cluster), "wait for a leader; patroni.status tells what keeps it", describe(pods)...)
	}
	if p.vault != nil && p.vault.Status.Phase != corev1.PodRunning {
		return module.Explain(fmt.Errorf("the repository of cluster %s does not run", p.cluster),
			"remove what keeps the pod (often a missing volume); then the stanza must be made again, since its Job is not repeated", p.kube.Evidence(ctx, p.vault)...)
	}
	return p.openHosts(ctx, env)
}

func isRepository(pod *corev1.Pod) bool {
	return pod.Labels["pgo-backrest-repo"] == "true" || pod.Labels[v5+"data"] == "pgbackrest"
}

func isPrimary(pod *corev1.Pod) bool {
	return slices.Contains([]string{"master", "primary"}, cmp.Or(pod.Labels["role"], pod.Labels[v5+"role"]))
}

func describe(pods []corev1.Pod) []string {
	var lines []string
	for i := range pods {
		role := cmp.Or(pods[i].Labels["role"], pods[i].Labels[v5+"role"], "no role")
		lines = append(lines, fmt.Sprintf("pod %s is %s, %s", pods[i].Name, pods[i].Status.Phase, role))
	}
	slices.Sort(lines)
	return lines
}

func (p *place) openHosts(ctx context.Context, env *module.Env) error {
	open := func(pod *corev1.Pod, container string) (conn.Runner, error) {
		return env.Dialer.Dial(ctx, conn.Target{Kind: conn.Container, Name: pod.Name + "/" + container, Config: env.Target.Config,
			Namespace: p.namespace, Pod: pod.Name, Container: container})
	}
	var err error
	if p.db, err = open(p.primary, "database"); err != nil {
		return err
	}
	p.repo = p.db
	if p.vault != nil {
		p.repo, err = open(p.vault, repositoryContainer(p.vault))
	}
	return err
}

// repositoryContainer: PGO 4 calls it like that of the database.
func repositoryContainer(pod *corev1.Pod) string {
	for _, c := range pod.Spec.Containers {
		if c.Name == "pgbackrest" {
			return c.Name
		}
	}
	return "database"
}

// title names the place for people.
func (p *place) title() string {
	if p.cluster != "" {
		return "cluster " + p.cluster
	}
	return "stanza " + p.stanza
}

// where the commands run, for evidence.
func (p *place) where() string {
	var parts []string
	if p.primary != nil {
		parts = append(parts, "primary "+p.primary.Name)
	}
	if p.vault != nil {
		parts = append(parts, "repository "+p.vault.Name)
	}
	return strings.Join(parts, ", ")
}
