package patroni

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

//go:embed drill.hcl
var drillExample string

// Drill makes a real accident and measures it.
type Drill struct {
	Cluster     string        `hcl:"cluster,optional" doc:"Name of the cluster in Kubernetes. A step on a container of its pods knows it."`
	Namespace   string        `hcl:"namespace,optional" doc:"Namespace of the cluster; the target's by default."`
	Selector    string        `hcl:"selector,optional" doc:"Labels of the members' pods, where another operator than PGO keeps them."`
	API         *API          `hcl:"api,block" doc:"How to speak to the REST API where it is not plain HTTP. What PGO 5 and later need is read from the cluster."`
	By          string        `hcl:"by,optional" default:"pod" oneof:"pod,process,freeze,network" doc:"The accident: delete the primary's pod, kill its postmaster, stop all processes of its database, or cut its pod off the network."`
	Grace       time.Duration `hcl:"grace,optional" default:"1s" doc:"For by = pod: how long the pod may take to end by itself. 0 removes it from the API at once, while its processes may still run."`
	Hold        time.Duration `hcl:"hold,optional" default:"2m" doc:"For by = freeze and network: how long the accident lasts at most. It ends by itself, even if antdbctl is gone, and sooner when a new leader has taken over."`
	Nodes       cty.Value     `hcl:"nodes,optional" doc:"For by = network: how to log in to the nodes as root, a whole ssh target, or a list or map of its hosts. The primary's node is found by name or address."`
	MaxDowntime time.Duration `hcl:"max_downtime,optional" default:"60s" doc:"The longest time without an acknowledged write that is tolerable."`
	MaxLost     int           `hcl:"max_lost,optional" default:"0" doc:"How many acknowledged writes may be gone afterwards."`
	Every       time.Duration `hcl:"every,optional" default:"720h" doc:"How long a drill that held the limits stays good. 0s drills at each apply."`
	Interval    time.Duration `hcl:"interval,optional" default:"50ms" doc:"Pause between two writes, and so about the precision of the downtime."`
	Patience    time.Duration `hcl:"patience,optional" default:"2s" doc:"How long the writer waits for one write or one connection before it tries anew."`
	Address     string        `hcl:"address,optional" doc:"HOST:PORT that clients write to, as seen from the machine of antdbctl. Without it the writer goes by port-forward to the Service of the cluster."`
	From        conn.Target   `hcl:"from,optional" doc:"Where the writer's connections to address begin; this machine by default."`
	User        string        `hcl:"user,optional" doc:"Role that writes; it makes a table of its own, and drops it."`
	Password    secret.Value  `hcl:"password,optional" doc:"Its password."`
	LoginSecret string        `hcl:"login_secret,optional" doc:"Secret of Kubernetes with the role and its password, in place of user and password. By default that of PGO 4's superuser, CLUSTER-postgres-secret."`
	Database    string        `hcl:"database,optional" default:"postgres" doc:"Database to write to."`
	SSLMode     string        `hcl:"sslmode,optional" default:"prefer" oneof:"disable,prefer,require" doc:"Encryption of the writer's connections."`
	Wait        time.Duration `hcl:"wait,optional" default:"10m" doc:"How long until the cluster is whole again."`

	Passed         bool   `out:"passed" doc:"Whether all limits held."`
	Verdict        string `out:"verdict" doc:"The result in one sentence."`
	At             string `out:"at" doc:"When the accident was made (RFC 3339)."`
	DowntimeMS     int    `out:"downtime_ms" doc:"Longest time without an acknowledged write: from the last one before to the first one after, in milliseconds."`
	OutageMS       int    `out:"outage_ms" doc:"All such times longer than a second taken together, in milliseconds."`
	Acknowledged   int    `out:"acknowledged" doc:"Writes that were acknowledged, before and after the accident."`
	Lost           int    `out:"lost" doc:"Acknowledged writes that are gone."`
	Unanswered     int    `out:"unanswered" doc:"Writes without an answer, which a client would have to look up or repeat."`
	OldLeader      string `out:"old_leader" doc:"Member that led before."`
	NewLeader      string `out:"new_leader" doc:"Member that leads afterwards."`
	FailedOver     bool   `out:"failed_over" doc:"Whether another member took over. A killed postmaster is usually started again in its place."`
	TimelineBefore int    `out:"timeline_before" doc:"Timeline before."`
	TimelineAfter  int    `out:"timeline_after" doc:"Timeline afterwards; one more than before after a fail-over."`
	PromotedMS     int    `out:"promoted_ms" doc:"From the accident until a leader served: Patroni said so, or a write was acknowledged; in milliseconds."`
	RestoredMS     int    `out:"restored_ms" doc:"From the accident until there were as many replicas that follow as before, in milliseconds."`
	Facts          []Fact `out:"facts" doc:"The same as a table: name, value, limit (empty for none) and held."`

	reach reach
	place *place
	seen  *view
	last  *record
}

// Fact is one line of the drill's table.
type Fact struct {
	Name  string `cty:"name"`
	Value string `cty:"value"`
	Limit string `cty:"limit"`
	Held  bool   `cty:"held"`
}

// Info describes patroni.drill.
func (*Drill) Info() module.Info {
	return module.Info{
		Name:    "patroni.drill",
		Summary: "Makes the primary fail under a steady writer, measures what that costs, and judges it.",
		Doc: `A fail-over that was never tried does not work. This one writes numbered rows at a steady pace, by the way that clients
take, makes a real accident on the primary, and goes on writing until the cluster is whole again. Then it compares the numbers that were
acknowledged with the rows that are there. The step fails when a limit is broken; its table of facts says what was measured in either case.

| by | what happens | what it shows |
|---|---|---|
| ` + "`pod`" + ` | the primary's pod is deleted | the loss of a pod or node; a new pod joins as replica |
| ` + "`process`" + ` | the postmaster is killed (SIGKILL) | a crash. Patroni usually starts it again in its place, and the same member leads on |
| ` + "`freeze`" + ` | all processes of the database are stopped (SIGSTOP), and continued after hold | a hanging disk or machine; then a primary that wakes up and must not be believed |
| ` + "`network`" + ` | the pod's packets are dropped on its node by iptables, until hold has passed | a cut network. Needs nodes. Port-forwards run inside the pod and still reach it: give an address |

A cluster without a leader, with two primaries, without a replica that follows closely, or paused is refused in the plan.

The result is kept as the annotation ` + "`antdbctl/failover-drill`" + ` where Patroni keeps its configuration (ConfigMap SCOPE-config, Endpoints under PGO 5), so it
goes with the cluster. While it is younger than ` + "`every`" + `, was made by the same accident and holds the limits, the step wants nothing.

The table ` + "`public.antdbctl_drill`" + ` is dropped at the end, and before the next drill if antdbctl was killed in between. Accidents that last end by
themselves after ` + "`hold`" + `. Downtime is as a client sees it, who waits ` + "`patience`" + ` for an answer and then connects anew.`,
		On:      []string{conn.Kubernetes, conn.Container},
		Example: drillExample,
		Outward: true,
	}
}

func (d *Drill) where() where {
	return where{cluster: d.Cluster, namespace: d.Namespace, selector: d.Selector, api: d.API, reach: d.reach}
}

// Validate checks what can be checked offline.
func (d *Drill) Validate() error {
	switch {
	case d.Interval < time.Millisecond:
		return module.At("interval", errors.New("writes need a pause of a millisecond at least"))
	case d.By == "network" && d.Nodes == cty.NilVal:
		return module.At("nodes", errors.New("to cut the network takes a login on the primary's node: nodes = target.NAME"))
	case d.MaxLost < 0:
		return module.At("max_lost", errors.New("a number of writes cannot be negative"))
	case !d.From.IsZero() && d.Address == "":
		return module.At("from", errors.New("from says where connections to address begin: give an address"))
	}
	return d.where().validate()
}

// Check asks whether a drill is due, and whether the cluster can stand one.
func (d *Drill) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	if env.Target.Kind == conn.Container && env.Target.Pod == "" {
		return module.NoChange, errors.New("a drill needs a cluster in Kubernetes")
	}
	var err error
	if d.place, err = d.where().open(ctx, env); err != nil {
		return module.NoChange, err
	}
	if d.last, err = d.place.recorded(ctx); err != nil {
		return module.NoChange, err
	}
	due := d.due(d.last, time.Now())
	if due == "" {
		d.export(d.last)
		return module.NoChange, nil
	}
	if d.seen, err = d.place.look(ctx); err != nil {
		return module.NoChange, err
	}
	leader, err := d.able()
	if err != nil {
		return module.NoChange, err
	}
	action := module.Update
	if d.Every == 0 {
		action = module.Run
	}
	return module.Change{Action: action, Summary: fmt.Sprintf("%s %s, the primary of %s, under writes (%s); %s can take over",
		d.deed(), leader.name, d.place.name, due, d.seen.successor().name)}, nil
}

// due says why a drill is due; empty when it is not.
func (d *Drill) due(last *record, now time.Time) string {
	switch {
	case d.Every == 0:
		return "at each apply"
	case last == nil:
		return "never drilled"
	case last.By != d.By:
		return "the last drill was by " + last.By
	case now.Sub(last.At) > d.Every:
		return "the last drill was " + now.Sub(last.At).Round(time.Minute).String() + " ago"
	case d.broken(last) != "":
		return "the last drill broke the limits: " + d.broken(last)
	}
	return ""
}

// able is the leader, or why the cluster cannot stand a drill.
func (d *Drill) able() (*member, error) {
	leader, err := d.place.lead(d.seen)
	switch {
	case err != nil:
		return nil, err
	case d.seen.paused:
		return nil, module.Explain(fmt.Errorf("Patroni is paused on cluster %s: nothing would fail over", d.place.name), "resume it: patroni.config with settings = {pause = false}")
	case d.seen.successor() == nil:
		return nil, module.Explain(fmt.Errorf("cluster %s has no replica that could take over: the drill would be a real outage", d.place.name),
			"add a replica, or see what keeps it from following", d.seen.problems()...)
	}
	return leader, nil
}

func (d *Drill) deed() string {
	return map[string]string{"pod": "delete pod", "process": "kill the postmaster of", "freeze": "freeze the database of", "network": "cut the network of"}[d.By]
}

// broken says which limit a result breaks; empty for none.
func (d *Drill) broken(r *record) string {
	switch {
	case r.Lost > d.MaxLost:
		return fmt.Sprintf("%d acknowledged writes are gone, at most %d may", r.Lost, d.MaxLost)
	case r.downtime() > d.MaxDowntime:
		return fmt.Sprintf("%s without an acknowledged write, at most %s may pass", r.downtime(), d.MaxDowntime)
	}
	return ""
}
