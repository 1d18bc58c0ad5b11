package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/adbsql/antdbctl/engine/module"
)

// task asks PGO 4 for a backup, as its apiserver does: the Pgtask and the Jobs
// of the last one go, and a new Pgtask of the same name comes. first is for a
// cluster that has no backup yet: its replicas wait for one with that mark.
func (r *Run) task(ctx context.Context, env *module.Env, p *place, o *operator, first bool) error {
	if p.vault == nil {
		return fmt.Errorf("cluster %s has no repository pod: its operator makes no backups by pgBackRest", p.cluster)
	}
	name := "backrest-backup-" + p.cluster
	last, err := p.objects(pgtasks).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		last, err = nil, nil
	}
	if err != nil {
		return fmt.Errorf("read pgtask %s: %w", name, err)
	}
	task := r.newTask(p, o, last, first && o.text("status", "state") != "pgcluster Initialized")
	made, err := p.replaceTask(ctx, task)
	if err != nil {
		return err
	}
	env.Logf("created pgtask %s: %s", name, strings.Join(r.arguments(), " "))
	return p.followJob(ctx, env, "pg-cluster="+p.cluster+",backrest-command=backup", func(jobs []batchv1.Job) *batchv1.Job {
		for i := range jobs {
			// Times have whole seconds; the Jobs before it are gone.
			if jobs[i].Name == name && !jobs[i].CreationTimestamp.Before(new(made.GetCreationTimestamp())) {
				return &jobs[i]
			}
		}
		return nil
	})
}

// replaceTask puts a Pgtask in the place of the last one of its name. The old
// Job goes first, since the operator passes over one that is there; the old task
// in the same breath as the new one comes, lest the operator makes its own.
func (p *place) replaceTask(ctx context.Context, task *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	name := task.GetName()
	for {
		if err := p.clearJob(ctx, name); err != nil {
			return nil, err
		}
		if err := p.objects(pgtasks).Delete(ctx, name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			return nil, fmt.Errorf("delete the last pgtask %s: %w", name, err)
		}
		made, err := p.objects(pgtasks).Create(ctx, task, metav1.CreateOptions{})
		if err == nil {
			return made, nil
		}
		if !apierrors.IsAlreadyExists(err) {
			return nil, fmt.Errorf("create pgtask %s: %w", name, err)
		}
		if err := pause(ctx); err != nil {
			return nil, errors.Join(err, fmt.Errorf("the operator makes the pgtask %s again and again", name))
		}
	}
}

// clearJob deletes a Job and waits until it is gone.
func (p *place) clearJob(ctx context.Context, name string) error {
	jobs := p.kube.Clientset().BatchV1().Jobs(p.namespace)
	foreground := metav1.DeletePropagationForeground
	for {
		_, err := jobs.Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err == nil {
			err = jobs.Delete(ctx, name, metav1.DeleteOptions{PropagationPolicy: &foreground})
		}
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete the last job %s: %w", name, err)
		}
		if err := pause(ctx); err != nil {
			return errors.Join(err, fmt.Errorf("the last job %s does not go", name))
		}
	}
}

// newTask is the Pgtask. Settings of the last one that are not about the backup
// itself are taken over.
func (r *Run) newTask(p *place, o *operator, last *unstructured.Unstructured, first bool) *unstructured.Unstructured {
	name := "backrest-backup-" + p.cluster
	labels := map[string]any{"pg-cluster": p.cluster, "pgouser": o.record.GetLabels()["pgouser"]}
	storage := map[string]any{}
	for _, key := range []string{"accessmode", "matchLabels", "name", "size", "storageclass", "storagetype", "supplementalgroups"} {
		storage[key] = ""
	}
	parameters := map[string]any{}
	spec := map[string]any{"name": name, "parameters": parameters, "status": "", "storagespec": storage, "tasktype": "backrest"}
	if prefix := o.text("spec", "ccpimageprefix"); prefix != "" { // 4.7 wants to know whose image the Job takes
		parameters["image-prefix"] = prefix
		parameters["backrest-s3-verify-tls"] = cmp.Or(o.text("spec", "backrestS3VerifyTLS"), "true")
	} else {
		parameters["backrest-storage-type"] = ""
		labels["pg-cluster-id"] = o.record.GetLabels()["pg-cluster-id"]
		spec["namespace"], storage["fsgroup"] = p.namespace, ""
	}
	if last != nil {
		had, _, _ := unstructured.NestedStringMap(last.Object, "spec", "parameters")
		for key, value := range had {
			parameters[key] = value
		}
		delete(parameters, "pgha-backup-type")
	}
	for key, value := range map[string]string{
		"backrest-command": "backup", "backrest-opts": strings.Join(r.arguments(), " "), "containername": "database",
		"job-name": name, "pg-cluster": p.cluster, "podname": p.vault.Name,
	} {
		parameters[key] = value
	}
	if first {
		parameters["pgha-backup-type"] = "bootstrap"
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "crunchydata.com/v1", "kind": "Pgtask",
		"metadata": map[string]any{"name": name, "namespace": p.namespace, "labels": labels},
		"spec":     spec,
	}}
}

// text is a string of the operator's record; empty where it has none.
func (o *operator) text(path ...string) string {
	text, _, _ := unstructured.NestedString(o.record.Object, path...)
	return text
}
