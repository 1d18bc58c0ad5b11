package postgrescluster

import (
	"context"
	"reflect"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Conditions; there is none that would say the cluster is ready.
const (
	conditionRepoHost      = "PGBackRestRepoHostReady"
	conditionReplicaRepo   = "PGBackRestReplicaRepoReady"
	conditionReplicaCreate = "PGBackRestReplicaCreate"
)

func condition(c *Cluster, kind string) metav1.ConditionStatus {
	if found := meta.FindStatusCondition(c.Status.Conditions, kind); found != nil {
		return found.Status
	}
	return metav1.ConditionUnknown
}

// sight is what a pass saw of a cluster.
type sight struct {
	instances []instance
	repo      Repo
	repoPod   *corev1.Pod // nil: not ready
	volume    string      // of the repository
	system    string      // identifier of the database
	stanza    bool
	backup    bool
	users     string // revision
}

func (s sight) primary() *corev1.Pod {
	for _, i := range s.instances {
		if i.role() == roleLeader && i.pod.DeletionTimestamp == nil {
			return i.pod
		}
	}
	return nil
}

func (r *Reconciler) observe(ctx context.Context, c *Cluster, instances []instance) (sight, error) {
	repo, err := c.firstRepo()
	if err != nil {
		return sight{}, err
	}
	s := sight{instances: instances, repo: repo, users: c.Status.UsersRevision}
	if c.bootstrapped() {
		s.system = c.Status.Patroni.SystemIdentifier
	}
	if was := c.Status.PGBackRest; was != nil && len(was.Repos) > 0 {
		s.stanza, s.backup = was.Repos[0].StanzaCreated, was.Repos[0].ReplicaCreateBackupComplete
	}
	core := r.Kube.CoreV1()
	if volume, err := core.PersistentVolumeClaims(c.Namespace).Get(ctx, repoClaim(c, repo), metav1.GetOptions{}); err == nil {
		s.volume = volume.Spec.VolumeName
	} else if !apierrors.IsNotFound(err) {
		return s, err
	}
	pod, err := core.Pods(c.Namespace).Get(ctx, repoHost(c)+"-0", metav1.GetOptions{})
	if err == nil && (instance{pod: pod}).ready() {
		s.repoPod = pod
	}
	return s, ignoreMissing(err)
}

// status is what the cluster's status shall say. The conditions come in two steps, as they were seen to.
func (r *Reconciler) status(c *Cluster, s sight) Status {
	out := Status{ObservedGeneration: c.Generation, UsersRevision: s.users, Conditions: c.Status.Conditions}
	out.Conditions = append([]metav1.Condition{}, out.Conditions...)
	set := func(kind string, holds bool, reasons, messages [2]string) {
		n, status := 0, metav1.ConditionFalse
		if holds {
			n, status = 1, metav1.ConditionTrue
		}
		now := metav1.Condition{
			Type: kind, Status: status, Reason: reasons[n], Message: messages[n], ObservedGeneration: c.Generation,
			LastTransitionTime: metav1.NewTime(r.Now()),
		}
		meta.SetStatusCondition(&out.Conditions, now)
	}
	first := len(out.Conditions) == 0
	set(conditionRepoHost, s.repoPod != nil, [2]string{"RepoHostNotReady", "RepoHostReady"},
		[2]string{"pgBackRest dedicated repository host is not ready", "pgBackRest dedicated repository host is ready"})
	repo := RepoStatus{Name: s.repo.Name, StanzaCreated: s.stanza, ReplicaCreateBackupComplete: s.backup}
	if !first {
		repo.Bound, repo.Volume = s.volume != "", s.volume
		set(conditionReplicaRepo, s.stanza, [2]string{"StanzaNotCreated", "StanzaCreated"},
			[2]string{"pgBackRest replica create repo is not ready for backups", "pgBackRest replica create repo is ready for backups"})
		set(conditionReplicaCreate, s.backup, [2]string{"RepoBackupNotComplete", "RepoBackupComplete"},
			[2]string{"pgBackRest replica creation is not currently possible", "pgBackRest replica creation is now possible"})
	}
	out.PGBackRest = &BackRestStatus{
		RepoHost: &RepoHostStatus{APIVersion: "apps/v1", Kind: "StatefulSet", Ready: s.repoPod != nil},
		Repos:    []RepoStatus{repo},
	}
	for n, set := range c.Spec.Instances {
		counts := InstanceStatus{Name: setName(set, n)}
		for _, i := range s.instances {
			if i.set.name != counts.Name || i.pod == nil {
				continue
			}
			counts.Replicas++
			if i.ready() {
				counts.ReadyReplicas++
			}
			if i.current() {
				counts.UpdatedReplicas++
			}
		}
		out.Instances = append(out.Instances, counts)
	}
	if s.system != "" {
		out.Patroni = &PatroniStatus{SystemIdentifier: s.system}
	}
	if s.users != "" {
		out.DatabaseRevision = revision("databases", databases(c))
		out.Monitoring = &Monitoring{ExporterConfiguration: revision("monitoring")}
		out.Proxy = &Proxy{}
		out.Proxy.PGBouncer.PostgresRevision = revision("proxy")
	}
	if r.Six {
		out.PostgresVersion = new(0)
	}
	return out
}

func (r *Reconciler) writeStatus(ctx context.Context, c *Cluster, s sight) error {
	status := r.status(c, s)
	if reflect.DeepEqual(status, c.Status) {
		return nil
	}
	return r.patch(ctx, c, "status", map[string]any{"status": status})
}

// pendingRestart tells whether Patroni says of a pod that its server must be restarted for a setting to take effect.
func pendingRestart(pod *corev1.Pod) bool {
	return strings.Contains(pod.Annotations["status"], `"pending_restart":true`)
}
