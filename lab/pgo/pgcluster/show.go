package pgcluster

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/lab/pgo/apiserver"
	"github.com/adbsql/antdbctl/lab/pgo/crv1"
)

type showRequest struct {
	Clustername, Selector, CCPImageTag, ClientVersion, Namespace string
	AllFlag                                                      bool
}

type clusterDetail struct {
	Cluster     Cluster `json:"cluster"`
	Deployments []deploymentDetail
	Pods        []podDetail
	Services    []serviceDetail
	Replicas    []replicaDetail
	Standby     bool
}

type deploymentDetail struct {
	Name         string
	PolicyLabels []string
}

type podDetail struct {
	Name        string
	Phase       string
	NodeName    string
	PVC         []claimDetail
	ReadyStatus string
	Ready       bool
	Primary     bool
	Type        string
}

type claimDetail struct{ Capacity, Name string }

type serviceDetail struct {
	Name         string
	Data         string
	ClusterIP    string
	ClusterPorts []string
	ExternalIP   string
	ClusterName  string
	Pgbouncer    bool
	BackrestRepo bool
	PGAdmin      bool
}

type replicaDetail struct{ Name string }

func (a *API) showClusters(c *apiserver.Call) any {
	answer := struct {
		Results []clusterDetail
		apiserver.Status
	}{Results: []clusterDetail{}, Status: ok()}
	msg := a.each(c, func(cluster *Cluster) error {
		detail, err := a.describe(c.Context(), cluster)
		answer.Results = append(answer.Results, detail)
		return err
	})
	if msg != "" {
		answer.Status = failed(msg)
	}
	return answer
}

// each goes over the clusters that a request to show or to test means. None is no error.
func (a *API) each(c *apiserver.Call, do func(*Cluster) error) string {
	request := apiserver.Read[showRequest](c)
	if msg := a.check(c, request.ClientVersion, request.Namespace); msg != "" {
		return msg
	}
	found, err := a.find(c.Context(), request.Namespace, request.Clustername, request.Selector, request.AllFlag)
	if err != nil {
		return err.Error()
	}
	for _, cluster := range found {
		if request.CCPImageTag != "" && request.CCPImageTag != cluster.Spec.CCPImageTag {
			continue
		}
		if err := do(cluster); err != nil {
			return err.Error()
		}
	}
	return ""
}

func (a *API) describe(ctx context.Context, cluster *Cluster) (clusterDetail, error) {
	detail := clusterDetail{
		Cluster: *cluster, Deployments: []deploymentDetail{}, Pods: []podDetail{}, Services: []serviceDetail{}, Replicas: []replicaDetail{},
	}
	detail.Cluster.TypeMeta = metav1.TypeMeta{Kind: "Pgcluster", APIVersion: crv1.Group + "/" + crv1.Version}
	of := metav1.ListOptions{LabelSelector: crv1.LabelCluster + "=" + cluster.Name}
	deployments, err := a.Server.Kube.AppsV1().Deployments(cluster.Namespace).List(ctx, of)
	if err != nil {
		return detail, err
	}
	slices.SortFunc(deployments.Items, func(x, y appsv1.Deployment) int { return strings.Compare(x.Name, y.Name) })
	for i := range deployments.Items {
		detail.Deployments = append(detail.Deployments, deploymentDetail{deployments.Items[i].Name, []string{}})
	}
	pods, err := a.pods(ctx, cluster)
	if err != nil {
		return detail, err
	}
	for i := range pods {
		described, err := a.describePod(ctx, &pods[i])
		if err != nil {
			return detail, err
		}
		detail.Pods = append(detail.Pods, described)
	}
	services, err := a.services(ctx, cluster)
	if err != nil {
		return detail, err
	}
	for i := range services {
		var ports []string
		for _, p := range services[i].Spec.Ports {
			ports = append(ports, fmt.Sprintf("%d/%s", p.Port, p.Protocol))
		}
		detail.Services = append(detail.Services, serviceDetail{Name: services[i].Name, ClusterIP: services[i].Spec.ClusterIP, ClusterPorts: ports})
	}
	replicas, err := a.replicas().List(ctx, cluster.Namespace, of.LabelSelector)
	for _, r := range replicas {
		detail.Replicas = append(detail.Replicas, replicaDetail{r.Name})
	}
	return detail, err
}

// pods leaves out the repository and the Jobs.
func (a *API) pods(ctx context.Context, cluster *Cluster) ([]corev1.Pod, error) {
	list, err := a.Server.Kube.CoreV1().Pods(cluster.Namespace).
		List(ctx, metav1.ListOptions{LabelSelector: crv1.LabelCluster + "=" + cluster.Name + ",pgo-pg-database=true"})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list.Items, func(x, y corev1.Pod) int { return strings.Compare(x.Name, y.Name) })
	return list.Items, nil
}

func (a *API) services(ctx context.Context, cluster *Cluster) ([]corev1.Service, error) {
	list, err := a.Server.Kube.CoreV1().Services(cluster.Namespace).
		List(ctx, metav1.ListOptions{LabelSelector: crv1.LabelCluster + "=" + cluster.Name + ",!" + crv1.LabelRepo})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list.Items, func(x, y corev1.Service) int { return strings.Compare(x.Name, y.Name) })
	return list.Items, nil
}

func (a *API) describePod(ctx context.Context, pod *corev1.Pod) (podDetail, error) {
	kind := map[string]string{"master": "primary", "replica": "replica"}[pod.Labels[crv1.LabelRole]]
	if kind == "" {
		kind = "unknown"
	}
	ready, total := 0, len(pod.Status.ContainerStatuses)
	for _, s := range pod.Status.ContainerStatuses {
		if s.Ready {
			ready++
		}
	}
	detail := podDetail{
		Name: pod.Name, Phase: string(pod.Status.Phase), NodeName: pod.Spec.NodeName, PVC: []claimDetail{},
		ReadyStatus: fmt.Sprintf("%d/%d", ready, total), Ready: total > 0 && ready == total, Primary: kind == "primary", Type: kind,
	}
	for _, v := range pod.Spec.Volumes {
		if v.PersistentVolumeClaim == nil {
			continue
		}
		claim, err := a.Server.Kube.CoreV1().PersistentVolumeClaims(pod.Namespace).Get(ctx, v.PersistentVolumeClaim.ClaimName, metav1.GetOptions{})
		if err != nil {
			return detail, err
		}
		capacity := claim.Status.Capacity[corev1.ResourceStorage]
		detail.PVC = append(detail.PVC, claimDetail{capacity.String(), claim.Name})
	}
	return detail, nil
}

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
