package k8s

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

// hostsOf reads targets out of what a runbook may write for several: a whole
// ssh target, one host, a list, or a map by name.
func hostsOf(v cty.Value) ([]conn.Target, error) {
	t := v.Type()
	switch {
	case v.IsNull():
		return nil, errors.New("it is null")
	case t.Equals(conn.TargetType):
		one, err := conn.TargetFrom(v)
		return []conn.Target{one}, err
	case t.IsObjectType() && t.HasAttribute("hosts") && t.HasAttribute("config"):
		return hostsOf(v.GetAttr("hosts"))
	case t.IsObjectType(), t.IsMapType():
		fields := v.AsValueMap()
		var items []cty.Value
		for _, name := range slices.Sorted(maps.Keys(fields)) {
			items = append(items, fields[name])
		}
		return listOf(items)
	case t.IsTupleType(), t.IsListType(), t.IsSetType():
		return listOf(v.AsValueSlice())
	}
	return nil, fmt.Errorf("it takes an ssh target, such as target.nodes, or a list or map of its hosts, not %s", t.FriendlyName())
}

func listOf(items []cty.Value) ([]conn.Target, error) {
	var all []conn.Target
	for _, item := range items {
		more, err := hostsOf(item)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// bonds are the ways in which a host may be a node, the surest first.
var bonds = []func(h conn.Target, n Node) bool{
	func(h conn.Target, n Node) bool { return h.Name == n.Name },
	func(h conn.Target, n Node) bool { return h.Address == n.Name || slices.Contains(n.Addresses, h.Name) },
	func(h conn.Target, n Node) bool { return slices.Contains(n.Addresses, h.Address) },
	func(h conn.Target, n Node) bool { return label(h.Name) == label(n.Name) && label(n.Name) != "" },
}

// label is the first part of a name: node1 of node1.site.corp.
func label(name string) string {
	if net.ParseIP(name) != nil {
		return ""
	}
	first, _, _ := strings.Cut(name, ".")
	return first
}

// match finds the host of each node that has one. Surer bonds go first, so that
// hosts behind one address (forwarded ports) are told apart by name.
func match(nodes []Node, hosts []conn.Target) (map[string]conn.Target, error) {
	found, taken := map[string]conn.Target{}, map[string]string{}
	for _, bond := range bonds {
		for _, n := range nodes {
			if _, ok := found[n.Name]; ok {
				continue
			}
			var fits []conn.Target
			for _, h := range hosts {
				if taken[h.Key()] == "" && bond(h, n) {
					fits = append(fits, h)
				}
			}
			switch len(fits) {
			case 0:
			case 1:
				if other := rival(n, nodes, found, fits[0], bond); other != "" {
					return nil, module.Explain(fmt.Errorf("the host %s may be node %s or node %s", fits[0].Name, n.Name, other),
						"name the hosts of the ssh target as the nodes are called")
				}
				found[n.Name], taken[fits[0].Key()] = fits[0], n.Name
			default:
				return nil, module.Explain(fmt.Errorf("node %s may be the host %s or the host %s", n.Name, fits[0].Name, fits[1].Name),
					fmt.Sprintf("call the right one of them %s in the ssh target", n.Name))
			}
		}
	}
	return found, nil
}

// rival is another node without a host that the host fits as well.
func rival(n Node, nodes []Node, found map[string]conn.Target, h conn.Target, bond func(conn.Target, Node) bool) string {
	for _, other := range nodes {
		if _, ok := found[other.Name]; !ok && other.Name != n.Name && bond(h, other) {
			return other.Name
		}
	}
	return ""
}

// withoutHost is the error about nodes that no host matches.
func withoutHost(nodes []Node) error {
	if len(nodes) == 0 {
		return nil
	}
	var names, lines []string
	for _, n := range nodes {
		address := n.Name
		for _, kind := range []corev1.NodeAddressType{corev1.NodeHostName, corev1.NodeInternalDNS, corev1.NodeInternalIP} {
			for _, a := range n.raw.Status.Addresses {
				if a.Type == kind {
					address = a.Address
				}
			}
		}
		names = append(names, fmt.Sprintf("%s (%s)", n.Name, address))
		lines = append(lines, fmt.Sprintf("%s = { address = %q }", n.Name, address))
	}
	what := "the node " + names[0] + " has no SSH host"
	if len(names) > 1 {
		what = fmt.Sprintf("%d nodes have no SSH host: %s", len(names), strings.Join(names, ", "))
	}
	return module.Explain(errors.New(what+"; a pod that starts there would find no image"),
		"add to the hosts of the ssh target: "+strings.Join(lines, ", ")+"; or leave nodes out by selector")
}
