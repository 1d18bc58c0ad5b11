package diagnosis

import (
	"slices"
	"strings"
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

// starting is how long a pod may take to become ready before that means
// anything, when nothing else is wrong with it.
const starting = 45 // seconds

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

// judge notes what a fact says is wrong. It decides which logs are worth a
// look, no more: a fact that is wrong here is no finding.
func (h *health) judge(f evidence.Fact) {
	place := h.enrich(f.Place)
	bad := false
	switch x := f.Data.(type) {
	case *evidence.Patroni:
		bad = x.Leader == "" || x.TTL > 0 && x.LeaderAge > 2*x.TTL
	case *evidence.Member:
		bad = !slices.Contains([]string{"running", "streaming", "in archive recovery"}, x.State) || x.Lag > lagging
		if place.Pod == "" {
			place.Pod = f.Name
		}
	case *evidence.Server:
		bad = x.Error != "" || x.Recovery && !x.Receiving || x.MaxConnections > 0 && x.Connections*100 >= x.MaxConnections*95
	case *evidence.Archiver:
		bad = x.Failing
	case *evidence.Replication:
		bad = x.State != "streaming" || x.Lag > lagging
	case *evidence.Role:
		bad = !x.Exists || x.Matches == "no" || x.Expires < 0
	case *evidence.DataFolder:
		bad = x.Percent >= full || len(x.Guards) > 0
	case *evidence.Stanza:
		bad = x.Code != 0
	case *evidence.Cluster:
		bad = !x.Shutdown && x.Pods == 0 && x.Age > starting
	case *evidence.Replica:
		bad = x.Pods == 0 && x.Age > starting
	case *evidence.Workflow:
		bad = !x.Completed && x.Age > 10*starting
	case *evidence.Operator:
		bad = !x.Ready
		h.operator = h.operator || bad
	case *evidence.PGOServer:
		bad = !x.Reachable
		h.operator = h.operator || bad
	case *evidence.Job:
		bad = h.jobUnwell(key{f.Place.Namespace, f.Name})
	case *evidence.Workload:
		bad = h.workloadUnwell(&workload{*x, f.Place})
	case *evidence.StepResult:
		bad = x.Status == "failed"
	case *evidence.Node, *evidence.Runtime, *evidence.Disk, *evidence.Reach:
		if bad = h.nodeBad(f); bad {
			h.nodes[nodeName(f)] = true
		}
	case *evidence.APIServer:
		bad = x.Error != ""
	case *evidence.DNS:
		bad = x.Error != "" || x.Ready < 1
	case *evidence.Service:
		bad = x.Database && x.Ready == 0
	}
	if !bad {
		if asks := f.Kind == "patroni.member" || f.Kind == "pg.server"; asks && place.Pod != "" {
			h.vouched[key{place.Namespace, place.Pod}] = true
		}
		return
	}
	h.ails(place)
	if family, _, _ := strings.Cut(f.Kind, "."); place.Pod == "" && place.Cluster != "" && slices.Contains([]string{"pg", "patroni", "pgbackrest"}, family) {
		h.databases[key{place.Namespace, place.Cluster}] = true
	}
}

const (
	lagging = 64 << 20 // bytes behind
	full    = 95       // percent used
)

func nodeName(f evidence.Fact) string {
	if f.Place.Node != "" {
		return f.Place.Node
	}
	return f.Name
}

func (h *health) nodeBad(f evidence.Fact) bool {
	switch x := f.Data.(type) {
	case *evidence.Node:
		return h.nodes[f.Name]
	case *evidence.Runtime:
		return !x.Running || x.Kubelet == "inactive" || x.Kubelet == "failed"
	case *evidence.Disk:
		return x.Percent >= full || x.Inodes >= full
	case *evidence.Reach:
		return !x.Reachable
	}
	return false
}

// podUnwell says whether a pod does not do its work: it is not ready though it
// should be, or it is ready again and again.
func (h *health) podUnwell(p *pod) bool {
	switch {
	case p.name == "": // only its containers are known
		return anyContainer(p, func(c *evidence.Container) bool { return !c.Init && !c.Ready })
	case p.Ready:
		return anyContainer(p, h.flaps)
	case p.Phase == "Succeeded", p.Deleting > 0 && p.Deleting < starting:
		return false
	case strings.HasPrefix(p.Owner, "Job/"):
		// Its Job tells how it stands; without one, how the pod ended does.
		at := key{p.place.Namespace, strings.TrimPrefix(p.Owner, "Job/")}
		if h.jobs[at] != nil {
			return h.jobUnwell(at) || p.Phase == "Pending" && p.Age > starting
		}
	case p.Phase == "Failed":
		return !h.replaced(p)
	}
	fresh := p.Age > 0 && p.Age < starting
	return !fresh || anyContainer(p, func(c *evidence.Container) bool {
		return c.Restarts > 0 || c.State == "terminated" && !(c.Init && c.ExitCode == 0) || c.State == "waiting" && !slices.Contains(onItsWay, c.Reason)
	})
}

// replaced says whether another pod has taken the place of one that has failed.
func (h *health) replaced(p *pod) bool {
	if w := h.workloads[key{p.place.Namespace, p.Owner}]; w != nil {
		return !h.workloadUnwell(w)
	}
	for _, other := range h.pods {
		if p.Owner != "" && other.Owner == p.Owner && other.place.Namespace == p.place.Namespace && other.Ready {
			return true
		}
	}
	return false
}

// onItsWay are reasons for waiting that come by themselves and go so.
var onItsWay = []string{"ContainerCreating", "PodInitializing", ""}

func anyContainer(p *pod, test func(*evidence.Container) bool) bool {
	for _, c := range p.containers {
		if test(c) {
			return true
		}
	}
	return false
}

// flaps says whether a container that is ready has ended so often, and so
// lately, that it is bound to end again.
func (h *health) flaps(c *evidence.Container) bool {
	return c.Restarts >= 3 && c.LastEnded >= 0 && c.LastEnded < int64(h.since.Seconds())
}

// jobUnwell says whether a Job has failed, or fails, and no later one of its
// purpose has made good for it.
func (h *health) jobUnwell(at key) bool {
	j := h.jobs[at]
	if j == nil || j.Over == "Complete" || j.Over == "" && j.Failed == 0 {
		return false
	}
	for _, other := range h.jobs {
		if other.Over == "Complete" && other.Age < j.Age && other.Purpose == j.Purpose && j.Purpose != "other" && j.Purpose != "" &&
			other.place.Namespace == j.place.Namespace && other.place.Cluster == j.place.Cluster {
			return false
		}
	}
	return true
}

func (h *health) workloadUnwell(w *workload) bool {
	return w.Failure != "" || (w.Has < w.Wants || w.Ready < w.Wants) && (w.Age == 0 || w.Age > starting)
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
