package k8s

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed wait.hcl
var waitExample string

// Wait waits until objects are in a state.
type Wait struct {
	Kind      string        `hcl:"kind" doc:"Kind of the objects, as kubectl takes it."`
	Name      string        `hcl:"name,optional" doc:"Name of the one object."`
	Selector  string        `hcl:"selector,optional" doc:"Labels of the objects, instead of a name. There must be one at least, and all of them reach the state."`
	Namespace string        `hcl:"namespace,optional" doc:"Namespace; the target's when left out."`
	For       string        `hcl:"for,optional" default:"ready" doc:"State: ready, available, complete, exists, deleted, or condition=TYPE (condition=TYPE=VALUE)."`
	Within    time.Duration `hcl:"within,optional" default:"5m" doc:"How long it may take."`
	Stable    time.Duration `hcl:"stable,optional" default:"0s" doc:"How long the state must last. A container without a readiness probe counts as ready the moment it starts, even one that ends at once."`

	Names   []string  `out:"names" doc:"Names of the objects."`
	Object  cty.Value `out:"object" doc:"The object in its state, or the first by name; null after waiting for deleted."`
	Objects cty.Value `out:"objects" doc:"All of them, sorted by name."`
	Pods    []string  `out:"pods" doc:"Names of the ready pods: the objects themselves, or those behind them."`
	// Container is empty when there is no ready pod.
	Container conn.Target `out:"container" doc:"The default container of the first ready pod, to point a step at."`
}

// Info describes k8s.wait.
func (*Wait) Info() module.Info {
	return module.Info{
		Name:    "k8s.wait",
		Summary: "Wait until objects of a cluster are ready, and fail at once when they cannot be.",
		Doc: `What ` + "`ready`" + ` means is the kind's own matter: a Deployment, StatefulSet or DaemonSet is rolled out, a Job is
complete, a claim is bound, a Service has a ready pod behind it, everything else has the condition Ready.

Waiting ends early when it is hopeless: an image that cannot be pulled, a container that ends again and again (with
exit code 0 too), a pod that no node takes, a volume that is not there, a Job that failed. The error then holds the
events, the containers' states and their last lines. Faults that heal by themselves while a rollout goes on get some
seconds before.`,
		On:       places,
		Example:  waitExample,
		ReadOnly: true,
	}
}

// Validate checks what the tags cannot say.
func (w *Wait) Validate() error {
	if err := w.query().validate(); err != nil {
		return err
	}
	_, err := stateOf(w.For)
	return module.At("for", err)
}

func (w *Wait) query() query { return query{w.Kind, w.Name, w.Selector} }

// Check waits.
func (w *Wait) Check(ctx context.Context, env *module.Env) (module.Change, error) {
	reached, err := stateOf(w.For)
	if err != nil {
		return module.NoChange, module.At("for", err)
	}
	c, err := clientOf(env, w.Namespace)
	if err != nil {
		return module.NoChange, err
	}
	m, err := c.kind(w.Kind)
	if err != nil {
		return module.NoChange, module.At("kind", c.explain(err))
	}
	found, err := w.until(ctx, env, c, m, reached)
	if err != nil {
		return module.NoChange, err
	}
	if err := w.locate(ctx, env, c, found); err != nil {
		return module.NoChange, c.explain(err)
	}
	w.Names, w.Object = nil, cty.NullVal(cty.DynamicPseudoType)
	for _, o := range found {
		w.Names = append(w.Names, o.GetName())
	}
	if w.Objects, err = values(found); err != nil {
		return module.NoChange, err
	}
	if len(found) > 0 {
		w.Object = w.Objects.Index(cty.Zero)
	}
	return module.NoChange, nil
}

// locate finds the ready pods, for steps that work in one.
func (w *Wait) locate(ctx context.Context, env *module.Env, c client, found []unstructured.Unstructured) error {
	w.Pods, w.Container = nil, conn.Target{}
	for i := range found {
		pods, err := c.podsOf(ctx, &found[i])
		if err != nil {
			return err
		}
		slices.SortFunc(pods, func(a, b corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
		for j := range pods {
			if pod := &pods[j]; kube.Ready(pod) {
				w.Pods = append(w.Pods, pod.Name)
				if w.Container.IsZero() {
					name := kube.DefaultContainer(pod)
					w.Container = conn.Target{Kind: conn.Container, Name: pod.Name + "/" + name, Config: env.Target.Config,
						Namespace: pod.Namespace, Pod: pod.Name, Container: name, Labels: []string{}, Vars: map[string]string{}}
				}
			}
		}
	}
	return nil
}

// Apply is never called: Check does all the work.
func (*Wait) Apply(context.Context, *module.Env) error { return errors.New("k8s.wait changes nothing") }

// until looks whenever something changed, until all objects are in the state,
// waiting is hopeless, or time is up.
func (w *Wait) until(ctx context.Context, env *module.Env, c client, m *meta.RESTMapping, reached state) ([]unstructured.Unstructured, error) {
	limited, cancel := context.WithTimeout(ctx, w.Within)
	defer cancel()
	var changes <-chan struct{} // made only when the first look is not enough
	var progress string
	var since time.Time // when the state was reached; zero when it is not
	for {
		found, err := c.find(limited, m, w.query())
		if err == nil {
			var waiting string
			if waiting, err = w.lacking(limited, c, found, reached); waiting == "" && err == nil {
				if since.IsZero() {
					since = time.Now()
				}
				if time.Since(since) >= w.Stable {
					return found, nil
				}
				waiting = "in that state for less than " + w.Stable.String()
			} else {
				since = time.Time{}
			}
			if waiting != progress {
				progress = waiting
				env.Phase(waiting)
			}
			if err == nil && reached.constructive {
				err = c.hopeless(limited, m, found)
			}
		}
		switch {
		case err == nil, limited.Err() != nil:
		case transient(err):
			env.Logf("%s; waiting goes on", err)
		default:
			return nil, c.explain(err)
		}
		if changes == nil {
			changes = c.watch(limited, m, w.query())
		}
		select {
		case <-changes:
			time.Sleep(breath)
		case <-limited.Done():
			return nil, w.late(ctx, c, m, progress)
		}
	}
}

// lacking says what the objects still lack; empty when all are in the state.
func (w *Wait) lacking(ctx context.Context, c client, found []unstructured.Unstructured, reached state) (string, error) {
	if len(found) == 0 {
		return reached.none, nil
	}
	for i := range found {
		o := &found[i]
		text, err := reached.lacks(o), error(nil)
		if w.For == "ready" && o.GetKind() == "Service" {
			text, err = c.served(ctx, o)
		}
		if text != "" || err != nil {
			return strings.ToLower(o.GetKind()) + " " + o.GetName() + ": " + text, err
		}
	}
	return "", nil
}

// served says what a Service lacks, which its status does not tell: a ready pod.
func (c client) served(ctx context.Context, o *unstructured.Unstructured) (string, error) {
	pods, err := c.podsOf(ctx, o)
	if err != nil {
		return "", err
	}
	for i := range pods {
		if kube.Ready(&pods[i]) {
			return "", nil
		}
	}
	return "no pod behind it is ready", nil
}

// late explains that time is up. The time of the evidence is its own.
func (w *Wait) late(ctx context.Context, c client, m *meta.RESTMapping, progress string) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	err := fmt.Errorf("%s %s is not %s after %s: %s", m.GroupVersionKind.Kind, w.Name+w.Selector, w.For, w.Within, orNothing(progress))
	var evidence []string
	if found, lookErr := c.find(ctx, m, w.query()); lookErr == nil {
		evidence = c.evidence(ctx, m, found)
	}
	return module.Explain(err, "if it goes on, give it longer (within)", evidence...)
}

func orNothing(s string) string {
	if s == "" {
		return "the cluster did not answer"
	}
	return s
}
