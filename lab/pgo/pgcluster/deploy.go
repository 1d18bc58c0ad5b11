package pgcluster

import (
	"cmp"
	"context"
	"fmt"
	"strconv"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

// deploy makes the objects of a new cluster. Those that are there are kept, so it can be run again after a fault. Both
// faults of a site are known to the log alone: the annotation that is missing, and the operator's own Secret.
func (o *Operator) deploy(ctx context.Context, c *Cluster) error {
	volume := c.Annotations[currentPrimary]
	if volume == "" {
		return fmt.Errorf("no annotation %s: cannot tell the volume of the primary", currentPrimary)
	}
	o.Log.Printf("cluster %s/%s: deploying", c.Namespace, c.Name)
	if err := o.ensureClaim(ctx, c, volume, c.Spec.PrimaryStorage); err != nil {
		return err
	}
	if err := o.ensureService(ctx, c, c.Name, "master"); err != nil {
		return err
	}
	if err := o.ensureUsers(ctx, c); err != nil {
		return err
	}
	_, err := o.Kube.CoreV1().Secrets(o.Settings.Namespace).Get(ctx, OperatorSecret, metav1.GetOptions{})
	if err != nil {
		return err
	}
	if err := o.ensureRepoSecret(ctx, c); err != nil {
		return err
	}
	config, err := configuration(c)
	if err != nil {
		return err
	}
	if _, err := o.Kube.CoreV1().ConfigMaps(c.Namespace).Create(ctx, config, metav1.CreateOptions{}); keepExisting(err) != nil {
		return err
	}
	if err := o.ensureClaim(ctx, c, crv1.RepoClaim(c.Name), c.Spec.BackrestStorage); err != nil {
		return err
	}
	if err := o.ensureDeployments(ctx, c, volume); err != nil {
		return err
	}
	if err := o.requestReplicas(ctx, c); err != nil {
		return err
	}
	return o.noteDeployed(ctx, c)
}

func (o *Operator) ensureDeployments(ctx context.Context, c *Cluster, volume string) error {
	repo, err := o.repoAddress(ctx, c)
	if err != nil {
		return err
	}
	v, err := o.values(c, c.Name)
	if err != nil {
		return err
	}
	v.RepoHost, v.Claim = repo, volume
	for _, build := range []func(*Cluster, values) (*appsv1.Deployment, error){o.repository, o.database} {
		d, err := build(c, v)
		if err != nil {
			return err
		}
		if _, err := o.Kube.AppsV1().Deployments(c.Namespace).Create(ctx, d, metav1.CreateOptions{}); keepExisting(err) != nil {
			return err
		}
	}
	return o.scaleTo(ctx, c, crv1.RepoName(c.Name), 1)
}

// repoAddress makes the repository's Service if need be. The address, not the name, is what the pods get: a lab without
// DNS can archive too.
func (o *Operator) repoAddress(ctx context.Context, c *Cluster) (string, error) {
	services := o.Kube.CoreV1().Services(c.Namespace)
	made, err := services.Create(ctx, repoService(c), metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		made, err = services.Get(ctx, crv1.RepoName(c.Name), metav1.GetOptions{})
	}
	if err != nil {
		return "", err
	}
	return made.Spec.ClusterIP, nil
}

// noteDeployed is what the original leaves on the Pgcluster then.
func (o *Operator) noteDeployed(ctx context.Context, c *Cluster) error {
	return o.clusters().Patch(ctx, c.Namespace, c.Name, map[string]any{
		"metadata": map[string]any{"labels": c.Spec.UserLabels, "annotations": map[string]string{primaryDeployment: c.Name}},
		"spec":     map[string]any{"status": crv1.Completed, "PrimaryStorage": map[string]any{"name": c.Name}},
	})
}

func (o *Operator) scaleTo(ctx context.Context, c *Cluster, deployment string, replicas int) error {
	patch := fmt.Sprintf(`{"spec":{"replicas":%d}}`, replicas)
	_, err := o.Kube.AppsV1().Deployments(c.Namespace).Patch(ctx, deployment, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

// wake starts the primary once the repository runs.
func (o *Operator) wake(ctx context.Context, c *Cluster) error {
	if c.Spec.Shutdown || c.Status.State == crv1.ClusterInitialized {
		return nil
	}
	primary, err := o.Kube.AppsV1().Deployments(c.Namespace).Get(ctx, c.Name, metav1.GetOptions{})
	if err != nil || primary.Spec.Replicas == nil || *primary.Spec.Replicas != 0 {
		return ignoreMissing(err)
	}
	repo, err := o.Kube.AppsV1().Deployments(c.Namespace).Get(ctx, crv1.RepoName(c.Name), metav1.GetOptions{})
	if err != nil || repo.Status.ReadyReplicas == 0 {
		return ignoreMissing(err)
	}
	return o.scaleTo(ctx, c, c.Name, 1)
}

func ignoreMissing(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (o *Operator) ensureClaim(ctx context.Context, c *Cluster, name string, storage Storage) error {
	pvc, err := claim(c, name, storage)
	if err != nil {
		return err
	}
	_, err = o.Kube.CoreV1().PersistentVolumeClaims(c.Namespace).Create(ctx, pvc, metav1.CreateOptions{})
	return keepExisting(err)
}

func (o *Operator) ensureService(ctx context.Context, c *Cluster, name, role string) error {
	s, err := service(c, name, role)
	if err != nil {
		return err
	}
	_, err = o.Kube.CoreV1().Services(c.Namespace).Create(ctx, s, metav1.CreateOptions{})
	return keepExisting(err)
}

// requestReplicas makes the Pgreplicas of a cluster that is created with replicas.
func (o *Operator) requestReplicas(ctx context.Context, c *Cluster) error {
	wanted, err := strconv.Atoi(cmp.Or(c.Spec.Replicas, "0"))
	if err != nil {
		return fmt.Errorf("replicas of %s: %w", c.Name, err)
	}
	have, err := o.replicas().List(ctx, c.Namespace, crv1.LabelCluster+"="+c.Name)
	if err != nil {
		return err
	}
	for range wanted - len(have) {
		if err := o.replicas().Create(ctx, c.Namespace, newReplica(c, c.Labels[crv1.LabelPGOUser])); err != nil {
			return err
		}
	}
	return nil
}

func newReplica(c *Cluster, user string) *Replica {
	name := c.Name + "-" + crv1.RandomLetters(4)
	return &Replica{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: c.Namespace, Labels: map[string]string{
			crv1.LabelName: name, crv1.LabelCluster: c.Name, crv1.LabelPGOUser: user,
		}},
		Spec: ReplicaSpec{
			Name: name, ClusterName: c.Name, ReplicaStorage: c.Spec.ReplicaStorage, Tolerations: []any{}, UserLabels: c.Spec.UserLabels,
		},
		Status: crv1.Status{State: crv1.ReplicaCreated, Message: "Created, not processed yet"},
	}
}

// deployReplicas deploys the waiting Pgreplicas of an initialized cluster; until then they are marked as waiting.
func (o *Operator) deployReplicas(ctx context.Context, c *Cluster) error {
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
		case r.Status.State != crv1.ReplicaPendingInit:
			err = o.replicas().SetState(ctx, r.Namespace, r.Name, crv1.ReplicaPendingInit,
				"Pgreplica processing pending the creation of the initial backup")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *Operator) deployReplica(ctx context.Context, c *Cluster, r *Replica) error {
	o.Log.Printf("cluster %s/%s: deploying replica %s", c.Namespace, c.Name, r.Name)
	if err := o.ensureService(ctx, c, crv1.ReplicaService(c.Name), "replica"); err != nil {
		return err
	}
	repo, err := o.repoAddress(ctx, c)
	if err != nil {
		return err
	}
	if err := o.ensureClaim(ctx, c, r.Name, r.Spec.ReplicaStorage); err != nil {
		return err
	}
	local := fmt.Sprintf(`{"data":{%q:"postgresql: {}\n"}}`, r.Name+"-local-config")
	_, err = o.Kube.CoreV1().ConfigMaps(c.Namespace).Patch(ctx, configName(c.Name), types.MergePatchType, []byte(local), metav1.PatchOptions{})
	if err != nil {
		return err
	}
	v, err := o.values(c, r.Name)
	if err != nil {
		return err
	}
	v.RepoHost, v.Replicas = repo, 1
	d, err := o.database(c, v)
	if err != nil {
		return err
	}
	if _, err := o.Kube.AppsV1().Deployments(c.Namespace).Create(ctx, d, metav1.CreateOptions{}); keepExisting(err) != nil {
		return err
	}
	err = o.replicas().Patch(ctx, r.Namespace, r.Name, map[string]any{"spec": map[string]any{
		"status": crv1.Completed, "replicastorage": map[string]any{"name": r.Name},
	}})
	if err != nil {
		return err
	}
	return o.replicas().SetState(ctx, r.Namespace, r.Name, crv1.ReplicaProcessed, "Successfully processed Pgreplica by controller")
}

// databasePods are the primary's and the replicas'.
func databasePods(ctx context.Context, o *Operator, c *Cluster, more string) ([]corev1.Pod, error) {
	list, err := o.Kube.CoreV1().Pods(c.Namespace).List(ctx, metav1.ListOptions{LabelSelector: crv1.LabelCluster + "=" + c.Name + more})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}
