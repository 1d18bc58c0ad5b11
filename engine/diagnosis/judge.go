package diagnosis

import (
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// starting is how long a pod may take to become ready before that means
// anything, when nothing else is wrong with it.
const starting = 45 // seconds

// judge notes what a fact says is wrong. It decides which logs are worth a
// look, no more: a fact that is wrong here is no finding.
func (h *health) judge(f evidence.Fact) {
	place := h.enrich(f.Place)
	family, _, _ := strings.Cut(f.Kind, ".")
	ofDatabase := slices.Contains([]string{"pg", "patroni", "pgbackrest"}, family)
	if f.Kind == "patroni.member" && place.Pod == "" {
		place.Pod = f.Name
	}
	if !databaseBad(f) && !h.siteBad(f) {
		if asked := f.Kind == "patroni.member" || f.Kind == "pg.server"; asked && place.Pod != "" {
			h.vouched[key{place.Namespace, place.Pod}] = true
		}
		return
	}
	h.ails(place)
	if ofDatabase && place.Pod == "" && place.Cluster != "" {
		h.databases[key{place.Namespace, place.Cluster}] = true
	}
}

// databaseBad judges what Patroni, the servers and their repository tell.
func databaseBad(f evidence.Fact) bool {
	switch x := f.Data.(type) {
	case *evidence.Patroni:
		return x.Leader == "" || x.TTL > 0 && x.LeaderAge > 2*x.TTL
	case *evidence.Member:
		return !slices.Contains([]string{"running", "streaming", "in archive recovery"}, x.State) || x.Lag > lagging
	case *evidence.Server:
		return x.Error != "" || x.Recovery && !x.Receiving || x.MaxConnections > 0 && x.Connections*100 >= x.MaxConnections*full
	case *evidence.Archiver:
		return x.Failing
	case *evidence.Replication:
		return x.State != "streaming" || x.Lag > lagging
	case *evidence.Role:
		return !x.Exists || x.Matches == "no" || x.Expires < 0
	case *evidence.DataFolder:
		return x.Percent >= full || len(x.Guards) > 0
	case *evidence.Stanza:
		return x.Code != 0
	}
	return false
}

// siteBad judges what the operator, Kubernetes, machines and runs tell.
func (h *health) siteBad(f evidence.Fact) bool {
	switch x := f.Data.(type) {
	case *evidence.Cluster:
		return !x.Shutdown && x.Pods == 0 && x.Age > starting
	case *evidence.Replica:
		return x.Pods == 0 && x.Age > starting
	case *evidence.Workflow:
		return !x.Completed && x.Age > 10*starting
	case *evidence.Operator:
		h.operator = h.operator || !x.Ready
		return !x.Ready
	case *evidence.PGOServer:
		h.operator = h.operator || !x.Reachable
		return !x.Reachable
	case *evidence.Job:
		return h.jobUnwell(key{f.Place.Namespace, f.Name})
	case *evidence.Workload:
		return h.workloadUnwell(&workload{*x, f.Place})
	case *evidence.StepResult:
		return x.Status == "failed"
	case *evidence.APIServer:
		return x.Error != ""
	case *evidence.DNS:
		return x.Error != "" || x.Ready < 1
	case *evidence.Service:
		return x.Database && x.Ready == 0
	}
	bad := h.nodeBad(f)
	if bad {
		h.nodes[nodeName(f)] = true
	}
	return bad
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
