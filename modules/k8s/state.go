package k8s

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// state is what k8s.wait waits for.
type state struct {
	// lacks says what keeps an object from the state; empty when it is in it.
	lacks func(o *unstructured.Unstructured) string
	// none says what is lacking when there is no object; empty when that is
	// the state.
	none string
	// constructive states need working pods.
	constructive bool
}

const notThere = "does not exist yet"

func stateOf(name string) (state, error) {
	if rest, ok := strings.CutPrefix(name, "condition="); ok && rest != "" {
		kind, want, given := strings.Cut(rest, "=")
		if !given {
			want = "True"
		}
		return state{lacks: hasCondition(kind, want), none: notThere, constructive: want == "True"}, nil
	}
	switch name {
	case "ready":
		return state{lacks: ready, none: notThere, constructive: true}, nil
	case "available":
		return state{lacks: hasCondition("Available", "True"), none: notThere, constructive: true}, nil
	case "complete":
		return state{lacks: hasCondition("Complete", "True"), none: notThere, constructive: true}, nil
	case "exists":
		return state{lacks: func(*unstructured.Unstructured) string { return "" }, none: notThere}, nil
	case "deleted":
		return state{lacks: func(*unstructured.Unstructured) string { return "is still there" }}, nil
	}
	return state{}, fmt.Errorf("there is no state %q: it is ready, available, complete, exists, deleted or condition=TYPE", name)
}

func hasCondition(kind, want string) func(*unstructured.Unstructured) string {
	return func(o *unstructured.Unstructured) string {
		status, message := conditionOf(o, kind)
		switch {
		case strings.EqualFold(status, want):
			return ""
		case message != "":
			return fmt.Sprintf("%s is %s: %s", kind, status, message)
		case status == "":
			return kind + " is not known yet"
		}
		return fmt.Sprintf("%s is %s", kind, status)
	}
}

// ready is what an object of any kind lacks to be of use.
func ready(o *unstructured.Unstructured) string {
	if o.GetDeletionTimestamp() != nil {
		return "is being deleted"
	}
	switch o.GroupVersionKind().Group + "/" + o.GetKind() {
	case "apps/Deployment", "apps/StatefulSet", "apps/DaemonSet", "apps/ReplicaSet", "extensions/Deployment":
		return rolledOut(o)
	case "batch/Job":
		return hasCondition("Complete", "True")(o)
	case "/PersistentVolumeClaim":
		return phase(o, "Bound")
	case "/PersistentVolume":
		return phase(o, "Bound", "Available")
	case "/Namespace":
		return phase(o, "Active")
	case "apiextensions.k8s.io/CustomResourceDefinition":
		return hasCondition("Established", "True")(o)
	case "/ConfigMap", "/Secret", "/ServiceAccount", "rbac.authorization.k8s.io/Role", "rbac.authorization.k8s.io/RoleBinding":
		return ""
	}
	return hasCondition("Ready", "True")(o)
}

func phase(o *unstructured.Unstructured, good ...string) string {
	is, _, _ := unstructured.NestedString(o.Object, "status", "phase")
	if slices.Contains(good, is) {
		return ""
	}
	return "is " + strings.ToLower(is)
}

// rolledOut compares what a controller of pods wants with what it has. The
// field names differ a little between the kinds.
func rolledOut(o *unstructured.Unstructured) string {
	number := func(fields ...string) (int64, bool) {
		n, ok, _ := unstructured.NestedInt64(o.Object, fields...)
		return n, ok
	}
	seen, ok := number("status", "observedGeneration")
	if !ok || seen < o.GetGeneration() {
		return "the controller has not seen it yet"
	}
	wanted, ok := number("spec", "replicas")
	updated, _ := number("status", "updatedReplicas")
	all, _ := number("status", "replicas")
	good, _ := number("status", "availableReplicas")
	switch o.GetKind() {
	case "DaemonSet":
		wanted, _ = number("status", "desiredNumberScheduled")
		updated, _ = number("status", "updatedNumberScheduled")
		good, _ = number("status", "numberAvailable")
		ok, all = true, updated
	case "ReplicaSet":
		updated = all
	case "StatefulSet":
		good, _ = number("status", "readyReplicas")
	}
	if !ok {
		wanted = 1 // the default of the kinds that have the field
	}
	switch {
	case updated < wanted:
		return fmt.Sprintf("%d of %d pods are of the new version", updated, wanted)
	case all > updated:
		return fmt.Sprintf("%d old pods are still there", all-updated)
	case good < wanted:
		return fmt.Sprintf("%d of %d pods are ready", good, wanted)
	}
	return ""
}
