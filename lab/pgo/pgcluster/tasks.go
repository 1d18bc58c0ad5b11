package pgcluster

import (
	"context"
	"errors"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

// taskList acts on every new task and sweeps the Jobs of finished removals.
func (o *Operator) taskList(ctx context.Context, namespace string) error {
	tasks, err := o.tasks().List(ctx, namespace, "")
	if err != nil {
		return fmt.Errorf("list pgtasks of %s: %w", namespace, err)
	}
	var faults []error
	for _, t := range tasks {
		if t.Status.State == crv1.TaskProcessed {
			continue
		}
		if err := o.task(ctx, t); err != nil {
			faults = append(faults, fmt.Errorf("task %s/%s: %w", namespace, t.Name, err))
		}
	}
	return errors.Join(append(faults, o.sweepRemovals(ctx, namespace))...)
}

func (o *Operator) task(ctx context.Context, t *Task) error {
	o.Log.Printf("task %s/%s (%s)", t.Namespace, t.Name, t.Spec.TaskType)
	// The original patches before it acts, too: a task is tried once.
	err := o.tasks().SetState(ctx, t.Namespace, t.Name, crv1.TaskProcessed, "Successfully processed Pgtask by controller")
	if err != nil {
		return err
	}
	switch t.Spec.TaskType {
	case crv1.TaskBackrest:
		return o.backrestJob(ctx, t)
	case crv1.TaskDeleteData:
		return o.removeJob(ctx, t)
	}
	return nil // workflows are records only
}

// backrestJob makes the Job that runs pgBackRest in the repository pod against the present primary.
func (o *Operator) backrestJob(ctx context.Context, t *Task) error {
	p := t.Spec.Parameters
	c, err := o.clusters().Get(ctx, t.Namespace, p[crv1.LabelCluster])
	if err != nil {
		return err
	}
	pod, err := o.primary(ctx, c)
	if err != nil {
		return err
	}
	options := p["backrest-opts"]
	if pod != nil {
		options = strings.TrimSpace(fmt.Sprintf("%s --db-host=%s --db-path=/pgdata/%s", options, pod.Status.PodIP, pod.Labels[crv1.LabelDeployment]))
	}
	labels := []string{crv1.LabelBackrest, "true", crv1.LabelBackrestJob, "true", crv1.LabelBackrestCmd, p["backrest-command"], crv1.LabelPGOUser, t.Labels[crv1.LabelPGOUser]}
	if kind := p[crv1.LabelBackupType]; kind != "" {
		labels = append(labels, crv1.LabelBackupType, kind)
	}
	j, err := job(meta(c, p["job-name"], labels...), jobValues{
		Account: "pgo-backrest", Container: "backrest", Image: o.Settings.OwnImage, Command: "backrest", Tries: 6,
		Env: []corev1.EnvVar{
			{Name: "COMMAND", Value: p["backrest-command"]},
			{Name: "MODE", Value: "pgbackrest"},
			{Name: "COMMAND_OPTS", Value: options},
			{Name: "PODNAME", Value: p["podname"]},
			{Name: "PGBACKREST_LOG_PATH", Value: "/tmp"},
		},
	})
	if err != nil {
		return err
	}
	_, err = o.Kube.BatchV1().Jobs(t.Namespace).Create(ctx, j, metav1.CreateOptions{})
	return err
}

// removeJob makes the Job that takes a cluster, or one replica of it, away. The Pgcluster may be gone already.
func (o *Operator) removeJob(ctx context.Context, t *Task) error {
	p := t.Spec.Parameters
	c := &Cluster{ObjectMeta: metav1.ObjectMeta{Name: p[crv1.LabelCluster], Namespace: t.Namespace}}
	j, err := job(meta(c, t.Name+"-"+crv1.RandomLetters(4), crv1.LabelRemove, "true"), jobValues{
		Account: "pgo-target", Container: "rmdata", Image: o.Settings.OwnImage, Command: "rmdata",
		Env: []corev1.EnvVar{
			{Name: "PG_CLUSTER", Value: c.Name},
			{Name: "REMOVE_DATA", Value: p["delete-data"]},
			{Name: "REMOVE_BACKUP", Value: p["delete-backups"]},
			{Name: "REPLICA_NAME", Value: p[crv1.LabelReplicaName]},
			{Name: "PGO_VERSION", Value: Version},
		},
	})
	if err != nil {
		return err
	}
	_, err = o.Kube.BatchV1().Jobs(t.Namespace).Create(ctx, j, metav1.CreateOptions{})
	return err
}

// sweepRemovals deletes removing Jobs that succeeded; a failed one stays for the one who looks for the cause.
func (o *Operator) sweepRemovals(ctx context.Context, namespace string) error {
	jobs := o.Kube.BatchV1().Jobs(namespace)
	list, err := jobs.List(ctx, metav1.ListOptions{LabelSelector: crv1.LabelRemove + "=true"})
	if err != nil {
		return err
	}
	background := metav1.DeletePropagationBackground
	for i := range list.Items {
		if !done(&list.Items[i]) {
			continue
		}
		if err := ignoreMissing(jobs.Delete(ctx, list.Items[i].Name, metav1.DeleteOptions{PropagationPolicy: &background})); err != nil {
			return err
		}
	}
	return nil
}

func done(job *batchv1.Job) bool { return job.Status.Succeeded > 0 }
