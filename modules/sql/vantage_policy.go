package sql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// policies describes the network policies that decide what comes into the pod.
func (s *vantageSite) policies(ctx context.Context) ([]string, error) {
	list, err := s.cluster.Clientset().NetworkingV1().NetworkPolicies(s.pod.Namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var found []string
	for _, p := range list.Items {
		selector, err := metav1.LabelSelectorAsSelector(&p.Spec.PodSelector)
		if err != nil || !selector.Matches(labels.Set(s.pod.Labels)) || !incoming(p) {
			continue
		}
		found = append(found, p.Name+" ("+lets(p, s.v.Port)+")")
	}
	slices.Sort(found)
	return found, nil
}

func incoming(p networkingv1.NetworkPolicy) bool {
	return len(p.Spec.PolicyTypes) == 0 || slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress)
}

// lets says in a few words whom a policy lets in to port.
func lets(p networkingv1.NetworkPolicy, port int) string {
	var sources []string
	for _, rule := range p.Spec.Ingress {
		if !opens(rule.Ports, port) {
			continue
		}
		if len(rule.From) == 0 {
			return fmt.Sprintf("lets everybody in to port %d", port)
		}
		for _, from := range rule.From {
			sources = append(sources, peer(from))
		}
	}
	if len(sources) == 0 {
		return fmt.Sprintf("lets nobody in to port %d", port)
	}
	return fmt.Sprintf("lets in to port %d only %s", port, strings.Join(sources, ", "))
}

func opens(ports []networkingv1.NetworkPolicyPort, port int) bool {
	if len(ports) == 0 {
		return true
	}
	return slices.ContainsFunc(ports, func(p networkingv1.NetworkPolicyPort) bool {
		if p.Port == nil || p.Port.StrVal != "" { // a name: it may mean this port
			return true
		}
		last := p.Port.IntVal
		if p.EndPort != nil {
			last = *p.EndPort
		}
		return int(p.Port.IntVal) <= port && port <= int(last)
	})
}

func peer(p networkingv1.NetworkPolicyPeer) string {
	if p.IPBlock != nil {
		return p.IPBlock.CIDR
	}
	text := "pods"
	if p.PodSelector != nil && metav1.FormatLabelSelector(p.PodSelector) != "<none>" {
		text += " with " + metav1.FormatLabelSelector(p.PodSelector)
	}
	if p.NamespaceSelector != nil {
		text += " of namespaces with " + metav1.FormatLabelSelector(p.NamespaceSelector)
	}
	return text
}
