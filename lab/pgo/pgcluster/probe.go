package pgcluster

import (
	"context"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/apiserver"
)

type testDetail struct {
	Available    bool
	Message      string
	InstanceType string
}

type testResult struct {
	ClusterName string
	Endpoints   []testDetail
	Instances   []testDetail
}

// testClusters is not a test of the database: it counts ready containers and Endpoints.
func (a *API) testClusters(c *apiserver.Call) any {
	answer := struct {
		Results []testResult
		apiserver.Status
	}{Results: []testResult{}, Status: ok()}
	msg := a.each(c, func(cluster *Cluster) error {
		result, err := a.test(c.Context(), cluster)
		answer.Results = append(answer.Results, result)
		return err
	})
	if msg != "" {
		answer.Status = failed(msg)
	}
	return answer
}

func (a *API) test(ctx context.Context, cluster *Cluster) (testResult, error) {
	result := testResult{ClusterName: cluster.Name, Endpoints: []testDetail{}, Instances: []testDetail{}}
	pods, err := a.pods(ctx, cluster)
	if err != nil {
		return result, err
	}
	if len(pods) == 0 {
		result.Instances = append(result.Instances, testDetail{InstanceType: "primary"})
		return result, nil
	}
	for i := range pods {
		pod, err := a.describePod(ctx, &pods[i])
		if err != nil {
			return result, err
		}
		result.Instances = append(result.Instances, testDetail{pod.Ready, pod.Name, pod.Type})
	}
	services, err := a.services(ctx, cluster)
	if err != nil {
		return result, err
	}
	for i := range services {
		s := &services[i]
		detail := testDetail{Available: true, InstanceType: "primary"}
		if strings.HasSuffix(s.Name, "-replica") {
			detail.InstanceType = "replica"
		}
		port := s.Spec.Ports[len(s.Spec.Ports)-1].Port
		detail.Message = fmt.Sprintf("%s:%d", s.Spec.ClusterIP, port)
		endpoints, err := a.Server.Kube.CoreV1().Endpoints(s.Namespace).Get(ctx, s.Name, metav1.GetOptions{})
		if err != nil {
			if !isMissing(err) {
				return result, err
			}
			detail.Available = false
		} else {
			for _, subset := range endpoints.Subsets {
				detail.Available = detail.Available && (len(subset.NotReadyAddresses) == 0 || len(subset.Addresses) > 0)
			}
		}
		result.Endpoints = append(result.Endpoints, detail)
	}
	return result, nil
}
