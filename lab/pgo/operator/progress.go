package operator

import (
	"context"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

func (o *Operator) ensureDeployment(ctx context.Context, c *crv1.Cluster, in instance,
	build func(*crv1.Cluster, instance) (*appsv1.Deployment, error)) error {
	d, err := build(c, in)
	if err != nil {
		return err
	}
	_, err = o.Kube.AppsV1().Deployments(c.Namespace).Create(ctx, d, metav1.CreateOptions{})
	return keepExisting(err)
}

// primary returns the ready pod that holds the role of master, or nil.
func (o *Operator) primary(ctx context.Context, c *crv1.Cluster) (*corev1.Pod, error) {
	pods, err := o.Kube.CoreV1().Pods(c.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: crv1.LabelCluster + "=" + c.Name + "," + crv1.LabelRole + "=master",
	})
	if err != nil {
		return nil, err
	}
	for i := range pods.Items {
		for _, s := range pods.Items[i].Status.ContainerStatuses {
			if s.Name == "database" && s.Ready {
				return &pods.Items[i], nil
			}
		}
	}
	return nil, nil
}

// watchPrimary completes the workflow when the primary is ready for the first time, and asks for the stanza.
func (o *Operator) watchPrimary(ctx context.Context, c *crv1.Cluster) error {
	pod, err := o.primary(ctx, c)
	if err != nil || pod == nil {
		return err
	}
	current := pod.Labels[crv1.LabelDeployment]
	if current != "" && current != c.Labels[crv1.LabelCurrentPrimary] {
		labels := map[string]string{crv1.LabelCurrentPrimary: current}
		if err := o.clusters().Patch(ctx, c.Namespace, c.Name, map[string]any{"metadata": map[string]any{"labels": labels}}); err != nil {
			return err
		}
	}
	if err := o.completeWorkflow(ctx, c); err != nil {
		return err
	}
	return o.requestStanza(ctx, c)
}

func (o *Operator) completeWorkflow(ctx context.Context, c *crv1.Cluster) error {
	task, err := o.tasks().Get(ctx, c.Namespace, crv1.WorkflowTask(c.Name))
	if apierrors.IsNotFound(err) {
		return nil // made by hand, without the apiserver
	}
	if err != nil || task.Spec.Parameters[crv1.ParamCompleted] != "" {
		return err
	}
	o.Log.Printf("cluster %s/%s: primary is ready", c.Namespace, c.Name)
	// Only the first start may initialise the database.
	_, err = o.Kube.CoreV1().ConfigMaps(c.Namespace).Patch(ctx, crv1.DefaultConfig(c.Name), types.MergePatchType,
		[]byte(`{"data":{"init":"false"}}`), metav1.PatchOptions{})
	if err != nil {
		return err
	}
	return o.tasks().Patch(ctx, c.Namespace, task.Name, map[string]any{"spec": map[string]any{
		"parameters": map[string]string{crv1.ParamCompleted: o.Now().UTC().Format(time.RFC3339)},
	}})
}

// requestStanza is done once: a failed stanza is not repeated until its task is deleted.
func (o *Operator) requestStanza(ctx context.Context, c *crv1.Cluster) error {
	_, err := o.tasks().Get(ctx, c.Namespace, crv1.StanzaTask(c.Name))
	if !apierrors.IsNotFound(err) {
		return err
	}
	pods, err := o.repoPods(ctx, c)
	if err != nil {
		return err
	}
	if len(pods) != 1 {
		o.Log.Printf("pods len != 1 for cluster %s", c.Name)
		return nil
	}
	return o.tasks().Create(ctx, c.Namespace, &crv1.Task{
		ObjectMeta: metav1.ObjectMeta{
			Name: crv1.StanzaTask(c.Name), Namespace: c.Namespace, Labels: map[string]string{crv1.LabelCluster: c.Name},
		},
		Spec: crv1.TaskSpec{
			Name: crv1.StanzaTask(c.Name), TaskType: crv1.TaskBackrest,
			Parameters: map[string]string{
				"backrest-command": "stanza-create", "backrest-opts": "", "backrest-storage-type": "",
				"containername": "pgo-backrest-repo", "job-name": crv1.StanzaTask(c.Name),
				crv1.LabelCluster: c.Name, "podname": pods[0].Name,
			},
		},
		Status: crv1.Status{State: crv1.TaskCreated},
	})
}

func (o *Operator) repoPods(ctx context.Context, c *crv1.Cluster) ([]corev1.Pod, error) {
	list, err := o.Kube.CoreV1().Pods(c.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: crv1.LabelCluster + "=" + c.Name + "," + crv1.LabelRepo + "=true",
	})
	if err != nil {
		return nil, err
	}
	return list.Items, nil
}

// watchJobs goes from the stanza to the first backup, and from that to the state Initialized.
func (o *Operator) watchJobs(ctx context.Context, c *crv1.Cluster) error {
	list, err := o.Kube.BatchV1().Jobs(c.Namespace).List(ctx, metav1.ListOptions{LabelSelector: fmt.Sprintf(
		"%s=%s,%s=%s,%s=true", crv1.LabelVendor, crv1.Vendor, crv1.LabelCluster, c.Name, crv1.LabelBackrest)})
	if err != nil {
		return err
	}
	for i := range list.Items {
		job := &list.Items[i]
		if job.Status.Succeeded != 1 {
			continue
		}
		switch {
		case job.Labels[crv1.LabelBackrestCmd] == "stanza-create":
			err = o.requestBackup(ctx, c, job)
		case job.Labels[crv1.LabelBackupType] == "bootstrap":
			err = o.initialized(ctx, c, job)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *Operator) requestBackup(ctx context.Context, c *crv1.Cluster, stanza *batchv1.Job) error {
	_, err := o.tasks().Get(ctx, c.Namespace, crv1.BackupTask(c.Name))
	if !apierrors.IsNotFound(err) {
		return err
	}
	repo := ""
	for _, env := range stanza.Spec.Template.Spec.Containers[0].Env {
		if env.Name == "PODNAME" {
			repo = env.Value
		}
	}
	return o.tasks().Create(ctx, c.Namespace, &crv1.Task{
		ObjectMeta: metav1.ObjectMeta{
			Name: crv1.BackupTask(c.Name), Namespace: c.Namespace,
			Labels: map[string]string{
				crv1.LabelCluster: c.Name, crv1.LabelClusterID: "", crv1.LabelPGOUser: c.Labels[crv1.LabelPGOUser],
			},
		},
		Spec: crv1.TaskSpec{
			Namespace: c.Namespace, Name: crv1.BackupTask(c.Name), TaskType: crv1.TaskBackrest,
			Parameters: map[string]string{
				"backrest-command": "backup", "backrest-opts": "--type=full", "backrest-storage-type": "",
				"containername": "database", "job-name": crv1.BackupTask(c.Name),
				crv1.LabelCluster: c.Name, crv1.LabelBackupType: "bootstrap", "podname": repo,
			},
		},
		Status: crv1.Status{State: crv1.TaskCreated},
	})
}

func (o *Operator) initialized(ctx context.Context, c *crv1.Cluster, backup *batchv1.Job) error {
	if c.Status.State == crv1.ClusterInitialized {
		return nil
	}
	done := map[string]any{"spec": map[string]any{"status": "job completed"}}
	if err := o.tasks().Patch(ctx, c.Namespace, backup.Name, done); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	o.Log.Printf("cluster %s/%s: initialized", c.Namespace, c.Name)
	return o.clusters().SetState(ctx, c.Namespace, c.Name, crv1.ClusterInitialized, "Cluster has been initialized")
}
