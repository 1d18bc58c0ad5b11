package k8s

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

func (g *gatherer) nodeFacts(s *survey, now time.Time) {
	renewed := map[string]time.Time{}
	for i := range s.leases {
		if at := s.leases[i].Spec.RenewTime; at != nil {
			renewed[s.leases[i].Name] = at.Time
		}
	}
	for i := range s.nodes {
		n := &s.nodes[i]
		info := n.Status.NodeInfo
		fact := &evidence.Node{ReadyAge: -1, Reason: "NodeStatusNeverUpdated", Unschedulable: n.Spec.Unschedulable, Runtime: info.ContainerRuntimeVersion,
			Kubelet: info.KubeletVersion, Address: addressOf(n), Images: imagesOf(n)}
		beat := renewed[n.Name]
		for _, c := range n.Status.Conditions {
			switch {
			case c.Type == corev1.NodeReady:
				fact.Ready, fact.ReadyAge = c.Status == corev1.ConditionTrue, age(c.LastTransitionTime.Time, now)
				fact.Reason, fact.Message = c.Reason, c.Message
				if c.LastHeartbeatTime.After(beat) {
					beat = c.LastHeartbeatTime.Time
				}
			case c.Status == corev1.ConditionTrue && strings.HasSuffix(string(c.Type), "Pressure"):
				fact.Pressures = append(fact.Pressures, string(c.Type))
			}
		}
		fact.HeartbeatAge = age(beat, now)
		for _, t := range n.Spec.Taints {
			fact.Taints = append(fact.Taints, t.ToString())
		}
		slices.Sort(fact.Pressures)
		g.rec.Fact(n.Name, evidence.Place{Node: n.Name}, fact)
	}
}

func addressOf(n *corev1.Node) string {
	for _, kind := range []corev1.NodeAddressType{corev1.NodeInternalIP, corev1.NodeExternalIP, corev1.NodeHostName} {
		for _, a := range n.Status.Addresses {
			if a.Type == kind {
				return a.Address
			}
		}
	}
	return ""
}

// imagesOf are the images' names with tags; those that have only a digest by
// that.
func imagesOf(n *corev1.Node) []string {
	var names []string
	for _, image := range n.Status.Images {
		tagged := slices.DeleteFunc(slices.Clone(image.Names), func(name string) bool {
			return strings.Contains(name, "@") || strings.Contains(name, "<none>")
		})
		if len(tagged) == 0 {
			tagged = image.Names
		}
		names = append(names, tagged...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}
