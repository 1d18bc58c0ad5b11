package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/settings"
)

// OperatorSecret is what the repositories' keys are made with. Without it, in the operator's namespace, no cluster is made.
const OperatorSecret = "pgo-backrest-repo-config"

// Operator compares the wanted with the actual world and makes up the difference. Its fields are set once; one goroutine
// reconciles.
type Operator struct {
	Kube     kubernetes.Interface
	Dynamic  dynamic.Interface
	Settings settings.Settings
	Now      func() time.Time
	Log      *log.Logger
}

// Exec runs a command in the container database of a pod; a status above 0 is an error.
type Exec func(ctx context.Context, namespace, pod, container string, stdin io.Reader, out io.Writer, command ...string) error

func (o *Operator) clusters() crv1.Store[Cluster] { return clusterStore(o.Dynamic) }
func (o *Operator) replicas() crv1.Store[Replica] { return replicaStore(o.Dynamic) }
func (o *Operator) tasks() crv1.Store[Task]       { return taskStore(o.Dynamic) }

// Run reconciles every managed namespace once in a period until ctx ends.
func (o *Operator) Run(ctx context.Context, period time.Duration) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		pass, cancel := context.WithTimeout(ctx, time.Minute)
		if err := o.Reconcile(pass); err != nil && ctx.Err() == nil {
			o.Log.Printf("reconcile: %v", err)
		}
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// Reconcile goes once over every managed namespace; a fault of one object does not stop the others.
func (o *Operator) Reconcile(ctx context.Context) error {
	list, err := o.Kube.CoreV1().Namespaces().List(ctx, metav1.ListOptions{LabelSelector: fmt.Sprintf(
		"%s=%s,%s=%s", crv1.LabelVendor, crv1.Vendor, crv1.LabelInstallation, o.Settings.Installation)})
	if err != nil {
		return fmt.Errorf("list managed namespaces: %w", err)
	}
	var faults []error
	for i := range list.Items {
		faults = append(faults, o.namespace(ctx, list.Items[i].Name))
	}
	return errors.Join(faults...)
}

func (o *Operator) namespace(ctx context.Context, namespace string) error {
	clusters, err := o.clusters().List(ctx, namespace, "")
	if err != nil {
		return fmt.Errorf("list pgclusters of %s: %w", namespace, err)
	}
	var faults []error
	known := map[string]bool{}
	for _, c := range clusters {
		known[c.Name] = true
		if err := o.cluster(ctx, c); err != nil {
			faults = append(faults, fmt.Errorf("cluster %s/%s: %w", namespace, c.Name, err))
		}
	}
	return errors.Join(append(faults, o.orphans(ctx, namespace, known), o.taskList(ctx, namespace))...)
}

// cluster takes one Pgcluster a step on.
func (o *Operator) cluster(ctx context.Context, c *Cluster) error {
	_, err := o.tasks().Get(ctx, c.Namespace, crv1.RemoveTask(c.Name))
	if err == nil {
		return nil // nothing may be made again behind the removing Job's back
	}
	if !apierrors.IsNotFound(err) {
		return err
	}
	if c.Status.State == "" || c.Status.State == crv1.ClusterCreated {
		// Processed is set before any work is done: it only says that the operator has seen the cluster.
		err := o.clusters().SetState(ctx, c.Namespace, c.Name, crv1.ClusterProcessed, "Successfully processed Pgcluster by controller")
		if err != nil {
			return err
		}
	}
	if c.Spec.Status != crv1.Completed {
		return o.deploy(ctx, c)
	}
	if err := o.wake(ctx, c); err != nil {
		return err
	}
	if err := o.watchPrimary(ctx, c); err != nil {
		return err
	}
	if err := o.watchJobs(ctx, c); err != nil {
		return err
	}
	if err := o.update(ctx, c); err != nil {
		return err
	}
	return o.deployReplicas(ctx, c)
}

// orphans starts the removal of clusters whose Pgcluster was deleted by hand. The Service of the cluster's name tells that
// there was one; the removing Job takes it away before its task.
func (o *Operator) orphans(ctx context.Context, namespace string, known map[string]bool) error {
	list, err := o.Kube.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{LabelSelector: crv1.LabelVendor + "=" + crv1.Vendor})
	if err != nil {
		return err
	}
	for i := range list.Items {
		name := list.Items[i].Labels[crv1.LabelCluster]
		if known[name] || name != list.Items[i].Name {
			continue
		}
		task := newTask(namespace, name, crv1.RemoveTask(name), crv1.TaskDeleteData, map[string]string{
			crv1.LabelCluster: name, "delete-data": "true", "delete-backups": "true",
		})
		if err := o.tasks().Create(ctx, namespace, task); err != nil && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
	return nil
}

func newTask(namespace, cluster, name, kind string, parameters map[string]string) *Task {
	task := &Task{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace, Labels: map[string]string{crv1.LabelCluster: cluster}},
		Spec:       TaskSpec{Name: name, TaskType: kind, Parameters: parameters},
	}
	if kind == crv1.TaskDeleteData {
		task.Labels[crv1.LabelRemove] = "true"
	}
	return task
}

func keepExisting(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}
