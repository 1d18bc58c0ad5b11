package k8s

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// maxEventLogs bounds how many objects get a log of their events.
const maxEventLogs = 400

// about is the object that events are about.
type about struct{ namespace, kind, name string }

// events gives the events of each object as a log of its own, so that they can
// be held against the state of that object. Events of a claim are told where
// its pod is: alone they say nothing. Objects that nothing but usual was told
// of are left out, unless they are a database's.
func (g *gatherer) events(s *survey) {
	groups := map[about][]*corev1.Event{}
	warned := map[about]bool{}
	since := time.Time{}
	if g.Since > 0 {
		since = g.now().Add(-g.Since)
	}
	for i := range s.events {
		e := &s.events[i]
		if seen(e).Before(since) {
			continue
		}
		o := about{e.InvolvedObject.Namespace, e.InvolvedObject.Kind, e.InvolvedObject.Name}
		groups[o] = append(groups[o], e)
		warned[o] = warned[o] || e.Type == corev1.EventTypeWarning
	}
	places := s.eventPlaces()
	var objects []about
	for o := range groups {
		if warned[o] || places(o).Cluster != "" {
			objects = append(objects, o)
		}
	}
	slices.SortFunc(objects, func(a, b about) int {
		return cmp.Or(-cmp.Compare(rank(warned[a]), rank(warned[b])), cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.kind, b.kind), cmp.Compare(a.name, b.name))
	})
	if len(objects) > maxEventLogs {
		g.rec.Gap("events", evidence.Place{}, fmt.Errorf("those of %d objects are left out, of %d", len(objects)-maxEventLogs, len(objects)))
		objects = objects[:maxEventLogs]
	}
	for _, o := range objects {
		log := evidence.Log{Kind: evidence.EventLog, Name: fmt.Sprintf("events of %s %s", o.kind, o.name), Place: places(o)}
		if err := g.rec.Log(log, strings.NewReader(eventText(groups[o]))); err != nil {
			g.rec.Gap(log.Name, log.Place, err)
		}
	}
}

func rank(warned bool) int {
	if warned {
		return 1
	}
	return 0
}

// eventPlaces tells where the objects of events are.
func (s *survey) eventPlaces() func(about) evidence.Place {
	known := map[about]evidence.Place{}
	for i := range s.pods {
		p := &s.pods[i]
		known[about{p.Namespace, "Pod", p.Name}] = placeOf(p)
		for _, v := range p.Spec.Volumes {
			if claim := v.PersistentVolumeClaim; claim != nil {
				known[about{p.Namespace, "PersistentVolumeClaim", claim.ClaimName}] = placeOf(p)
			}
		}
	}
	note := func(kind, namespace, name string, place evidence.Place) {
		if o := (about{namespace, kind, name}); known[o] == (evidence.Place{}) {
			known[o] = place
		}
	}
	for i := range s.claims {
		note("PersistentVolumeClaim", s.claims[i].Namespace, s.claims[i].Name, within(&s.claims[i]))
	}
	for i := range s.jobs {
		note("Job", s.jobs[i].Namespace, s.jobs[i].Name, within(&s.jobs[i]))
	}
	for i := range s.deployments {
		note("Deployment", s.deployments[i].Namespace, s.deployments[i].Name, within(&s.deployments[i]))
	}
	for i := range s.replicaSets {
		note("ReplicaSet", s.replicaSets[i].Namespace, s.replicaSets[i].Name, within(&s.replicaSets[i]))
	}
	for i := range s.stateful {
		note("StatefulSet", s.stateful[i].Namespace, s.stateful[i].Name, within(&s.stateful[i]))
	}
	return func(o about) evidence.Place {
		place, ok := known[o]
		switch {
		case ok:
		case o.kind == "Node":
			place.Node = o.name
		case o.kind == "Pod": // one that has gone since
			place.Namespace, place.Pod = o.namespace, o.name
		case o.kind == "Pgcluster", o.kind == "PostgresCluster":
			place.Namespace, place.Cluster = o.namespace, o.name
		default:
			place.Namespace = o.namespace
		}
		return place
	}
}

// eventText is an entry a line, oldest first: TIME TYPE REASON KIND/NAME MESSAGE (xCOUNT).
func eventText(events []*corev1.Event) string {
	slices.SortStableFunc(events, func(a, b *corev1.Event) int { return seen(a).Compare(seen(b)) })
	var text strings.Builder
	for _, e := range events {
		fmt.Fprintf(&text, "%s %s %s %s/%s %s", seen(e).UTC().Format(time.RFC3339), e.Type, e.Reason, e.InvolvedObject.Kind, e.InvolvedObject.Name,
			strings.Join(strings.Fields(e.Message), " "))
		if n := count(e); n > 1 {
			fmt.Fprintf(&text, " (x%d)", n)
		}
		text.WriteByte('\n')
	}
	return text.String()
}

func count(e *corev1.Event) int32 {
	if e.Series != nil {
		return max(e.Count, e.Series.Count)
	}
	return e.Count
}

// seen is when an event was last told.
func seen(e *corev1.Event) time.Time {
	switch {
	case e.Series != nil && !e.Series.LastObservedTime.IsZero():
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}
