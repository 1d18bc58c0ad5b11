package pgo

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/module"
)

// Destroy has the operator take the cluster away, and waits until it is gone.
func (c *Cluster) Destroy(ctx context.Context, env *module.Env) error {
	p, err := c.home(ctx, env)
	if err != nil {
		return err
	}
	if c.seen == nil || !c.seen.leaving() || p.names.resumes {
		if c.KeepData && c.seen != nil {
			if err := c.remember(ctx, env, p, c.seen); err != nil {
				env.Logf("the volumes that stay do not learn their engine: %v", err)
			}
		}
		if err := p.driver.remove(ctx, env, c.KeepData, c.KeepBackups); err != nil {
			return c.locate(err)
		}
	}
	return p.awaitGone(ctx, env, c, c.KeepData, c.KeepBackups)
}

// Losses is what goes for good when the step is destroyed: data and backups
// each by its own argument.
func (c *Cluster) Losses() []string {
	if c.seen == nil || c.seen.record == nil {
		return nil
	}
	var all []string
	if !c.KeepData {
		all = append(all, "the data of cluster "+c.Name)
	}
	if !c.KeepBackups {
		all = append(all, "the backups of cluster "+c.Name)
	}
	return all
}

// awaitGone waits until nothing is left of a cluster but what was to be kept:
// the operator answers at once, drops its record soon, and goes on working.
func (p *place) awaitGone(ctx context.Context, env *module.Env, c *Cluster, keepData, keepBackups bool) error {
	env.Phase(phaseRemoval)
	started, w, swept := time.Now(), &watch{place: p, env: env}, false
	for {
		v, err := w.next(ctx, false)
		if err != nil {
			return p.interrupted(ctx, phaseRemoval, started, err)
		}
		left, err := p.leftBehind(ctx, v, keepData, keepBackups)
		if err != nil || len(left) == 0 {
			return err
		}
		broken, evidence := p.brokenRemoval(ctx, v)
		if never, err := p.neverBegan(ctx); broken != nil && err == nil && never && !swept {
			swept = true
			if err := p.sweep(ctx, env, v, keepData, keepBackups); err != nil {
				return err
			}
			continue
		}
		if broken == nil && time.Since(started) > c.limit(phaseRemoval) {
			broken = module.At("deadlines", fmt.Errorf("cluster %s is not gone after %s", p.name, since(started)))
		}
		if broken != nil {
			return p.stuck(broken, append([]string{"left: " + strings.Join(left, ", ")}, evidence...))
		}
		if err := w.rest(ctx); err != nil {
			return p.interrupted(ctx, phaseRemoval, started, err)
		}
	}
}

// brokenRemoval tells that the operator's removal will not be over by itself.
func (p *place) brokenRemoval(ctx context.Context, v *view) (broken error, evidence []string) {
	job := v.removal()
	if job == nil {
		return nil, nil
	}
	for i := range v.pods {
		pod := &v.pods[i]
		if pod.Labels["job-name"] != job.Name {
			continue
		}
		if bad := p.kube.Judge(ctx, pod); bad != nil && broken == nil {
			broken = fmt.Errorf("the operator's removal of cluster %s cannot run: %w", p.name, bad)
		}
		evidence = append(evidence, p.kube.Evidence(ctx, pod)...)
	}
	if failed(job) {
		broken = fmt.Errorf("the operator's removal of cluster %s failed", p.name)
	}
	return broken, evidence
}

// stuck explains a removal that does not come to an end.
func (p *place) stuck(err error, evidence []string) error {
	if !p.names.pgcluster {
		return module.Explain(err, fmt.Sprintf("Kubernetes removes what the cluster owned, and a volume only after the pod that has it: "+
			"look for pods that do not end (kubectl -n %s get pods -l %s) and for nodes that are away; the operator must run to let go of its record",
			p.namespace, p.names.own), evidence...)
	}
	return module.Explain(err, fmt.Sprintf("see that its Job can run (image pgo-rmdata on the node, rights of the account pgo-target), delete the Job, and destroy again; "+
		"or clean by hand: kubectl -n %[1]s delete pgcluster %[2]s; kubectl -n %[1]s delete deploy,svc,job,cm,pgtask,pgreplica -l pg-cluster=%[2]s; "+
		"then secret,pvc of that label, if the data may go", p.namespace, p.name), evidence...)
}

// leftBehind names what is there and should not be.
func (p *place) leftBehind(ctx context.Context, v *view, keepData, keepBackups bool) ([]string, error) {
	var left []string
	if v.record != nil {
		left = append(left, p.recordKind()+" "+p.name)
	}
	if j := v.removal(); j != nil {
		left = append(left, "Job "+j.Name)
	}
	for _, w := range v.workloads {
		left = append(left, p.names.kind()+" "+w.name)
	}
	if p.names.sets { // nobody waits for their pods before the record goes
		for i := range v.pods {
			left = append(left, "Pod "+v.pods[i].Name)
		}
	}
	if v.service != nil {
		left = append(left, "Service "+p.names.service)
	}
	claims, err := p.claimsOf(ctx)
	if err != nil {
		return nil, err
	}
	for _, claim := range claims {
		if repo := p.names.repo(claim.Name); repo && !keepBackups || !repo && !keepData {
			left = append(left, "PersistentVolumeClaim "+claim.Name)
		}
	}
	return left, nil
}

// recordKind is the kind of resource that the operator has on record.
func (p *place) recordKind() string {
	if p.names.pgcluster {
		return "Pgcluster"
	}
	return "PostgresCluster"
}
