package apiserver

import (
	"encoding/json"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

type scheduleRequest struct {
	ClusterName, Namespace, Schedule, ScheduleType, Selector, PGBackRestType, ScheduleOptions string
}

type unscheduleRequest struct {
	Namespace, ScheduleName, ClusterName, Selector string
}

// schedule is what the scheduler reads, as JSON under a key that is the ConfigMap's own name.
type schedule struct {
	Version    string `json:"version"`
	Name       string `json:"name"`
	Created    string `json:"created"`
	Schedule   string `json:"schedule"`
	Namespace  string `json:"namespace"`
	Type       string `json:"type"`
	Cluster    string `json:"cluster"`
	PGBackRest struct {
		Deployment string `json:"deployment"`
		Label      string `json:"label"`
		Container  string `json:"container"`
		Type       string `json:"type"`
		Options    string `json:"options"`
	} `json:"pgbackrest"`
}

// createSchedule only writes down what shall be done: the lab has no scheduler.
func (s *Server) createSchedule(c *call) any {
	request := read[scheduleRequest](c)
	answer := results{Results: []string{}}
	if msg := s.checkNamespace(c, request.Namespace); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	if request.ScheduleType != "pgbackrest" {
		answer.Status = failed("the lab's stand-in of PGO does not model schedules of type " + request.ScheduleType)
		return answer
	}
	found, msg := s.named(c, request.Namespace, request.Selector, false, []string{request.ClusterName})
	if msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	for _, cluster := range found {
		name := fmt.Sprintf("%s-pgbackrest-%s", cluster.Name, request.PGBackRestType)
		entry := schedule{
			Version: "v1", Name: name, Created: s.Now().UTC().Format(metav1.RFC3339Micro), Schedule: request.Schedule,
			Namespace: cluster.Namespace, Type: request.ScheduleType, Cluster: cluster.Name,
		}
		entry.PGBackRest.Deployment, entry.PGBackRest.Container = cluster.Name, "database"
		entry.PGBackRest.Label = crv1.LabelCluster + "=" + cluster.Name + "," + crv1.LabelServiceName + "=" + cluster.Name
		entry.PGBackRest.Type, entry.PGBackRest.Options = request.PGBackRestType, request.ScheduleOptions
		text, err := json.Marshal(entry)
		if err == nil {
			_, err = s.Kube.CoreV1().ConfigMaps(cluster.Namespace).Create(c.Context(), &corev1.ConfigMap{
				ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: cluster.Namespace, Labels: map[string]string{
					crv1.LabelCluster: cluster.Name, crv1.LabelScheduler: "true",
				}},
				Data: map[string]string{name: string(text)},
			}, metav1.CreateOptions{})
		}
		if apierrors.IsAlreadyExists(err) {
			err = fmt.Errorf("schedule %s already exists for cluster %s", name, cluster.Name)
		}
		if err != nil {
			answer.Status = failed(err.Error())
			return answer
		}
		answer.Results = append(answer.Results, fmt.Sprintf("created schedule %s for cluster %s", name, cluster.Name))
	}
	answer.Status = ok("")
	return answer
}

// deleteSchedule takes one schedule away by its name, or all of a cluster.
func (s *Server) deleteSchedule(c *call) any {
	request := read[unscheduleRequest](c)
	answer := results{Results: []string{}}
	if msg := s.checkNamespace(c, request.Namespace); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	maps := s.Kube.CoreV1().ConfigMaps(request.Namespace)
	selector := crv1.LabelScheduler + "=true"
	if request.ClusterName != "" {
		selector += "," + crv1.LabelCluster + "=" + request.ClusterName
	}
	list, err := maps.List(c.Context(), metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		answer.Status = failed(err.Error())
		return answer
	}
	for i := range list.Items {
		name := list.Items[i].Name
		if request.ClusterName == "" && name != request.ScheduleName {
			continue
		}
		if err := maps.Delete(c.Context(), name, metav1.DeleteOptions{}); err != nil {
			answer.Status = failed(err.Error())
			return answer
		}
		answer.Results = append(answer.Results, "deleted schedule "+name)
	}
	answer.Status = ok("")
	return answer
}
