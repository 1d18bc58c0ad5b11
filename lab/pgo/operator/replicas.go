package operator

import (
	"context"
	"slices"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/oddity"
)

// requestReplicas makes the Pgreplicas of a cluster that is created with replicas; they wait for the first backup.
func (o *Operator) requestReplicas(ctx context.Context, c *crv1.Cluster) error {
	wanted, err := strconv.Atoi(c.Spec.Replicas)
	if err != nil {
		return err
	}
	have, err := o.replicas().List(ctx, c.Namespace, crv1.LabelCluster+"="+c.Name)
	if err != nil {
		return err
	}
	for range wanted - len(have) {
		if err := o.replicas().Create(ctx, c.Namespace, crv1.NewReplica(c, c.Labels[crv1.LabelPGOUser])); err != nil {
			return err
		}
	}
	return nil
}

// endReplicaWorker notes that the worker of the namespace's replicas has come upon a Pgreplica without a Pgcluster. The
// original's ends for good then, until the operator is started anew; here, until the oddity is taken away.
func (o *Operator) endReplicaWorker(ctx context.Context, namespace string, clusters []*crv1.Cluster) error {
	if !o.odd.Any(oddity.ReplicaWorkerEnds) {
		delete(o.ended, namespace)
		return nil
	}
	list, err := o.replicas().List(ctx, namespace, "")
	if err != nil {
		return err
	}
	for _, r := range list {
		known := slices.ContainsFunc(clusters, func(c *crv1.Cluster) bool { return c.Name == r.Spec.ClusterName })
		if known || o.ended[namespace] {
			continue
		}
		o.Log.Printf("replica %s/%s: its cluster %s is not there, the worker ends", namespace, r.Name, r.Spec.ClusterName)
		if o.ended == nil {
			o.ended = map[string]bool{}
		}
		o.ended[namespace] = true
	}
	return nil
}

// deployReplicas deploys the waiting Pgreplicas of an initialized cluster; until then they are marked as waiting.
func (o *Operator) deployReplicas(ctx context.Context, c *crv1.Cluster) error {
	if o.ended[c.Namespace] && o.odd.Has(oddity.ReplicaWorkerEnds, c.Name) {
		return nil
	}
	list, err := o.replicas().List(ctx, c.Namespace, crv1.LabelCluster+"="+c.Name)
	if err != nil {
		return err
	}
	for _, r := range list {
		switch {
		case r.Status.State == crv1.ReplicaProcessed:
			continue
		case c.Status.State == crv1.ClusterInitialized:
			err = o.deployReplica(ctx, c, r)
		case r.Status.State == crv1.ReplicaCreated:
			err = o.replicas().SetState(ctx, r.Namespace, r.Name, crv1.ReplicaPendingInit,
				"Pgreplica processing pending the creation of the initial backup")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *Operator) deployReplica(ctx context.Context, c *crv1.Cluster, r *crv1.Replica) error {
	o.Log.Printf("cluster %s/%s: deploying replica %s", c.Namespace, c.Name, r.Name)
	in := o.instanceOf(c, r.Name)
	in.Role = "replica"
	s, err := service(c, crv1.ReplicaService(c.Name), in)
	if err != nil {
		return err
	}
	if _, err := o.ensureService(ctx, s); err != nil {
		return err
	}
	repo, err := o.Kube.CoreV1().Services(c.Namespace).Get(ctx, crv1.RepoName(c.Name), metav1.GetOptions{})
	if err != nil {
		return err
	}
	in.RepoHost = repo.Spec.ClusterIP
	if err := o.ensureClaim(ctx, c, r.Name, r.Spec.ReplicaStorage); err != nil {
		return err
	}
	if err := o.ensureDeployment(ctx, c, in, database); err != nil {
		return err
	}
	err = o.replicas().Patch(ctx, r.Namespace, r.Name, map[string]any{"spec": map[string]any{
		"status": crv1.Completed, "replicastorage": map[string]any{"name": r.Name},
	}})
	if err != nil {
		return err
	}
	return o.replicas().SetState(ctx, r.Namespace, r.Name, crv1.ReplicaProcessed,
		"Successfully processed Pgreplica by controller")
}
