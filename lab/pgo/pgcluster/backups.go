package pgcluster

import (
	"bytes"
	"context"
	"encoding/json"
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

type backupDetail struct {
	Name        string
	Info        json.RawMessage
	StorageType string
}

// showBackup passes on what pgBackRest itself tells, as JSON.
func (a *API) showBackup(c *apiserver.Call) any {
	answer := struct {
		Items []backupDetail
		apiserver.Status
	}{Items: []backupDetail{}, Status: ok()}
	query := c.URL.Query()
	if msg := a.check(c, query.Get("version"), query.Get("namespace")); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	found, err := a.find(c.Context(), query.Get("namespace"), c.PathValue("name"), query.Get("selector"), false)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("no clusters found")
	}
	for _, cluster := range found {
		var info bytes.Buffer
		pod := ""
		if pod, err = a.repoPod(c.Context(), cluster); err == nil {
			err = a.Exec(c.Context(), cluster.Namespace, pod, "database", nil, &info, "pgbackrest", "info", "--output=json", "--log-level-console=off", "--log-level-stderr=off")
		}
		if err != nil {
			break
		}
		answer.Items = append(answer.Items, backupDetail{cluster.Name, json.RawMessage(bytes.TrimSpace(info.Bytes())), "posix"})
	}
	if err != nil {
		answer.Status = fault(err)
	}
	return answer
}

func (a *API) repoPod(ctx context.Context, cluster *Cluster) (string, error) {
	list, err := a.Server.Kube.CoreV1().Pods(cluster.Namespace).
		List(ctx, metav1.ListOptions{LabelSelector: crv1.LabelCluster + "=" + cluster.Name + "," + crv1.LabelRepo + "=true"})
	if err != nil {
		return "", err
	}
	if len(list.Items) != 1 {
		return "", fmt.Errorf("backrestrepo pod not found for cluster %s", cluster.Name)
	}
	return list.Items[0].Name, nil
}
