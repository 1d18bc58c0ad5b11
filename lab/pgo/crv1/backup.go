package crv1

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
)

// BackupOf returns the task of a backup. Its kind is "bootstrap" for the first one, on which the cluster's state and its
// replicas wait, "failover" after one, and "" for a backup that somebody asks for.
func BackupOf(c *Cluster, repoPod, kind, options string) *Task {
	parameters := map[string]string{
		"backrest-command": "backup", "backrest-opts": options, "backrest-storage-type": "",
		"containername": "database", "job-name": BackupTask(c.Name), LabelCluster: c.Name, "podname": repoPod,
	}
	if kind != "" {
		parameters[LabelBackupType] = kind
	}
	return &Task{
		ObjectMeta: metav1.ObjectMeta{
			Name: BackupTask(c.Name), Namespace: c.Namespace,
			Labels: map[string]string{LabelCluster: c.Name, LabelClusterID: "", LabelPGOUser: c.Labels[LabelPGOUser]},
		},
		Spec: TaskSpec{
			Namespace: c.Namespace, Name: BackupTask(c.Name), TaskType: TaskBackrest, Parameters: parameters,
		},
		Status: Status{State: TaskCreated},
	}
}

// RequestBackup puts the task in the place of an earlier one and of its Job: there is one name for all backups.
func RequestBackup(ctx context.Context, kube kubernetes.Interface, tasks Store[Task], task *Task) error {
	background := metav1.DeletePropagationBackground
	err := kube.BatchV1().Jobs(task.Namespace).Delete(ctx, task.Name, metav1.DeleteOptions{PropagationPolicy: &background})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	if err := tasks.Delete(ctx, task.Namespace, task.Name); err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return tasks.Create(ctx, task.Namespace, task)
}
