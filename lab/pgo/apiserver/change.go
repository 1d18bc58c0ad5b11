package apiserver

import (
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

// deleteClusters asks for the removal and answers at once; the work is done by a Job.
func (s *Server) deleteClusters(c *call) any {
	request := read[deleteRequest](c)
	answer := results{Results: []string{}}
	if msg := s.check(c, request.ClientVersion, request.Namespace); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	found, err := s.find(c.Context(), request.Namespace, request.Clustername, request.Selector, request.AllFlag)
	if err != nil {
		answer.Status = failed(err.Error())
		return answer
	}
	if len(found) == 0 {
		answer.Status = failed("no clusters found")
		return answer
	}
	for _, cluster := range found {
		task := s.newTask(c, cluster, crv1.RemoveTask(cluster.Name), crv1.TaskDeleteData, map[string]string{
			crv1.LabelCluster: cluster.Name,
			"delete-data":     strconv.FormatBool(request.DeleteData),
			"delete-backups":  strconv.FormatBool(request.DeleteBackups),
		})
		err := s.tasks().Create(c.Context(), cluster.Namespace, task)
		if err != nil && !apierrors.IsAlreadyExists(err) {
			answer.Status = failed(err.Error())
			return answer
		}
		answer.Results = append(answer.Results, "deleted pgcluster "+cluster.Name)
	}
	answer.Status = ok("")
	return answer
}

func (s *Server) newTask(c *call, cluster *crv1.Cluster, name, kind string, parameters map[string]string) *crv1.Task {
	return &crv1.Task{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: cluster.Namespace,
			Labels: map[string]string{crv1.LabelCluster: cluster.Name, crv1.LabelPGOUser: c.user.name},
		},
		Spec: crv1.TaskSpec{
			Namespace: cluster.Namespace, Name: name, TaskType: kind, Parameters: parameters,
		},
		Status: crv1.Status{State: crv1.TaskCreated},
	}
}

// scaleCluster makes Pgreplicas; the operator deploys them once the cluster has its first backup.
func (s *Server) scaleCluster(c *call) any {
	query := c.URL.Query()
	answer := results{Results: []string{}}
	if msg := s.check(c, query.Get("version"), query.Get("namespace")); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	cluster, err := s.clusters().Get(c.Context(), query.Get("namespace"), c.PathValue("name"))
	if err != nil {
		answer.Status = failed(err.Error())
		return answer
	}
	count, err := strconv.Atoi(query.Get("replica-count"))
	if err != nil || count < 1 {
		answer.Status = failed("replica-count must be a number above 0")
		return answer
	}
	for range count {
		replica := crv1.NewReplica(cluster, c.user.name)
		if err := s.replicas().Create(c.Context(), cluster.Namespace, replica); err != nil {
			answer.Status = failed(err.Error())
			return answer
		}
		answer.Results = append(answer.Results, "created Pgreplica "+replica.Name)
	}
	answer.Status = ok("")
	return answer
}

// failover checks the target, which is the name of a Deployment, and leaves the rest to the operator.
func (s *Server) failover(c *call) any {
	request := read[failoverRequest](c)
	answer := failoverAnswer{Results: []string{}}
	if msg := s.check(c, request.ClientVersion, request.Namespace); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	cluster, err := s.clusters().Get(c.Context(), request.Namespace, request.ClusterName)
	if err != nil {
		answer.Status = failed(err.Error())
		return answer
	}
	if request.Target == cluster.Labels[crv1.LabelCurrentPrimary] {
		answer.Status = failed("The primary database cannot be selected as a failover target")
		return answer
	}
	deployments := s.Kube.AppsV1().Deployments(request.Namespace)
	if _, err := deployments.Get(c.Context(), request.Target, metav1.GetOptions{}); err != nil {
		answer.Status = failed("no target found named " + request.Target)
		return answer
	}
	task := s.newTask(c, cluster, cluster.Name+"-failover", crv1.TaskFailover,
		map[string]string{crv1.LabelCluster: cluster.Name, "target": request.Target})
	_ = s.tasks().Delete(c.Context(), cluster.Namespace, task.Name) // of an earlier failover
	if err := s.tasks().Create(c.Context(), cluster.Namespace, task); err != nil {
		answer.Status = failed(err.Error())
		return answer
	}
	answer.Results = append(answer.Results, "created Pgtask (failover) for cluster "+cluster.Name)
	answer.Status = ok("")
	return answer
}
