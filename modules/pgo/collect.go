package pgo

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed collect.hcl
var collectExample string

// Collect gathers what the operator has on record.
type Collect struct {
	Namespaces []string `hcl:"namespaces,optional" doc:"Namespaces of the records. By default the target's, or, where the target names none, all."`
	API        *API     `hcl:"api,block" doc:"How to speak to the apiserver of PGO 4. Without it, and without the pgo client's environment variables, it is only asked whether it is there."`

	Facts cty.Value `out:"facts" doc:"What was seen: an object with a list for each kind of fact (pgo_cluster, pgo_task, pgo_operator, …). Each fact has name, place (node, namespace, cluster, pod, container) and what its kind has."`
	Gaps  []string  `out:"gaps" doc:"What could not be looked at, a sentence each."`

	getenv func(string) string // the environment; os.Getenv when nil
}

// Info describes pgo.collect.
func (*Collect) Info() module.Info {
	return module.Info{
		Name:    "pgo.collect",
		Summary: "Gathers the operator's records, tasks and health for a diagnosis.",
		Doc: `Lists Pgclusters, Pgreplicas and Pgtasks of PGO 4 and PostgresClusters of PGO 5 and later, the workflows of creations, and the
operators' Deployments; sees whether the apiserver of PGO 4 answers, and how long its certificate lasts. It changes nothing. What the user
may not see is noted in ` + "`gaps`" + `, and the rest goes on.

The operators' logs are k8s.collect's.`,
		On:       []string{conn.Kubernetes},
		Example:  collectExample,
		ReadOnly: true,
	}
}

// Check gives the facts as outputs.
func (c *Collect) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	var err error
	c.Facts, c.Gaps, err = evidence.Look(time.Now(), func(rec evidence.Recorder) error { return c.Collect(ctx, env, rec) })
	return module.NoChange, err
}

// Apply is never called: Check does all the work.
func (*Collect) Apply(context.Context, *module.Env) error {
	return fmt.Errorf("pgo.collect changes nothing")
}

// Collect gathers facts.
func (c *Collect) Collect(ctx context.Context, env *module.Env, rec evidence.Recorder) error {
	k, err := kube.Of(env.Host)
	if err != nil {
		return err
	}
	g := &gatherer{Collect: c, kube: k, rec: rec, namespaces: c.Namespaces,
		records: map[string]bool{}, listed: map[string]bool{}, prefix: map[string]string{}, owners: map[string]string{}}
	if len(g.namespaces) == 0 && env.Target.Namespace != "" {
		g.namespaces = []string{env.Target.Namespace}
	}
	greeting, err := k.Greet(ctx)
	if err != nil {
		rec.Gap("the operator's records", evidence.Place{}, err)
		return nil
	}
	g.now = time.Now().Add(greeting.Offset)
	for _, look := range []func(context.Context) error{g.pods, g.operators, g.pgclusters, g.pgtasks, g.postgresClusters,
		func(ctx context.Context) error { return g.apiservers(ctx, env) }} {
		if err := look(ctx); err != nil {
			rec.Gap("the operator's records", evidence.Place{}, err)
			return nil
		}
	}
	return nil
}

// gatherer is one look at the operators.
type gatherer struct {
	*Collect
	kube       *kube.Cluster
	rec        evidence.Recorder
	now        time.Time // by the API server's clock
	namespaces []string  // none for all

	databases []corev1.Pod      // that hold a database
	blind     bool              // they could not be listed
	podsIn    string            // the one namespace where they could be; empty for all that are meant
	records   map[string]bool   // NAMESPACE/NAME of Pgclusters
	listed    map[string]bool   // kinds that were listed in full
	servers   []operatorAPI     // operators that have an apiserver
	prefix    map[string]string // of database images, by installation
	owners    map[string]string // installation, by namespace
}

// over reports an error after which there is nothing more to ask: the server
// has gone, or the time is over. Others are gaps.
func over(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, new(*url.Error)) || apierrors.IsUnauthorized(err)
}

// gap notes what could not be looked at; the error it gives ends the look.
func (g *gatherer) gap(what, namespace string, err error) error {
	if over(err) {
		return fmt.Errorf("list %s: %w", what, g.kube.Fault(err))
	}
	g.rec.Gap(what, evidence.Place{Namespace: namespace}, err)
	return nil
}

func (g *gatherer) age(t time.Time) int64 {
	if t.IsZero() {
		return -1
	}
	return max(0, int64(g.now.Sub(t)/time.Second))
}

// everywhere are the namespaces to list in; the empty one is all.
func (g *gatherer) everywhere() []string {
	if len(g.namespaces) == 0 {
		return []string{""}
	}
	return g.namespaces
}

func (c *Collect) variable(name string) string {
	if c.getenv != nil {
		return c.getenv(name)
	}
	return os.Getenv(name)
}
