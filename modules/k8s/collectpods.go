package k8s

import (
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// report makes facts of all that was listed.
func (g *gatherer) report(s *survey) {
	now := g.now()
	for i := range s.pods {
		g.pod(s, &s.pods[i], now)
	}
	g.storage(s, now)
	g.workloads(s, now)
	g.nodeFacts(s, now)
	g.network(s)
	g.keepings(s, now)
}

func (g *gatherer) pod(s *survey, pod *corev1.Pod, now time.Time) {
	fact := &evidence.Pod{
		Phase: string(pod.Status.Phase), Reason: pod.Status.Reason, Message: pod.Status.Message, ReadyAge: -1,
		Age: age(pod.CreationTimestamp.Time, now), Deleting: -1, Node: pod.Spec.NodeName, Scheduled: pod.Spec.NodeName != "", IP: pod.Status.PodIP,
		Role: s.roleOf(pod), Leads: leads(pod), Labels: pod.Labels, Owner: ownerOf(pod),
	}
	for _, c := range pod.Status.Conditions {
		switch {
		case c.Type == corev1.PodReady:
			fact.Ready, fact.ReadyAge = c.Status == corev1.ConditionTrue, age(c.LastTransitionTime.Time, now)
		case c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse:
			fact.Scheduling = c.Message
		}
	}
	if at := pod.DeletionTimestamp; at != nil { // the end of the grace that the mark gave
		marked := at.Time
		if grace := pod.DeletionGracePeriodSeconds; grace != nil {
			marked = marked.Add(-time.Duration(*grace) * time.Second)
		}
		fact.Deleting = age(marked, now)
	}
	for _, v := range pod.Spec.Volumes {
		if v.PersistentVolumeClaim != nil {
			fact.Claims = append(fact.Claims, v.PersistentVolumeClaim.ClaimName)
		}
	}
	g.rec.Fact(pod.Name, placeOf(pod), fact)
	for _, c := range containersOf(pod) {
		g.container(pod, c, now)
	}
}

// container is one of a pod's with what is known of it.
type container struct {
	spec   *corev1.Container
	status corev1.ContainerStatus // zero while the kubelet has not seen it
	init   bool
}

func containersOf(pod *corev1.Pod) []container {
	var all []container
	add := func(specs []corev1.Container, statuses []corev1.ContainerStatus, init bool) {
		for i := range specs {
			c := container{spec: &specs[i], init: init}
			for _, status := range statuses {
				if status.Name == c.spec.Name {
					c.status = status
				}
			}
			all = append(all, c)
		}
	}
	add(pod.Spec.InitContainers, pod.Status.InitContainerStatuses, true)
	add(pod.Spec.Containers, pod.Status.ContainerStatuses, false)
	return all
}

// ill reports a container that is not as it should be.
func (c container) ill() bool {
	ended := c.status.State.Terminated
	switch {
	case ended != nil:
		return ended.ExitCode != 0
	case c.init && c.status.State.Running != nil:
		return false
	}
	return !c.status.Ready
}

func (g *gatherer) container(pod *corev1.Pod, c container, now time.Time) {
	fact := &evidence.Container{
		Image: c.spec.Image, ImageID: c.status.ImageID, Init: c.init, State: "waiting", ExitCode: -1, Ready: c.status.Ready,
		Restarts: int64(c.status.RestartCount), LastExit: -1, LastEnded: -1, Started: -1, PullPolicy: string(c.spec.ImagePullPolicy),
		MemoryLimit: c.spec.Resources.Limits.Memory().Value(),
	}
	switch state := c.status.State; {
	case state.Running != nil:
		fact.State, fact.Started = "running", age(state.Running.StartedAt.Time, now)
	case state.Terminated != nil:
		t := state.Terminated
		fact.State, fact.Reason, fact.Message, fact.ExitCode = "terminated", t.Reason, t.Message, int64(t.ExitCode)
		fact.Started = age(t.StartedAt.Time, now)
	case state.Waiting != nil:
		fact.Reason, fact.Message = state.Waiting.Reason, state.Waiting.Message
	}
	if t := c.status.LastTerminationState.Terminated; t != nil {
		fact.LastReason, fact.LastMessage, fact.LastExit = t.Reason, t.Message, int64(t.ExitCode)
		fact.LastEnded = age(t.FinishedAt.Time, now)
	}
	place := placeOf(pod)
	place.Container = c.spec.Name
	g.rec.Fact(c.spec.Name, place, fact)
}
