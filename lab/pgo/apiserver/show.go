package apiserver

import (
	"context"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

// find returns the clusters a request means: all, by selector, or by name. An unknown name is an empty list.
func (s *Server) find(ctx context.Context, namespace, name, selector string, all bool) ([]*crv1.Cluster, error) {
	switch {
	case all || name == "all":
		selector = ""
	case selector == "":
		selector = crv1.LabelName + "=" + name
	}
	return s.clusters().List(ctx, namespace, selector)
}

func (s *Server) showClusters(c *call) any {
	request := read[showRequest](c)
	answer := showAnswer{Results: []clusterDetail{}}
	if msg := s.check(c, request.ClientVersion, request.Namespace); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	found, err := s.find(c.Context(), request.Namespace, request.Clustername, request.Selector, request.AllFlag)
	if err != nil {
		answer.Status = failed(err.Error())
		return answer
	}
	for _, cluster := range found {
		if request.CCPImageTag != "" && request.CCPImageTag != cluster.Spec.CCPImageTag {
			continue
		}
		detail, err := s.describe(c.Context(), cluster)
		if err != nil {
			answer.Status = failed(err.Error())
			return answer
		}
		answer.Results = append(answer.Results, detail)
	}
	answer.Status = ok("")
	return answer
}

func (s *Server) describe(ctx context.Context, cluster *crv1.Cluster) (clusterDetail, error) {
	detail := clusterDetail{
		Cluster: *cluster, Deployments: []deploymentDetail{}, Pods: []podDetail{},
		Services: []serviceDetail{}, Replicas: []replicaDetail{},
	}
	detail.Cluster.TypeMeta = metav1.TypeMeta{Kind: "Pgcluster", APIVersion: crv1.Group + "/" + crv1.Version}
	byCluster := metav1.ListOptions{LabelSelector: crv1.LabelCluster + "=" + cluster.Name}
	deployments, err := s.Kube.AppsV1().Deployments(cluster.Namespace).List(ctx, byCluster)
	if err != nil {
		return detail, err
	}
	slices.SortFunc(deployments.Items, func(a, b appsv1.Deployment) int { return strings.Compare(a.Name, b.Name) })
	for i := range deployments.Items {
		detail.Deployments = append(detail.Deployments,
			deploymentDetail{Name: deployments.Items[i].Name, PolicyLabels: []string{}})
	}
	pods, err := s.databasePods(ctx, cluster.Namespace, cluster.Name)
	if err != nil {
		return detail, err
	}
	for i := range pods {
		detail.Pods = append(detail.Pods, describePod(&pods[i]))
	}
	services, err := s.databaseServices(ctx, cluster.Namespace, cluster.Name)
	if err != nil {
		return detail, err
	}
	for i := range services {
		detail.Services = append(detail.Services,
			serviceDetail{Name: services[i].Name, ClusterIP: services[i].Spec.ClusterIP})
	}
	replicas, err := s.replicas().List(ctx, cluster.Namespace, byCluster.LabelSelector)
	if err != nil {
		return detail, err
	}
	for _, r := range replicas {
		detail.Replicas = append(detail.Replicas, replicaDetail{Name: r.Name})
	}
	return detail, nil
}

// databasePods leaves out the repository and the Jobs.
func (s *Server) databasePods(ctx context.Context, namespace, cluster string) ([]corev1.Pod, error) {
	list, err := s.Kube.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{
		LabelSelector: crv1.LabelCluster + "=" + cluster + ",pgo-pg-database=true",
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return list.Items, nil
}

func (s *Server) databaseServices(ctx context.Context, namespace, cluster string) ([]corev1.Service, error) {
	list, err := s.Kube.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{
		LabelSelector: crv1.LabelCluster + "=" + cluster + ",!" + crv1.LabelRepo,
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list.Items, func(a, b corev1.Service) int { return strings.Compare(a.Name, b.Name) })
	return list.Items, nil
}

func describePod(pod *corev1.Pod) podDetail {
	kind := podType(pod)
	ready, total := 0, len(pod.Status.ContainerStatuses)
	for _, c := range pod.Status.ContainerStatuses {
		if c.Ready {
			ready++
		}
	}
	claims := map[string]string{}
	for _, v := range pod.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			claims[v.Name] = v.PersistentVolumeClaim.ClaimName
		}
	}
	return podDetail{
		Name: pod.Name, Phase: string(pod.Status.Phase), NodeName: pod.Spec.NodeName, PVCName: claims,
		ReadyStatus: fmt.Sprintf("%d/%d", ready, total), Ready: total > 0 && ready == total,
		Primary: kind == "primary", Type: kind,
	}
}

func podType(pod *corev1.Pod) string {
	switch pod.Labels[crv1.LabelRole] {
	case "master":
		return "primary"
	case "replica":
		return "replica"
	}
	return "unknown"
}

// testClusters is not a test of the database: an instance counts when its containers are ready, and a service counts
// unless its Endpoints have addresses of which none is ready. A cluster without primary can thus look up.
func (s *Server) testClusters(c *call) any {
	request := read[showRequest](c)
	answer := testAnswer{Results: []testResult{}}
	if msg := s.check(c, request.ClientVersion, request.Namespace); msg != "" {
		answer.Status = failed(msg)
		return answer
	}
	found, err := s.find(c.Context(), request.Namespace, request.Clustername, request.Selector, request.AllFlag)
	if err != nil {
		answer.Status = failed(err.Error())
		return answer
	}
	for _, cluster := range found {
		result, err := s.testCluster(c.Context(), cluster)
		if err != nil {
			answer.Status = failed(err.Error())
			return answer
		}
		answer.Results = append(answer.Results, result)
	}
	answer.Status = ok("")
	return answer
}

func (s *Server) testCluster(ctx context.Context, cluster *crv1.Cluster) (testResult, error) {
	result := testResult{ClusterName: cluster.Name, Endpoints: []testDetail{}, Instances: []testDetail{}}
	pods, err := s.databasePods(ctx, cluster.Namespace, cluster.Name)
	if err != nil {
		return result, err
	}
	if len(pods) == 0 {
		result.Instances = append(result.Instances, testDetail{InstanceType: "primary"})
		return result, nil
	}
	for i := range pods {
		pod := describePod(&pods[i])
		result.Instances = append(result.Instances,
			testDetail{Available: pod.Ready, Message: pod.Name, InstanceType: pod.Type})
	}
	services, err := s.databaseServices(ctx, cluster.Namespace, cluster.Name)
	if err != nil {
		return result, err
	}
	for i := range services {
		detail, err := s.testService(ctx, &services[i])
		if err != nil {
			return result, err
		}
		result.Endpoints = append(result.Endpoints, detail)
	}
	return result, nil
}

func (s *Server) testService(ctx context.Context, service *corev1.Service) (testDetail, error) {
	detail := testDetail{Available: true, InstanceType: "primary"}
	if strings.Contains(service.Name, "replica") {
		detail.InstanceType = "replica"
	}
	detail.Message = fmt.Sprintf("%s:%d", service.Spec.ClusterIP, service.Spec.Ports[0].Port)
	endpoints, err := s.Kube.CoreV1().Endpoints(service.Namespace).Get(ctx, service.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		detail.Available = false
		return detail, nil
	}
	if err != nil {
		return detail, err
	}
	for _, subset := range endpoints.Subsets {
		if len(subset.NotReadyAddresses) > 0 && len(subset.Addresses) == 0 {
			detail.Available = false
		}
	}
	return detail, nil
}
