package pgo

import (
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/adbsql/antdbctl/engine/module"
)

// Destroy has the operator take the cluster away, and waits until it is gone.
func (c *Cluster) Destroy(ctx context.Context, env *module.Env) error {
	p, err := c.home(ctx, env)
	if err != nil {
		return err
	}
	if c.seen == nil || !c.seen.leaving() || p.names.resumes {
		if err := p.driver.remove(ctx, env, c.KeepData, c.KeepBackups); err != nil {
			return c.locate(err)
		}
	}
	return p.awaitGone(ctx, env, c, c.KeepData, c.KeepBackups)
}

// awaitGone waits until nothing is left of a cluster but what was to be kept.
func (p *place) awaitGone(ctx context.Context, env *module.Env, c *Cluster, keepData, keepBackups bool) error {
	env.Phase(phaseRemoval)
	started, w := time.Now(), &watch{place: p, env: env}
	for {
		v, err := w.next(ctx, false)
		if err != nil {
			return p.interrupted(ctx, phaseRemoval, started, err)
		}
		left, err := p.leftovers(ctx, v, keepData, keepBackups)
		if err != nil || len(left) == 0 {
			return err
		}
		job := v.removal()
		broken := job != nil && failed(job)
		if broken || time.Since(started) > c.limit(phaseRemoval) {
			return p.stuck(ctx, broken, left, since(started))
		}
		if err := w.rest(ctx); err != nil {
			return p.interrupted(ctx, phaseRemoval, started, err)
		}
	}
}

func (p *place) stuck(ctx context.Context, failed bool, left []string, after time.Duration) error {
	err := fmt.Errorf("cluster %s is not gone after %s", p.name, after)
	if failed {
		err = fmt.Errorf("the operator's removal of cluster %s failed", p.name)
	}
	evidence := []string{"left: " + strings.Join(left, ", ")}
	pods, listErr := p.kube.Clientset().CoreV1().Pods(p.namespace).List(ctx, metav1.ListOptions{LabelSelector: "pgrmdata=true"})
	if listErr == nil {
		for i := range pods.Items {
			if p.names.removal != "" && strings.HasPrefix(pods.Items[i].Name, p.names.removal) {
				evidence = append(evidence, p.kube.Evidence(ctx, &pods.Items[i])...)
			}
		}
	}
	if !p.names.pgcluster {
		return module.Explain(err, fmt.Sprintf("Kubernetes removes what the cluster owned, and a volume only after the pod that has it: "+
			"look for pods that do not end (kubectl -n %s get pods -l %s) and for nodes that are away", p.namespace, p.names.own), evidence...)
	}
	return module.Explain(err, fmt.Sprintf("a cluster that Patroni never initialised must be cleaned by hand: "+
		"kubectl -n %[1]s delete pgcluster %[2]s; kubectl -n %[1]s delete deploy,svc,job,cm,pgtask,pgreplica -l pg-cluster=%[2]s; "+
		"then secret,pvc of that label, if the data may go", p.namespace, p.name), evidence...)
}

// leftovers names what is there and should not be.
func (p *place) leftovers(ctx context.Context, v *view, keepData, keepBackups bool) ([]string, error) {
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
	if v.service != nil {
		left = append(left, "Service "+p.names.service)
	}
	claims, err := p.kube.Clientset().CoreV1().PersistentVolumeClaims(p.namespace).List(ctx, p.selector())
	if err != nil {
		return nil, fmt.Errorf("list claims of cluster %s in %s: %w", p.name, p.namespace, err)
	}
	for _, claim := range claims.Items {
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
