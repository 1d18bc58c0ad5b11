package pgo

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/adbsql/antdbctl/engine/module"
)

// leftover is something of an earlier cluster of that name that the operator no
// longer has on record.
type leftover struct {
	what string // "pgtask hippo-createcluster"
	fate string // what will be done with it
	// do does it; nil where the new cluster takes it up by itself.
	do func(ctx context.Context) error
}

// leftovers looks for all that a new cluster would stumble over or take up. What
// must not be touched is refused.
func (c *Cluster) leftovers(ctx context.Context, p *place, v *view) ([]leftover, error) {
	if w := v.holding(); len(w) > 0 {
		return nil, module.At("name", module.Explain(
			fmt.Errorf("%s %s of an earlier cluster %s is still there, and the operator does not know the cluster", p.names.kind(), w[0].name, c.Name),
			fmt.Sprintf("the operator would not make it again: see whether anything uses it, then kubectl -n %s delete %s -l %s",
				p.namespace, strings.ToLower(p.names.kind()), p.names.own)))
	}
	claims, err := p.claimsOf(ctx)
	if err != nil {
		return nil, err
	}
	kept := p.dataClaims(claims)
	if len(kept) == 0 && len(claims) > 0 {
		return nil, module.At("name", module.Explain(
			fmt.Errorf("volume %s keeps the backups of an earlier cluster %s, whose data is gone: pgBackRest lets no other database add to them", claims[0].Name, c.Name),
			fmt.Sprintf("choose another name, or let the backups go: kubectl -n %s delete pvc %s", p.namespace, claims[0].Name)))
	}
	if err := c.acceptable(ctx, p, kept); err != nil {
		return nil, err
	}
	var all []leftover
	for _, claim := range claims {
		fate := "its data is taken up again"
		if p.names.repo(claim.Name) {
			fate = "its backups stay, and new ones go beside them"
		} else if claim.Labels[postgresRole] == roleCopy {
			fate = "it stays as it is: it was a replica's"
		}
		all = append(all, leftover{what: "volume " + claim.Name, fate: fate + " (made " + claim.CreationTimestamp.UTC().Format("2006-01-02") + remembered(&claim) + ")"})
	}
	stale, err := p.stalePatroni(ctx, kept)
	if err != nil {
		return nil, err
	}
	records, err := p.staleRecords(ctx)
	return slices.Concat(all, stale, p.staleJobs(v), records), err
}

// claimsOf are the cluster's volumes.
func (p *place) claimsOf(ctx context.Context) ([]corev1.PersistentVolumeClaim, error) {
	list, err := p.kube.Clientset().CoreV1().PersistentVolumeClaims(p.namespace).List(ctx, p.selector())
	if err != nil {
		return nil, fmt.Errorf("list claims of cluster %s in %s: %w", p.name, p.namespace, err)
	}
	return list.Items, nil
}

// dataClaims are those among them that hold a database.
func (p *place) dataClaims(all []corev1.PersistentVolumeClaim) []corev1.PersistentVolumeClaim {
	var data []corev1.PersistentVolumeClaim
	for _, claim := range all {
		if !p.names.repo(claim.Name) {
			data = append(data, claim)
		}
	}
	return data
}

// acceptable refuses kept data that the new cluster could not live with.
func (c *Cluster) acceptable(ctx context.Context, p *place, kept []corev1.PersistentVolumeClaim) error {
	if len(kept) == 0 {
		return nil
	}
	for i := range kept {
		if err := c.sameEngine(&kept[i]); err != nil {
			return err
		}
	}
	if p.names.user == nil || !p.names.pgcluster {
		return nil // PGO 5 sets the passwords of its users anew
	}
	secret := p.names.user("postgres")
	_, err := p.kube.Clientset().CoreV1().Secrets(p.namespace).Get(ctx, secret, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return module.At("name", module.Explain(
			fmt.Errorf("volume %s holds the data of an earlier cluster %s, and its Secret %s is gone: nobody knows the passwords in that data", kept[0].Name, c.Name, secret),
			fmt.Sprintf("put the Secret back, or let the data go: kubectl -n %s delete pvc %s", p.namespace, kept[0].Name)))
	case err != nil && !apierrors.IsForbidden(err): // without the right to look the operator's word counts
		return fmt.Errorf("look for Secret %s in %s: %w", secret, p.namespace, err)
	}
	return nil
}

// stalePatroni are Patroni's records of a cluster that is gone, and the settings
// that the operator gave it. With the key "initialize" of another system a new
// one would wait for a leader for ever, with init = false in the settings too.
func (p *place) stalePatroni(ctx context.Context, kept []corev1.PersistentVolumeClaim) ([]leftover, error) {
	if p.names.endpoints {
		return nil, nil // they go with the services
	}
	maps := p.kube.Clientset().CoreV1().ConfigMaps(p.namespace)
	list, err := maps.List(ctx, metav1.ListOptions{LabelSelector: "vendor=crunchydata"})
	if err != nil {
		return nil, fmt.Errorf("list Patroni's ConfigMaps of cluster %s in %s: %w", p.name, p.namespace, err)
	}
	var all []leftover
	for _, m := range list.Items {
		name := m.Name
		if m.Labels["crunchy-pgha-scope"] != p.names.scope && !(p.names.own.on(m.Labels) && m.Labels["pgha-default-config"] == "true") {
			continue
		}
		system := m.Annotations["initialize"]
		switch {
		case name == p.names.scope+"-config" && len(kept) > 0 && (system == "" || system == kept[0].Annotations[systemAnnotation]):
			continue // of the very data that is kept
		case name == p.names.scope+"-config" && len(kept) > 0 && kept[0].Annotations[systemAnnotation] == "":
			all = append(all, leftover{"ConfigMap " + name, "its key initialize (system " + system + ") is removed, its settings stay", func(ctx context.Context) error {
				patch := []byte(`{"metadata":{"annotations":{"initialize":null}}}`)
				_, err := maps.Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
				return err
			}})
		case strings.HasPrefix(name, p.names.scope+"-"):
			fate := "removed"
			if system != "" {
				fate += ": it is of system " + system
			}
			all = append(all, leftover{"ConfigMap " + name, fate, func(ctx context.Context) error {
				return gone(maps.Delete(ctx, name, metav1.DeleteOptions{}))
			}})
		}
	}
	return all, nil
}

// staleRecords are orders and replicas of a cluster that is gone. With the
// workflow of an earlier creation there, the apiserver answers "ok", makes the
// Secrets, and no cluster; with the order for a stanza there, none is made; a
// replica without a cluster ends the operator's worker for good.
func (p *place) staleRecords(ctx context.Context) ([]leftover, error) {
	if !p.names.pgcluster {
		return nil, nil
	}
	var all []leftover
	for _, k := range []struct{ kind, plural string }{{"pgtask", "pgtasks"}, {"pgreplica", "pgreplicas"}} {
		records := p.kube.Dynamic().Resource(schema.GroupVersionResource{Group: groupV4, Version: "v1", Resource: k.plural}).Namespace(p.namespace)
		list, err := records.List(ctx, p.selector())
		if apierrors.IsForbidden(err) || apierrors.IsNotFound(err) { // if one is there, the apiserver's answer tells
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("look for left-over %s of cluster %s in %s: %w", k.plural, p.name, p.namespace, err)
		}
		for _, item := range list.Items {
			name := item.GetName()
			all = append(all, leftover{k.kind + " " + name, "removed: the operator would stumble over it", func(ctx context.Context) error {
				return gone(records.Delete(ctx, name, metav1.DeleteOptions{}))
			}})
		}
	}
	return all, nil
}

// staleJobs are those of a cluster that is gone: their names are the new one's,
// and their success would be taken for its own.
func (p *place) staleJobs(v *view) []leftover {
	var all []leftover
	background := metav1.DeletePropagationBackground
	for i := range v.jobs {
		j := &v.jobs[i]
		if !p.names.own.on(j.Labels) || v.names.removes(j) {
			continue
		}
		all = append(all, leftover{"Job " + j.Name, "removed: the new cluster's has the same name", func(ctx context.Context) error {
			return gone(p.kube.Clientset().BatchV1().Jobs(p.namespace).Delete(ctx, j.Name, metav1.DeleteOptions{PropagationPolicy: &background}))
		}})
	}
	return all
}

// gone takes "there is none" for done.
func gone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// shown are the leftovers in a plan.
func shownLeftovers(all []leftover) []module.Diff {
	var diff []module.Diff
	for _, l := range all {
		diff = append(diff, module.Diff{Path: l.what, Before: "left over", After: l.fate})
	}
	return diff
}

// clear does what the plan said about leftovers.
func (c *Cluster) clear(ctx context.Context, env *module.Env, p *place, v *view) error {
	all, err := c.leftovers(ctx, p, v)
	if err != nil {
		return err
	}
	for _, l := range all {
		if l.do == nil {
			env.Logf("%s: %s", l.what, l.fate)
			continue
		}
		if err := l.do(ctx); err != nil {
			err = fmt.Errorf("clear away %s: %w", l.what, err)
			if apierrors.IsForbidden(err) {
				return module.Explain(err, "give the kubeconfig's user that right, or do it by hand")
			}
			return err
		}
		env.Logf("%s: %s", l.what, l.fate)
	}
	return nil
}
