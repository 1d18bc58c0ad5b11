package pgo

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/module"
)

// await looks until the cluster serves as the runbook wants it. It ends early
// where waiting is hopeless, and late with what it saw last.
func (c *Cluster) await(ctx context.Context, env *module.Env, p *place) error {
	started, last := time.Now(), ""
	entered, arg := started, ""
	w := &watch{place: p, env: env}
	for {
		v, err := w.next(ctx, true)
		if err != nil {
			return p.interrupted(ctx, last, started, err)
		}
		phase := v.phase(c.WaitBackup, c.Replicas)
		if phase == "" {
			return nil
		}
		if phase != last {
			env.Phase(phase)
			env.Progress(int64(slices.Index(phases, phase)), int64(len(phases)), "phases")
			last = phase
		}
		now, limit := c.limit(phase)
		if now != arg {
			entered, arg = time.Now(), now
		}
		if err := c.hopeless(ctx, p, v, phase); err != nil {
			return fmt.Errorf("cluster %s, phase %s, after %s: %w", p.name, phase, since(started), err)
		}
		if time.Since(entered) > limit {
			return module.At(arg, p.tooLate(ctx, v, phase, limit, c.Replicas))
		}
		if err := w.rest(ctx); err != nil {
			return p.interrupted(ctx, last, started, err)
		}
	}
}

// limit is how long a phase may last, and the argument that says so: one for
// the way to a database that serves, one for what comes after.
func (c *Cluster) limit(phase string) (arg string, limit time.Duration) {
	switch phase {
	case phaseStanza, phaseBackup, phaseReplicas:
		return "backup_timeout", c.BackupTimeout
	}
	return "ready_timeout", c.ReadyTimeout
}

func since(t time.Time) time.Duration { return time.Since(t).Round(time.Second) }

// interrupted adds how far the wait had come, when it was cut short.
func (p *place) interrupted(ctx context.Context, phase string, started time.Time, err error) error {
	if ctx.Err() == nil || phase == "" {
		return err
	}
	return fmt.Errorf("stopped waiting for cluster %s at phase %s, after %s: %w", p.name, phase, since(started), context.Cause(ctx))
}

// hopeless says why waiting will not help; nil while it may.
func (c *Cluster) hopeless(ctx context.Context, p *place, v *view, phase string) error {
	if err := c.foreignImage(v); err != nil {
		return err
	}
	if err := p.crashed(ctx, v); err != nil {
		return err
	}
	if j := v.brokenJob(); j != nil {
		return module.Explain(fmt.Errorf("Job %s failed, and the operator never repeats it", j.Name),
			"remove the cause, then delete the Job and the pgtask of that name, and restart the primary's container; without this Job there will be no replicas",
			p.jobEvidence(ctx, v, j.Name)...)
	}
	if h := v.hopeless; h != nil {
		err := module.Explain(h, h.Remedy, append(h.Evidence, p.claims(ctx)...)...)
		if h.Container == "database" && strings.Contains(h.Reason, "Image") { // ErrImagePull, ImagePullBackOff, InvalidImageName, …
			err = module.At("image", err)
		}
		return err
	}
	for i := range v.deployments {
		if text := blocked(&v.deployments[i]); text != "" && phase == phaseSchedule {
			return module.Explain(fmt.Errorf("Deployment %s can make no pod", v.deployments[i].Name),
				"the operator prepares a namespace when it is added to its installation (service accounts pgo-pg and others); look at quotas and admission as well", text)
		}
	}
	return nil
}

// foreignImage notices that the operator put another prefix before the image:
// it has one for the whole installation (CCPImagePrefix in pgo.yaml).
func (c *Cluster) foreignImage(v *view) error {
	d := v.deployment(v.name)
	if d == nil {
		return nil
	}
	want := c.ref()
	for _, container := range d.Spec.Template.Spec.Containers {
		if container.Name == "database" && want.prefix != "" && familiar(container.Image) != familiar(want.String()) {
			return module.At("image", module.Explain(
				fmt.Errorf("the operator runs %s, not %s", container.Image, want),
				"PGO 4.2.1 puts one prefix (CCPImagePrefix in pgo.yaml) before every image: tag and ship the image under that name, or change the prefix and restart the operator"))
		}
	}
	return nil
}

// tooLate ends a wait that met nothing hopeless, and nothing good.
func (p *place) tooLate(ctx context.Context, v *view, phase string, limit time.Duration, replicas int) error {
	evidence := []string{fmt.Sprintf("Pgcluster %s: state %q", p.name, v.found.Cluster.Status.State)}
	for i := range v.pods {
		evidence = append(evidence, p.kube.Evidence(ctx, &v.pods[i])...)
	}
	evidence = append(evidence, p.claims(ctx)...)
	remedy := "look at the evidence; applying again goes on waiting"
	if phase == phaseDeployment {
		remedy = "the operator does not act: look at the log of its container operator, and restart it; its workers end for good after some faults"
	}
	return module.Explain(fmt.Errorf("cluster %s is not there after %s: %s", p.name, limit, v.describe(phase, replicas)), remedy, evidence...)
}
