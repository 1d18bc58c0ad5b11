package k8s

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// renamed are labels that Kubernetes itself puts on nodes, and what they were
// called before: kubernetes.io/os came with 1.14, topology.kubernetes.io with
// 1.17, the control plane lost the label master with 1.24.
var renamed = [][2]string{
	{"kubernetes.io/os", "beta.kubernetes.io/os"},
	{"kubernetes.io/arch", "beta.kubernetes.io/arch"},
	{"node.kubernetes.io/instance-type", "beta.kubernetes.io/instance-type"},
	{"topology.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/zone"},
	{"topology.kubernetes.io/region", "failure-domain.beta.kubernetes.io/region"},
	{"node-role.kubernetes.io/control-plane", "node-role.kubernetes.io/master"},
}

// list asks for the nodes of the selector. One that has a label of two names is
// matched here, where a node counts as having both: a runbook shall pick the
// same nodes of an old cluster and of a new one.
func (n *Nodes) list(ctx context.Context, c client) (*corev1.NodeList, error) {
	selector, err := labels.Parse(n.Selector)
	if err != nil {
		return nil, err
	}
	if !mentionsRenamed(selector) {
		return c.Clientset().CoreV1().Nodes().List(ctx, metav1.ListOptions{LabelSelector: n.Selector})
	}
	list, err := c.Clientset().CoreV1().Nodes().List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	list.Items = slices.DeleteFunc(list.Items, func(node corev1.Node) bool { return !selector.Matches(bothNames(node.Labels)) })
	return list, nil
}

func mentionsRenamed(selector labels.Selector) bool {
	requirements, _ := selector.Requirements()
	return slices.ContainsFunc(requirements, func(r labels.Requirement) bool {
		return slices.ContainsFunc(renamed, func(pair [2]string) bool { return slices.Contains(pair[:], r.Key()) })
	})
}

// bothNames are a node's labels, the renamed ones under either name.
func bothNames(of map[string]string) labels.Set {
	set := labels.Set{}
	for key, value := range of {
		set[key] = value
	}
	for _, pair := range renamed {
		for i, name := range pair {
			value, ok := of[name]
			if _, both := of[pair[1-i]]; ok && !both {
				set[pair[1-i]] = value
			}
		}
	}
	return set
}
