package k8s

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/version"
)

// dryRuns is the first server that keeps nothing of what a dry run creates;
// older ones may not know the parameter, and create.
var dryRuns = version.MustParseGeneric("1.13")

// alwaysPull tells whether the cluster changes the pull policy of pods to
// Always ("yes", "no" or "unknown"), and why that is believed. There is no other
// way to ask than to let it judge a pod.
func alwaysPull(ctx context.Context, c client) (answer, why string) {
	if v, ok := c.Version(); !ok || v.LessThan(dryRuns) {
		return "unknown", "the server is older than 1.13, or hides its version: a dry run might create a pod"
	}
	no := false
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{GenerateName: "antdbctl-dry-run-"},
		Spec: corev1.PodSpec{
			AutomountServiceAccountToken: &no,
			RestartPolicy:                corev1.RestartPolicyNever,
			Containers: []corev1.Container{{Name: "c", Image: "antdbctl.invalid/dry-run:1", ImagePullPolicy: corev1.PullIfNotPresent,
				SecurityContext: restricted()}},
		},
	}
	made, err := c.Clientset().CoreV1().Pods(c.namespace).Create(ctx, pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	what := fmt.Sprintf("a pod created in a dry run in namespace %s", c.namespace)
	switch {
	case apierrors.IsForbidden(err):
		return "unknown", fmt.Sprintf("%s was refused: %s", what, err)
	case err != nil:
		return "unknown", fmt.Sprintf("%s failed: %s", what, err)
	case made.Spec.Containers[0].ImagePullPolicy == corev1.PullAlways:
		return "yes", what + " asked for IfNotPresent and got Always"
	}
	return "no", what + " kept its policy IfNotPresent"
}

// restricted is what every Pod Security standard lets pass.
func restricted() *corev1.SecurityContext {
	yes, no := true, false
	return &corev1.SecurityContext{RunAsNonRoot: &yes, AllowPrivilegeEscalation: &no,
		Capabilities:   &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
		SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}}
}
