package operator

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
	"github.com/adbsql/antdbctl/lab/pgo/oddity"
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

func (o *Operator) task(ctx context.Context, t *crv1.Task) error {
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
	case crv1.TaskFailover:
		return o.failover(ctx, t)
	case crv1.TaskUpgrade:
		return o.startUpgrade(ctx, t)
	}
	return nil // workflows are records only
}

// backrestJob makes the Job that runs pgBackRest in the repository pod against the present primary.
func (o *Operator) backrestJob(ctx context.Context, t *crv1.Task) error {
	p := t.Spec.Parameters
	c, err := o.clusters().Get(ctx, t.Namespace, p[crv1.LabelCluster])
	if err != nil {
		return err
	}
	labels := map[string]string{
		crv1.LabelBackrest: "true", crv1.LabelBackrestJob: "true", crv1.LabelBackrestCmd: p["backrest-command"],
		crv1.LabelClusterID: "", crv1.LabelPGOUser: t.Labels[crv1.LabelPGOUser],
	}
	if kind := p[crv1.LabelBackupType]; kind != "" {
		labels[crv1.LabelBackupType] = kind
	}
	host, path := "", ""
	if pod, err := o.primary(ctx, c); err != nil {
		return err
	} else if pod != nil {
		host, path = pod.Status.PodIP, "/pgdata/"+pod.Labels[crv1.LabelDeployment]
	}
	j, err := job(meta(c, p["job-name"], labels), jobSpec{
		Account: "pgo-backrest", Container: "backrest", Image: o.Settings.OwnImage, Command: "backrest",
		Env: []corev1.EnvVar{
			{Name: "NAMESPACE", Value: t.Namespace},
			{Name: "PODNAME", Value: p["podname"]},
			{Name: "COMMAND", Value: p["backrest-command"]},
			{Name: "COMMAND_OPTS", Value: p["backrest-opts"]},
			{Name: "PG_HOST", Value: host},
			{Name: "PG_PATH", Value: path},
			{Name: "FAIL", Value: o.failure(p["backrest-command"], c.Name)},
		},
	})
	if err != nil {
		return err
	}
	_, err = o.Kube.BatchV1().Jobs(t.Namespace).Create(ctx, j, metav1.CreateOptions{})
	return err
}

// failure is the text with which the Job shall end, if it shall: what the original's Job was seen to say.
func (o *Operator) failure(command, cluster string) string {
	switch {
	case command == "stanza-create" && o.odd.Has(oddity.StanzaFails, cluster):
		return `unable to upgrade connection: container not found (\"database\")`
	case command == "backup" && o.odd.Has(oddity.BackupFails, cluster):
		return "ERROR: [082]: WAL segment 000000010000000000000002 was not archived before the 60000ms timeout"
	}
	return ""
}

// removeJob makes the Job that takes a cluster, or one replica of it, away.
func (o *Operator) removeJob(ctx context.Context, t *crv1.Task) error {
	p := t.Spec.Parameters
	c, err := o.clusters().Get(ctx, t.Namespace, p[crv1.LabelCluster])
	if err != nil {
		return err
	}
	name := t.Name + "-" + crv1.RandomLetters(4)
	j, err := job(meta(c, name, map[string]string{crv1.LabelRemove: "true"}), jobSpec{
		Account: "pgo-target", Container: "rmdata", Image: o.Settings.OwnImage, Command: "rmdata",
		Env: []corev1.EnvVar{
			{Name: "NAMESPACE", Value: t.Namespace},
			{Name: "PG_CLUSTER", Value: c.Name},
			{Name: "REMOVE_DATA", Value: p["delete-data"]},
			{Name: "REMOVE_BACKUP", Value: p["delete-backups"]},
			{Name: "REPLICA_NAME", Value: p[crv1.LabelReplicaName]},
			{Name: "PANIC", Value: strconv.FormatBool(o.odd.Has(oddity.RemovalPanics, c.Name))},
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
		if list.Items[i].Status.Succeeded == 0 {
			continue
		}
		err := jobs.Delete(ctx, list.Items[i].Name, metav1.DeleteOptions{PropagationPolicy: &background})
		if err != nil && !apierrors.IsNotFound(err) {
			return err
		}
	}
	return nil
}

// failover asks Patroni in the target's pod to make that pod the leader.
func (o *Operator) failover(ctx context.Context, t *crv1.Task) error {
	p := t.Spec.Parameters
	pods, err := o.Kube.CoreV1().Pods(t.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: crv1.LabelCluster + "=" + p[crv1.LabelCluster] + "," + crv1.LabelDeployment + "=" + p["target"],
	})
	if err != nil {
		return err
	}
	if len(pods.Items) != 1 {
		return fmt.Errorf("target %s has %d pods", p["target"], len(pods.Items))
	}
	body, err := json.Marshal(map[string]string{"candidate": pods.Items[0].Name})
	if err != nil {
		return err
	}
	url := "http://" + pods.Items[0].Status.PodIP + ":8009/failover"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	response, err := o.HTTP.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, 4096))
	o.Log.Printf("failover of %s: %s: %s", p[crv1.LabelCluster], response.Status, text)
	return err
}
