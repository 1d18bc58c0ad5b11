package patroni

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/modules/patroni/rest"
)

// asked is what the members of a cluster said.
type asked struct {
	g       *gatherer
	members []*member     // sorted by name
	all     *rest.Cluster // by one of them; empty when nobody tells
	turns   []rest.Turn
	late    bool // the time of the whole look was over
}

// ask asks every member about itself, and the one that leads, by what Patroni
// keeps, about all, all at once.
func (g *gatherer) ask(ctx context.Context, s *scoped) *asked {
	a := &asked{g: g, all: &rest.Cluster{}}
	p := &place{env: g.env, where: where{reach: g.reach}, name: s.cluster, kube: g.kube, namespace: s.namespace, api: g.API}
	slices.SortFunc(s.pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	first, cancel := context.WithTimeout(ctx, g.patience())
	defer cancel()
	leader := s.annotation("leader")
	_ = json.Unmarshal([]byte(s.annotation("history")), &a.turns) // none before the first failover
	var wg sync.WaitGroup
	for i := range s.pods {
		pod := &s.pods[i]
		m := &member{name: pod.Name, pod: pod}
		a.members = append(a.members, m)
		wg.Go(func() {
			found, err := p.inPod(first, pod)
			if err != nil {
				m.err = err
				return
			}
			m.api = found.api
			if m.name == leader {
				wg.Go(func() {
					if all, err := m.api.Cluster(first); err == nil {
						a.all = all
					}
				})
			}
			m.said, m.err = m.api.Status(first)
		})
	}
	wg.Wait()
	a.late = ctx.Err() != nil
	if len(a.all.Members) == 0 {
		second, cancel := context.WithTimeout(ctx, g.patience())
		defer cancel()
		a.askOne(second, s)
	}
	return a
}

func (g *gatherer) patience() time.Duration { return cmp.Or(g.Patience, 8*time.Second) }

// askOne takes the first answer about all members, the leader's before the
// others'.
func (a *asked) askOne(ctx context.Context, s *scoped) {
	members := slices.Clone(a.members)
	slices.SortStableFunc(members, func(a, b *member) int { return rank(a) - rank(b) })
	for _, m := range members {
		if m.err != nil {
			continue
		}
		all, err := m.api.Cluster(ctx)
		if err != nil {
			continue
		}
		a.all = all
		if len(s.objects) == 0 {
			a.standIn(ctx, s, m)
		}
		return
	}
}

// standIn asks a member for what the objects would have said, which may not be
// read.
func (a *asked) standIn(ctx context.Context, s *scoped, m *member) {
	if turns, err := m.api.History(ctx); err == nil {
		a.turns = turns
	}
	kept := map[string]string{"leader": a.lock(), "initialize": m.said.SystemID}
	if config, err := m.api.Config(ctx); err == nil {
		text, _ := json.Marshal(config) // it came as JSON
		kept["config"] = string(text)
	}
	s.objects = []object{{purpose: "config", meta: metav1.ObjectMeta{Annotations: kept}}}
}

// lock is who leads by the members' word.
func (a *asked) lock() string {
	for _, line := range a.all.Members {
		if line.Leads() {
			return line.Name
		}
	}
	return ""
}

func (a *asked) line(name string) *rest.Member {
	for i := range a.all.Members {
		if a.all.Members[i].Name == name {
			return &a.all.Members[i]
		}
	}
	return nil
}

// timeline is the leader's; 0 while it is not known.
func (a *asked) timeline(leader string) int64 {
	for _, m := range a.members {
		if m.name == leader && m.said != nil && m.said.Timeline > 0 {
			return int64(m.said.Timeline)
		}
	}
	if line := a.line(leader); line != nil {
		return int64(line.Timeline)
	}
	return 0
}

// tell makes facts of the members: those that have a pod, and those that the
// store still lists.
func (a *asked) tell(place evidence.Place, leader string) {
	for _, m := range a.members {
		place.Pod, place.Node = m.name, m.pod.Spec.NodeName
		if apierrors.IsForbidden(m.err) || m.err != nil && a.late { // that says nothing about the member
			a.g.rec.Gap("Patroni's REST interface", place, errors.New(why(m.err)))
			continue
		}
		a.g.rec.Fact(m.name, place, memberFact(m, a.line(m.name), leader))
	}
	for i := range a.all.Members {
		line := &a.all.Members[i]
		if slices.ContainsFunc(a.members, func(m *member) bool { return m.name == line.Name }) {
			continue
		}
		place.Pod, place.Node = line.Name, ""
		fact := memberFact(&member{}, line, leader)
		fact.Error = "the store lists it, and there is no such pod"
		a.g.rec.Fact(line.Name, place, fact)
	}
}

func memberFact(m *member, line *rest.Member, leader string) *evidence.Member {
	fact := &evidence.Member{Lag: -1, Reachable: m.said != nil}
	if m.err != nil {
		fact.Error = why(m.err)
	}
	name := m.name
	if m.said != nil {
		fact.Role, fact.State, fact.Timeline, fact.PendingRestart = m.said.Role, m.said.State, int64(m.said.Timeline), m.said.PendingRestart
		if m.said.Leads {
			fact.Role = "leader"
		}
	}
	if line != nil {
		name = line.Name
		fact.Role, fact.Timeline = line.Role, max(fact.Timeline, int64(line.Timeline))
		fact.PendingRestart = fact.PendingRestart || line.PendingRestart
		if m.said == nil || line.State != "running" && m.said.State == "running" { // "streaming" says more
			fact.State = line.State
		}
		if line.Lag.Known {
			fact.Lag = line.Lag.Bytes
		}
		if line.Leads() {
			fact.Lag = 0
		}
	}
	fact.HoldsLock = leader != "" && name == leader
	return fact
}

// why is the error of a member in few words: forwarding a port has many layers,
// and each adds its own.
func why(err error) string {
	text := err.Error()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case strings.Contains(text, "connection refused"):
		return "connection refused: Patroni does not listen there"
	case errors.Is(err, io.ErrClosedPipe):
		return "connection closed before Patroni has answered"
	}
	return text
}
