package pgcluster

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/apiserver"
	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

type backupRequest struct {
	Namespace, Selector, BackupOpts string
	Args                            []string
}

// createBackup asks for a backup of each cluster, in the place of an earlier one: there is one name for all.
func (a *API) createBackup(c *apiserver.Call) any {
	request := apiserver.Read[backupRequest](c)
	answer := results{Results: []string{}, Status: ok()}
	if msg := a.checkNamespace(c, request.Namespace); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	for _, name := range request.Args {
		if err := a.backUp(c.Context(), request, name, c.Caller()); err != nil {
			answer.Status = fault(err)
			return answer
		}
		answer.Results = append(answer.Results, "created Pgtask "+crv1.BackupTask(name))
	}
	return answer
}

func (a *API) backUp(ctx context.Context, request backupRequest, name, user string) error {
	cluster, err := a.clusters().Get(ctx, request.Namespace, name)
	if err != nil {
		return fmt.Errorf("%s was not found, verify cluster name", name)
	}
	pod, err := a.repoPod(ctx, cluster)
	if err != nil {
		return err
	}
	background := metav1.DeletePropagationBackground
	job := crv1.BackupTask(name)
	err = a.Server.Kube.BatchV1().Jobs(cluster.Namespace).Delete(ctx, job, metav1.DeleteOptions{PropagationPolicy: &background})
	if ignoreMissing(err) != nil {
		return err
	}
	if err := ignoreMissing(a.tasks().Delete(ctx, cluster.Namespace, job)); err != nil {
		return err
	}
	parameters := backrest(cluster, "backup", request.BackupOpts, pod)
	task := newTask(cluster.Namespace, name, job, crv1.TaskBackrest, parameters)
	task.Labels[crv1.LabelPGOUser] = user
	return a.tasks().Create(ctx, cluster.Namespace, task)
}
