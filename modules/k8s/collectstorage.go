package k8s

import (
	"cmp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

func (g *gatherer) storage(s *survey, now time.Time) {
	used := map[string]bool{}
	for i := range s.pods {
		for _, v := range s.pods[i].Spec.Volumes {
			if v.PersistentVolumeClaim != nil {
				used[s.pods[i].Namespace+"/"+v.PersistentVolumeClaim.ClaimName] = true
			}
		}
	}
	for i := range s.claims {
		c := &s.claims[i]
		fact := &evidence.Claim{Phase: string(c.Status.Phase), Volume: c.Spec.VolumeName, Request: c.Spec.Resources.Requests.Storage().Value(),
			Modes: modes(c.Spec.AccessModes), Age: age(c.CreationTimestamp.Time, now), Used: used[c.Namespace+"/"+c.Name]}
		if c.Spec.StorageClassName != nil {
			fact.Class = *c.Spec.StorageClassName
		} else {
			fact.Class = c.Annotations["volume.beta.kubernetes.io/storage-class"]
		}
		g.rec.Fact(c.Name, within(c), fact)
	}
	for i := range s.volumes {
		if v := &s.volumes[i]; s.concerns(v) {
			g.volume(v)
		}
	}
	for i := range s.classes {
		c := &s.classes[i]
		fact := &evidence.StorageClass{Provisioner: c.Provisioner, Binding: "Immediate",
			Default: c.Annotations["storageclass.kubernetes.io/is-default-class"] == "true" ||
				c.Annotations["storageclass.beta.kubernetes.io/is-default-class"] == "true"}
		if c.VolumeBindingMode != nil {
			fact.Binding = string(*c.VolumeBindingMode)
		}
		g.rec.Fact(c.Name, evidence.Place{}, fact)
	}
	g.quotaFacts(s)
}

// concerns reports that a volume is, or could be, a database's.
func (s *survey) concerns(v *corev1.PersistentVolume) bool {
	return v.Spec.ClaimRef == nil || slices.Contains(s.databases, v.Spec.ClaimRef.Namespace)
}

func (g *gatherer) volume(v *corev1.PersistentVolume) {
	fact := &evidence.Volume{Phase: string(v.Status.Phase), Class: v.Spec.StorageClassName, Size: v.Spec.Capacity.Storage().Value(),
		Modes: modes(v.Spec.AccessModes), Policy: string(v.Spec.PersistentVolumeReclaimPolicy), Nodes: nodesOf(v)}
	place := evidence.Place{}
	if ref := v.Spec.ClaimRef; ref != nil {
		fact.Claim, place.Namespace = ref.Namespace+"/"+ref.Name, ref.Namespace
	}
	switch source := v.Spec.PersistentVolumeSource; {
	case source.HostPath != nil:
		fact.Path = source.HostPath.Path
	case source.Local != nil:
		fact.Path = source.Local.Path
	}
	if len(fact.Nodes) == 1 {
		place.Node = fact.Nodes[0]
	}
	g.rec.Fact(v.Name, place, fact)
}

// nodesOf are the nodes that a volume can be used on, where it names them.
func nodesOf(v *corev1.PersistentVolume) []string {
	var nodes []string
	if v.Spec.NodeAffinity == nil || v.Spec.NodeAffinity.Required == nil {
		return nil
	}
	for _, term := range v.Spec.NodeAffinity.Required.NodeSelectorTerms {
		for _, e := range append(term.MatchExpressions, term.MatchFields...) {
			if e.Operator == corev1.NodeSelectorOpIn && (e.Key == corev1.LabelHostname || e.Key == "metadata.name") {
				nodes = append(nodes, e.Values...)
			}
		}
	}
	return nodes
}

func modes(all []corev1.PersistentVolumeAccessMode) []string {
	var names []string
	for _, mode := range all {
		names = append(names, string(mode))
	}
	return names
}

func (g *gatherer) quotaFacts(s *survey) {
	for i := range s.quotas {
		q := &s.quotas[i]
		var resources []corev1.ResourceName
		for r := range q.Status.Hard {
			resources = append(resources, r)
		}
		slices.SortFunc(resources, func(a, b corev1.ResourceName) int { return cmp.Compare(a, b) })
		for _, r := range resources {
			hard, used := q.Status.Hard[r], q.Status.Used[r]
			// A quota of nothing forbids; it does not run out.
			g.rec.Fact(q.Name+" "+string(r), evidence.Place{Namespace: q.Namespace}, &evidence.Quota{Resource: string(r),
				Used: used.String(), Hard: hard.String(), Full: !hard.IsZero() && used.Cmp(hard) >= 0})
		}
	}
}
