package backup

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/adbsql/antdbctl/engine/module"
)

var (
	pgclusters = schema.GroupVersionResource{Group: "crunchydata.com", Version: "v1", Resource: "pgclusters"}
	pgtasks    = schema.GroupVersionResource{Group: "crunchydata.com", Version: "v1", Resource: "pgtasks"}
	// v1beta1 is served by PGO 5 and 6 alike.
	postgresClusters = schema.GroupVersionResource{Group: "postgres-operator.crunchydata.com", Version: "v1beta1", Resource: "postgresclusters"}
)

// operator is who keeps a cluster, by its record of it.
type operator struct {
	modern bool // PGO 5 or 6
	record *unstructured.Unstructured
}

// operator finds the record of the cluster; nil where no operator has one.
func (p *place) operator(ctx context.Context) (*operator, error) {
	for _, kind := range []schema.GroupVersionResource{pgclusters, postgresClusters} {
		record, err := p.objects(kind).Get(ctx, p.cluster, metav1.GetOptions{})
		switch {
		case err == nil:
			return &operator{modern: kind == postgresClusters, record: record}, nil
		case !apierrors.IsNotFound(err): // which is said of an unknown kind as well
			return nil, fmt.Errorf("read the operator's record of cluster %s: %w", p.cluster, err)
		}
	}
	return nil, nil
}

func (p *place) objects(kind schema.GroupVersionResource) dynamic.ResourceInterface {
	return p.kube.Dynamic().Resource(kind).Namespace(p.namespace)
}

// followJob waits for a Job that an operator makes, until it is complete. find
// picks it among the namespace's Jobs with the labels; nil until it is there.
func (p *place) followJob(ctx context.Context, env *module.Env, selector string, find func([]batchv1.Job) *batchv1.Job) error {
	said := ""
	tell := func(text string) {
		if text != said {
			env.Logf("%s", text)
			said = text
		}
	}
	for {
		list, err := p.kube.Clientset().BatchV1().Jobs(p.namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			return fmt.Errorf("list the backup jobs of %s: %w", p.cluster, err)
		}
		switch job := find(list.Items); {
		case job == nil:
			tell("waiting for the operator to make the job")
		case ended(job, batchv1.JobComplete):
			return nil
		case ended(job, batchv1.JobFailed), job.Status.Failed > 1:
			return p.jobFailed(ctx, job)
		default:
			tell(fmt.Sprintf("job %s: %d running, %d failed", job.Name, job.Status.Active, job.Status.Failed))
		}
		if err := pause(ctx); err != nil {
			return fmt.Errorf("%w; %s", err, said)
		}
	}
}

func ended(job *batchv1.Job, how batchv1.JobConditionType) bool {
	return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
		return c.Type == how && c.Status == corev1.ConditionTrue
	})
}

// jobFailed explains a failed Job by what its pods have logged.
func (p *place) jobFailed(ctx context.Context, job *batchv1.Job) error {
	log := p.jobLog(ctx, job.Name)
	cause, remedy, evidence := p.diagnose(ctx, log)
	cause = cmp.Or(cause, lastLine(log), failure(job), "its pods have left no log")
	switch {
	case strings.Contains(log, "does not have a host assigned"):
		remedy = "the repository's pod is on no node: give it a volume (kubectl get pvc,pv), then run this step again"
	case strings.Contains(log, "container not found"), strings.Contains(log, "pods \""):
		remedy = "the job came before the repository's container, or that was replaced meanwhile: run this step again"
	}
	if len(evidence) == 0 && log != "" {
		evidence = last(strings.Split(strings.TrimSpace(log), "\n"), 8)
	}
	return module.Explain(fmt.Errorf("the job %s has failed: %s", job.Name, cause), remedy, evidence...)
}

// failure is what the Job's own status says.
func failure(job *batchv1.Job) string {
	for _, c := range job.Status.Conditions {
		if c.Type == batchv1.JobFailed {
			return c.Message
		}
	}
	return ""
}

// jobLog is the end of the log of a Job's newest pod.
func (p *place) jobLog(ctx context.Context, job string) string {
	pods, err := p.kube.Clientset().CoreV1().Pods(p.namespace).List(ctx, metav1.ListOptions{LabelSelector: "job-name=" + job})
	if err != nil || len(pods.Items) == 0 {
		return ""
	}
	newest := slices.MaxFunc(pods.Items, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
	tail := int64(200)
	raw, err := p.kube.Clientset().CoreV1().Pods(p.namespace).GetLogs(newest.Name, &corev1.PodLogOptions{TailLines: &tail}).DoRaw(ctx)
	if err != nil {
		return "" // evidence goes with another error and must not hide it
	}
	return string(raw)
}

// jobEvidence tells how the operator's own Job for a pgBackRest command ended.
func (p *place) jobEvidence(ctx context.Context, command string) []string {
	if p.kube == nil {
		return nil
	}
	list, err := p.kube.Clientset().BatchV1().Jobs(p.namespace).List(ctx, metav1.ListOptions{LabelSelector: "pg-cluster=" + p.cluster + ",backrest-command=" + command})
	if err != nil {
		return nil
	}
	var lines []string
	for i := range list.Items {
		job, state := &list.Items[i], "is not over"
		switch {
		case ended(job, batchv1.JobComplete):
			state = "is complete"
		case ended(job, batchv1.JobFailed):
			state = "has failed"
		}
		lines = append(lines, fmt.Sprintf("job %s %s", job.Name, state))
		lines = append(lines, telling(p.jobLog(ctx, job.Name))...)
	}
	return lines
}
