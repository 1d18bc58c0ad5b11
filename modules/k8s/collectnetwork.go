package k8s

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// dnsLabel marks the cluster's name service, whoever provides it.
const dnsLabel = "kube-dns"

func (g *gatherer) network(s *survey) {
	ready, waiting := map[string]int64{}, map[string]int64{}
	for i := range s.endpoints {
		e := &s.endpoints[i]
		for _, subset := range e.Subsets {
			ready[e.Namespace+"/"+e.Name] += int64(len(subset.Addresses))
			waiting[e.Namespace+"/"+e.Name] += int64(len(subset.NotReadyAddresses))
		}
	}
	for i := range s.services {
		v := &s.services[i]
		if v.Spec.Type == corev1.ServiceTypeExternalName || !s.endpointsOf[v.Namespace] {
			continue // where it leads cannot be known
		}
		key := v.Namespace + "/" + v.Name
		g.rec.Fact(v.Name, within(v), &evidence.Service{Type: string(v.Spec.Type), ClusterIP: v.Spec.ClusterIP, Selector: v.Spec.Selector,
			Ready: ready[key], NotReady: waiting[key], Database: s.leadsToDatabase(v)})
		if v.Namespace == system && v.Labels["k8s-app"] == dnsLabel {
			g.dns(s, v.Name, ready[key])
		}
	}
}

// leadsToDatabase reports a service that has an endpoint while its cluster is in
// order: that of the primary, and that of the replicas where there are any.
func (s *survey) leadsToDatabase(v *corev1.Service) bool {
	cluster := clusterOf(v)
	if cluster == "" {
		cluster = v.Spec.Selector[clusterLabel4]
	}
	if cluster == "" {
		return false
	}
	role := v.Spec.Selector[roleLabel4] + v.Spec.Selector[roleLabel5]
	switch {
	case role == "master" || role == "primary", v.Name == cluster+"-ha", v.Name == cluster+"-primary":
		return true
	case role != "replica":
		return false
	}
	members := 0
	for i := range s.pods {
		if p := &s.pods[i]; p.Namespace == v.Namespace && clusterOf(p) == cluster && s.roleOf(p) == databaseRole {
			members++
		}
	}
	return members > 1
}

// dns tells of the name service how many of its pods answer, and how many should.
func (g *gatherer) dns(s *survey, name string, ready int64) {
	fact := &evidence.DNS{Ready: ready}
	for i := range s.deployments {
		d := &s.deployments[i]
		if d.Namespace == system && (d.Labels["k8s-app"] == dnsLabel || strings.HasPrefix(d.Name, "coredns")) {
			wants := int64(1)
			if d.Spec.Replicas != nil {
				wants = int64(*d.Spec.Replicas)
			}
			fact.Wants += wants
		}
	}
	g.rec.Fact(name, evidence.Place{Namespace: system}, fact)
}
