package pgo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

func (g *gatherer) postgresClusters(ctx context.Context) error {
	list, err := g.resources(ctx, groupV5, "v1beta1", "postgresclusters")
	if err != nil {
		return err
	}
	for i := range list {
		raw, o := &list[i], &postgresCluster{}
		place := evidence.Place{Namespace: raw.GetNamespace(), Cluster: raw.GetName()}
		if err := runtimeInto(raw, o); err != nil {
			g.rec.Gap("the PostgresCluster "+raw.GetName(), place, err)
			continue
		}
		fact := &evidence.Cluster{Generation: "5", Age: g.age(o.CreationTimestamp.Time), Autofail: true,
			Shutdown: o.Spec.Shutdown != nil && *o.Spec.Shutdown, Replicas: max(0, o.members()-1),
			Pods: g.holding(raw.GetNamespace(), groupV5+"/cluster", raw.GetName()), Image: o.Spec.Image, Images: images5(raw)}
		if o.observed() {
			fact.Status = fmt.Sprintf("%d of %d members ready", o.serving(), o.members())
		} else {
			fact.Status, fact.Message = "not observed", "the operator has not acted on the spec yet"
		}
		fact.Problems = problems5(raw)
		g.rec.Fact(raw.GetName(), place, fact)
	}
	return nil
}

// passing5 are conditions that are false while all is well.
var passing5 = []string{"Progressing", "PersistentVolumeResizing", "PersistentVolumeResizeError", "PGBackRestoreProgressing"}

// problems5 are the conditions that are false.
func problems5(raw *unstructured.Unstructured) []string {
	conditions, _, _ := unstructured.NestedSlice(raw.Object, "status", "conditions")
	var problems []string
	for _, c := range conditions {
		c, _ := c.(map[string]any)
		text := func(name string) string { s, _ := c[name].(string); return s }
		if text("status") == string(corev1.ConditionFalse) && !slices.Contains(passing5, text("type")) {
			problems = append(problems, strings.TrimSuffix(text("type")+" "+text("reason")+": "+text("message"), ": "))
		}
	}
	slices.Sort(problems)
	return problems
}

// images5 are all images that the spec names, the database's first.
func images5(raw *unstructured.Unstructured) []string {
	var images []string
	for _, path := range [][]string{{"image"}, {"backups", "pgbackrest", "image"}, {"proxy", "pgBouncer", "image"}, {"monitoring", "pgmonitor", "exporter", "image"}} {
		image, _, _ := unstructured.NestedString(raw.Object, append([]string{"spec"}, path...)...)
		if image != "" && !slices.Contains(images, image) {
			images = append(images, image)
		}
	}
	return images
}
