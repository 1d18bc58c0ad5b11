package pgo

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/adbsql/antdbctl/engine/module"
)

// again has the operator repeat a Job of the start that failed before this run.
// By itself it never does, and without it there will be neither backups nor
// replicas. The operator acts on a new task only, so the old one is made anew,
// for the repository's pod of today.
func (p *place) again(ctx context.Context, env *module.Env, v *view) error {
	job := v.brokenJob()
	if job == nil || !p.names.pgcluster {
		return nil
	}
	tasks := p.kube.Dynamic().Resource(schema.GroupVersionResource{Group: groupV4, Version: "v1", Resource: "pgtasks"}).Namespace(p.namespace)
	old, err := tasks.Get(ctx, job.Name, metav1.GetOptions{})
	if err != nil {
		env.Logf("Job %s failed, and cannot be repeated without its task: %v", job.Name, err)
		return nil
	}
	task := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": groupV4 + "/v1", "kind": "Pgtask", "spec": old.Object["spec"],
		"metadata": map[string]any{"name": job.Name, "namespace": p.namespace},
		"status":   map[string]any{"state": "pgtask Created", "message": ""},
	}}
	task.SetLabels(old.GetLabels())
	if err := unstructured.SetNestedField(task.Object, "", "spec", "status"); err != nil {
		return fmt.Errorf("repeat Job %s: %w", job.Name, err)
	}
	if repo := v.repository(); repo != "" {
		if err := unstructured.SetNestedField(task.Object, repo, "spec", "parameters", "podname"); err != nil {
			return fmt.Errorf("repeat Job %s: %w", job.Name, err)
		}
	}
	if err := p.repeat(ctx, job, func() error {
		if err := gone(tasks.Delete(ctx, job.Name, metav1.DeleteOptions{})); err != nil {
			return err
		}
		_, err := tasks.Create(ctx, task, metav1.CreateOptions{})
		return err
	}); err != nil {
		return fmt.Errorf("repeat Job %s: %w", job.Name, err)
	}
	env.Logf("Job %s failed before this run: the operator is asked for it again", job.Name)
	return nil
}

// repeat takes the failed Job away first: its name is the new one's.
func (p *place) repeat(ctx context.Context, job *batchv1.Job, ask func() error) error {
	background := metav1.DeletePropagationBackground
	only := metav1.DeleteOptions{PropagationPolicy: &background}
	if err := gone(p.kube.Clientset().BatchV1().Jobs(p.namespace).Delete(ctx, job.Name, only)); err != nil {
		return err
	}
	return ask()
}

// repository is the pod that keeps the backups; "" while there is none.
func (v *view) repository() string {
	for i := range v.pods {
		if pod := &v.pods[i]; v.names.repository.on(pod.Labels) && pod.DeletionTimestamp == nil {
			return pod.Name
		}
	}
	return ""
}
