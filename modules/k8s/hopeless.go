package k8s

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
)

// patience is how long a claim may wait for its volume before that is called
// hopeless; provisioners answer sooner.
const patience = 15 * time.Second

// hopeless explains why waiting for the objects makes no sense, or is nil while
// there is hope.
func (c client) hopeless(ctx context.Context, m *meta.RESTMapping, found []unstructured.Unstructured) error {
	for i := range found {
		o := &found[i]
		pods, err := c.podsOf(ctx, o)
		if err != nil {
			return err
		}
		for j := range pods {
			if bad := c.Judge(ctx, &pods[j]); bad != nil {
				return module.Explain(bad, bad.Remedy, bad.Evidence...)
			}
		}
		if text, remedy := failed(o); text != "" {
			err := fmt.Errorf("%s %s: %s", strings.ToLower(o.GetKind()), o.GetName(), text)
			return module.Explain(err, remedy, c.evidence(ctx, m, found)...)
		}
		if err := c.unbound(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

// failed says what a controller itself says about having failed.
func failed(o *unstructured.Unstructured) (text, remedy string) {
	switch o.GetKind() {
	case "Job":
		if status, message := conditionOf(o, "Failed"); status == "True" {
			return "failed: " + message, "remove the cause that its pod's log shows, delete the job, and apply again"
		}
	case "Deployment":
		if status, message := conditionOf(o, "ReplicaFailure"); status == "True" {
			return "its pods cannot be made: " + message, "correct what the message names: quota, service account, admission policy"
		}
		if status, message := conditionOf(o, "Progressing"); status == "False" {
			return message, "look at the pods below"
		}
	}
	return "", ""
}

// unbound is about a claim that no volume can serve.
func (c client) unbound(ctx context.Context, o *unstructured.Unstructured) error {
	if o.GetKind() != "PersistentVolumeClaim" || phase(o, "Bound") == "" || time.Since(o.GetCreationTimestamp().Time) < patience {
		return nil
	}
	events, err := c.Events(ctx, o.GetNamespace(), o.GetUID())
	if err != nil {
		return nil // waiting goes on without them
	}
	for _, e := range events {
		if e.Reason == "FailedBinding" || e.Reason == "ProvisioningFailed" {
			return module.Explain(fmt.Errorf("claim %s: %s: %s", o.GetName(), e.Reason, e.Message),
				"make a PersistentVolume or StorageClass that the claim can bind to (kubectl get pv,storageclass)")
		}
	}
	return nil
}

// podsOf are the pods that an object stands for: itself, or those of its newest
// version, since what is wrong with the pods of an old one is being corrected.
func (c client) podsOf(ctx context.Context, o *unstructured.Unstructured) ([]corev1.Pod, error) {
	if o.GetKind() == "Pod" {
		var pod corev1.Pod
		err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &pod)
		return []corev1.Pod{pod}, err
	}
	selector, err := c.selectorOf(ctx, o)
	if err != nil || selector == "" {
		return nil, err
	}
	list, err := c.Clientset().CoreV1().Pods(o.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, fmt.Errorf("list pods of %s %s: %w", o.GetKind(), o.GetName(), err)
	}
	return list.Items, nil
}

// selectorOf picks the pods of an object; empty for kinds that have none.
func (c client) selectorOf(ctx context.Context, o *unstructured.Unstructured) (string, error) {
	raw, ok, err := unstructured.NestedMap(o.Object, "spec", "selector")
	if !ok || err != nil {
		return "", nil
	}
	if o.GetKind() == "Service" {
		plain, _, _ := unstructured.NestedStringMap(o.Object, "spec", "selector")
		return labels.SelectorFromSet(plain).String(), nil
	}
	var selector metav1.LabelSelector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &selector); err != nil {
		return "", nil // a kind that means something else by the word
	}
	parsed, err := metav1.LabelSelectorAsSelector(&selector)
	if err != nil {
		return "", err
	}
	text := parsed.String()
	switch o.GetKind() {
	case "Deployment":
		hash, err := c.newestHash(ctx, o, text)
		if err != nil || hash == "" {
			return "", err
		}
		return text + ",pod-template-hash=" + hash, nil
	case "StatefulSet":
		if revision, _, _ := unstructured.NestedString(o.Object, "status", "updateRevision"); revision != "" {
			return text + ",controller-revision-hash=" + revision, nil
		}
	}
	return text, nil
}

// newestHash names the pods of a Deployment's newest version; empty when the
// controller has made none yet.
func (c client) newestHash(ctx context.Context, o *unstructured.Unstructured, selector string) (string, error) {
	want := o.GetAnnotations()["deployment.kubernetes.io/revision"]
	sets, err := c.Clientset().AppsV1().ReplicaSets(o.GetNamespace()).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return "", fmt.Errorf("list replica sets of %s: %w", o.GetName(), err)
	}
	for _, set := range sets.Items {
		if metav1.IsControlledBy(&set, o) && set.Annotations["deployment.kubernetes.io/revision"] == want {
			return set.Labels["pod-template-hash"], nil
		}
	}
	return "", nil
}

// evidence is what is known about objects that do not get where they should.
func (c client) evidence(ctx context.Context, m *meta.RESTMapping, found []unstructured.Unstructured) []string {
	var lines []string
	for i := range found {
		o := &found[i]
		pods, err := c.podsOf(ctx, o)
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			lines = append(lines, err.Error())
		}
		for j := range pods {
			if !kube.Ready(&pods[j]) {
				lines = append(lines, c.Evidence(ctx, &pods[j])...)
			}
		}
		if events, err := c.Events(ctx, o.GetNamespace(), o.GetUID()); err == nil && m.GroupVersionKind.Kind != "Pod" {
			lines = append(lines, kube.Warnings(events)...)
		}
	}
	return lines
}
