package k8s

import (
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

func (g *gatherer) workloads(s *survey, now time.Time) {
	say := func(o metav1.Object, kind string, wants *int32, has, ready int32, failure string) {
		fact := &evidence.Workload{Type: kind, Wants: 1, Has: int64(has), Ready: int64(ready), Failure: failure, Age: age(o.GetCreationTimestamp().Time, now)}
		if wants != nil {
			fact.Wants = int64(*wants)
		}
		g.rec.Fact(o.GetName(), within(o), fact)
	}
	for i := range s.deployments {
		d, failure := &s.deployments[i], ""
		for _, c := range d.Status.Conditions {
			if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
				failure = c.Message
			}
		}
		say(d, "Deployment", d.Spec.Replicas, d.Status.Replicas, d.Status.ReadyReplicas, failure)
	}
	for i := range s.replicaSets {
		r, failure := &s.replicaSets[i], ""
		for _, c := range r.Status.Conditions {
			if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
				failure = c.Message
			}
		}
		if r.Spec.Replicas == nil || *r.Spec.Replicas > 0 || r.Status.Replicas > 0 { // others are history
			say(r, "ReplicaSet", r.Spec.Replicas, r.Status.Replicas, r.Status.ReadyReplicas, failure)
		}
	}
	for i := range s.stateful {
		f := &s.stateful[i]
		say(f, "StatefulSet", f.Spec.Replicas, f.Status.Replicas, f.Status.ReadyReplicas, "")
	}
	for i := range s.jobs {
		g.job(&s.jobs[i], now)
	}
}

func (g *gatherer) job(j *batchv1.Job, now time.Time) {
	fact := &evidence.Job{Active: int64(j.Status.Active), Succeeded: int64(j.Status.Succeeded), Failed: int64(j.Status.Failed),
		Age: age(j.CreationTimestamp.Time, now), Purpose: purposeOf(j)}
	for _, c := range j.Status.Conditions {
		if c.Status == corev1.ConditionTrue && (c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed) {
			fact.Over, fact.Reason, fact.Message = string(c.Type), c.Reason, c.Message
		}
	}
	g.rec.Fact(j.Name, within(j), fact)
}

// purposeOf reads what a Job of the operator does from its labels, and from its
// name where those say nothing.
func purposeOf(j *batchv1.Job) string {
	labels := j.Labels
	switch command := labels["backrest-command"]; {
	case command == "stanza-create" || command == "backup":
		return command
	case labels["pgrmdata"] == "true" || strings.Contains(j.Name, "-rmdata-"):
		return "rmdata"
	case strings.HasSuffix(j.Name, "-stanza-create"):
		return "stanza-create"
	case labels["postgres-operator.crunchydata.com/pgbackrest-backup"] != "", labels["postgres-operator.crunchydata.com/pgbackrest-cronjob"] != "",
		strings.HasPrefix(j.Name, "backrest-backup-"):
		return "backup"
	}
	return "other"
}
