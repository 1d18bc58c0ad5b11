package kube

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func scheduled(age time.Duration) corev1.PodCondition {
	return corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionTrue, LastTransitionTime: metav1.NewTime(noon.Add(-age))}
}

func waiting(reason, message string, restarts int32) corev1.ContainerStatus {
	return corev1.ContainerStatus{Name: "database", Image: "antdb-ha:1", RestartCount: restarts,
		State: corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}}
}

func pod(age time.Duration, statuses ...corev1.ContainerStatus) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "antdb-1"}, Status: corev1.PodStatus{
		Phase: corev1.PodPending, Conditions: []corev1.PodCondition{scheduled(age)}, ContainerStatuses: statuses}}
}

func TestAMissingImageIsHopelessAtOnceAndQuotesTheRuntime(t *testing.T) {
	events := []corev1.Event{{Reason: "Failed", Message: `Failed to pull image "antdb-ha:1": no such host`}, {Reason: "BackOff", Message: "Back-off"}}
	h := Judge(pod(0, waiting("ImagePullBackOff", "Back-off pulling image", 0)), events, noon)
	require.EqualError(t, h, `pod antdb-1, container database: ImagePullBackOff: Failed to pull image "antdb-ha:1": no such host`)
	require.Contains(t, h.Remedy, "antdb-ha:1")
}

func TestACrashLoopIsHopelessOnceItHasGoneRoundEvenWithExitCodeZero(t *testing.T) {
	s := waiting("CrashLoopBackOff", "back-off", maxCrashes-1)
	s.LastTerminationState.Terminated = &corev1.ContainerStateTerminated{ExitCode: 0, Reason: "Completed"}
	require.Nil(t, Judge(pod(time.Minute, s), nil, noon))
	s.RestartCount = maxCrashes
	h := Judge(pod(time.Minute, s), nil, noon)
	require.EqualError(t, h, "pod antdb-1, container database: CrashLoopBackOff: ended 4 times, last with exit code 0 (Completed)")
}

func TestFaultsThatHealGetSomeTime(t *testing.T) {
	secret := waiting("CreateContainerConfigError", `secret "x" not found`, 0)
	require.Nil(t, Judge(pod(time.Second, secret), nil, noon))
	require.Equal(t, "CreateContainerConfigError", Judge(pod(time.Minute, secret), nil, noon).Reason)

	p := pod(time.Minute)
	p.Status.Conditions[0].Status, p.Status.Conditions[0].Reason = corev1.ConditionFalse, "Unschedulable"
	p.Status.Conditions[0].Message = "0/3 nodes are available: pod has unbound immediate PersistentVolumeClaims."
	h := Judge(p, nil, noon)
	require.Equal(t, "Unschedulable", h.Reason)
	require.Contains(t, h.Remedy, "PersistentVolume")
	p.Status.Conditions[0].LastTransitionTime = metav1.NewTime(noon)
	require.Nil(t, Judge(p, nil, noon))
}

func TestAPodThatNeverStartsIsJudgedByRepeatedEvents(t *testing.T) {
	creating := waiting("ContainerCreating", "", 0)
	mount := corev1.Event{Reason: "FailedMount", Message: `secret "pki" not found`, Count: 1}
	require.Nil(t, Judge(pod(time.Minute, creating), []corev1.Event{mount}, noon))
	mount.Count = maxCrashes + 1
	require.Nil(t, Judge(pod(time.Second, creating), []corev1.Event{mount}, noon))
	require.EqualError(t, Judge(pod(time.Minute, creating), []corev1.Event{mount}, noon), `pod antdb-1: FailedMount: secret "pki" not found`)

	busy := corev1.Event{Reason: "FailedMount", Message: `MountVolume.SetUp failed for volume "root" : failed to sync secret cache: timed out waiting for the condition`, Count: 2}
	require.Nil(t, Judge(pod(time.Minute, creating), []corev1.Event{busy, busy, busy}, noon), "the kubelet is slow, once for each volume")
}

func TestAFailedPodNamesTheContainerThatEndedIt(t *testing.T) {
	s := corev1.ContainerStatus{Name: "job", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 3, Reason: "Error"}}}
	p := pod(time.Minute, s)
	p.Status.Phase = corev1.PodFailed
	require.EqualError(t, Judge(p, nil, noon), "pod antdb-1, container job: Error: exit code 3 (Error)")
	p.Status.Reason, p.Status.Message = "Evicted", "The node was low on resource: ephemeral-storage."
	require.EqualError(t, Judge(p, nil, noon), "pod antdb-1: Evicted: The node was low on resource: ephemeral-storage.")
}

func TestARunningOrLeavingPodIsNotHopeless(t *testing.T) {
	require.Nil(t, Judge(pod(time.Minute, corev1.ContainerStatus{State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}}), nil, noon))
	p := pod(time.Minute, waiting("ImagePullBackOff", "", 0))
	p.DeletionTimestamp = &metav1.Time{Time: noon}
	require.Nil(t, Judge(p, nil, noon))
	p = pod(time.Minute)
	p.Status.Phase, p.OwnerReferences = corev1.PodFailed, []metav1.OwnerReference{{Kind: "Job", Controller: new(bool)}}
	require.NotNil(t, Judge(p, nil, noon))
	*p.OwnerReferences[0].Controller = true
	require.Nil(t, Judge(p, nil, noon))
}

func TestWarningsAreTheLastOnesAndNotRepeated(t *testing.T) {
	events := []corev1.Event{{Type: "Normal", Reason: "Pulled"}}
	for range 3 {
		events = append(events, corev1.Event{Type: "Warning", Reason: "Unhealthy", Message: "probe failed\n"})
	}
	events = append(events, corev1.Event{Type: "Warning", Reason: "BackOff", Message: "restarting", Count: 4})
	require.Equal(t, []string{"event Unhealthy: probe failed", "event BackOff: restarting (4 times)"}, Warnings(events))
}
