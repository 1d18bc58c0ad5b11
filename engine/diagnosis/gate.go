package diagnosis

import (
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// A gate lets those lines of a log count that were written while something was
// wrong where they were written. Logs are full of faults that passed, and of
// faults that belong to starting: a database that is up has refused connections
// before, an operator tries again until it succeeds. What counts is:
//
//   - of a container: what it wrote while it is not ready, or ends and starts
//     over. If it was ready once, then from one window (Options.Since) before it
//     ceased to be. A container that is ready and stays so does not count, not
//     even when another one of its pod is not well, unless a fact says that it
//     does not do its work: a member without a leader, an archiver that fails.
//     Then the last window counts.
//   - of a Job: what it wrote when it has failed, or fails so far, and no later
//     Job of the same purpose has succeeded; of what a repository keeps of such
//     runs, the last window while anything of its cluster is not well.
//   - of a node (kernel, kubelet, runtime): the last window while something on
//     the node is not well, and a window more when it is the node itself. The
//     kernel's lines without a time count only when it is the node itself.
//   - of the operator: the last window while anything on the site is not well,
//     and a window more when it is the operator itself.
//   - of events: those about an object that is there and not well now, and is
//     still where the event found it: what a scheduler said of a pod that has
//     been scheduled since is history.
//   - of a run: what belongs to a step that failed.
//
// Where the facts that would tell are missing altogether, the last window
// counts, unless Patroni or the server itself says that it does its work: better
// a finding too many than blindness.
type gate struct {
	open  bool
	from  time.Time // the first that counts; zero for all
	clock bool      // lines without a time do not count
}

func (g gate) lets(t time.Time) bool {
	switch {
	case !g.open:
		return false
	case t.IsZero():
		return !g.clock
	}
	return !t.Before(g.from)
}

// or is the gate that lets through what either does.
func (g gate) or(other gate) gate {
	switch {
	case !g.open:
		return other
	case !other.open:
		return g
	case other.from.Before(g.from):
		g.from = other.from
	}
	g.clock = g.clock && other.clock
	return g
}

// window is the gate for the last n windows.
func (h *health) window(n int) gate {
	return gate{open: true, from: h.taken.Add(-time.Duration(n) * h.since)}
}

// gate is that of a whole log; events have one for each line.
func (h *health) gate(log evidence.Log) gate {
	place := h.enrich(log.Place)
	switch log.Kind {
	case evidence.ContainerLog, evidence.ServerLog:
		return h.containerGate(place)
	case evidence.JobLog:
		return h.jobGate(place, log.Name)
	case evidence.OperatorLog:
		g := gate{}
		if h.operator {
			return h.window(2).or(h.containerGate(place))
		}
		if h.anything {
			g = h.window(1)
		}
		return g
	case evidence.KernelLog, evidence.KubeletLog, evidence.RuntimeLog:
		return h.nodeGate(place, log.Kind)
	case evidence.RunLog:
		return h.runGate(log)
	}
	return h.window(1)
}

func (h *health) containerGate(at evidence.Place) gate {
	p := h.pods[key{at.Namespace, at.Pod}]
	switch {
	case at.Pod == "" && at.Node != "": // of a server that runs in no pod
		return h.nodeGate(at, evidence.ServerLog)
	case p == nil && h.seen["k8s.pod"]:
		return gate{} // it is gone
	case p == nil && h.vouched[key{at.Namespace, at.Pod}] && !h.podAiling[key{at.Namespace, at.Pod}]:
		return gate{}
	case p == nil:
		return h.window(1)
	}
	if !h.containerUnwell(p, at.Container) {
		if h.podAiling[key{at.Namespace, at.Pod}] && !h.podUnwell(p) || h.databases[key{at.Namespace, at.Cluster}] {
			return h.window(1)
		}
		return gate{}
	}
	if p.Ready {
		return h.window(1) // it starts over again and again
	}
	if neverReady := p.ReadyAge+starting >= p.Age; neverReady || p.ReadyAge < 0 {
		return gate{open: true}
	}
	return gate{open: true, from: p.seen.Add(-time.Duration(p.ReadyAge)*time.Second - h.since)}
}

// containerUnwell judges one container of a pod; where it is not known by
// itself, as its pod.
func (h *health) containerUnwell(p *pod, name string) bool {
	if !h.podUnwell(p) {
		return false
	}
	c := p.containers[name]
	switch {
	case c == nil:
		return true
	case c.Init:
		return c.State != "terminated" || c.ExitCode != 0
	}
	return !c.Ready || c.State == "waiting" || h.flaps(c)
}

func (h *health) jobGate(at evidence.Place, name string) gate {
	p := h.pods[key{at.Namespace, at.Pod}]
	if p != nil {
		owner, ok := strings.CutPrefix(p.Owner, "Job/")
		if !ok && h.clusterAiling[key{at.Namespace, at.Cluster}] { // pgBackRest's own files, on the repository
			return h.window(1)
		}
		if ok {
			name = owner
		}
	}
	id := key{at.Namespace, name}
	if h.jobs[id] == nil && p == nil {
		id.name = h.jobOfPod(at)
	}
	switch {
	case h.jobs[id] != nil:
		return gate{open: h.jobUnwell(id)}
	case p != nil:
		return gate{open: h.podUnwell(p)}
	case h.seen["k8s.job"] || h.seen["k8s.pod"]:
		return gate{} // it is gone
	}
	return h.window(1)
}

// jobOfPod finds the Job of a pod that is gone, by its name: JOB-xxxxx.
func (h *health) jobOfPod(at evidence.Place) string {
	name := at.Pod
	if n := strings.LastIndexByte(name, '-'); n > 0 {
		name = name[:n]
	}
	return name
}

func (h *health) nodeGate(at evidence.Place, kind string) gate {
	g := gate{}
	switch {
	case at.Node == "" && h.anything:
		g = h.window(1)
	case h.nodes[at.Node]:
		return h.window(2)
	case h.nodeAiling[at.Node]:
		g = h.window(1)
	}
	g.clock = kind == evidence.KernelLog
	return g
}

// runGate opens the log of a step that failed, and one that is of no single
// step when any has.
func (h *health) runGate(log evidence.Log) gate {
	of, failed, any := false, false, len(h.steps) == 0
	for _, s := range h.steps {
		any = any || s.Status == "failed"
		if s.name != "" && strings.Contains(" "+log.Name+" ", " "+s.name+" ") {
			of = true
			failed = failed || s.Status == "failed"
		}
	}
	return gate{open: failed || any && !of}
}
