package apiserver

import (
	"bytes"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

type backupRequest struct {
	Namespace, Selector, BackupOpts, BackrestStorageType string
	Args                                                 []string
}

type backupAnswer struct {
	Items []backupDetail
	Status
}

type backupDetail struct {
	Name string
	Info string
}

// createBackup asks for a backup of each cluster. The client's version is not looked at here.
func (s *Server) createBackup(c *call) any {
	request := read[backupRequest](c)
	answer := results{Results: []string{}}
	if msg := s.checkNamespace(c, request.Namespace); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	names := request.Args
	if request.Selector != "" {
		found, err := s.clusters().List(c.Context(), request.Namespace, request.Selector)
		if err != nil {
			answer.Status = failed(err.Error())
			return answer
		}
		names = nil
		for _, cluster := range found {
			names = append(names, cluster.Name)
		}
	}
	if len(names) == 0 {
		answer.Status = failed("no clusters found")
		return answer
	}
	for _, name := range names {
		if err := s.backUp(c, request, name); err != nil {
			answer.Status = failed(err.Error())
			return answer
		}
		answer.Results = append(answer.Results, "created Pgtask "+crv1.BackupTask(name))
	}
	answer.Status = ok("")
	return answer
}

func (s *Server) backUp(c *call, request backupRequest, name string) error {
	cluster, err := s.clusters().Get(c.Context(), request.Namespace, name)
	if err != nil {
		return fmt.Errorf("%s was not found, verify cluster name", name)
	}
	if cluster.Labels[crv1.LabelBackrest] != "true" {
		return fmt.Errorf("%s does not have pgbackrest enabled", name)
	}
	repo, err := s.repoPod(c.Context(), cluster)
	if err != nil {
		return err
	}
	pods, err := s.databasePods(c.Context(), cluster.Namespace, name)
	if err != nil {
		return err
	}
	ready := false
	for i := range pods {
		detail := describePod(&pods[i])
		ready = ready || detail.Primary && detail.Ready
	}
	if !ready {
		return fmt.Errorf("primary pod is not in Ready state")
	}
	task := crv1.BackupOf(cluster, repo.Name, "", request.BackupOpts)
	task.Labels[crv1.LabelPGOUser] = c.user.name
	return crv1.RequestBackup(c.Context(), s.Kube, s.tasks(), task)
}

func (s *Server) repoPod(ctx context.Context, cluster *crv1.Cluster) (*corev1.Pod, error) {
	list, err := s.Kube.CoreV1().Pods(cluster.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: crv1.LabelCluster + "=" + cluster.Name + "," + crv1.LabelRepo + "=true",
	})
	if err != nil {
		return nil, err
	}
	if len(list.Items) != 1 {
		return nil, fmt.Errorf("backrestrepo pod not found for cluster %s", cluster.Name)
	}
	return &list.Items[0], nil
}

// showBackup passes on what pgBackRest itself tells, as text.
func (s *Server) showBackup(c *call) any {
	query := c.URL.Query()
	answer := backupAnswer{Items: []backupDetail{}}
	if msg := s.check(c, query.Get("version"), query.Get("namespace")); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	name := c.PathValue("name")
	found, err := s.find(c.Context(), query.Get("namespace"), name, query.Get("selector"), false)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("no clusters found")
	}
	if err != nil {
		answer.Status = failed(err.Error())
		return answer
	}
	for _, cluster := range found {
		repo, err := s.repoPod(c.Context(), cluster)
		if err != nil {
			answer.Status = failed(err.Error())
			return answer
		}
		var info bytes.Buffer
		if err := s.Exec(c.Context(), cluster.Namespace, repo.Name, []string{"pgbackrest", "info"}, &info); err != nil {
			answer.Status = failed(err.Error())
			return answer
		}
		answer.Items = append(answer.Items, backupDetail{Name: cluster.Name, Info: "\nStorage Type: local\n" + info.String()})
	}
	answer.Status = ok("")
	return answer
}
