package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
)

const (
	evidenceEvents = 6  // the last warnings of an object
	evidenceLines  = 12 // the last lines of a log
)

// Examine lists the pods that selector picks in namespace, and judges them. bad
// is the first of them, by name, that is hopeless, with its evidence; nil while
// there is hope.
func (c *Cluster) Examine(ctx context.Context, namespace, selector string) (pods []corev1.Pod, bad *Hopeless, err error) {
	list, err := c.clientset.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, nil, fmt.Errorf("list pods of %s in %s: %w", selector, namespace, err)
	}
	slices.SortFunc(list.Items, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	for i := range list.Items {
		if bad = c.Judge(ctx, &list.Items[i]); bad != nil {
			break
		}
	}
	return list.Items, bad, nil
}

// Judge judges one pod, and collects the evidence when it is hopeless. Events
// are only asked for when the pod's state gives cause to.
func (c *Cluster) Judge(ctx context.Context, pod *corev1.Pod) *Hopeless {
	now := time.Now()
	if Judge(pod, nil, now) == nil && !stuck(pod, now) {
		return nil
	}
	events, err := c.Events(ctx, pod.Namespace, pod.UID)
	if err != nil {
		events = nil // the verdict then has to do without
	}
	bad := Judge(pod, events, now)
	if bad != nil {
		bad.Evidence = c.evidence(ctx, pod, events)
	}
	return bad
}

// Evidence tells, a line each, what an operator would look up about a pod that
// does not come up: its state, its containers' states, warnings, and the last
// lines of the containers that ended. What cannot be read is left out: evidence
// goes with another error and must not hide it.
func (c *Cluster) Evidence(ctx context.Context, pod *corev1.Pod) []string {
	events, err := c.Events(ctx, pod.Namespace, pod.UID)
	if err != nil {
		events = nil
	}
	return c.evidence(ctx, pod, events)
}

func (c *Cluster) evidence(ctx context.Context, pod *corev1.Pod, events []corev1.Event) []string {
	lines := []string{describe(pod)}
	for _, s := range statuses(pod) {
		if text := describeContainer(s); text != "" {
			lines = append(lines, text)
		}
	}
	lines = append(lines, Warnings(events)...)
	for _, s := range statuses(pod) {
		lines = append(lines, c.lastWords(ctx, pod, s)...)
	}
	return lines
}

func describe(pod *corev1.Pod) string {
	where := "on no node yet"
	if pod.Spec.NodeName != "" {
		where = "on " + pod.Spec.NodeName
	}
	return fmt.Sprintf("pod %s is %s, %s", pod.Name, pod.Status.Phase, where)
}

// describeContainer is empty for a container that runs well.
func describeContainer(s corev1.ContainerStatus) string {
	text := "container " + s.Name
	switch {
	case s.State.Waiting != nil:
		text += " waits: " + s.State.Waiting.Reason
	case s.State.Terminated != nil && s.State.Terminated.ExitCode == 0:
		return ""
	case s.State.Terminated != nil:
		text += " ended with " + ended(s.State.Terminated)
	case s.State.Running != nil && s.Ready:
		return ""
	default:
		text += " runs, but is not ready"
	}
	if t := s.LastTerminationState.Terminated; t != nil {
		text += fmt.Sprintf("; restarted %d times, before that it ended with %s", s.RestartCount, ended(t))
	}
	return text
}

// Events are those about one object, oldest first.
func (c *Cluster) Events(ctx context.Context, namespace string, about types.UID) ([]corev1.Event, error) {
	list, err := c.clientset.CoreV1().Events(namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("involvedObject.uid", string(about)).String(),
	})
	if err != nil {
		return nil, fmt.Errorf("list events in %s: %w", namespace, err)
	}
	slices.SortStableFunc(list.Items, func(a, b corev1.Event) int { return seen(a).Compare(seen(b)) })
	return list.Items, nil
}

func seen(e corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}

// Warnings are the last warnings among events, a line each.
func Warnings(events []corev1.Event) []string {
	var lines []string
	for _, e := range events {
		if e.Type != corev1.EventTypeWarning {
			continue
		}
		line := fmt.Sprintf("event %s: %s", e.Reason, strings.TrimSpace(e.Message))
		if e.Count > 1 {
			line += fmt.Sprintf(" (%d times)", e.Count)
		}
		if !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-evidenceEvents):]
}

// lastWords are the last lines of a container that ended, of the run that
// ended, not of a new one that may have come since.
func (c *Cluster) lastWords(ctx context.Context, pod *corev1.Pod, s corev1.ContainerStatus) []string {
	previous := s.State.Terminated == nil && s.LastTerminationState.Terminated != nil
	failed := s.State.Terminated != nil && s.State.Terminated.ExitCode != 0
	unready := s.State.Running != nil && !s.Ready
	if !previous && !failed && !unready {
		return nil
	}
	tail := int64(evidenceLines)
	raw, err := c.clientset.CoreV1().Pods(pod.Namespace).GetLogs(pod.Name,
		&corev1.PodLogOptions{Container: s.Name, Previous: previous, TailLines: &tail}).DoRaw(ctx)
	if err != nil {
		return nil
	}
	var lines []string
	for line := range strings.Lines(string(raw)) {
		if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" {
			lines = append(lines, s.Name+" | "+line)
		}
	}
	return lines
}
