package apiserver

import (
	"encoding/json"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

// autofail is what a client says of the automatic failover: a number (0 nothing, 1 on, 2 off) or a truth value.
type autofail struct{ set, on bool }

func (a *autofail) UnmarshalJSON(text []byte) error {
	switch string(text) {
	case "1", "true":
		*a = autofail{set: true, on: true}
	case "2", "false":
		*a = autofail{set: true}
	case "0", "null":
		*a = autofail{}
	default:
		return &json.UnmarshalTypeError{Value: string(text)}
	}
	return nil
}

type updateRequest struct {
	Clustername                        []string
	Selector, ClientVersion, Namespace string
	AllFlag                            bool
	Autofail                           autofail
}

// updateClusters switches the automatic failover; nothing else can be updated in place by this call.
func (s *Server) updateClusters(c *call) any {
	request := read[updateRequest](c)
	answer := results{Results: []string{}}
	if msg := s.check(c, request.ClientVersion, request.Namespace); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	found, msg := s.named(c, request.Namespace, request.Selector, request.AllFlag, request.Clustername)
	if msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	for _, cluster := range found {
		if request.Autofail.set {
			if err := s.setAutofail(c, cluster, request.Autofail.on); err != nil {
				answer.Status = failed(err.Error())
				return answer
			}
		}
		answer.Results = append(answer.Results, "updated pgcluster "+cluster.Name)
	}
	answer.Status = ok("")
	return answer
}

func (s *Server) setAutofail(c *call, cluster *crv1.Cluster, on bool) error {
	labels := map[string]string{crv1.LabelAutofail: strconv.FormatBool(on)}
	patch := map[string]any{"metadata": map[string]any{"labels": labels}}
	if err := s.clusters().Patch(c.Context(), cluster.Namespace, cluster.Name, patch); err != nil {
		return err
	}
	return crv1.PauseFailover(c.Context(), s.Kube, cluster.Namespace, cluster.Name, !on)
}

// named returns the clusters of a list of names; all of them must be there.
func (s *Server) named(c *call, namespace, selector string, all bool, names []string) ([]*crv1.Cluster, string) {
	if all || selector != "" {
		found, err := s.find(c.Context(), namespace, "", selector, all)
		if err != nil {
			return nil, err.Error()
		}
		if len(found) == 0 {
			return nil, "no clusters found"
		}
		return found, ""
	}
	var out []*crv1.Cluster
	for _, name := range names {
		cluster, err := s.clusters().Get(c.Context(), namespace, name)
		if err != nil {
			return nil, err.Error()
		}
		out = append(out, cluster)
	}
	if len(out) == 0 {
		return nil, "no clusters found"
	}
	return out, ""
}

type upgradeRequest struct {
	Args                                            []string
	Selector, Namespace, CCPImageTag, ClientVersion string
}

// upgradeClusters asks for another tag of the database image. That the image is there nobody looks at.
func (s *Server) upgradeClusters(c *call) any {
	request := read[upgradeRequest](c)
	answer := results{Results: []string{}}
	if msg := s.check(c, request.ClientVersion, request.Namespace); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	found, msg := s.named(c, request.Namespace, request.Selector, false, request.Args)
	if msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	for _, cluster := range found {
		tag := or(request.CCPImageTag, s.Settings.ImageTag)
		if tag == cluster.Spec.CCPImageTag {
			answer.Status = failed("can't upgrade to the same image tag")
			return answer
		}
		task := s.newTask(c, cluster, crv1.UpgradeTask(cluster.Name), crv1.TaskUpgrade,
			map[string]string{crv1.LabelCluster: cluster.Name, "ccp-image-tag": tag})
		err := s.tasks().Delete(c.Context(), cluster.Namespace, task.Name) // of an earlier upgrade
		if err == nil || apierrors.IsNotFound(err) {
			err = s.tasks().Create(c.Context(), cluster.Namespace, task)
		}
		if err != nil {
			answer.Status = failed(err.Error())
			return answer
		}
		answer.Results = append(answer.Results, "created minor upgrade task for "+cluster.Name)
	}
	answer.Status = ok("")
	return answer
}
