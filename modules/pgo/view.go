package pgo

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn/kube"
)

// place is a cluster's home: the operator that made it and the namespace that
// holds its objects.
type place struct {
	api       *api
	kube      *kube.Cluster
	namespace string
	name      string
	pace      time.Duration // between two looks, each of four small calls
}

// view is what can be seen of a cluster at one moment. The operator's own word
// is not enough: its states run ahead of the work (state "Processed" and
// spec.status "completed" come before there is a pod).
type view struct {
	found       *found // nil: the operator knows no such cluster
	deployments []appsv1.Deployment
	pods        []corev1.Pod
	jobs        []batchv1.Job // of the whole namespace: removals may lack the cluster's label
	service     *corev1.Service
	hopeless    *kube.Hopeless
	name        string
}

func (p *place) selector() metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: "pg-cluster=" + p.name}
}

// look reads everything; judge asks for the verdict on pods as well.
func (p *place) look(ctx context.Context, judge bool) (*view, error) {
	v := &view{name: p.name}
	var err error
	if v.found, err = p.api.show(ctx, p.namespace, p.name); err != nil {
		return nil, err
	}
	return v, p.objects(ctx, v, judge)
}

func (p *place) objects(ctx context.Context, v *view, judge bool) error {
	client, failed := p.kube.Clientset(), func(what string, err error) error {
		return fmt.Errorf("list %s of cluster %s in %s: %w", what, p.name, p.namespace, err)
	}
	deployments, err := client.AppsV1().Deployments(p.namespace).List(ctx, p.selector())
	if err != nil {
		return failed("deployments", err)
	}
	v.deployments = deployments.Items
	jobs, err := client.BatchV1().Jobs(p.namespace).List(ctx, metav1.ListOptions{LabelSelector: "vendor=crunchydata"})
	if err != nil {
		return failed("jobs", err)
	}
	v.jobs = jobs.Items
	if judge {
		v.pods, v.hopeless, err = p.kube.Examine(ctx, p.namespace, p.selector().LabelSelector)
	} else {
		var pods *corev1.PodList
		if pods, err = client.CoreV1().Pods(p.namespace).List(ctx, p.selector()); err == nil {
			v.pods = pods.Items
		}
	}
	if err != nil {
		return failed("pods", err)
	}
	v.service, err = client.CoreV1().Services(p.namespace).Get(ctx, p.name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		v.service, err = nil, nil
	}
	return err
}

// patroni is the annotation "status" that Patroni keeps on its pod.
type patroni struct {
	ConnURL string `json:"conn_url"`
	State   string `json:"state"`
	Role    string `json:"role"`
	Version string `json:"version"`
}

func patroniOf(pod *corev1.Pod) patroni {
	var p patroni
	_ = json.Unmarshal([]byte(pod.Annotations["status"]), &p) // none yet, or half of one: not running
	return p
}

// databases are the pods that hold the database, without the repository's and
// those of Jobs.
func (v *view) databases() []*corev1.Pod {
	var pods []*corev1.Pod
	for i := range v.pods {
		if pod := &v.pods[i]; pod.Labels["pgo-pg-database"] == "true" && pod.DeletionTimestamp == nil {
			pods = append(pods, pod)
		}
	}
	return pods
}

// primary is the one pod that leads and serves; nil when there is none, or two.
func (v *view) primary() *corev1.Pod {
	var leader *corev1.Pod
	for _, pod := range v.databases() {
		if pod.Labels["role"] != "master" {
			continue
		}
		if leader != nil {
			return nil
		}
		leader = pod
	}
	if leader == nil || !kube.Ready(leader) {
		return nil
	}
	if p := patroniOf(leader); p.State != "running" || p.Role != "master" {
		return nil
	}
	return leader
}

// standbys counts the replicas that follow.
func (v *view) standbys() int {
	n := 0
	for _, pod := range v.databases() {
		if pod.Labels["role"] == "replica" && kube.Ready(pod) && patroniOf(pod).State == "running" {
			n++
		}
	}
	return n
}

// available reports that the Deployment of the primary is.
func (v *view) available() bool {
	leader := v.primary()
	if leader == nil {
		return false
	}
	d := v.deployment(leader.Labels["deployment-name"])
	return d != nil && d.Status.AvailableReplicas > 0 && d.Status.ObservedGeneration >= d.Generation
}

func (v *view) deployment(name string) *appsv1.Deployment {
	for i := range v.deployments {
		if v.deployments[i].Name == name {
			return &v.deployments[i]
		}
	}
	return nil
}

func (v *view) job(name string) *batchv1.Job {
	for i := range v.jobs {
		if v.jobs[i].Name == name {
			return &v.jobs[i]
		}
	}
	return nil
}

// backedUp reports the first backup. The operator says "Initialized" after it,
// and then the Jobs that led there may be tidied away.
func (v *view) backedUp() bool {
	if v.found != nil && v.found.Cluster.Status.State == "pgcluster Initialized" {
		return true
	}
	return done(v.job(v.name+"-stanza-create")) && done(v.job("backrest-backup-"+v.name))
}

// brokenJob is a Job of the start that failed: the operator never repeats it.
func (v *view) brokenJob() *batchv1.Job {
	for _, name := range []string{v.name + "-stanza-create", "backrest-backup-" + v.name} {
		if j := v.job(name); j != nil && j.Status.Failed > 0 && !done(j) && !v.backedUp() {
			return j
		}
	}
	return nil
}

// removal is the Job that takes the cluster away, while it runs or when it
// failed.
func (v *view) removal() *batchv1.Job {
	for i := range v.jobs {
		if j := &v.jobs[i]; strings.HasPrefix(j.Name, v.name+"-rmdata-") && !done(j) {
			return j
		}
	}
	return nil
}

func done(j *batchv1.Job) bool { return j != nil && j.Status.Succeeded > 0 }

// database is the status of the pod's database container; the zero status
// before there is one.
func database(pod *corev1.Pod) corev1.ContainerStatus {
	for _, s := range pod.Status.ContainerStatuses {
		if s.Name == "database" {
			return s
		}
	}
	return corev1.ContainerStatus{}
}
