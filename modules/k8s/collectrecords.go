package k8s

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// keepings tells of the ConfigMaps and Secrets that clusters and operators need.
// What Patroni keeps is patroni.collect's.
func (g *gatherer) keepings(s *survey, now time.Time) {
	for i := range s.configMaps {
		m := &s.configMaps[i]
		if !s.needed(m) || m.Labels[scopeLabel4] != "" && m.Labels[clusterLabel4] == "" || m.Labels[scopeLabel5] != "" {
			continue
		}
		annotations := maps.Clone(m.Annotations)
		delete(annotations, lastApplied)
		keys := slices.Concat(slices.Collect(maps.Keys(m.Data)), slices.Collect(maps.Keys(m.BinaryData)))
		slices.Sort(keys)
		g.rec.Fact(m.Name, within(m), &evidence.Record{Type: "ConfigMap", Purpose: "other", Annotations: annotations, Keys: keys,
			Age: age(m.CreationTimestamp.Time, now), Orphan: s.orphan(m)})
	}
	mounted := s.mounted()
	for i := range s.secrets {
		v := &s.secrets[i]
		if s.needed(v) {
			// Its annotations may repeat its values, so they are left out.
			g.rec.Fact(v.Name, within(v), &evidence.Record{Type: "Secret", Purpose: secretPurpose(v), Keys: slices.Sorted(maps.Keys(v.Data)),
				Age: age(v.CreationTimestamp.Time, now), Orphan: s.orphan(v)})
		}
		if (s.needed(v) || mounted[v.Namespace+"/"+v.Name]) && !s.orphan(v) {
			g.secretCertificates(v)
		}
	}
}

// needed reports that an object belongs to a database cluster or an operator.
func (s *survey) needed(o metav1.Object) bool {
	return clusterOf(o) != "" || o.GetLabels()["vendor"] == "crunchydata" || o.GetName() == "pgo-custom-pg-config" ||
		slices.Contains(s.operators, o.GetNamespace()) && strings.HasPrefix(o.GetName(), "pgo")
}

// mounted are the Secrets, NAMESPACE/NAME, that pods of clusters and operators
// read files from.
func (s *survey) mounted() map[string]bool {
	found := map[string]bool{}
	for i := range s.pods {
		p := &s.pods[i]
		if role := s.roleOf(p); clusterOf(p) == "" && role != operatorRole {
			continue
		}
		for _, v := range p.Spec.Volumes {
			if v.Secret != nil {
				found[p.Namespace+"/"+v.Secret.SecretName] = true
			}
			if v.Projected == nil {
				continue
			}
			for _, source := range v.Projected.Sources {
				if source.Secret != nil {
					found[p.Namespace+"/"+source.Secret.Name] = true
				}
			}
		}
	}
	return found
}

func secretPurpose(v *corev1.Secret) string {
	_, username := v.Data["username"]
	_, user := v.Data["user"]
	_, password := v.Data["password"]
	switch {
	case strings.HasSuffix(v.Name, "backrest-repo-config"), strings.HasSuffix(v.Name, "-pgbackrest"):
		return "backrest"
	case password && (username || user):
		return "user"
	}
	return "other"
}

// orphan reports what is left of a cluster that is not there any more. Where
// the records of the operators may not be read, that is not known.
func (s *survey) orphan(o metav1.Object) bool {
	cluster, ns := clusterOf(o), o.GetNamespace()
	if cluster == "" || !s.recordsOf || s.recordsIn != "" && s.recordsIn != ns || s.records[ns+"/"+cluster] {
		return false
	}
	return !slices.ContainsFunc(s.pods, func(p corev1.Pod) bool { return p.Namespace == ns && clusterOf(&p) == cluster })
}

func (g *gatherer) secretCertificates(v *corev1.Secret) {
	for _, key := range slices.Sorted(maps.Keys(v.Data)) {
		cert, err := firstCertificate(v.Data[key])
		if err != nil {
			continue // passwords and keys live there, too
		}
		g.certificate(fmt.Sprintf("Secret %s, key %s", v.Name, key), within(v), cert)
	}
}
