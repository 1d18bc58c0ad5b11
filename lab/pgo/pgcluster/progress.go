package pgcluster

import (
	"context"
	"fmt"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

// primary returns the ready pod that holds the role of master, or nil.
func (o *Operator) primary(ctx context.Context, c *Cluster) (*corev1.Pod, error) {
	pods, err := databasePods(ctx, o, c, ","+crv1.LabelRole+"=master")
	if err != nil {
		return nil, err
	}
	for i := range pods {
		for _, s := range pods[i].Status.ContainerStatuses {
			if s.Name == "database" && s.Ready {
				return &pods[i], nil
			}
		}
	}
	return nil, nil
}

// watchPrimary completes the workflow when the primary is ready for the first time, and asks for the stanza.
func (o *Operator) watchPrimary(ctx context.Context, c *Cluster) error {
	pod, err := o.primary(ctx, c)
	if err != nil || pod == nil {
		return err
	}
	if current := pod.Labels[crv1.LabelDeployment]; current != "" && current != c.Annotations[currentPrimary] {
		annotations := map[string]string{currentPrimary: current}
		err := o.clusters().Patch(ctx, c.Namespace, c.Name, map[string]any{"metadata": map[string]any{"annotations": annotations}})
		if err != nil {
			return err
		}
		c.Annotations[currentPrimary] = current
	}
	if c.Status.State == crv1.ClusterInitialized {
		return nil
	}
	if err := o.completeWorkflow(ctx, c); err != nil {
		return err
	}
	return o.requestStanza(ctx, c)
}

// completeWorkflow also keeps a later start from making the database anew. A cluster without the apiserver has no workflow.
func (o *Operator) completeWorkflow(ctx context.Context, c *Cluster) error {
	config, err := o.Kube.CoreV1().ConfigMaps(c.Namespace).Get(ctx, configName(c.Name), metav1.GetOptions{})
	if err != nil || config.Data["init"] == "false" {
		return err
	}
	if c.Spec.DisableAutofail {
		if err := crv1.PauseFailover(ctx, o.Kube, c.Namespace, c.Name, true); err != nil {
			return err
		}
	}
	task, err := o.tasks().Get(ctx, c.Namespace, crv1.WorkflowTask(c.Name))
	if err == nil {
		err = o.tasks().Patch(ctx, c.Namespace, task.Name, map[string]any{"spec": map[string]any{
			"parameters": map[string]string{crv1.ParamCompleted: o.Now().UTC().Format(time.RFC3339)},
		}})
	}
	if ignoreMissing(err) != nil {
		return err
	}
	_, err = o.Kube.CoreV1().ConfigMaps(c.Namespace).
		Patch(ctx, config.Name, types.MergePatchType, []byte(`{"data":{"init":"false"}}`), metav1.PatchOptions{})
	return err
}

// requestStanza is done once; its task and its Job go when it has succeeded.
func (o *Operator) requestStanza(ctx context.Context, c *Cluster) error {
	for _, name := range []string{crv1.StanzaTask(c.Name), crv1.BackupTask(c.Name)} {
		if _, err := o.tasks().Get(ctx, c.Namespace, name); !apierrors.IsNotFound(err) {
			return err
		}
	}
	pods, err := databasePods(ctx, o, c, ","+crv1.LabelRepo+"=true")
	if err != nil {
		return err
	}
	if len(pods) != 1 {
		o.Log.Printf("pods len != 1 for cluster %s", c.Name)
		return nil
	}
	task := newTask(c.Namespace, c.Name, crv1.StanzaTask(c.Name), crv1.TaskBackrest, backrest(c, "stanza-create", "", pods[0].Name))
	return o.tasks().Create(ctx, c.Namespace, task)
}

// backrest are the parameters of a task for pgBackRest.
func backrest(c *Cluster, command, options, repoPod string) map[string]string {
	name := crv1.StanzaTask(c.Name)
	if command == "backup" {
		name = crv1.BackupTask(c.Name)
	}
	return map[string]string{
		"backrest-command": command, "backrest-opts": options, "backrest-s3-verify-tls": "true", "containername": "database",
		"image-prefix": c.Spec.PGOImagePrefix, "job-name": name, crv1.LabelCluster: c.Name, "podname": repoPod,
	}
}

// watchJobs goes from the stanza to the first backup, and from that to the state Initialized.
func (o *Operator) watchJobs(ctx context.Context, c *Cluster) error {
	list, err := o.Kube.BatchV1().Jobs(c.Namespace).List(ctx, metav1.ListOptions{LabelSelector: fmt.Sprintf(
		"%s=%s,%s=true", crv1.LabelCluster, c.Name, crv1.LabelBackrest)})
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
		case job.Labels[crv1.LabelBackupType] == "bootstrap" && c.Status.State != crv1.ClusterInitialized:
			err = o.initialized(ctx, c, job)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (o *Operator) requestBackup(ctx context.Context, c *Cluster, stanza *batchv1.Job) error {
	pod := ""
	for _, env := range stanza.Spec.Template.Spec.Containers[0].Env {
		if env.Name == "PODNAME" {
			pod = env.Value
		}
	}
	parameters := backrest(c, "backup", "--type=full", pod)
	parameters[crv1.LabelBackupType] = "bootstrap"
	task := newTask(c.Namespace, c.Name, crv1.BackupTask(c.Name), crv1.TaskBackrest, parameters)
	task.Labels[crv1.LabelPGOUser] = c.Labels[crv1.LabelPGOUser]
	if err := o.tasks().Create(ctx, c.Namespace, task); keepExisting(err) != nil {
		return err
	}
	if err := ignoreMissing(o.tasks().Delete(ctx, c.Namespace, crv1.StanzaTask(c.Name))); err != nil {
		return err
	}
	background := metav1.DeletePropagationBackground
	return ignoreMissing(o.Kube.BatchV1().Jobs(c.Namespace).Delete(ctx, stanza.Name, metav1.DeleteOptions{PropagationPolicy: &background}))
}

func (o *Operator) initialized(ctx context.Context, c *Cluster, backup *batchv1.Job) error {
	done := map[string]any{"spec": map[string]any{"status": "job completed"}}
	if err := ignoreMissing(o.tasks().Patch(ctx, c.Namespace, backup.Name, done)); err != nil {
		return err
	}
	o.Log.Printf("cluster %s/%s: initialized", c.Namespace, c.Name)
	return o.clusters().SetState(ctx, c.Namespace, c.Name, crv1.ClusterInitialized, "Cluster has been initialized")
}
