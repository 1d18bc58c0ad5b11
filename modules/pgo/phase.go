package pgo

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// phase is the first that is not through yet; "" when all are.
func (v *view) phase(backup bool, replicas int) string {
	switch {
	case v.record == nil:
		return phaseResource
	case v.record.pending:
		return phaseDeployment
	case !v.available():
		return v.starting()
	case backup && !v.stanza():
		return phaseStanza
	case backup && !v.backedUp():
		return phaseBackup
	case backup && !v.record.initialized:
		return phaseInitialized
	case v.standbys() != replicas, v.record.serving != nil && *v.record.serving != int64(replicas)+1:
		return phaseReplicas
	}
	return ""
}

// starting tells how far the pod has come that is ahead of the others.
func (v *view) starting() string {
	best := 0
	for _, pod := range v.databases() {
		best = max(best, v.progress(pod))
	}
	if best == 0 && (v.workload(v.names.primary) != nil || v.names.sets && len(v.holding()) > 0) {
		return phaseSchedule
	}
	return phases[phaseIndex(phaseDeployment)+best].name
}

// progress counts the phases after the Deployment that a pod has behind it,
// the one it is in included.
func (v *view) progress(pod *corev1.Pod) int {
	s := v.names.status(pod)
	switch {
	case pod.Spec.NodeName == "":
		return 1 // schedule
	case s.State.Running == nil && s.ImageID == "" && !begun(pod):
		return 2 // pull
	case s.State.Running == nil:
		return 3 // start
	case patroniOf(pod).State != "running" || pod.Labels[v.names.role] == "":
		return 4 // bootstrap
	}
	return 5 // ready
}

// begun reports that a container has started which comes before the others, from
// the same image.
func begun(pod *corev1.Pod) bool {
	return slices.ContainsFunc(pod.Status.InitContainerStatuses, func(s corev1.ContainerStatus) bool { return s.ImageID != "" })
}

// describe says in a few words what is missing.
func (v *view) describe(phase string, replicas int) string {
	switch phase {
	case phaseResource:
		return "the operator does not have it on record yet"
	case phaseDeployment:
		if len(v.holding()) > 0 {
			return "the operator has not taken up the change yet"
		}
		return "the operator has made no " + v.names.kind() + " yet"
	case phaseSchedule:
		return "the database pod is on no node yet"
	case phasePull:
		return "the image is not on the node yet"
	case phaseStart:
		return "the database container does not run"
	case phaseBootstrap:
		return "Patroni has no running primary yet"
	case phaseReady:
		if names := v.leaders(); len(names) > 1 {
			return fmt.Sprintf("two pods call themselves primary (%s, %s), and Patroni's leader is %q", names[0].Name, names[1].Name, v.elected)
		}
		return "the primary is not ready yet"
	case phaseStanza:
		return "the backup repository is not set up yet" + v.jobText(v.names.stanza)
	case phaseBackup:
		return "the first backup is not done yet" + v.jobText(v.names.backup)
	case phaseInitialized:
		return fmt.Sprintf("the operator does not call it initialized yet, but %q", v.record.state)
	case phaseReplicas:
		return fmt.Sprintf("%d of %d replicas follow", v.standbys(), replicas)
	}
	return phase
}

// kind is what holds the database pods of this generation.
func (n *naming) kind() string {
	if n.sets {
		return "StatefulSet"
	}
	return "Deployment"
}
