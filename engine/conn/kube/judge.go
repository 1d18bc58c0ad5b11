package kube

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// maxCrashes is how often a container may end before waiting for it is
	// called hopeless. The kubelet pauses 10 s, 20 s, 40 s between: the third
	// restart fails after half a minute.
	maxCrashes = 3
	// patience is for faults that heal by themselves while the objects of one
	// rollout come one after another: a Secret, a volume, a node.
	patience = 15 * time.Second
)

// Hopeless is an error about a pod that waiting will not bring up.
type Hopeless struct {
	Pod       string
	Container string // empty when the pod as a whole is meant
	Reason    string // Kubernetes' own word: "ImagePullBackOff", "Unschedulable"
	Message   string // what it says about it
	Remedy    string
	Evidence  []string // see Cluster.Evidence; Judge leaves it empty
}

func (h *Hopeless) Error() string {
	text := "pod " + h.Pod
	if h.Container != "" {
		text += ", container " + h.Container
	}
	text += ": " + h.Reason
	if h.Message != "" {
		text += ": " + h.Message
	}
	return text
}

// Judge says why waiting for pod is hopeless, or nil while there is hope. The
// events are the pod's own; without them some verdicts come later, or not at all. A pod that runs, or has done its
// work, is never hopeless; nor is a failed one that a controller replaces: that
// is the controller's to tell (a Job's condition Failed).
func Judge(pod *corev1.Pod, events []corev1.Event, now time.Time) *Hopeless {
	replaced := pod.Status.Phase == corev1.PodFailed && metav1.GetControllerOf(pod) != nil
	if pod.DeletionTimestamp != nil || pod.Status.Phase == corev1.PodSucceeded || replaced {
		return nil
	}
	h := judgePod(pod, now)
	if h == nil {
		h = judgeContainers(pod, now)
	}
	if h == nil && stuck(pod, now) {
		h = judgeEvents(events)
	}
	if h == nil {
		return nil
	}
	h.Pod = pod.Name
	if better := eventText(events, h); better != "" {
		h.Message = better
	}
	return h
}

func judgePod(pod *corev1.Pod, now time.Time) *Hopeless {
	if pod.Status.Phase == corev1.PodFailed {
		if h := firstFailure(pod); h != nil && pod.Status.Reason == "" {
			return h
		}
		return &Hopeless{Reason: orElse(pod.Status.Reason, "Failed"), Message: pod.Status.Message,
			Remedy: "look at the pod's log and events, remove the cause, then delete the pod"}
	}
	c := condition(pod, corev1.PodScheduled)
	if c == nil || c.Status != corev1.ConditionFalse || now.Sub(c.LastTransitionTime.Time) < patience {
		return nil
	}
	h := &Hopeless{Reason: orElse(c.Reason, corev1.PodReasonUnschedulable), Message: c.Message,
		Remedy: "give a node what the message misses (CPU, memory, label, toleration), or ask for less"}
	if strings.Contains(c.Message, "PersistentVolumeClaim") {
		h.Remedy = "make a PersistentVolume or StorageClass that the claim can bind to (kubectl get pvc,pv,storageclass)"
	}
	return h
}

// firstFailure finds the container that ended a failed pod.
func firstFailure(pod *corev1.Pod) *Hopeless {
	for _, s := range statuses(pod) {
		if t := s.State.Terminated; t != nil && t.ExitCode != 0 {
			return &Hopeless{Container: s.Name, Reason: orElse(t.Reason, "Error"), Message: ended(t),
				Remedy: "read the container's last lines below, and remove the cause"}
		}
	}
	return nil
}

func judgeContainers(pod *corev1.Pod, now time.Time) *Hopeless {
	settled := true
	if c := condition(pod, corev1.PodScheduled); c != nil {
		settled = now.Sub(c.LastTransitionTime.Time) >= patience
	}
	for _, s := range statuses(pod) {
		w := s.State.Waiting
		if w == nil {
			continue
		}
		h := &Hopeless{Container: s.Name, Reason: w.Reason, Message: w.Message}
		switch w.Reason {
		case "ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName", "ImageInspectError", "RegistryUnavailable":
			h.Remedy = imageRemedy(w.Reason, s.Image)
			return h
		case "CrashLoopBackOff":
			if s.RestartCount < maxCrashes {
				continue
			}
			if t := s.LastTerminationState.Terminated; t != nil {
				h.Message = fmt.Sprintf("ended %d times, last with %s", s.RestartCount+1, ended(t))
			}
			h.Remedy = "the container's last lines below say why it ends; remove that cause and delete the pod"
			return h
		case "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "StartError":
			if settled {
				h.Remedy = "correct what the message names: a Secret, ConfigMap, command or volume of the pod"
				return h
			}
		}
	}
	return nil
}

// stuck reports that a node has had the pod for a while and has started none of
// its containers. What keeps it then stands only in the events.
func stuck(pod *corev1.Pod, now time.Time) bool {
	c := condition(pod, corev1.PodScheduled)
	if c == nil || c.Status != corev1.ConditionTrue || now.Sub(c.LastTransitionTime.Time) < patience {
		return false
	}
	for _, s := range statuses(pod) {
		if w := s.State.Waiting; w == nil || w.Reason != "ContainerCreating" && w.Reason != "PodInitializing" {
			return false
		}
	}
	return pod.Status.Phase == corev1.PodPending
}

// stuckRemedies are the events that keep a node from starting a pod. One of
// them is nothing: caches fill, networks come up. Again and again is hopeless.
var stuckRemedies = map[string]string{
	"FailedMount":            "make the Secret, ConfigMap or claim that the message names",
	"FailedAttachVolume":     "free the volume from the node that still has it, or look at the storage",
	"FailedCreatePodSandBox": "look at the node: its network plugin, and the pause image, which must be there when there is no registry",
}

func judgeEvents(events []corev1.Event) *Hopeless {
	times := map[string]int32{}
	for _, e := range events {
		remedy, known := stuckRemedies[e.Reason]
		if !known || strings.Contains(e.Message, "failed to sync") { // a busy kubelet that has not read it yet, once for each volume
			continue
		}
		if times[e.Reason] += max(1, e.Count); times[e.Reason] > maxCrashes {
			return &Hopeless{Reason: e.Reason, Message: e.Message, Remedy: remedy}
		}
	}
	return nil
}

func imageRemedy(reason, image string) string {
	if reason == "InvalidImageName" {
		return fmt.Sprintf("correct the image's name %q", image)
	}
	return fmt.Sprintf("bring %s to the node that the pod is on (image.ship), under the name its runtime looks for, or let the node reach the registry", image)
}

// ended tells how a container ended. An end with exit code 0 is worth telling
// too: a database that gives up bootstrapping ends like that.
func ended(t *corev1.ContainerStateTerminated) string {
	text := fmt.Sprintf("exit code %d", t.ExitCode)
	if t.Reason != "" {
		text += " (" + t.Reason + ")"
	}
	if m := lastLine(t.Message); m != "" {
		text += ": " + m
	}
	return text
}

// eventText finds the event that says more than the status does: the runtime's
// own words about an image, or the text of a back-off's cause.
func eventText(events []corev1.Event, h *Hopeless) string {
	if h.Reason != "ImagePullBackOff" && h.Reason != "ErrImagePull" {
		return ""
	}
	for i := len(events) - 1; i >= 0; i-- {
		e := events[i]
		if e.Reason == "Failed" && strings.Contains(e.Message, "pull image") {
			return e.Message
		}
	}
	return ""
}

// statuses are the pod's containers in the order in which they start.
func statuses(pod *corev1.Pod) []corev1.ContainerStatus {
	var all []corev1.ContainerStatus
	all = append(all, pod.Status.InitContainerStatuses...)
	return append(all, pod.Status.ContainerStatuses...)
}

func condition(pod *corev1.Pod, kind corev1.PodConditionType) *corev1.PodCondition {
	for i := range pod.Status.Conditions {
		if pod.Status.Conditions[i].Type == kind {
			return &pod.Status.Conditions[i]
		}
	}
	return nil
}

// Ready reports whether pod serves.
func Ready(pod *corev1.Pod) bool {
	c := condition(pod, corev1.PodReady)
	return pod.DeletionTimestamp == nil && c != nil && c.Status == corev1.ConditionTrue
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}
