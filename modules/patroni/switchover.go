package patroni

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed switchover.hcl
var switchoverExample string

// Switchover makes another member the leader, in good order.
type Switchover struct {
	Cluster   string        `hcl:"cluster,optional" doc:"Name of the cluster in Kubernetes. A step on a container of its pods knows it."`
	Namespace string        `hcl:"namespace,optional" doc:"Namespace of the cluster; the target's by default."`
	Selector  string        `hcl:"selector,optional" doc:"Labels of the members' pods, where another operator than PGO keeps them."`
	Members   []string      `hcl:"members,optional" doc:"Outside Kubernetes: addresses HOST:PORT of the REST API of members, as seen from where the step works."`
	API       *API          `hcl:"api,block" doc:"How to speak to the REST API where it is not plain HTTP. What PGO 5 and later need is read from the cluster."`
	Candidate string        `hcl:"candidate,optional" doc:"Member that shall lead. Nothing happens when it does."`
	From      string        `hcl:"from,optional" doc:"Member that shall not lead: the best other one takes over. Nothing happens when it does not lead."`
	Wait      time.Duration `hcl:"wait,optional" default:"3m" doc:"How long until the new leader leads and the old one follows it."`

	Leader   string      `out:"leader" doc:"Member that leads."`
	Timeline int         `out:"timeline" doc:"Timeline of the leader."`
	Primary  conn.Target `out:"primary" doc:"Target: the container of the leader's database. Empty outside Kubernetes."`

	place *place
	seen  *view
}

// Info describes patroni.switchover.
func (*Switchover) Info() module.Info {
	return module.Info{
		Name:    "patroni.switchover",
		Summary: "Makes another member of a Patroni cluster the leader, in good order.",
		Doc: `Asks Patroni for a switchover and waits until the new leader leads on a new timeline, the annotation in Kubernetes names it, and the
old leader follows it again. Writing is interrupted for some seconds; nothing that was committed is lost.

With ` + "`candidate`" + ` the step wants that member to lead; with ` + "`from`" + ` it wants any other than that one. Where that is so already, nothing
happens. With neither, each apply switches over.

That Patroni chose another member than the candidate is an error, though its answer says success. A cluster without a leader, with two
primaries, or without a replica that could take over is refused in the plan.`,
		On:      places,
		Example: switchoverExample,
		Outward: true,
	}
}

func (s *Switchover) where() where {
	return where{cluster: s.Cluster, namespace: s.Namespace, selector: s.Selector, members: s.Members, api: s.API}
}

// Validate checks what can be checked offline.
func (s *Switchover) Validate() error {
	if s.Candidate != "" && s.Candidate == s.From {
		return module.At("candidate", errors.New("candidate and from are the same member"))
	}
	return s.where().validate()
}

// Check compares who leads with who should.
func (s *Switchover) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	var err error
	if s.place, err = s.where().open(ctx, env); err != nil {
		return module.NoChange, err
	}
	if s.seen, err = s.place.look(ctx); err != nil {
		return module.NoChange, err
	}
	leader, err := s.place.lead(s.seen)
	if err != nil {
		return module.NoChange, err
	}
	if s.Candidate != "" && s.seen.find(s.Candidate) == nil {
		return module.NoChange, module.At("candidate", module.Explain(fmt.Errorf("cluster %s has no member %s", s.place.name, s.Candidate),
			"its members are "+strings.Join(s.seen.memberNames(), ", ")))
	}
	if s.settled(leader) {
		s.Leader, s.Timeline, s.Primary = leader.name, s.seen.timeline(), s.place.target(leader)
		return module.NoChange, nil
	}
	return s.change(leader)
}

// settled reports that the leader is whom the step wants.
func (s *Switchover) settled(leader *member) bool {
	switch {
	case s.Candidate != "":
		return leader.name == s.Candidate
	case s.From != "":
		return leader.name != s.From
	}
	return false
}

func (s *Switchover) change(leader *member) (module.Change, error) {
	to := s.Candidate
	if to != "" {
		if why := s.seen.ill(s.seen.find(to)); why != "" {
			return module.NoChange, module.At("candidate", fmt.Errorf("%s cannot take over: %s", to, why))
		}
	} else if next := s.seen.successor(); next == nil {
		return module.NoChange, module.Explain(fmt.Errorf("cluster %s has no replica that could take over from %s", s.place.name, leader.name),
			"see what keeps the replicas from following", s.seen.problems()...)
	} else if s.seen.paused {
		to = next.name // Patroni does not choose by itself while it is paused
	}
	change := module.Change{Action: module.Update, Summary: fmt.Sprintf("switch over from %s to %s", leader.name, firstOf(to, "the best replica")),
		Diff: []module.Diff{{Path: "leader", Before: leader.name, After: firstOf(to, "(another member)")}}}
	if s.Candidate == "" && s.From == "" {
		change.Action = module.Run
	}
	return change, nil
}

// memberNames are sorted.
func (v *view) memberNames() []string {
	names := make([]string, len(v.members))
	for i, m := range v.members {
		names[i] = m.name
	}
	return names
}

// Apply switches over.
func (s *Switchover) Apply(ctx context.Context, env *module.Env) error {
	leader, err := s.place.lead(s.seen)
	if err != nil {
		return err
	}
	h := handover{from: leader.name, to: s.Candidate, wait: s.Wait}
	if next := s.seen.successor(); h.to == "" && s.seen.paused && next != nil {
		h.to = next.name
	}
	if err := h.run(ctx, s.place, s.seen); err != nil {
		return err
	}
	v, err := s.place.again(ctx)
	if err != nil {
		return err
	}
	if leader, err = s.place.lead(v); err != nil {
		return err
	}
	s.Leader, s.Timeline, s.Primary = leader.name, v.timeline(), s.place.target(leader)
	return nil
}
