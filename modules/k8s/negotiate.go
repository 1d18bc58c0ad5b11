package k8s

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// lineage is how one kind has been called over the years. A server has some of
// its versions, and a manifest is written in one of them.
type lineage struct {
	kinds    []string
	versions []string // group/version, the newest first
	// convert rewrites an object that says from into one that says to. nil:
	// nothing but apiVersion differs. s is what the server can.
	convert func(o *unstructured.Unstructured, from, to string, s skills) error
}

// lineages are the kinds whose versions have come or gone between Kubernetes
// 1.13 and today. From 1.13 on every server has apps/v1, rbac v1 and the
// like: they are here for manifests that are older still.
var lineages = []lineage{
	{[]string{"CustomResourceDefinition"}, []string{"apiextensions.k8s.io/v1", "apiextensions.k8s.io/v1beta1"}, convertDefinition},
	{[]string{"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"},
		[]string{"apps/v1", "apps/v1beta2", "apps/v1beta1", "extensions/v1beta1"}, convertWorkload},
	{[]string{"Role", "ClusterRole", "RoleBinding", "ClusterRoleBinding"},
		[]string{"rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io/v1beta1", "rbac.authorization.k8s.io/v1alpha1"}, nil},
	{[]string{"CronJob"}, []string{"batch/v1", "batch/v1beta1", "batch/v2alpha1"}, nil},
	{[]string{"Ingress"}, []string{"networking.k8s.io/v1", "networking.k8s.io/v1beta1", "extensions/v1beta1"}, convertIngress},
	{[]string{"IngressClass"}, []string{"networking.k8s.io/v1", "networking.k8s.io/v1beta1"}, nil},
	{[]string{"NetworkPolicy"}, []string{"networking.k8s.io/v1", "extensions/v1beta1"}, nil},
	{[]string{"PodDisruptionBudget"}, []string{"policy/v1", "policy/v1beta1"}, convertBudget},
	{[]string{"PodSecurityPolicy"}, []string{"policy/v1beta1", "extensions/v1beta1"}, nil},
	{[]string{"HorizontalPodAutoscaler"}, []string{"autoscaling/v2", "autoscaling/v2beta2"}, nil},
	{[]string{"PriorityClass"}, []string{"scheduling.k8s.io/v1", "scheduling.k8s.io/v1beta1"}, nil},
	{[]string{"StorageClass", "VolumeAttachment", "CSIDriver", "CSINode"}, []string{"storage.k8s.io/v1", "storage.k8s.io/v1beta1"}, nil},
	{[]string{"Lease"}, []string{"coordination.k8s.io/v1", "coordination.k8s.io/v1beta1"}, nil},
	{[]string{"RuntimeClass"}, []string{"node.k8s.io/v1", "node.k8s.io/v1beta1"}, nil},
	{[]string{"APIService"}, []string{"apiregistration.k8s.io/v1", "apiregistration.k8s.io/v1beta1"}, nil},
	{[]string{"ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"},
		[]string{"admissionregistration.k8s.io/v1", "admissionregistration.k8s.io/v1beta1"}, convertWebhooks},
}

// skills is what a conversion has to know of the server.
type skills struct {
	atLeast func(major, minor uint) bool
	version string
}

func (c client) skills() skills {
	s := skills{atLeast: c.AtLeast, version: "this server"}
	if v, ok := c.Version(); ok {
		s.version = "Kubernetes " + v.String()
	}
	return s
}

// negotiate finds how the server calls an object: by the version that the
// manifest says, or by another of the kind that it serves, for which the object
// is then rewritten. note says so; it is empty when nothing was.
func (c client) negotiate(d document) (_ document, m *meta.RESTMapping, note string, err error) {
	said := d.GroupVersionKind()
	m, err = c.mapping(said)
	unknown := unknownKind{}
	if err == nil || !errors.As(err, &unknown) {
		return d, m, "", err
	}
	line := lineageOf(d)
	for _, version := range line.versions {
		gv := schema.FromAPIVersionAndKind(version, said.Kind)
		other, otherErr := c.Mapper().RESTMapping(gv.GroupKind(), gv.Version)
		if otherErr != nil {
			continue
		}
		rewritten := d
		rewritten.Unstructured = d.DeepCopy()
		rewritten.SetAPIVersion(version)
		if line.convert != nil {
			if err := line.convert(rewritten.Unstructured, d.GetAPIVersion(), version, c.skills()); err != nil {
				return d, nil, "", fmt.Errorf("the cluster serves no %s, and as %s it cannot be said: %w", d.GetAPIVersion(), version, err)
			}
		}
		return rewritten, other, fmt.Sprintf("the cluster serves no %s; sent as %s", d.GetAPIVersion(), version), nil
	}
	unknown.versions = line.versions
	return d, nil, "", unknown
}

// lineageOf is the zero lineage for a kind that is not Kubernetes' own.
func lineageOf(d document) lineage {
	at := slices.IndexFunc(lineages, func(l lineage) bool {
		return slices.Contains(l.kinds, d.GetKind()) && slices.Contains(l.versions, d.GetAPIVersion())
	})
	if at < 0 {
		return lineage{}
	}
	return lineages[at]
}

// convertBudget guards against the one difference that changes the meaning.
func convertBudget(o *unstructured.Unstructured, _, _ string, _ skills) error {
	selector, found, _ := unstructured.NestedMap(o.Object, "spec", "selector")
	if found && len(selector) == 0 {
		return errors.New("an empty spec.selector means all pods in policy/v1, and none in policy/v1beta1")
	}
	return nil
}

// convertWorkload writes down what servers filled in for the older versions.
func convertWorkload(o *unstructured.Unstructured, from, to string, _ skills) error {
	if to != "apps/v1" {
		return nil // every server that is supported has it
	}
	unstructured.RemoveNestedField(o.Object, "spec", "rollbackTo")
	unstructured.RemoveNestedField(o.Object, "spec", "templateGeneration")
	labels, _, err := unstructured.NestedStringMap(o.Object, "spec", "template", "metadata", "labels")
	if err != nil {
		return err
	}
	if _, found, _ := unstructured.NestedMap(o.Object, "spec", "selector"); !found {
		if len(labels) == 0 {
			return errors.New("it has neither spec.selector nor labels in its template")
		}
		if err := unstructured.SetNestedStringMap(o.Object, labels, "spec", "selector", "matchLabels"); err != nil {
			return err
		}
	}
	kept := o.GetKind() == "DaemonSet" && from == "extensions/v1beta1" || o.GetKind() == "StatefulSet" && from == "apps/v1beta1"
	if _, found, _ := unstructured.NestedMap(o.Object, "spec", "updateStrategy"); !found && kept {
		return unstructured.SetNestedField(o.Object, "OnDelete", "spec", "updateStrategy", "type")
	}
	return nil
}
