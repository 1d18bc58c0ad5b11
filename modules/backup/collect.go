package backup

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/kube"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/module"
)

//go:embed collect.hcl
var collectExample string

// Collect gathers what the backup repositories of database clusters show.
type Collect struct {
	Namespaces []string      `hcl:"namespaces,optional" doc:"Namespaces whose repositories are asked, on a Kubernetes target. By default the target's, or, where the target names none, all."`
	Stanza     string        `hcl:"stanza,optional" default:"db" doc:"pgBackRest's name for a cluster."`
	Patience   time.Duration `hcl:"patience,optional" default:"8s" doc:"How long a repository may take to answer."`
	LogBytes   int           `hcl:"log_bytes,optional" default:"1048576" doc:"How much of each log file, from its end."`

	Facts cty.Value `out:"facts" doc:"What was seen: an object with a list for each kind of fact; in pgbackrest_stanza one for each repository: name, place (namespace, cluster, pod, container), code and message of its status, backups that are good, last_age in seconds, locked."`
	Gaps  []string  `out:"gaps" doc:"What could not be looked at, a sentence each."`
}

// Info describes backup.collect.
func (*Collect) Info() module.Info {
	return module.Info{
		Name:    "backup.collect",
		Summary: "Gathers the state of pgBackRest's repositories and its logs for a diagnosis.",
		Doc: "On a Kubernetes target it finds the operator's repository pods (PGO 4, 5 and 6) and asks pgBackRest in each, all at once; on a container, " +
			"in that one. A repository that does not run, or does not answer, is noted in `gaps`. A command that fails is a stanza with the code 99 and " +
			"pgBackRest's own error for a message.\n\nIn a diagnosis it also reads the ends of pgBackRest's newest log files. As a step it gives facts alone.",
		On:       []string{conn.Kubernetes, conn.Container},
		Example:  collectExample,
		ReadOnly: true,
	}
}

// Validate checks the bound.
func (c *Collect) Validate() error {
	if c.LogBytes < 0 {
		return module.At("log_bytes", errors.New("the number of bytes is negative"))
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
func (*Collect) Apply(context.Context, *module.Env) error { return nil }

// Collect gathers facts and logs.
func (c *Collect) Collect(ctx context.Context, env *module.Env, rec evidence.Recorder) error {
	return c.gather(ctx, env, rec, true)
}

// repository is one place to ask.
type repository struct {
	run   conn.Runner
	user  string
	place evidence.Place
}

// gather asks all repositories at once: one on a node that is lost takes all of
// its patience.
func (c *Collect) gather(ctx context.Context, env *module.Env, rec evidence.Recorder, logs bool) error {
	repositories, err := c.repositories(ctx, env, rec)
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	for _, r := range repositories {
		all.Go(func() {
			c.look(ctx, r, rec)
			if logs {
				c.logs(ctx, r, rec)
			}
		})
	}
	all.Wait()
	return nil
}

func (c *Collect) repositories(ctx context.Context, env *module.Env, rec evidence.Recorder) ([]*repository, error) {
	t := env.Target
	if t.Kind != conn.Kubernetes {
		r := &repository{run: env.Host, place: evidence.Place{Namespace: t.Namespace, Pod: t.Pod, Container: cmp.Or(t.Container, t.String())}}
		if t.Pod == "" {
			r.user = "postgres"
		}
		return []*repository{r}, nil
	}
	k, err := kube.Of(env.Host)
	if err != nil {
		return nil, err
	}
	namespaces := c.Namespaces
	if len(namespaces) == 0 {
		namespaces = []string{t.Namespace} // "": all
	}
	var all []*repository
	for _, ns := range namespaces {
		for _, label := range []string{"pg-cluster", v5 + "cluster"} {
			pods, err := k.Clientset().CoreV1().Pods(ns).List(ctx, metav1.ListOptions{LabelSelector: label})
			if apierrors.IsForbidden(err) && ns == "" {
				pods, err = k.Clientset().CoreV1().Pods(k.Namespace()).List(ctx, metav1.ListOptions{LabelSelector: label})
			}
			if err != nil {
				return nil, fmt.Errorf("list the repository pods: %w", err)
			}
			all = append(all, inPods(ctx, k, pods.Items, label, rec)...)
		}
	}
	return all, nil
}

// inPods gives the repositories that run, and notes those that do not.
func inPods(ctx context.Context, k *kube.Cluster, pods []corev1.Pod, label string, rec evidence.Recorder) []*repository {
	var all []*repository
	for i := range pods {
		pod := &pods[i]
		if !isRepository(pod) || pod.DeletionTimestamp != nil || pod.Labels["job-name"] != "" {
			continue
		}
		r := &repository{place: evidence.Place{Namespace: pod.Namespace, Cluster: pod.Labels[label], Pod: pod.Name,
			Container: repositoryContainer(pod), Node: pod.Spec.NodeName}}
		var err error
		if r.run, err = k.Container(ctx, pod.Namespace, pod.Name, r.place.Container); err != nil {
			if gone := (*conn.Unreachable)(nil); errors.As(err, &gone) {
				err = gone.Err // the place is said beside it
			}
			rec.Gap("its backup repository", r.place, err)
			continue
		}
		all = append(all, r)
	}
	return all
}
