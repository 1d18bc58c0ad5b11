package pgo

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn/kube"
)

// place is a cluster's home: the operator that made it, or is to, and the
// namespace that holds its objects.
type place struct {
	driver    driver
	names     naming
	api       *api // nil while no apiserver is spoken to
	guessed   bool // the driver is one that the apiserver may still correct
	kube      *kube.Cluster
	namespace string
	name      string
	pace      time.Duration // between two looks, each of five small calls
}

// view is what can be seen of a cluster at one moment. The operator's own word
// is not enough: its states run ahead of the work (state "Processed" and
// spec.status "completed" come before there is a pod).
type view struct {
	names     *naming
	record    *record // nil: the operator knows no such cluster
	workloads []workload
	pods      []corev1.Pod
	jobs      []batchv1.Job // of the whole namespace: removals may lack the cluster's label
	service   *corev1.Service
	elected   string // Patroni's word on who leads; looked up only where the pods disagree
	hopeless  *kube.Hopeless
	name      string
}

func (p *place) selector() metav1.ListOptions {
	return metav1.ListOptions{LabelSelector: p.names.own.String()}
}

// look reads everything; judge asks for the verdict on pods as well.
func (p *place) look(ctx context.Context, judge bool) (*view, error) {
	v := &view{name: p.name, names: &p.names}
	var err error
	if v.record, err = p.driver.record(ctx); err != nil {
		return nil, err
	}
	err = p.objects(ctx, v, judge)
	if a, ok := p.driver.(amender); ok && err == nil {
		a.amend(v)
	}
	return v, err
}

func (p *place) objects(ctx context.Context, v *view, judge bool) error {
	client, failed := p.kube.Clientset(), func(what string, err error) error {
		return fmt.Errorf("list %s of cluster %s in %s: %w", what, p.name, p.namespace, err)
	}
	var err error
	if v.workloads, err = p.workloads(ctx); err != nil {
		return err
	}
	jobs, err := client.BatchV1().Jobs(p.namespace).List(ctx, metav1.ListOptions{LabelSelector: p.names.jobs})
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
	v.service, err = client.CoreV1().Services(p.namespace).Get(ctx, p.names.service, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		v.service, err = nil, nil
	}
	if err == nil && len(v.leaders()) > 1 {
		v.elected, err = p.elected(ctx)
	}
	return err
}

// elected is the member that Patroni's lease names.
func (p *place) elected(ctx context.Context) (string, error) {
	var meta metav1.Object
	var err error
	if p.names.endpoints {
		meta, err = p.kube.Clientset().CoreV1().Endpoints(p.namespace).Get(ctx, p.names.scope, metav1.GetOptions{})
	} else {
		meta, err = p.kube.Clientset().CoreV1().ConfigMaps(p.namespace).Get(ctx, p.names.scope+"-leader", metav1.GetOptions{})
	}
	if apierrors.IsNotFound(err) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("ask who leads cluster %s in %s: %w", p.name, p.namespace, err)
	}
	return meta.GetAnnotations()["leader"], nil
}

// patroni is the annotation "status" that Patroni keeps on its pod.
type patroni struct {
	ConnURL string `json:"conn_url"`
	State   string `json:"state"`
	Role    string `json:"role"`
}

// leads reads the role in the words of old and new versions of Patroni.
func (p patroni) leads() bool { return p.Role == "master" || p.Role == "primary" }

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
		if pod := &v.pods[i]; v.names.database.on(pod.Labels) && pod.DeletionTimestamp == nil {
			pods = append(pods, pod)
		}
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return pods
}

// leaders are the pods whose label says that they lead: one, or none while there
// is no leader, or more while a label is stale or the cluster is split.
func (v *view) leaders() []*corev1.Pod {
	var pods []*corev1.Pod
	for _, pod := range v.databases() {
		if pod.Labels[v.names.role] == v.names.leader {
			pods = append(pods, pod)
		}
	}
	return pods
}

// primary is the one pod that leads and serves; nil when there is none, or two.
// The label of a pod that is dead may be stale: then Patroni's lease decides.
func (v *view) primary() *corev1.Pod {
	leaders := v.leaders()
	if len(leaders) > 1 {
		leaders = slices.DeleteFunc(leaders, func(pod *corev1.Pod) bool { return pod.Name != v.elected && !kube.Ready(pod) })
	}
	if len(leaders) != 1 || !kube.Ready(leaders[0]) {
		return nil
	}
	if p := patroniOf(leaders[0]); p.State != "running" || !p.leads() {
		return nil
	}
	return leaders[0]
}

// following are the replicas that follow.
func (v *view) following() []*corev1.Pod {
	var pods []*corev1.Pod
	for _, pod := range v.databases() {
		if pod.Labels[v.names.role] == v.names.replica && kube.Ready(pod) && patroniOf(pod).State == "running" {
			pods = append(pods, pod)
		}
	}
	return pods
}

func (v *view) standbys() int { return len(v.following()) }

// available reports that the Deployment of the primary is.
func (v *view) available() bool {
	leader := v.primary()
	if leader == nil || v.record.serving != nil && *v.record.serving == 0 {
		return false
	}
	w := v.workload(leader.Labels[v.names.workload])
	return w != nil && w.available
}

func (v *view) job(is func(*batchv1.Job) bool) *batchv1.Job {
	for i := range v.jobs {
		if is != nil && is(&v.jobs[i]) {
			return &v.jobs[i]
		}
	}
	return nil
}

// jobText names the Job that is waited for.
func (v *view) jobText(is func(*batchv1.Job) bool) string {
	if j := v.job(is); j != nil {
		return " (Job " + j.Name + ")"
	}
	return ""
}

func (v *view) stanza() bool { return v.record.stanza || v.backedUp() || done(v.job(v.names.stanza)) }

// backedUp reports the first backup. The operator says so after it, and then
// the Jobs that led there may be tidied away.
func (v *view) backedUp() bool {
	return v.record != nil && (v.record.initialized || v.record.backup) ||
		done(v.job(v.names.backup)) && (v.names.stanza == nil || done(v.job(v.names.stanza)))
}

// brokenJob is a Job of the start that failed for good.
func (v *view) brokenJob() *batchv1.Job {
	for _, is := range []func(*batchv1.Job) bool{v.names.stanza, v.names.backup} {
		if j := v.job(is); j != nil && failed(j) && !v.backedUp() {
			return j
		}
	}
	return nil
}

// removal is the Job that takes the cluster away, while it runs or when it
// failed.
func (v *view) removal() *batchv1.Job {
	return v.job(func(j *batchv1.Job) bool { return v.names.removes(j) && !done(j) })
}

// leaving reports that the cluster is on its way out.
func (v *view) leaving() bool { return v.removal() != nil || v.record != nil && v.record.leaving }

func done(j *batchv1.Job) bool { return j != nil && j.Status.Succeeded > 0 }

// failed reports that a Job will not be tried again.
func failed(j *batchv1.Job) bool {
	for _, c := range j.Status.Conditions {
		if c.Type == batchv1.JobFailed && c.Status == corev1.ConditionTrue {
			return true
		}
	}
	once := j.Spec.BackoffLimit == nil || *j.Spec.BackoffLimit == 0
	return once && j.Status.Failed > 0 && j.Status.Active == 0 && !done(j)
}
