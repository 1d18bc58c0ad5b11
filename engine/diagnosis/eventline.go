package diagnosis

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// happening is one line of the log of events.
type happening struct {
	reason, kind, name, message string
	count                       int
}

// object is KIND/NAME.
var object = regexp.MustCompile(`^[A-Z][A-Za-z]+/[a-z0-9][a-z0-9.:-]*$`)

// repeated is what ends the line of an event that came more than once.
var repeated = regexp.MustCompile(` \(x(\d{1,9})\)\s*$`)

// parseEvent reads TIME TYPE REASON KIND/NAME MESSAGE (xCOUNT), whatever stands
// before TYPE.
func parseEvent(line []byte) (happening, bool) {
	fields := bytes.Fields(line[:min(len(line), 1024)])
	for n, field := range fields[:min(len(fields), 8)] {
		if n == 0 || !object.Match(field) {
			continue
		}
		kind, name, _ := strings.Cut(string(field), "/")
		_, message, _ := strings.Cut(string(line), string(field))
		e := happening{reason: string(fields[n-1]), kind: kind, name: name, message: message, count: 1}
		if m := repeated.FindSubmatch(line); m != nil {
			if count, err := strconv.Atoi(string(m[1])); err == nil {
				e.count = count
			}
		}
		return e, true
	}
	return happening{}, false
}

// about says where an event's object is, and whether events about it count.
func (h *health) about(log evidence.Place, e happening) (evidence.Place, gate) {
	at := key{log.Namespace, e.name}
	switch e.kind {
	case "Pod":
		place := h.enrich(evidence.Place{Namespace: log.Namespace, Cluster: log.Cluster, Pod: e.name})
		p := h.pods[key{place.Namespace, e.name}]
		if p == nil {
			return place, h.unknown("k8s.pod")
		}
		return place, gate{open: h.podUnwell(p) && !passed(p, e)}
	case "Node":
		place := evidence.Place{Node: e.name}
		if bad, known := h.nodes[e.name]; known {
			return place, gate{open: bad}
		}
		return place, h.unknown("k8s.node")
	case "PersistentVolumeClaim":
		if place, known := h.claims[at]; known {
			return place, gate{open: !h.bound[at]}
		}
		return log, h.unknown("k8s.claim")
	case "PersistentVolume":
		if well, known := h.volumes[e.name]; known {
			return evidence.Place{}, gate{open: !well}
		}
		return evidence.Place{}, h.unknown("k8s.volume")
	case "Job":
		if j := h.jobs[at]; j != nil {
			return j.place, gate{open: h.jobUnwell(at)}
		}
		return log, h.unknown("k8s.job")
	}
	at.name = e.kind + "/" + e.name
	if w := h.workloads[at]; w != nil {
		return w.place, gate{open: h.workloadUnwell(w)}
	}
	return log, h.unknown("k8s.workload")
}

// unknown is the gate for an object that no fact is about: it is gone, unless
// there are no facts of its kind at all.
func (h *health) unknown(kind string) gate {
	if h.seen[kind] {
		return gate{}
	}
	return h.window(1)
}

// beforeStart are reasons of events that a pod leaves behind once its
// containers have been started.
var beforeStart = []string{"FailedMount", "FailedAttachVolume", "FailedMapVolume", "FailedCreatePodSandBox", "ErrImageNeverPull", "InspectFailed", "ErrImagePull"}

// passed says whether a pod has left behind what an event tells.
func passed(p *pod, e happening) bool {
	if e.reason == "FailedScheduling" {
		return p.Scheduled
	}
	about := slices.Contains(beforeStart, e.reason) ||
		(e.reason == "Failed" || e.reason == "BackOff") && strings.Contains(e.message, "image")
	return about && len(p.containers) > 0 && !anyContainer(p, func(c *evidence.Container) bool {
		return c.State != "running" && c.State != "terminated" && c.Reason != "CrashLoopBackOff"
	})
}
