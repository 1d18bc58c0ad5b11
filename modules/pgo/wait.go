package pgo

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/module"
)

// await looks until the cluster serves as the runbook wants it. It ends early
// where waiting is hopeless, and late with what it saw last.
func (c *Cluster) await(ctx context.Context, env *module.Env, p *place) (*view, error) {
	started, last := time.Now(), ""
	entered := map[string]time.Time{} // a phase that is left and comes again has no new deadline
	w := &watch{place: p, env: env}
	for {
		v, err := w.next(ctx, true)
		if err != nil {
			return nil, p.interrupted(ctx, last, started, err)
		}
		phase := v.phase(c.WaitBackup, c.Replicas)
		if phase == "" {
			return v, nil
		}
		if phase != last {
			env.Phase(phase)
			env.Progress(int64(phaseIndex(phase)), int64(len(phases)), "phases")
			last = phase
		}
		if entered[phase].IsZero() {
			entered[phase] = time.Now()
		}
		if err := c.hopeless(ctx, p, v, phase); err != nil {
			return nil, fmt.Errorf("cluster %s, phase %s, after %s: %w", p.name, phase, since(started), err)
		}
		if limit := c.limit(phase); time.Since(entered[phase]) > limit {
			return nil, module.At("deadlines", p.tooLate(ctx, v, phase, limit, c.Replicas))
		}
		if err := w.rest(ctx); err != nil {
			return nil, p.interrupted(ctx, last, started, err)
		}
	}
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
	if v.record != nil && v.record.problem != nil {
		return v.record.problem
	}
	if err := c.foreignImage(v); err != nil {
		return err
	}
	if j, ok := p.driver.(judge); ok {
		if err := j.fault(ctx, v); err != nil {
			return err
		}
	}
	if err := p.crashed(ctx, v); err != nil {
		return err
	}
	if err := p.doomed(ctx, v); err != nil {
		return err
	}
	if j := v.brokenJob(); j != nil {
		return module.Explain(fmt.Errorf("Job %s failed, and the operator never repeats it", j.Name),
			"remove the cause, then apply again: the Job is asked for anew. Without it there will be no replicas",
			p.jobEvidence(ctx, v, j.Name)...)
	}
	if h := v.hopeless; h != nil {
		err := module.Explain(h, h.Remedy, append(h.Evidence, p.claims(ctx)...)...)
		if h.Container == v.names.container && strings.Contains(h.Reason, "Image") { // ErrImagePull, ImagePullBackOff, InvalidImageName, …
			err = module.At("image", err)
		}
		return err
	}
	for _, w := range v.workloads {
		if w.blocked != "" && phase == phaseSchedule {
			return module.Explain(fmt.Errorf("%s %s can make no pod", v.names.kind(), w.name),
				"the operator prepares a namespace when it is added to its installation (service accounts pgo-pg and others); look at quotas and admission as well", w.blocked)
		}
	}
	return nil
}

// foreignImage notices that the operator put another prefix before the image:
// PGO 4.2 has one for the whole installation (CCPImagePrefix in pgo.yaml).
func (c *Cluster) foreignImage(v *view) error {
	w, want := v.workload(v.names.primary), c.ref()
	if w == nil || want.prefix == "" {
		return nil
	}
	have := w.container(v.names.container)
	if have == nil || familiar(refOf(have.Image).prefix) == familiar(want.prefix) {
		return nil
	}
	return otherPrefix(have.Image, want)
}

// tooLate ends a wait that met nothing hopeless, and nothing good.
func (p *place) tooLate(ctx context.Context, v *view, phase string, limit time.Duration, replicas int) error {
	var evidence []string
	if v.record != nil {
		evidence = append(evidence, fmt.Sprintf("%s %s: state %q", p.recordKind(), p.name, v.record.state))
	}
	for i := range v.pods {
		evidence = append(evidence, p.kube.Evidence(ctx, &v.pods[i])...)
	}
	evidence = append(evidence, p.claims(ctx)...)
	remedy := cmp.Or(lateRemedies[phase], "look at the evidence; applying again goes on waiting")
	if !v.names.pgcluster {
		remedy = cmp.Or(postgresLate[phase], remedy)
	}
	if phase == phaseStanza && v.job(v.names.stanza) == nil && v.names.pgcluster {
		remedy = "the operator has missed the moment at which the database became ready (it was away then): restart the container database of the primary once"
	}
	return module.Explain(fmt.Errorf("cluster %s is not there after %s: %s", p.name, limit, v.describe(phase, replicas)), remedy, evidence...)
}

// lateRemedies are what to do where a phase has met nothing hopeless in its time.
var lateRemedies = map[string]string{
	phaseResource:    operatorIdle,
	phaseDeployment:  operatorIdle,
	phaseBootstrap:   "look at the container's log; a half-made data directory never heals: remove the cluster and its data, and apply again",
	phaseBackup:      "the first backup waits for a checkpoint, up to checkpoint_timeout: applying again goes on waiting",
	phaseInitialized: "only the backup that the operator makes by itself counts: look at its log and at the Job's label pgha-backup-type=bootstrap",
	phaseReplicas:    "replicas come one after the other, each with a copy of the database; look at their pods and claims, then apply again",
}

const operatorIdle = "the operator does not act: look at the log of its container operator, and restart it; its workers end for good after some faults"
