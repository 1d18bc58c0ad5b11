package k8s

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// The labels by which the operators mark what belongs to a database cluster:
// PGO 4, and 5 and later.
const (
	clusterLabel4     = "pg-cluster"
	clusterLabel5     = "postgres-operator.crunchydata.com/cluster"
	databaseLabel4    = "pgo-pg-database"
	repositoryLabel4  = "pgo-backrest-repo"
	dataLabel5        = "postgres-operator.crunchydata.com/data"
	roleLabel4        = "role"
	roleLabel5        = "postgres-operator.crunchydata.com/role"
	controlPlane5     = "postgres-operator.crunchydata.com/control-plane"
	scopeLabel4       = "crunchy-pgha-scope"
	scopeLabel5       = "postgres-operator.crunchydata.com/patroni"
	installationLabel = "pgo-installation-name"
)

// The roles of pods.
const (
	databaseRole   = "database"
	repositoryRole = "repository"
	jobRole        = "job"
	operatorRole   = "operator"
	systemRole     = "system"
	otherRole      = "other"
)

// clusterOf names the database cluster that an object belongs to, by its
// labels. The Jobs by which PGO 4 removes a cluster tell it by their names.
func clusterOf(o metav1.Object) string {
	labels := o.GetLabels()
	for _, label := range []string{clusterLabel4, clusterLabel5, scopeLabel4} {
		if labels[label] != "" {
			return labels[label]
		}
	}
	name := o.GetName()
	if job := labels["job-name"]; job != "" {
		name = job
	}
	if cluster, _, ok := strings.Cut(name, "-rmdata-"); ok {
		return cluster
	}
	return ""
}

// roleOf is what a pod is there for.
func (s *survey) roleOf(pod *corev1.Pod) string {
	owner := metav1.GetControllerOf(pod)
	switch {
	case pod.Labels[databaseLabel4] == "true", pod.Labels[dataLabel5] == "postgres":
		return databaseRole
	case pod.Labels[repositoryLabel4] == "true", pod.Labels[dataLabel5] == "pgbackrest":
		return repositoryRole
	case owner != nil && owner.Kind == "Job":
		return jobRole
	case pod.Labels[controlPlane5] != "", pod.Labels["name"] == "postgres-operator" && slices.Contains(s.operators, pod.Namespace):
		return operatorRole
	case pod.Namespace == system:
		return systemRole
	}
	return otherRole
}

// leads reports what the label says that services go by.
func leads(pod *corev1.Pod) bool {
	for _, label := range []string{roleLabel4, roleLabel5} {
		if role := pod.Labels[label]; role == "master" || role == "primary" {
			return true
		}
	}
	return false
}

func placeOf(pod *corev1.Pod) evidence.Place {
	return evidence.Place{Node: pod.Spec.NodeName, Namespace: pod.Namespace, Cluster: clusterOf(pod), Pod: pod.Name}
}

// within is the place of an object that is no pod.
func within(o metav1.Object) evidence.Place {
	return evidence.Place{Namespace: o.GetNamespace(), Cluster: clusterOf(o)}
}

// ownerOf says who made an object: "Job/x".
func ownerOf(o metav1.Object) string {
	if owner := metav1.GetControllerOf(o); owner != nil {
		return owner.Kind + "/" + owner.Name
	}
	return ""
}
