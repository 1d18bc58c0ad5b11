package pgcluster

import (
	"context"
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
