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

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// instance is one server to look into.
type instance struct {
	name    string
	place   evidence.Place
	run     conn.Runner
	login   login
	osUser  string
	secrets []account
}

// account is a user whose password a Secret of the operator's tells.
type account struct {
	user, secret string
	password     secret.Value
}

// databaseContainer is what both generations of the operator call it.
const databaseContainer = "database"

// servers finds what is to be looked into. What does not run is noted.
func (c *Collect) servers(ctx context.Context, env *module.Env, rec evidence.Recorder) ([]*instance, error) {
	t := env.Target
	if t.Kind == conn.Kubernetes {
		k, err := kube.Of(env.Host)
		if err != nil {
			return nil, err
		}
		return c.inCluster(ctx, k, t.Namespace, rec)
	}
	l := login{port: c.Port}
	s := &instance{name: t.String(), run: env.Host, login: l, osUser: l.osUser(t)}
	s.place = evidence.Place{Namespace: t.Namespace, Pod: t.Pod, Container: t.Container}
	if t.Pod == "" {
		s.place.Container = t.String()
		return []*instance{s}, nil
	}
	s.name = t.Pod
	where, err := siteOf(ctx, env, "")
	if err != nil || where == nil || where.pod == nil {
		if err != nil {
			rec.Gap("the pod", s.place, err)
		}
		return []*instance{s}, nil
	}
	s.place.Cluster, s.place.Node = where.name, where.pod.Spec.NodeName
	if where.operator != nil {
		s.secrets = accounts(ctx, where.cluster, *where.operator, where.namespace, where.name, rec)
	}
	return []*instance{s}, nil
}

// inCluster finds the operator's database pods.
func (c *Collect) inCluster(ctx context.Context, k *kube.Cluster, namespace string, rec evidence.Recorder) ([]*instance, error) {
	namespaces := c.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{namespace} // "": all
	}
	var all []*instance
	for _, ns := range namespaces {
		for _, g := range generations {
			pods, err := k.Clientset().CoreV1().Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: g.cluster})
			if apierrors.IsForbidden(err) && ns == "" {
				pods, err = k.Clientset().CoreV1().Pods(k.Namespace()).List(ctx, metav1.ListOptions{LabelSelector: g.cluster})
			}
			if err != nil {
				return nil, fmt.Errorf("list the database pods: %w", err)
			}
			all = append(all, c.inPods(ctx, k, g, pods.Items, rec)...)
		}
	}
	return all, nil
}

// inPods gives the servers of the pods that are databases and run.
func (c *Collect) inPods(ctx context.Context, k *kube.Cluster, g generation, pods []corev1.Pod, rec evidence.Recorder) []*instance {
	var all []*instance
	secrets := map[string][]account{} // by namespace and cluster
	for i := range pods {
		pod := &pods[i]
		if !isDatabase(pod) {
			continue
		}
		s := &instance{name: pod.Name, login: login{port: c.Port}, place: evidence.Place{Namespace: pod.Namespace,
			Cluster: pod.Labels[g.cluster], Pod: pod.Name, Container: databaseContainer, Node: pod.Spec.NodeName}}
		if why := stopped(pod); why != "" {
			rec.Gap("its server and data directory", s.place, errors.New(why))
			continue
		}
		run, err := k.Container(ctx, pod.Namespace, pod.Name, databaseContainer)
		if err != nil {
			rec.Gap("its server and data directory", s.place, err)
			continue
		}
		s.run = run
		key := pod.Namespace + "/" + s.place.Cluster
		if _, known := secrets[key]; !known {
			secrets[key] = accounts(ctx, k, g, pod.Namespace, s.place.Cluster, rec)
		}
		s.secrets = secrets[key]
		all = append(all, s)
	}
	return all
}

// isDatabase tells database pods from the repository's and those of jobs, whose
// container PGO 4 calls alike.
func isDatabase(pod *corev1.Pod) bool {
	for _, other := range []string{"pgo-backrest-repo", "pgo-backrest", "job-name", "pgrmdata"} {
		if pod.Labels[other] != "" {
			return false
		}
	}
	if data := pod.Labels["postgres-operator.crunchydata.com/data"]; data != "" && data != "postgres" {
		return false
	}
	return slices.ContainsFunc(pod.Spec.Containers, func(c corev1.Container) bool { return c.Name == databaseContainer })
}

// stopped says why nothing can run in the database container; "" when it does.
func stopped(pod *corev1.Pod) string {
	for _, s := range pod.Status.ContainerStatuses {
		switch {
		case s.Name != databaseContainer:
		case s.State.Running != nil:
			return ""
		case s.State.Waiting != nil:
			return "the container waits: " + s.State.Waiting.Reason
		case s.State.Terminated != nil:
			return fmt.Sprintf("the container has ended: %s, exit code %d", s.State.Terminated.Reason, s.State.Terminated.ExitCode)
		}
	}
	return "the container does not run: the pod is " + string(pod.Status.Phase)
}

// accounts reads the users and passwords that the operator keeps of a cluster.
func accounts(ctx context.Context, k *kube.Cluster, g generation, namespace, cluster string, rec evidence.Recorder) []account {
	list, err := k.Clientset().CoreV1().Secrets(namespace).List(ctx, metav1.ListOptions{LabelSelector: g.cluster + "=" + cluster})
	if err != nil {
		rec.Gap("the passwords of its roles", evidence.Place{Namespace: namespace, Cluster: cluster}, err)
		return nil
	}
	var all []account
	for _, o := range list.Items {
		user, password := string(o.Data[g.user]), o.Data["password"]
		if user != "" && len(password) > 0 {
			all = append(all, account{user, o.Name, secret.New(string(password))})
		}
	}
	slices.SortFunc(all, func(a, b account) int { return strings.Compare(a.secret, b.secret) })
	return all
}
