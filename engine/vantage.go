package engine

import (
	"fmt"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/lang"
)

// everywhere is all that the runbook names, or what the operator wants of it:
// target blocks, and single hosts of them.
func (r *run) everywhere() ([]conn.Target, error) {
	var all []conn.Target
	var names []string
	missing := slices.Clone(r.Diagnosis.Targets)
	wanted := func(name string) bool {
		names = append(names, name)
		missing = slices.DeleteFunc(missing, func(m string) bool { return m == name })
		return slices.Contains(r.Diagnosis.Targets, name)
	}
	for _, block := range r.book.Targets {
		whole := wanted(block.Name)
		for _, host := range block.Hosts {
			if host.Name != block.Name && wanted(host.Name) || whole || len(r.Diagnosis.Targets) == 0 {
				all = append(all, host)
			}
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("there is no target %q: the runbook has %s", missing[0], strings.Join(slices.Compact(names), ", "))
	}
	return all, nil
}

// around is where instances that failed work, and the clusters of the runbook
// with the engines that know its images.
func (r *run) around(failed []*lang.Instance) []conn.Target {
	var all []conn.Target
	add := func(t conn.Target) {
		if t.Kind != conn.Container && !slices.ContainsFunc(all, func(k conn.Target) bool { return k.Key() == t.Key() }) {
			all = append(all, t)
		}
	}
	for _, i := range failed {
		add(i.Target)
	}
	for _, block := range r.book.Targets {
		for _, host := range block.Hosts {
			if host.Kind == conn.Kubernetes || host.Kind == conn.Docker {
				add(host)
			}
		}
	}
	return all
}

// placeOf is what is known of a target's place without asking it.
func placeOf(t conn.Target) evidence.Place {
	switch t.Kind {
	case conn.SSH:
		return evidence.Place{Node: t.Name}
	case conn.Kubernetes, conn.Container:
		return evidence.Place{Namespace: t.Namespace, Pod: t.Pod, Container: t.Container}
	}
	return evidence.Place{}
}

// called is how a gap calls a target that cannot be reached.
func called(t conn.Target) string {
	switch t.Kind {
	case conn.SSH:
		return "the machine"
	case conn.Kubernetes:
		return "the cluster"
	case conn.Docker:
		return "the docker engine"
	}
	return t.String()
}
