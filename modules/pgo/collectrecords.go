package pgo

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// resources lists the objects of one of the operators' kinds. A kind that the
// server does not know has none.
func (g *gatherer) resources(ctx context.Context, group, version, plural string) ([]unstructured.Unstructured, error) {
	kind := g.kube.Dynamic().Resource(schema.GroupVersionResource{Group: group, Version: version, Resource: plural})
	var all []unstructured.Unstructured
	g.listed[plural] = true
	for _, ns := range g.everywhere() {
		l, err := kind.Namespace(ns).List(ctx, metav1.ListOptions{})
		if apierrors.IsForbidden(err) && ns == "" {
			g.listed[plural] = false
			l, err = kind.Namespace(g.kube.Namespace()).List(ctx, metav1.ListOptions{})
		}
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			g.listed[plural] = false
			if err := g.gap(plural, ns, err); err != nil {
				return nil, err
			}
			continue
		}
		all = append(all, l.Items...)
	}
	slices.SortFunc(all, func(a, b unstructured.Unstructured) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.GetName(), b.GetName()))
	})
	return all, nil
}

// pods lists those that hold databases.
func (g *gatherer) pods(ctx context.Context) error {
	for _, selector := range []string{"pgo-pg-database=true", groupV5 + "/data=postgres"} {
		for _, ns := range g.everywhere() {
			l, err := g.kube.Clientset().CoreV1().Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: selector})
			if apierrors.IsForbidden(err) && ns == "" {
				g.podsIn = g.kube.Namespace()
				l, err = g.kube.Clientset().CoreV1().Pods(g.podsIn).List(ctx, metav1.ListOptions{LabelSelector: selector})
			}
			if err != nil {
				g.blind = true
				if err := g.gap("pods of databases", ns, err); err != nil {
					return err
				}
				continue
			}
			g.databases = append(g.databases, l.Items...)
		}
	}
	return nil
}

// holding counts the pods with a label, in a namespace; -1 where that cannot be
// known.
func (g *gatherer) holding(namespace, label, value string) (n int64) {
	if g.blind || g.podsIn != "" && g.podsIn != namespace {
		return -1
	}
	for i := range g.databases {
		if p := &g.databases[i]; p.Namespace == namespace && p.Labels[label] == value && p.Status.Phase != corev1.PodFailed {
			n++
		}
	}
	return n
}

func (g *gatherer) pgclusters(ctx context.Context) error {
	list, err := g.resources(ctx, groupV4, "v1", "pgclusters")
	if err != nil {
		return err
	}
	replicas, err := g.resources(ctx, groupV4, "v1", "pgreplicas")
	if err != nil {
		return err
	}
	for i := range list {
		raw, o := &list[i], &pgclusterObject{}
		g.records[raw.GetNamespace()+"/"+raw.GetName()] = true
		place := evidence.Place{Namespace: raw.GetNamespace(), Cluster: raw.GetName()}
		if err := runtimeInto(raw, o); err != nil {
			g.rec.Gap("the Pgcluster "+raw.GetName(), place, err)
			continue
		}
		shutdown, _, _ := unstructured.NestedBool(raw.Object, "spec", "shutdown") // 4.7's own field
		fact := &evidence.Cluster{Generation: "4", Status: o.Status.State, Message: o.Status.Message, Age: g.age(raw.GetCreationTimestamp().Time),
			Autofail: raw.GetLabels()["autofail"] == "true" && !o.Spec.DisableAutofail, Shutdown: shutdown,
			Pods: g.holding(raw.GetNamespace(), "pg-cluster", raw.GetName())}
		if minor, ok := minorOf4(raw.GetLabels()["pgo-version"]); ok && minor >= 6 {
			fact.Autofail = !o.Spec.DisableAutofail
		}
		if fact.Images = g.images42(raw, o); len(fact.Images) > 0 {
			fact.Image = fact.Images[0]
		}
		for j := range replicas {
			cluster, _, _ := unstructured.NestedString(replicas[j].Object, "spec", "clustername")
			if replicas[j].GetNamespace() == raw.GetNamespace() && cluster == raw.GetName() {
				fact.Replicas++
			}
		}
		asked, _, _ := unstructured.NestedString(raw.Object, "spec", "replicas") // of the creation
		if n, err := strconv.ParseInt(asked, 10, 64); err == nil {
			fact.Replicas = max(fact.Replicas, n)
		}
		g.rec.Fact(raw.GetName(), place, fact)
	}
	g.pgreplicas(replicas)
	return nil
}

// images42 are the database's image and those that come beside it under the
// same prefix and tag, where nobody may have thought of them.
func (g *gatherer) images42(raw *unstructured.Unstructured, o *pgclusterObject) []string {
	prefix := cmp.Or(o.Spec.Prefix, g.prefix[g.owners[raw.GetNamespace()]])
	if o.Spec.Image == "" {
		return nil
	}
	images := []string{imageRef{prefix, o.Spec.Image, o.Spec.Tag}.String()}
	labels := raw.GetLabels()
	for _, s := range []struct {
		on   bool
		name string
	}{{labels["crunchy_collect"] == "true", "crunchy-collect"}, {labels["crunchy-pgbadger"] == "true" || o.Spec.PGBadger, "crunchy-pgbadger"}} {
		if s.on {
			images = append(images, imageRef{prefix, s.name, o.Spec.Tag}.String())
		}
	}
	return images
}

func (g *gatherer) pgreplicas(list []unstructured.Unstructured) {
	for i := range list {
		raw := &list[i]
		cluster, _, _ := unstructured.NestedString(raw.Object, "spec", "clustername")
		fact := &evidence.Replica{Age: g.age(raw.GetCreationTimestamp().Time), ClusterExists: g.exists(raw.GetNamespace(), cluster),
			Pods: g.holding(raw.GetNamespace(), "deployment-name", raw.GetName())}
		fact.Status, fact.Message = stateOf(raw)
		g.rec.Fact(raw.GetName(), evidence.Place{Namespace: raw.GetNamespace(), Cluster: cluster}, fact)
	}
}

func stateOf(raw *unstructured.Unstructured) (state, message string) {
	state, _, _ = unstructured.NestedString(raw.Object, "status", "state")
	message, _, _ = unstructured.NestedString(raw.Object, "status", "message")
	return state, message
}

// exists reports a cluster that is on record, or one of which that cannot be
// known.
func (g *gatherer) exists(namespace, cluster string) bool {
	return cluster == "" || !g.listed["pgclusters"] || g.records[namespace+"/"+cluster]
}

func (g *gatherer) pgtasks(ctx context.Context) error {
	list, err := g.resources(ctx, groupV4, "v1", "pgtasks")
	if err != nil {
		return err
	}
	for i := range list {
		raw := &list[i]
		parameters, _, _ := unstructured.NestedStringMap(raw.Object, "spec", "parameters")
		cluster := cmp.Or(raw.GetLabels()["pg-cluster"], parameters["pg-cluster"])
		kind, _, _ := unstructured.NestedString(raw.Object, "spec", "tasktype")
		place := evidence.Place{Namespace: raw.GetNamespace(), Cluster: cluster}
		fact := &evidence.Task{Type: kind, Age: g.age(raw.GetCreationTimestamp().Time), ClusterExists: g.exists(raw.GetNamespace(), cluster),
			Parameters: harmless(parameters)}
		fact.Status, _ = stateOf(raw)
		g.rec.Fact(raw.GetName(), place, fact)
		if kind == "workflow" {
			g.rec.Fact(raw.GetName(), place, workflowOf(parameters, fact.Age))
		}
	}
	return nil
}

// harmless leaves out what a parameter's name calls a secret.
func harmless(parameters map[string]string) map[string]string {
	kept := map[string]string{}
	for name, value := range parameters {
		if lower := strings.ToLower(name); strings.Contains(lower, "password") || strings.Contains(lower, "secret") || strings.Contains(lower, "key") {
			continue
		}
		kept[name] = value
	}
	return kept
}

// workflowOf reads a workflow's steps out of its parameters: the name of a step
// leads to the time when it was done.
func workflowOf(parameters map[string]string, age int64) *evidence.Workflow {
	fact := &evidence.Workflow{Age: age}
	var last time.Time
	for step, at := range parameters {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			continue
		}
		fact.Completed = fact.Completed || step == "task completed"
		if when.After(last) || when.Equal(last) && step > fact.Last {
			last, fact.Last = when, step
		}
	}
	if fact.Completed {
		fact.Last = "task completed"
	}
	return fact
}
