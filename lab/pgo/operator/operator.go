// Package operator is the stand-in's operator: it turns Pgclusters, Pgreplicas and Pgtasks into the objects that
// PGO 4.2.1 was seen to make, in the order it was seen to make them.
package operator

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/oddity"
	"github.com/adbsql/antdbctl/lab/pgo/settings"
)

// Operator compares the wanted with the actual world and makes up the difference. Its exported fields are set once; one
// goroutine reconciles.
type Operator struct {
	Kube     kubernetes.Interface
	Dynamic  dynamic.Interface
	Settings settings.Settings
	HTTP     *http.Client // for Patroni's REST interface, in failovers
	Now      func() time.Time
	Log      *log.Logger

	odd   oddity.Set      // of the namespace that is being reconciled
	ended map[string]bool // namespaces whose replica worker has ended
}

func (o *Operator) clusters() crv1.Store[crv1.Cluster] { return crv1.ClusterStore(o.Dynamic) }
func (o *Operator) replicas() crv1.Store[crv1.Replica] { return crv1.ReplicaStore(o.Dynamic) }
func (o *Operator) tasks() crv1.Store[crv1.Task]       { return crv1.TaskStore(o.Dynamic) }

// passLimit is how long one pass may take: a request that never gets an answer must not stop the operator for good. It
// leaves room for a failover, whose answer from Patroni takes up to 20 s.
const passLimit = time.Minute

// Run reconciles every managed namespace once in a period until ctx ends.
func (o *Operator) Run(ctx context.Context, period time.Duration) {
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	for {
		pass, cancel := context.WithTimeout(ctx, passLimit)
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
		faults = append(faults, o.reconcileNamespace(ctx, list.Items[i].Name))
	}
	return errors.Join(faults...)
}

func (o *Operator) reconcileNamespace(ctx context.Context, namespace string) error {
	var err error
	if o.odd, err = oddity.Read(ctx, o.Kube, namespace); err != nil {
		return err
	}
	clusters, err := o.clusters().List(ctx, namespace, "")
	if err != nil {
		return fmt.Errorf("list pgclusters of %s: %w", namespace, err)
	}
	if err := o.endReplicaWorker(ctx, namespace, clusters); err != nil {
		return err
	}
	var faults []error
	for _, c := range clusters {
		if err := o.cluster(ctx, c); err != nil {
			faults = append(faults, fmt.Errorf("cluster %s/%s: %w", namespace, c.Name, err))
		}
	}
	faults = append(faults, o.taskList(ctx, namespace))
	return errors.Join(faults...)
}

// cluster takes one Pgcluster a step on.
func (o *Operator) cluster(ctx context.Context, c *crv1.Cluster) error {
	if removing, err := o.removing(ctx, c); removing || err != nil {
		return err
	}
	if c.Status.State == crv1.ClusterCreated {
		if ignored, err := o.ignored(ctx, c); ignored || err != nil {
			return err
		}
		// Processed is set before any work is done: it only says that the operator has seen the cluster.
		err := o.clusters().SetState(ctx, c.Namespace, c.Name, crv1.ClusterProcessed,
			"Successfully processed Pgcluster by controller")
		if err != nil {
			return err
		}
	}
	if c.Spec.Status != crv1.Completed {
		if o.odd.Has(oddity.NoDeployment, c.Name) {
			return nil
		}
		return o.deploy(ctx, c)
	}
	if err := o.watchPrimary(ctx, c); err != nil {
		return err
	}
	if err := o.watchJobs(ctx, c); err != nil {
		return err
	}
	if err := o.upgrade(ctx, c); err != nil {
		return err
	}
	return o.deployReplicas(ctx, c)
}

// ignored tells whether a new Pgcluster is passed over without a word: its worker has ended, or a Deployment of that name
// is there already (the original says so in its debug log only).
func (o *Operator) ignored(ctx context.Context, c *crv1.Cluster) (bool, error) {
	if o.odd.Has(oddity.ClusterWorkerEnded, c.Name) {
		return true, nil
	}
	_, err := o.Kube.AppsV1().Deployments(c.Namespace).Get(ctx, c.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err == nil {
		o.Log.Printf("cluster %s/%s: dep already found, not creating again", c.Namespace, c.Name)
	}
	return err == nil, err
}

// removing tells whether the cluster is being deleted: nothing may be made again behind the removing Job's back.
func (o *Operator) removing(ctx context.Context, c *crv1.Cluster) (bool, error) {
	_, err := o.tasks().Get(ctx, c.Namespace, crv1.RemoveTask(c.Name))
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	return err == nil, err
}

// deploy makes the objects of a new cluster. Those that are there are kept, so it can be run again after a fault.
func (o *Operator) deploy(ctx context.Context, c *crv1.Cluster) error {
	o.Log.Printf("cluster %s/%s: deploying", c.Namespace, c.Name)
	in := o.instanceOf(c, c.Name)
	if err := o.ensureClaim(ctx, c, c.Name, c.Spec.PrimaryStorage); err != nil {
		return err
	}
	primary, err := service(c, c.Name, in)
	if err != nil {
		return err
	}
	if _, err := o.ensureService(ctx, primary); err != nil {
		return err
	}
	repo, err := o.ensureService(ctx, repoService(c))
	if err != nil {
		return err
	}
	// The address, not the name: a lab without DNS can archive too.
	in.RepoHost = repo.Spec.ClusterIP
	if err := o.ensureClaim(ctx, c, crv1.RepoClaim(c.Name), c.Spec.BackrestStorage); err != nil {
		return err
	}
	if err := o.ensureDeployment(ctx, c, in, repository); err != nil {
		return err
	}
	config, err := defaultConfig(c)
	if err != nil {
		return err
	}
	_, err = o.Kube.CoreV1().ConfigMaps(c.Namespace).Create(ctx, config, metav1.CreateOptions{})
	if err := keepExisting(err); err != nil {
		return err
	}
	if err := o.ensureDeployment(ctx, c, in, database); err != nil {
		return err
	}
	if err := o.requestReplicas(ctx, c); err != nil {
		return err
	}
	return o.clusters().Patch(ctx, c.Namespace, c.Name, deployed(c))
}

// deployed is the patch that the original leaves on the Pgcluster once its Deployments were made.
func deployed(c *crv1.Cluster) map[string]any {
	labels := map[string]string{
		crv1.LabelScope: c.Name, crv1.LabelCurrentPrimary: c.Name, crv1.LabelDeployment: c.Name, crv1.LabelCluster: c.Name,
	}
	for k, v := range c.Spec.UserLabels {
		labels[k] = v
	}
	return map[string]any{
		"metadata": map[string]any{"labels": labels},
		"spec": map[string]any{
			"status": crv1.Completed, "PrimaryStorage": map[string]any{"name": c.Name},
		},
	}
}

func keepExisting(err error) error {
	if apierrors.IsAlreadyExists(err) {
		return nil
	}
	return err
}

func (o *Operator) ensureClaim(ctx context.Context, c *crv1.Cluster, name string, storage crv1.Storage) error {
	pvc, err := claim(c, name, storage)
	if err != nil {
		return err
	}
	_, err = o.Kube.CoreV1().PersistentVolumeClaims(c.Namespace).Create(ctx, pvc, metav1.CreateOptions{})
	return keepExisting(err)
}

func (o *Operator) ensureService(ctx context.Context, s *corev1.Service) (*corev1.Service, error) {
	services := o.Kube.CoreV1().Services(s.Namespace)
	made, err := services.Create(ctx, s, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		return services.Get(ctx, s.Name, metav1.GetOptions{})
	}
	return made, err
}
