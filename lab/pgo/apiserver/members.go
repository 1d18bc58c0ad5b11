package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

// memberDetail is one replica, as Patroni's list of members has it.
type memberDetail struct {
	Name           string
	Node           string
	ReplicationLag int // megabytes
	Status         string
	Timeline       int
}

// targetDetail is the same replica as a target of a failover. The order of the keys is the original's.
type targetDetail struct {
	Name           string
	Node           string
	PreferredNode  bool
	ReplicationLag int
	Status         string
	Timeline       int
}

type membersAnswer struct {
	Results []memberDetail
	Status
}

type targetsAnswer struct {
	Results []targetDetail
	Status
}

// queryScale lists the replicas that could be taken away.
func (s *Server) queryScale(c *call) any {
	answer := membersAnswer{Results: []memberDetail{}}
	found, msg := s.queryMembers(c)
	if msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	answer.Results = append(answer.Results, found...)
	answer.Status = ok("")
	return answer
}

// queryFailover lists the replicas that could become the primary.
func (s *Server) queryFailover(c *call) any {
	answer := targetsAnswer{Results: []targetDetail{}}
	found, msg := s.queryMembers(c)
	if msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	for _, m := range found {
		answer.Results = append(answer.Results, targetDetail{
			Name: m.Name, Node: m.Node, ReplicationLag: m.ReplicationLag, Status: m.Status, Timeline: m.Timeline,
		})
	}
	answer.Status = ok("")
	return answer
}

func (s *Server) queryMembers(c *call) ([]memberDetail, string) {
	query := c.URL.Query()
	if msg := s.check(c, query.Get("version"), query.Get("namespace")); msg != "" {
		return nil, msg
	}
	cluster, err := s.clusters().Get(c.Context(), query.Get("namespace"), c.PathValue("name"))
	if err != nil {
		return nil, err.Error()
	}
	members, err := s.members(c.Context(), cluster)
	if err != nil {
		return nil, err.Error()
	}
	return members, ""
}

// deploymentOfPod finds the Deployment in the name of a pod. It wants ten characters of hash, as the original does:
// Kubernetes also makes shorter ones, and such a replica comes back without a name.
var deploymentOfPod = regexp.MustCompile(`^(.+)-[a-z0-9]{10}-[a-z0-9]{5}$`)

// members asks Patroni in the pod of a replica; of a cluster without replicas there is nothing to tell.
func (s *Server) members(ctx context.Context, cluster *crv1.Cluster) ([]memberDetail, error) {
	pods, err := s.Kube.CoreV1().Pods(cluster.Namespace).List(ctx, metav1.ListOptions{
		LabelSelector: crv1.LabelCluster + "=" + cluster.Name + "," + crv1.LabelRole + "=replica",
	})
	if err != nil || len(pods.Items) == 0 {
		return nil, err
	}
	nodes := map[string]string{}
	for i := range pods.Items {
		nodes[pods.Items[i].Name] = pods.Items[i].Spec.NodeName
	}
	list, err := s.patroniMembers(ctx, pods.Items[0].Status.PodIP)
	if err != nil {
		return nil, err
	}
	var out []memberDetail
	for _, m := range list {
		if m.Role == "leader" || m.Role == "master" {
			continue
		}
		name := ""
		if parts := deploymentOfPod.FindStringSubmatch(m.Name); parts != nil {
			name = parts[1]
		}
		lag, _ := strconv.Atoi(m.Lag.String()) // Patroni says "unknown" where it does not know
		out = append(out, memberDetail{
			Name: name, Node: nodes[m.Name], ReplicationLag: lag >> 20, Status: m.State, Timeline: m.Timeline,
		})
	}
	return out, nil
}

type patroniMember struct {
	Name, Role, State string
	Timeline          int
	Lag               lag
}

// lag is a number of bytes, or a word.
type lag string

func (l *lag) UnmarshalJSON(text []byte) error {
	*l = lag(text)
	return nil
}

func (l lag) String() string { return string(l) }

func (s *Server) patroniMembers(ctx context.Context, podIP string) ([]patroniMember, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+podIP+":8009/cluster", nil)
	if err != nil {
		return nil, err
	}
	response, err := s.HTTP.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer struct{ Members []patroniMember }
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, fmt.Errorf("members by Patroni at %s: %w", podIP, err)
	}
	return answer.Members, nil
}

// scaleDown takes one replica away, on a GET. The work is done by a Job.
func (s *Server) scaleDown(c *call) any {
	query := c.URL.Query()
	answer := results{Results: []string{}}
	if msg := s.check(c, query.Get("version"), query.Get("namespace")); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	deleteData, err := strconv.ParseBool(query.Get("delete-data"))
	if err != nil {
		answer.Status = failed(err.Error())
		return answer
	}
	cluster, err := s.clusters().Get(c.Context(), query.Get("namespace"), c.PathValue("name"))
	if err != nil {
		answer.Status = failed(err.Error())
		return answer
	}
	replica, err := s.replicas().Get(c.Context(), cluster.Namespace, query.Get("replica-name"))
	if err != nil || replica.Spec.ClusterName != cluster.Name {
		answer.Status = failed("replica " + query.Get("replica-name") + " not found for cluster " + cluster.Name)
		return answer
	}
	task := s.newTask(c, cluster, crv1.RemoveTask(replica.Name), crv1.TaskDeleteData, map[string]string{
		crv1.LabelCluster: cluster.Name, crv1.LabelReplicaName: replica.Name,
		"delete-data": strconv.FormatBool(deleteData), "delete-backups": "false", "is-replica": "true",
	})
	if err := s.tasks().Create(c.Context(), cluster.Namespace, task); err != nil {
		answer.Status = failed(err.Error())
		return answer
	}
	answer.Results = append(answer.Results, "deleted Pgreplica "+replica.Name)
	answer.Status = ok("")
	return answer
}
