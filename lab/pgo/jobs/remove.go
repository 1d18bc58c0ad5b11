package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

var (
	pods        = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
	services    = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	secrets     = schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	configMaps  = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	claims      = schema.GroupVersionResource{Version: "v1", Resource: "persistentvolumeclaims"}
	deployments = schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}
	jobs        = schema.GroupVersionResource{Group: "batch", Version: "v1", Resource: "jobs"}
)

// Remove takes a cluster away, in the observed order: the Pgcluster goes before the claims, so a cluster is gone only
// when this Job has finished.
type Remove struct {
	Dynamic    dynamic.Interface
	Exec       func(ctx context.Context, namespace, pod string, command []string, out io.Writer) error
	Namespace  string
	Cluster    string
	Data       bool   // claims and user Secrets as well
	Backups    bool   // the repository's as well
	Replica    string // only this replica goes
	FortySeven bool   // PGO 4.7: the Pgcluster goes last, and the claims carry no label of their own
	Panic      bool   // ends as on a cluster that Patroni never initialised
	Out        io.Writer
}

// errNotInitialised is how the original ends on a cluster whose Patroni never got to initialise it. It panics there,
// and the cluster has to be cleaned up by hand.
var errNotInitialised = errors.New("panic: the Patroni ConfigMap has no annotation config")

// Run does the removal.
func (r Remove) Run(ctx context.Context) error {
	if r.Panic {
		return errNotInitialised
	}
	if r.Replica != "" {
		return r.removeReplica(ctx)
	}
	if !r.FortySeven {
		if err := r.pauseFailover(ctx); err != nil {
			return err
		}
	}
	if r.Data {
		if err := r.eraseData(ctx); err != nil {
			return err
		}
	}
	steps := []func(context.Context) error{
		r.databaseDeployments, r.customResource, r.services, r.replicas, r.tasks, r.configMaps,
		r.instanceClaims, r.backrestJobs, r.repository,
	}
	if r.FortySeven {
		steps = []func(context.Context) error{
			r.databaseDeployments, r.services, r.replicas, r.tasks, r.backrestJobs, r.configMaps,
			r.instanceClaims, r.repository, r.customResource,
		}
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (r Remove) pauseFailover(ctx context.Context) error {
	config, err := r.Dynamic.Resource(configMaps).Namespace(r.Namespace).Get(ctx, r.Cluster+"-config", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return errNotInitialised
	}
	if err != nil {
		return err
	}
	if config.GetAnnotations()["config"] == "" {
		return errNotInitialised
	}
	return nil
}

// eraseData empties the volumes of the instances; what stays running or unreachable is only reported, as in the
// original.
func (r Remove) eraseData(ctx context.Context) error {
	list, err := r.Dynamic.Resource(pods).Namespace(r.Namespace).
		List(ctx, metav1.ListOptions{LabelSelector: r.selector("pgo-pg-database=true")})
	if err != nil {
		return err
	}
	for i := range list.Items {
		pod := &list.Items[i]
		data := "/pgdata/" + pod.GetLabels()[crv1.LabelDeployment]
		script := "pg_ctl stop -m immediate -D " + data + "; rm -rf " + data
		if err := r.Exec(ctx, r.Namespace, pod.GetName(), []string{"bash", "-c", script}, r.Out); err != nil {
			fmt.Fprintf(r.Out, "erase the data of pod %s: %v\n", pod.GetName(), err)
		}
	}
	return r.sweep(ctx, secrets, r.selector("!"+crv1.LabelRepo))
}

// removeReplica takes one replica away, and the replicas' Service with the last one.
func (r Remove) removeReplica(ctx context.Context) error {
	if err := r.deleteDeployments(ctx, r.selector(crv1.LabelDeployment+"="+r.Replica)); err != nil {
		return err
	}
	if err := r.delete(ctx, crv1.Replicas, r.Replica); err != nil {
		return err
	}
	if r.Data {
		if err := r.delete(ctx, claims, r.Replica); err != nil {
			return err
		}
	}
	if err := r.delete(ctx, crv1.Tasks, crv1.RemoveTask(r.Replica)); err != nil {
		return err
	}
	left, err := r.Dynamic.Resource(crv1.Replicas).Namespace(r.Namespace).List(ctx, metav1.ListOptions{LabelSelector: r.selector("")})
	if err != nil || len(left.Items) > 0 {
		return err
	}
	return r.delete(ctx, services, crv1.ReplicaService(r.Cluster))
}

func (r Remove) databaseDeployments(ctx context.Context) error {
	return r.deleteDeployments(ctx, r.selector("pgo-pg-database=true"))
}

// deleteDeployments returns when the Deployments and their pods are gone.
func (r Remove) deleteDeployments(ctx context.Context, selector string) error {
	if err := r.sweep(ctx, deployments, selector); err != nil {
		return err
	}
	return wait.PollUntilContextTimeout(ctx, time.Second, 64*time.Second, true, func(ctx context.Context) (bool, error) {
		list, err := r.Dynamic.Resource(deployments).Namespace(r.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		return err == nil && len(list.Items) == 0, err
	})
}

func (r Remove) customResource(ctx context.Context) error {
	return r.delete(ctx, crv1.Clusters, r.Cluster)
}

func (r Remove) services(ctx context.Context) error {
	return r.sweep(ctx, services, r.selector("!"+crv1.LabelRepo))
}

func (r Remove) replicas(ctx context.Context) error {
	return r.sweep(ctx, crv1.Replicas, r.selector(""))
}

func (r Remove) tasks(ctx context.Context) error { return r.sweep(ctx, crv1.Tasks, r.selector("")) }

// configMaps are the operator's own and Patroni's.
func (r Remove) configMaps(ctx context.Context) error {
	if err := r.sweep(ctx, configMaps, r.selector("")); err != nil {
		return err
	}
	return r.sweep(ctx, configMaps, crv1.LabelScope+"="+r.Cluster)
}

func (r Remove) instanceClaims(ctx context.Context) error {
	if !r.Data {
		return nil
	}
	own := "pgremove=true"
	if r.FortySeven {
		own = ""
	}
	return r.sweep(ctx, claims, r.selector(own), crv1.RepoClaim(r.Cluster))
}

func (r Remove) backrestJobs(ctx context.Context) error {
	return r.sweep(ctx, jobs, r.selector(crv1.LabelBackrestJob+"=true"))
}

func (r Remove) repository(ctx context.Context) error {
	if err := r.deleteDeployments(ctx, r.selector(crv1.LabelRepo+"=true")); err != nil {
		return err
	}
	if err := r.sweep(ctx, services, r.selector(crv1.LabelRepo+"=true")); err != nil {
		return err
	}
	if !r.Backups {
		return nil
	}
	if err := r.delete(ctx, secrets, crv1.RepoSecret(r.Cluster)); err != nil {
		return err
	}
	return r.delete(ctx, claims, crv1.RepoClaim(r.Cluster))
}

// sweep deletes what the selector finds, but for the names to keep.
func (r Remove) sweep(ctx context.Context, resource schema.GroupVersionResource, selector string, keep ...string) error {
	list, err := r.Dynamic.Resource(resource).Namespace(r.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return fmt.Errorf("list %s: %w", resource.Resource, err)
	}
	for i := range list.Items {
		if name := list.Items[i].GetName(); !slices.Contains(keep, name) {
			if err := r.delete(ctx, resource, name); err != nil {
				return err
			}
		}
	}
	return nil
}

// delete is content when the object is gone already. Deployments go last, after their pods, so that waiting for them
// is waiting for the pods.
func (r Remove) delete(ctx context.Context, resource schema.GroupVersionResource, name string) error {
	policy := metav1.DeletePropagationBackground
	if resource == deployments {
		policy = metav1.DeletePropagationForeground
	}
	err := r.Dynamic.Resource(resource).Namespace(r.Namespace).
		Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &policy})
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete %s %s: %w", resource.Resource, name, err)
	}
	return nil
}

func (r Remove) selector(more string) string {
	s := crv1.LabelCluster + "=" + r.Cluster
	if more != "" {
		s += "," + more
	}
	return s
}
