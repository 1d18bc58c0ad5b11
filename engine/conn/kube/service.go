package kube

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// backend finds a ready pod behind a service and the port it listens on there.
// port is the service's: its number or its name. Endpoints are read rather than
// EndpointSlices: every server since 1.0 keeps them, and the pod is named there.
func (c *Cluster) backend(ctx context.Context, namespace, service, port string) (pod, target string, err error) {
	svc, err := c.clientset.CoreV1().Services(namespace).Get(ctx, service, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", "", fmt.Errorf("there is no service %s in namespace %s", service, namespace)
	}
	if err != nil {
		return "", "", fmt.Errorf("read service %s: %w", service, err)
	}
	at := slices.IndexFunc(svc.Spec.Ports, func(p corev1.ServicePort) bool {
		return p.Name == port || strconv.Itoa(int(p.Port)) == port
	})
	if at < 0 {
		return "", "", fmt.Errorf("service %s has no port %s", service, port)
	}
	//nolint:staticcheck // deprecated in favour of EndpointSlices, which servers before 1.21 lack
	endpoints, err := c.clientset.CoreV1().Endpoints(namespace).Get(ctx, service, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return "", "", fmt.Errorf("read endpoints of service %s: %w", service, err)
	}
	for _, subset := range endpoints.Subsets {
		for _, a := range subset.Addresses {
			if a.TargetRef == nil || a.TargetRef.Kind != "Pod" {
				continue
			}
			for _, p := range subset.Ports {
				if p.Name == svc.Spec.Ports[at].Name {
					return a.TargetRef.Name, strconv.Itoa(int(p.Port)), nil
				}
			}
		}
	}
	return "", "", fmt.Errorf("no pod behind service %s is ready", service)
}
