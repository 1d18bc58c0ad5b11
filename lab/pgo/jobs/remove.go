package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

// Remove takes a cluster away, in the observed order: the Pgcluster goes before the claims, so a cluster is gone only
// when this Job has finished.
type Remove struct {
	Kube      kubernetes.Interface
	Dynamic   dynamic.Interface
	Exec      func(ctx context.Context, namespace, pod string, command []string, out io.Writer) error
	Namespace string
	Cluster   string
	Data      bool // claims and user Secrets as well
	Backups   bool // the repository's as well
	Out       io.Writer
}

// errNotInitialised is how the original ends on a cluster whose Patroni never got to initialise it. It panics there,
// and the cluster has to be cleaned up by hand.
var errNotInitialised = errors.New("panic: the Patroni ConfigMap has no annotation config")

// Run does the removal.
func (r Remove) Run(ctx context.Context) error {
	if err := r.pauseFailover(ctx); err != nil {
		return err
	}
	if r.Data {
		if err := r.eraseData(ctx); err != nil {
			return err
		}
	}
	steps := []func(context.Context) error{
		r.databaseDeployments, r.customResource, r.services, r.replicas, r.tasks, r.configMaps,
		r.instanceClaims, r.jobs, r.repository,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r Remove) pauseFailover(ctx context.Context) error {
	config, err := r.Kube.CoreV1().ConfigMaps(r.Namespace).Get(ctx, r.Cluster+"-config", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return errNotInitialised
	}
	if err != nil {
		return err
	}
	if config.Annotations["config"] == "" {
		return errNotInitialised
	}
	return nil
}

// eraseData empties the volumes of the instances; what stays running or unreachable is only reported, as in the
// original.
func (r Remove) eraseData(ctx context.Context) error {
	pods, err := r.Kube.CoreV1().Pods(r.Namespace).List(ctx, metav1.ListOptions{LabelSelector: r.selector("pgo-pg-database=true")})
	if err != nil {
		return err
	}
	for i := range pods.Items {
		pod := &pods.Items[i]
		data := "/pgdata/" + pod.Labels[crv1.LabelDeployment]
		script := "pg_ctl stop -m immediate -D " + data + "; rm -rf " + data
		if err := r.Exec(ctx, r.Namespace, pod.Name, []string{"bash", "-c", script}, r.Out); err != nil {
			fmt.Fprintf(r.Out, "erase the data of pod %s: %v\n", pod.Name, err)
		}
	}
	return r.Kube.CoreV1().Secrets(r.Namespace).DeleteCollection(ctx, now(),
		metav1.ListOptions{LabelSelector: r.selector("!" + crv1.LabelRepo)})
}

func (r Remove) databaseDeployments(ctx context.Context) error {
	return r.deleteDeployments(ctx, r.selector("pgo-pg-database=true"))
}

func (r Remove) deleteDeployments(ctx context.Context, selector string) error {
	foreground := metav1.DeletePropagationForeground
	deployments := r.Kube.AppsV1().Deployments(r.Namespace)
	by := metav1.ListOptions{LabelSelector: selector}
	if err := deployments.DeleteCollection(ctx, metav1.DeleteOptions{PropagationPolicy: &foreground}, by); err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, time.Second, 64*time.Second, true, func(ctx context.Context) (bool, error) {
		list, err := deployments.List(ctx, by)
		return err == nil && len(list.Items) == 0, err
	})
}

func (r Remove) customResource(ctx context.Context) error {
	return gone(crv1.ClusterStore(r.Dynamic).Delete(ctx, r.Namespace, r.Cluster))
}

// services are deleted one by one: the API has no collection delete for them.
func (r Remove) services(ctx context.Context) error {
	return r.deleteServices(ctx, r.selector("!"+crv1.LabelRepo))
}

func (r Remove) deleteServices(ctx context.Context, selector string) error {
	services := r.Kube.CoreV1().Services(r.Namespace)
	list, err := services.List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return err
	}
	for i := range list.Items {
		if err := gone(services.Delete(ctx, list.Items[i].Name, now())); err != nil {
			return err
		}
	}
	return nil
}

func (r Remove) replicas(ctx context.Context) error {
	return r.Dynamic.Resource(crv1.Replicas).Namespace(r.Namespace).
		DeleteCollection(ctx, now(), metav1.ListOptions{LabelSelector: r.selector("")})
}

func (r Remove) tasks(ctx context.Context) error {
	return r.Dynamic.Resource(crv1.Tasks).Namespace(r.Namespace).
		DeleteCollection(ctx, now(), metav1.ListOptions{LabelSelector: r.selector("")})
}

// configMaps are the operator's own and Patroni's.
func (r Remove) configMaps(ctx context.Context) error {
	for _, selector := range []string{r.selector(""), crv1.LabelScope + "=" + r.Cluster} {
		err := r.Kube.CoreV1().ConfigMaps(r.Namespace).DeleteCollection(ctx, now(), metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return err
		}
	}
	return nil
}

func (r Remove) instanceClaims(ctx context.Context) error {
	if !r.Data {
		return nil
	}
	claims := r.Kube.CoreV1().PersistentVolumeClaims(r.Namespace)
	list, err := claims.List(ctx, metav1.ListOptions{LabelSelector: r.selector("pgremove=true")})
	if err != nil {
		return err
	}
	for i := range list.Items {
		if name := list.Items[i].Name; name != crv1.RepoClaim(r.Cluster) {
			if err := gone(claims.Delete(ctx, name, now())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r Remove) jobs(ctx context.Context) error {
	background := metav1.DeletePropagationBackground
	return r.Kube.BatchV1().Jobs(r.Namespace).DeleteCollection(ctx,
		metav1.DeleteOptions{PropagationPolicy: &background},
		metav1.ListOptions{LabelSelector: r.selector(crv1.LabelBackrestJob + "=true")})
}

func (r Remove) repository(ctx context.Context) error {
	if err := r.deleteDeployments(ctx, r.selector(crv1.LabelRepo+"=true")); err != nil {
		return err
	}
	if err := r.deleteServices(ctx, r.selector(crv1.LabelRepo+"=true")); err != nil {
		return err
	}
	if !r.Backups {
		return nil
	}
	if err := gone(r.Kube.CoreV1().Secrets(r.Namespace).Delete(ctx, crv1.RepoSecret(r.Cluster), now())); err != nil {
		return err
	}
	return gone(r.Kube.CoreV1().PersistentVolumeClaims(r.Namespace).Delete(ctx, crv1.RepoClaim(r.Cluster), now()))
}

func (r Remove) selector(more string) string {
	s := crv1.LabelCluster + "=" + r.Cluster
	if more != "" {
		s += "," + more
	}
	return s
}

func now() metav1.DeleteOptions { return metav1.DeleteOptions{} }

func gone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}
