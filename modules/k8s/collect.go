package k8s

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed collect.hcl
var collectExample string

// Collect gathers what Kubernetes shows of database clusters.
type Collect struct {
	Namespaces []string      `hcl:"namespaces,optional" doc:"Namespaces of database clusters. By default the target's, or, where the target names none, all that have clusters of the operator. Those of the operator and kube-system are looked at as well."`
	Since      time.Duration `hcl:"since,optional" doc:"Only events and log lines that are not older than this; by default all that there are."`
	LogLines   int           `hcl:"log_lines,optional" default:"20000" doc:"How many lines of a container's log, from its end."`
	LogBytes   int           `hcl:"log_bytes,optional" default:"4194304" doc:"How much of a container's log, from its end."`

	Facts cty.Value `out:"facts" doc:"What was seen: an object with a list for each kind of fact (k8s_pod, k8s_container, k8s_claim, …). Each fact has name, place (node, namespace, cluster, pod, container) and what its kind has."`
	Gaps  []string  `out:"gaps" doc:"What could not be looked at, a sentence each."`
}

// Info describes k8s.collect.
func (*Collect) Info() module.Info {
	return module.Info{
		Name:    "k8s.collect",
		Summary: "Gathers pods, events, volumes, jobs, nodes, rights and the API server's health for a diagnosis.",
		Doc: `Lists what is there with a few requests for each namespace, many at a time; it changes nothing. What the user may not see, or
what does not answer in time, is noted in ` + "`gaps`" + `, and the rest goes on. An API server that does not answer is a fact
(` + "`k8s_apiserver`" + ` with ` + "`error`" + `), and ends the look at once.

In a diagnosis it also reads events and the logs of containers that belong to a database cluster, to a Job that has not succeeded, or to the
operator, and of those that are not well, each also of the run before where there was one. As a step it gives facts alone.

Of a Secret it keeps the names of its keys, and of certificates whom they are for and how long they last; never a value. Ages are
by the API server's clock.`,
		On:       places,
		Example:  collectExample,
		ReadOnly: true,
	}
}

// Validate checks the bounds.
func (c *Collect) Validate() error {
	switch {
	case c.LogLines < 0:
		return module.At("log_lines", errors.New("the number of lines is negative"))
	case c.LogBytes < 0:
		return module.At("log_bytes", errors.New("the number of bytes is negative"))
	case c.Since < 0:
		return module.At("since", errors.New("the time is negative"))
	}
	return nil
}

// Check gives the facts as outputs.
func (c *Collect) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	var err error
	c.Facts, c.Gaps, err = evidence.Look(time.Now(), func(rec evidence.Recorder) error { return c.gather(ctx, env, rec, false) })
	return module.NoChange, err
}

// Apply is never called: Check does all the work.
func (*Collect) Apply(context.Context, *module.Env) error {
	return fmt.Errorf("k8s.collect changes nothing")
}

// Collect gathers facts, events and logs.
func (c *Collect) Collect(ctx context.Context, env *module.Env, rec evidence.Recorder) error {
	return c.gather(ctx, env, rec, true)
}

func (c *Collect) gather(ctx context.Context, env *module.Env, rec evidence.Recorder, logs bool) error {
	k, err := clientOf(env, "")
	if err != nil {
		return err
	}
	ctx, cancel := early(ctx)
	defer cancel()
	g := &gatherer{Collect: c, client: k, rec: rec}
	if !g.meet(ctx) {
		return nil // a fact says why
	}
	crew := newCrew(ctx, rec, func(ctx context.Context) error {
		_, err := k.Greet(ctx)
		return err
	})
	explicit := c.Namespaces
	if len(explicit) == 0 && env.Target.Namespace != "" {
		explicit = []string{env.Target.Namespace}
	}
	late := crew.apart()
	s := g.survey(crew, late, explicit, logs)
	g.report(s)
	g.review(crew, s)
	if logs {
		g.logs(crew, s)
	}
	late.wait()
	if logs {
		g.events(s)
	}
	crew.wait()
	crew.finish()
	return nil
}

// early ends before ctx does, so that there is time to tell what was seen.
func early(ctx context.Context) (context.Context, context.CancelFunc) {
	end, ok := ctx.Deadline()
	if !ok {
		return context.WithCancel(ctx)
	}
	return context.WithDeadline(ctx, end.Add(-min(time.Second, time.Until(end)/8)))
}

// gatherer is one look at a cluster.
type gatherer struct {
	*Collect
	client
	rec    evidence.Recorder
	offset time.Duration // of the API server's clock from ours
}

// now is the time by the API server's clock, whose stamps the objects have.
func (g *gatherer) now() time.Time { return time.Now().Add(g.offset) }

// age is how long ago t was, in seconds; -1 when it never was.
func age(t, now time.Time) int64 {
	if t.IsZero() {
		return -1
	}
	return max(0, int64(now.Sub(t)/time.Second))
}
