package patroni

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed collect.hcl
var collectExample string

// Collect gathers what Patroni says of its clusters.
type Collect struct {
	Namespaces []string      `hcl:"namespaces,optional" doc:"Namespaces of the clusters. By default the target's, or, where the target names none, all."`
	Clusters   []string      `hcl:"clusters,optional" doc:"Names of the clusters; all by default."`
	Patience   time.Duration `hcl:"patience,optional" default:"8s" doc:"How long a member may take for an answer."`
	API        *API          `hcl:"api,block" doc:"How to speak to the REST API where it is not plain HTTP. What PGO 5 and later need is read from the cluster."`

	Facts cty.Value `out:"facts" doc:"What was seen: an object with a list for each kind of fact (patroni_cluster, patroni_member, k8s_record, …). Each fact has name, place (node, namespace, cluster, pod, container) and what its kind has."`
	Gaps  []string  `out:"gaps" doc:"What could not be looked at, a sentence each."`

	reach reach
}

// Info describes patroni.collect.
func (*Collect) Info() module.Info {
	return module.Info{
		Name:    "patroni.collect",
		Summary: "Gathers the state of all Patroni clusters, their members and what Patroni keeps, for a diagnosis.",
		Doc: `Finds the clusters by the labels of their pods and of the ConfigMaps or Endpoints in which Patroni keeps its state: who leads
and since when, the configuration, the history of timelines. Each member is asked about itself through a port-forward, all at once; one that
does not answer is a fact with its error. What Patroni left of a cluster that is gone is marked as an orphan. It changes nothing; what could
not be looked at is noted in ` + "`gaps`" + `.`,
		On:       []string{conn.Kubernetes},
		Example:  collectExample,
		ReadOnly: true,
	}
}

// Validate checks the API's files.
func (c *Collect) Validate() error { return c.API.validate() }

// Check gives the facts as outputs.
func (c *Collect) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	var err error
	c.Facts, c.Gaps, err = evidence.Look(time.Now(), func(rec evidence.Recorder) error { return c.Collect(ctx, env, rec) })
	return module.NoChange, err
}

// Apply is never called: Check does all the work.
func (*Collect) Apply(context.Context, *module.Env) error {
	return fmt.Errorf("patroni.collect changes nothing")
}

// Collect gathers facts.
func (c *Collect) Collect(ctx context.Context, env *module.Env, rec evidence.Recorder) error {
	k, err := kube.Of(env.Host)
	if err != nil {
		return err
	}
	g := &gatherer{Collect: c, env: env, kube: k, rec: rec, namespaces: c.Namespaces, records: map[string]bool{}, scopes: map[key]*scoped{}}
	if len(g.namespaces) == 0 && env.Target.Namespace != "" {
		g.namespaces = []string{env.Target.Namespace}
	}
	greeting, err := k.Greet(ctx)
	if err != nil {
		rec.Gap("all of Patroni", evidence.Place{}, err)
		return nil
	}
	g.now = time.Now().Add(greeting.Offset)
	if err := g.find(ctx); err != nil {
		rec.Gap("all of Patroni", evidence.Place{}, err)
		return nil
	}
	g.tell(ctx)
	return nil
}
