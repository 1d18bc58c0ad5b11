package backup

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/adbsql/antdbctl/engine/module"
)

// annotate asks PGO 5 or 6 for a backup: spec says how, a new value of the
// annotation says now.
func (r *Run) annotate(ctx context.Context, env *module.Env, p *place, o *operator) error {
	if err := r.judgeRecord(p, o); err != nil {
		return err
	}
	id := "antdbctl-" + time.Now().UTC().Format("20060102-150405.000")
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]string{v5 + "pgbackrest-backup": id}},
		"spec": map[string]any{"backups": map[string]any{"pgbackrest": map[string]any{
			"manual": map[string]any{"repoName": r.Repo, "options": r.arguments()}}}},
	})
	if err != nil {
		return err
	}
	if _, err := p.objects(postgresClusters).Patch(ctx, p.cluster, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "antdbctl"}); err != nil {
		return fmt.Errorf("ask for a backup of PostgresCluster %s: %w", p.cluster, err)
	}
	env.Logf("annotated PostgresCluster %s: %spgbackrest-backup = %s", p.cluster, v5, id)
	return p.followJob(ctx, env, v5+"cluster="+p.cluster+","+v5+"pgbackrest-backup=manual", func(jobs []batchv1.Job) *batchv1.Job {
		i := slices.IndexFunc(jobs, func(j batchv1.Job) bool { return j.Annotations[v5+"pgbackrest-backup"] == id })
		if i < 0 {
			return nil
		}
		return &jobs[i]
	})
}

// judgeRecord finds what keeps the operator from acting on the annotation: it
// waits then without a word, or with an event only.
func (r *Run) judgeRecord(p *place, o *operator) error {
	repos, _, _ := unstructured.NestedSlice(o.record.Object, "status", "pgbackrest", "repos")
	var names []string
	for _, item := range repos {
		repo, _ := item.(map[string]any)
		name, _ := repo["name"].(string)
		names = append(names, name)
		if made, _ := repo["stanzaCreated"].(bool); name == r.Repo && !made {
			return fmt.Errorf("the stanza of %s in %s is not made yet", p.cluster, r.Repo)
		}
	}
	if !slices.Contains(names, r.Repo) {
		return module.At("repo", fmt.Errorf("PostgresCluster %s has no repository %s; it has %v", p.cluster, r.Repo, names))
	}
	conditions, _, _ := unstructured.NestedSlice(o.record.Object, "status", "conditions")
	for _, item := range conditions {
		c, _ := item.(map[string]any)
		if c["type"] == "PGBackRestReplicaCreate" && c["status"] == "True" {
			return nil
		}
	}
	return module.Explain(fmt.Errorf("the first backup of PostgresCluster %s is not complete, and the operator makes no other before", p.cluster),
		"look at its Job (label pgbackrest-backup=replica-create) and remove what keeps it")
}
