package pgo

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
)

// The way to a cluster that serves, in order.
const (
	phaseRemoval    = "removal" // of a cluster of that name that is on its way out
	phaseRequest    = "request"
	phaseDeployment = "deployment"
	phaseSchedule   = "schedule"
	phasePull       = "pull"
	phaseStart      = "start"
	phaseBootstrap  = "bootstrap"
	phaseReady      = "ready"
	phaseStanza     = "stanza"
	phaseBackup     = "backup"
	phaseReplicas   = "replicas"
)

var phases = []string{phaseRequest, phaseDeployment, phaseSchedule, phasePull, phaseStart, phaseBootstrap, phaseReady, phaseStanza, phaseBackup, phaseReplicas}

// phase is the first that is not through yet; "" when all are.
func (v *view) phase(backup bool, replicas int) string {
	switch {
	case v.found == nil:
		return phaseRequest
	case !v.available():
		return v.starting()
	case backup && !v.backedUp():
		if !done(v.job(v.name + "-stanza-create")) {
			return phaseStanza
		}
		return phaseBackup
	case v.standbys() < replicas:
		return phaseReplicas
	}
	return ""
}

// starting tells how far the pod has come that is ahead of the others.
func (v *view) starting() string {
	best := 0
	for _, pod := range v.databases() {
		best = max(best, progress(pod))
	}
	if best == 0 && v.deployment(v.name) != nil {
		return phaseSchedule
	}
	return phases[1+best]
}

// progress counts the phases after the Deployment that a pod has behind it,
// the one it is in included.
func progress(pod *corev1.Pod) int {
	s := database(pod)
	switch {
	case pod.Spec.NodeName == "":
		return 1 // schedule
	case s.State.Running == nil && s.ImageID == "":
		return 2 // pull
	case s.State.Running == nil:
		return 3 // start
	case patroniOf(pod).State != "running" || pod.Labels["role"] == "":
		return 4 // bootstrap
	}
	return 5 // ready
}

// describe says in a few words what is missing.
func (v *view) describe(phase string, replicas int) string {
	switch phase {
	case phaseDeployment:
		return "the operator has made no Deployment yet"
	case phaseSchedule:
		return "the database pod is on no node yet"
	case phasePull:
		return "the image is not on the node yet"
	case phaseStart:
		return "the database container does not run"
	case phaseBootstrap:
		return "Patroni has no running primary yet"
	case phaseReady:
		return "the primary is not ready yet"
	case phaseStanza:
		return "the backup repository is not set up yet (Job " + v.name + "-stanza-create)"
	case phaseBackup:
		return "the first backup is not done yet (Job backrest-backup-" + v.name + ")"
	case phaseReplicas:
		return fmt.Sprintf("%d of %d replicas follow", v.standbys(), replicas)
	}
	return phase
}
