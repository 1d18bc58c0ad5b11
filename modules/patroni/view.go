package patroni

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/patroni/rest"
)

// view is what the members, the store and the pods say at one moment.
type view struct {
	members   []*member // sorted by name
	scope     string
	version   string // of Patroni
	paused    bool
	lock      string // who leads by /cluster, which is the store's word
	annotated string // who leads by the annotation; empty outside Kubernetes
	object    string // which object carries the annotation
	strangers []string
}

// look asks every member about itself and one of them about all.
func (p *place) look(ctx context.Context) (*view, error) {
	p.askAll(ctx)
	all, err := p.askCluster(ctx)
	if err != nil {
		return nil, err
	}
	v := &view{paused: all.Pause}
	if err := p.join(ctx, v, all); err != nil {
		return nil, err
	}
	for _, m := range p.members {
		if m.said != nil {
			v.scope, v.version = firstOf(v.scope, m.said.Patroni.Scope), firstOf(v.version, m.said.Patroni.Version)
		}
	}
	if p.name == "" {
		p.name = v.scope
	}
	v.members = p.members
	if p.kube != nil {
		v.annotated, v.object, err = p.annotatedLeader(ctx, v)
	}
	return v, err
}

// askAll asks the members about themselves, all at once.
func (p *place) askAll(ctx context.Context) {
	if p.patience > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, p.patience)
		defer cancel()
	}
	var wg sync.WaitGroup
	for _, m := range p.members {
		wg.Go(func() { m.said, m.err = m.api.Status(ctx) })
	}
	wg.Wait()
}

// askCluster takes the first answer about all members, the leader's before the
// others': it has the freshest view of the store.
func (p *place) askCluster(ctx context.Context) (*rest.Cluster, error) {
	asked := slices.Clone(p.members)
	slices.SortStableFunc(asked, func(a, b *member) int { return rank(a) - rank(b) })
	var errs []error
	for _, m := range asked {
		if m.err != nil {
			errs = append(errs, m.err)
			continue
		}
		all, err := m.api.Cluster(ctx)
		if err == nil {
			return all, nil
		}
		errs = append(errs, err)
	}
	return nil, module.Explain(fmt.Errorf("no member of cluster %s answers: %w", p.name, errors.Join(errs...)),
		"see whether Patroni runs there, and whether its REST API is at that port")
}

func rank(m *member) int {
	if m.said != nil && m.said.Leads {
		return 0
	}
	return 1
}

// join brings the lines of the cluster and the members together. Outside
// Kubernetes the lines tell of members that the runbook did not name.
func (p *place) join(ctx context.Context, v *view, all *rest.Cluster) error {
	slices.SortFunc(all.Members, func(a, b rest.Member) int { return strings.Compare(a.Name, b.Name) })
	if p.kube == nil {
		if err := p.adopt(ctx, all); err != nil {
			return err
		}
	}
	for _, m := range p.members {
		m.listed = nil
	}
	for i := range all.Members {
		line := &all.Members[i]
		if line.Leads() {
			v.lock = line.Name
		}
		at := slices.IndexFunc(p.members, func(m *member) bool { return m.name == line.Name })
		if at < 0 {
			v.strangers = append(v.strangers, line.Name)
			continue
		}
		p.members[at].listed = line
	}
	return nil
}

// adopt takes the members as the store lists them, at the addresses that they
// give themselves. Those that the runbook names stay reachable at its address.
func (p *place) adopt(ctx context.Context, all *rest.Cluster) error {
	named := p.members
	p.members = nil
	for i := range all.Members {
		line := &all.Members[i]
		host, port, err := apiOf(line)
		if err != nil {
			return err
		}
		m, err := p.at(line.Name, host, port)
		if err != nil {
			return err
		}
		for _, n := range named {
			if h, q, _ := split(n.name); n.name == line.Name || h == host && q == port {
				m.said, m.err = n.said, n.err
			}
		}
		if m.said == nil && m.err == nil {
			m.said, m.err = m.api.Status(ctx)
		}
		p.members = append(p.members, m)
	}
	return nil
}

// find is the member of that name; nil when there is none.
func (v *view) find(name string) *member {
	for _, m := range v.members {
		if m.name == name {
			return m
		}
	}
	return nil
}

// leader is the member that holds the lock and runs as primary; nil when
// there is none, or when more than one says so.
func (v *view) leader() *member {
	m := v.find(v.lock)
	if m == nil || m.said == nil || !m.said.Leads || len(v.primaries()) > 1 {
		return nil
	}
	return m
}

// primaries are the members whose database takes itself for the primary.
func (v *view) primaries() []string {
	var names []string
	for _, m := range v.members {
		if m.said != nil && m.said.Primary() && m.said.State == "running" {
			names = append(names, m.name)
		}
	}
	return names
}

// standbys are the members that follow the leader and could take its place.
func (v *view) standbys() []*member {
	var healthy []*member
	for _, m := range v.members {
		if m.name != v.lock && v.ill(m) == "" {
			healthy = append(healthy, m)
		}
	}
	return healthy
}

// ill says why a member is not in order; empty when it is.
func (v *view) ill(m *member) string {
	switch {
	case m.pod != nil && m.pod.DeletionTimestamp != nil:
		return "its pod is being deleted"
	case m.err != nil:
		return "Patroni does not answer there: " + m.err.Error()
	case m.listed == nil:
		return "the store does not list it"
	case !m.listed.Serves():
		return "its database is " + m.listed.State
	case m.said != nil && m.said.State != "running":
		return "its database is " + m.said.State
	case m.name == v.lock:
		return ""
	case !m.listed.Lag.Known:
		return "how far it is behind is not known"
	}
	if leader := v.find(v.lock); leader != nil && leader.listed != nil && leader.listed.Timeline != m.listed.Timeline {
		return fmt.Sprintf("it follows timeline %d, not %d", m.listed.Timeline, leader.listed.Timeline)
	}
	return ""
}

// timeline is the leader's; 0 when there is none.
func (v *view) timeline() int {
	m := v.find(v.lock)
	switch {
	case m == nil:
		return 0
	case m.said != nil && m.said.Timeline > 0:
		return m.said.Timeline
	case m.listed != nil:
		return m.listed.Timeline
	}
	return 0
}
