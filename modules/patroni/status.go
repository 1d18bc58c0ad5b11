package patroni

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed status.hcl
var statusExample string

// Status tells how a cluster is.
type Status struct {
	Cluster   string   `hcl:"cluster,optional" doc:"Name of the cluster in Kubernetes. A step on a container of its pods knows it."`
	Namespace string   `hcl:"namespace,optional" doc:"Namespace of the cluster; the target's by default."`
	Selector  string   `hcl:"selector,optional" doc:"Labels of the members' pods, where another operator than PGO keeps them."`
	Members   []string `hcl:"members,optional" doc:"Outside Kubernetes: addresses HOST:PORT of the REST API of members, as seen from where the step works. One that answers is enough."`
	API       *API     `hcl:"api,block" doc:"How to speak to the REST API where it is not plain HTTP. What PGO 5 and later need is read from the cluster."`

	Leader         string        `out:"leader" doc:"Member that leads by Patroni's REST API; empty for none."`
	Annotated      string        `out:"leader_by_annotation" doc:"Member that leads by the annotation of Patroni's object in Kubernetes; empty for none."`
	Found          []Member      `out:"found" doc:"All members, sorted by name."`
	Timeline       int           `out:"timeline" doc:"Timeline of the leader; 0 without one."`
	MaxLag         int64         `out:"max_lag" doc:"Bytes that the furthest replica is behind; -1 when one of them cannot tell."`
	Replicas       int           `out:"replicas" doc:"Replicas that follow the leader and could take its place."`
	Paused         bool          `out:"paused" doc:"Whether Patroni is paused, so that nothing fails over by itself."`
	PendingRestart []string      `out:"pending_restart" doc:"Members with parameters that wait for a restart."`
	Healthy        bool          `out:"healthy" doc:"Whether there is no problem."`
	Problems       []string      `out:"problems" doc:"What is not in order, a sentence each, the worst first."`
	Scope          string        `out:"scope" doc:"Patroni's name for the cluster."`
	Patroni        string        `out:"patroni" doc:"Version of Patroni."`
	SystemID       string        `out:"system_id" doc:"Identifier of the database system, the same on all members."`
	Primary        conn.Target   `out:"primary" doc:"Target: the container of the leader's database. Empty outside Kubernetes."`
	Standbys       []conn.Target `out:"standbys" doc:"Targets: the containers of the replicas' databases."`

	reach reach
}

// Member is what status tells of one member.
type Member struct {
	Name           string `cty:"name"`
	Role           string `cty:"role"`  // leader, replica, sync_standby, …
	State          string `cty:"state"` // running, streaming, start failed, …
	Host           string `cty:"host"`
	Port           int    `cty:"port"`
	Timeline       int    `cty:"timeline"`
	Lag            int64  `cty:"lag"` // bytes; -1 when not known
	PendingRestart bool   `cty:"pending_restart"`
	Node           string `cty:"node"`
	Problem        string `cty:"problem"`
}

// Info describes patroni.status.
func (*Status) Info() module.Info {
	return module.Info{
		Name:    "patroni.status",
		Summary: "Tells who leads a Patroni cluster, who follows how closely, and what is wrong.",
		Doc: `Asks every member about itself, one of them for the cluster, and in Kubernetes also the annotation in which Patroni keeps its
leader lock (ConfigMap SCOPE-leader, or Endpoints SCOPE under PGO 5 and later) and the labels of the pods. Where these disagree, where two
members run as primary, where nobody leads, where a member is not running or its lag is not known, it says so in ` + "`problems`" + `; the step
itself does not fail, so that a runbook can decide by ` + "`expect`" + `.

In Kubernetes every member is reached by a port-forward to its pod. Elsewhere one address is enough: the members tell the others'.

Each of ` + "`found`" + ` has name, role (leader, replica, sync_standby), state, host, port, timeline, lag (bytes, -1 when not known),
pending_restart, node (Kubernetes) and problem (empty when in order).`,
		On:       places,
		Example:  statusExample,
		ReadOnly: true,
	}
}

func (s *Status) where() where {
	return where{cluster: s.Cluster, namespace: s.Namespace, selector: s.Selector, members: s.Members, api: s.API, reach: s.reach}
}

// Validate checks the addresses.
func (s *Status) Validate() error { return s.where().validate() }

// Check reads.
func (s *Status) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	p, err := s.where().open(ctx, env)
	if err != nil {
		return module.NoChange, err
	}
	v, err := p.look(ctx)
	if err != nil {
		return module.NoChange, err
	}
	s.export(p, v)
	for _, problem := range s.Problems {
		env.Logf("warning: %s", problem)
	}
	return module.NoChange, nil
}

func (s *Status) export(p *place, v *view) {
	s.Leader, s.Annotated, s.Timeline, s.Paused = v.lock, v.annotated, v.timeline(), v.paused
	s.Scope, s.Patroni = v.scope, v.version
	s.Found, s.PendingRestart, s.Standbys, s.Problems = []Member{}, []string{}, []conn.Target{}, v.problems()
	s.Healthy, s.Replicas = len(s.Problems) == 0, len(v.standbys())
	for _, m := range v.members {
		found := describe(v, m)
		s.Found = append(s.Found, found)
		if found.PendingRestart {
			s.PendingRestart = append(s.PendingRestart, m.name)
		}
		if m.said != nil {
			s.SystemID = firstOf(s.SystemID, m.said.SystemID)
		}
		if m.name == v.lock {
			s.Primary = p.target(m)
			continue
		}
		if found.Lag < 0 {
			s.MaxLag = -1
		} else if s.MaxLag >= 0 {
			s.MaxLag = max(s.MaxLag, found.Lag)
		}
		if m.pod != nil && found.Problem == "" {
			s.Standbys = append(s.Standbys, p.target(m))
		}
	}
}

func describe(v *view, m *member) Member {
	d := Member{Name: m.name, Role: "unknown", State: "unknown", Lag: -1, Problem: v.ill(m)}
	if m.pod != nil {
		d.Node, d.Host = m.pod.Spec.NodeName, m.pod.Status.PodIP
	}
	if l := m.listed; l != nil {
		d.Role, d.State, d.Host, d.Port, d.Timeline, d.PendingRestart = l.Role, l.State, firstOf(l.Host, d.Host), l.Port, l.Timeline, l.PendingRestart
		if l.Lag.Known {
			d.Lag = l.Lag.Bytes
		}
		if l.Leads() {
			d.Lag = 0
		}
	}
	if m.said != nil {
		d.PendingRestart = d.PendingRestart || m.said.PendingRestart
	}
	return d
}

// Apply is never called: Check does all the work.
func (*Status) Apply(context.Context, *module.Env) error {
	return fmt.Errorf("patroni.status changes nothing")
}
