package patroni

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/module"
)

// annotatedLeader reads who leads where Patroni keeps it: ConfigMap
// SCOPE-leader, or Endpoints SCOPE where Patroni was told to use those.
func (p *place) annotatedLeader(ctx context.Context, v *view) (leader, object string, err error) {
	name, endpoints := "", false
	for _, m := range v.members {
		name, endpoints = firstOf(name, scope(m.pod)), managed5(m.pod)
	}
	if name = firstOf(name, v.scope); name == "" {
		return "", "", nil
	}
	client := p.kube.Clientset().CoreV1()
	if !endpoints {
		found, err := client.ConfigMaps(p.namespace).Get(ctx, name+"-leader", metav1.GetOptions{})
		if err == nil {
			return found.Annotations["leader"], "ConfigMap " + found.Name, nil
		}
		if !apierrors.IsNotFound(err) {
			return "", "", fmt.Errorf("read who leads from ConfigMap %s-leader: %w", name, err)
		}
	}
	//nolint:staticcheck // Patroni itself keeps its lock in Endpoints
	found, err := client.Endpoints(p.namespace).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return "", "", nil
	}
	if err != nil {
		return "", "", fmt.Errorf("read who leads from Endpoints %s: %w", name, err)
	}
	return found.Annotations["leader"], "Endpoints " + found.Name, nil
}

// problems says what is not in order, the worst first.
func (v *view) problems() []string {
	var list []string
	say := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if two := v.primaries(); len(two) > 1 {
		say("%d members run as primary: %s", len(two), strings.Join(two, ", "))
	}
	if v.lock == "" {
		say("no member leads")
	}
	v.disagreements(say)
	for _, m := range v.members {
		if why := v.ill(m); why != "" {
			say("%s: %s", m.name, why)
		}
	}
	for _, name := range v.strangers {
		say("%s: the store lists it, and there is no such pod", name)
	}
	if v.paused {
		say("Patroni is paused: nothing fails over by itself")
	}
	return list
}

// disagreements compares the words on who leads.
func (v *view) disagreements(say func(string, ...any)) {
	if v.object != "" && v.annotated != v.lock {
		say("the annotation of %s names %s as leader, Patroni's REST API %s", v.object, orNobody(v.annotated), orNobody(v.lock))
	}
	var marked []string
	for _, m := range v.members {
		if m.said != nil && m.said.Leads && m.name != v.lock {
			say("%s says that it leads, the cluster's view says %s", m.name, orNobody(v.lock))
		}
		if m.pod != nil && role(m.pod) == "master" && m.pod.DeletionTimestamp == nil {
			marked = append(marked, m.name)
		}
	}
	if leader := v.find(v.lock); leader != nil && leader.said != nil && !leader.said.Leads {
		say("%s holds the leader lock and says that it does not lead: it is %s and %s", v.lock, leader.said.Role, leader.said.State)
	}
	if len(marked) > 1 {
		say("%d pods are labelled as master, so the service leads to each of them: %s", len(marked), strings.Join(marked, ", "))
	}
}

// labelled reports that exactly the leader's pod carries the label by which
// services find it.
func (v *view) labelled() bool {
	for _, m := range v.members {
		if m.pod != nil && (role(m.pod) == "master") != (m.name == v.lock) {
			return false
		}
	}
	return true
}

func orNobody(name string) string {
	if name == "" {
		return "nobody"
	}
	return name
}

// lead is the leader, or the reason why a change cannot begin.
func (p *place) lead(v *view) (*member, error) {
	if two := v.primaries(); len(two) > 1 {
		return nil, module.Explain(fmt.Errorf("cluster %s has %d primaries: %s", p.name, len(two), strings.Join(two, ", ")),
			"stop all but the one that holds the leader lock ("+orNobody(v.lock)+") before anything else is changed", v.problems()...)
	}
	if m := v.leader(); m != nil {
		return m, nil
	}
	return nil, module.Explain(fmt.Errorf("cluster %s has no leader now", p.name),
		"wait until a member leads; when none does, the logs of the members say why", v.problems()...)
}
