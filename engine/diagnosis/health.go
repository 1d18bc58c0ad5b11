package diagnosis

import (
	"time"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// health is what the facts say of how the parts of a site are now.
type health struct {
	taken time.Time
	since time.Duration

	pods      map[key]*pod
	byName    map[string][]*pod
	jobs      map[key]*job
	claims    map[key]evidence.Place
	bound     map[key]bool
	volumes   map[string]bool // that are well
	workloads map[key]*workload
	nodes     map[string]bool // by name, true: not well
	steps     []step

	podAiling     map[key]bool    // ready or not, some fact says that it does not do its work
	vouched       map[key]bool    // some fact says that the server in it does its work
	databases     map[key]bool    // clusters whose database, as a whole, does not do its work
	clusterAiling map[key]bool    // something of it is not well
	nodeAiling    map[string]bool // something on it is not well
	operator      bool            // is not well
	anything      bool            // is not well
	seen          map[string]bool // kinds of fact that are there
}

// key names something in a namespace.
type key struct{ namespace, name string }

type pod struct {
	evidence.Pod
	name       string
	place      evidence.Place
	seen       time.Time
	containers map[string]*evidence.Container
}

type job struct {
	evidence.Job
	place evidence.Place
}

type workload struct {
	evidence.Workload
	place evidence.Place
}

type step struct {
	evidence.StepResult
	name  string
	place evidence.Place
}

// examine judges the state of everything that facts are about.
func examine(facts []evidence.Fact, taken time.Time, since time.Duration) *health {
	h := &health{taken: taken, since: since,
		pods: map[key]*pod{}, byName: map[string][]*pod{}, jobs: map[key]*job{}, claims: map[key]evidence.Place{}, bound: map[key]bool{},
		volumes: map[string]bool{}, workloads: map[key]*workload{}, nodes: map[string]bool{},
		podAiling: map[key]bool{}, vouched: map[key]bool{}, databases: map[key]bool{}, clusterAiling: map[key]bool{}, nodeAiling: map[string]bool{}, seen: map[string]bool{}}
	for _, f := range facts {
		h.seen[f.Kind] = true
		h.index(f)
	}
	for _, f := range facts {
		h.judge(f)
	}
	for _, p := range h.pods {
		if h.podUnwell(p) {
			if p.Role == "other" && p.place.Cluster == "" { // another application
				h.podAiling[key{p.place.Namespace, p.name}] = true
				continue
			}
			h.ails(p.place)
			h.operator = h.operator || p.Role == "operator"
		}
	}
	return h
}

// index keeps what others are judged by.
func (h *health) index(f evidence.Fact) {
	at := key{f.Place.Namespace, f.Name}
	switch x := f.Data.(type) {
	case *evidence.Pod:
		p := h.pod(key{f.Place.Namespace, podName(f)})
		p.Pod, p.name, p.seen, p.place = *x, podName(f), f.Seen, f.Place
		p.place.Pod, p.place.Container = p.name, ""
		if p.place.Node == "" {
			p.place.Node = x.Node
		}
		h.byName[p.name] = append(h.byName[p.name], p)
	case *evidence.Container:
		if f.Place.Pod != "" {
			h.pod(key{f.Place.Namespace, f.Place.Pod}).containers[containerName(f)] = x
		}
	case *evidence.Job:
		h.jobs[at] = &job{*x, f.Place}
	case *evidence.Claim:
		h.claims[at], h.bound[at] = f.Place, x.Phase == "Bound"
	case *evidence.Volume:
		h.volumes[f.Name] = x.Phase != "Failed"
	case *evidence.Workload:
		h.workloads[key{f.Place.Namespace, x.Type + "/" + f.Name}] = &workload{*x, f.Place}
	case *evidence.Node:
		h.nodes[f.Name] = h.nodes[f.Name] || !x.Ready || len(x.Pressures) > 0
	case *evidence.StepResult:
		h.steps = append(h.steps, step{*x, f.Name, f.Place})
	}
}

func (h *health) pod(at key) *pod {
	if h.pods[at] == nil {
		h.pods[at] = &pod{containers: map[string]*evidence.Container{}}
	}
	return h.pods[at]
}

func podName(f evidence.Fact) string {
	if f.Place.Pod != "" {
		return f.Place.Pod
	}
	return f.Name
}

func containerName(f evidence.Fact) string {
	if f.Place.Container != "" {
		return f.Place.Container
	}
	return f.Name
}

// ails notes that something is wrong at a place, and with what it is part of.
func (h *health) ails(p evidence.Place) {
	h.anything = true
	if p.Pod != "" {
		h.podAiling[key{p.Namespace, p.Pod}] = true
	}
	if p.Cluster != "" {
		h.clusterAiling[key{p.Namespace, p.Cluster}] = true
	}
	if p.Node != "" {
		h.nodeAiling[p.Node] = true
	}
}

// enrich adds to a place what the facts know of its pod.
func (h *health) enrich(p evidence.Place) evidence.Place {
	if p.Pod == "" {
		return p
	}
	known := h.pods[key{p.Namespace, p.Pod}]
	if all := h.byName[p.Pod]; known == nil && p.Namespace == "" && len(all) == 1 {
		known = all[0]
	}
	if known == nil {
		return p
	}
	for _, field := range []struct{ to, from *string }{{&p.Node, &known.place.Node}, {&p.Namespace, &known.place.Namespace}, {&p.Cluster, &known.place.Cluster}} {
		if *field.to == "" {
			*field.to = *field.from
		}
	}
	return p
}

// runsOn says whether a cluster may have a pod on a node.
func (h *health) runsOn(cluster key, node string) bool {
	known := false
	for _, p := range h.pods {
		if p.place.Cluster == cluster.name && (p.place.Namespace == cluster.namespace || cluster.namespace == "") {
			if p.place.Node == node || p.place.Node == "" {
				return true
			}
			known = true
		}
	}
	return !known
}
