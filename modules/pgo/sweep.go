package pgo

import (
	"context"
	"fmt"

	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/adbsql/antdbctl/engine/module"
)

// neverBegan reports that Patroni never made the cluster. The operator's own
// removal panics on such a one: it wants to pause Patroni first, and finds no
// settings to write that into.
func (p *place) neverBegan(ctx context.Context) (bool, error) {
	if !p.names.pgcluster {
		return false, nil
	}
	m, err := p.kube.Clientset().CoreV1().ConfigMaps(p.namespace).Get(ctx, p.names.scope+"-config", metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look whether cluster %s ever began: %w", p.name, err)
	}
	return m.Annotations["config"] == "", nil
}

// sweep takes away by hand, in the operator's order, what its removal left:
// first what runs, then the record, then the rest, volumes last.
func (p *place) sweep(ctx context.Context, env *module.Env, v *view, keepData, keepBackups bool) error {
	env.Logf("the operator's removal broke on a cluster that never began: the rest is taken away by hand")
	background := metav1.DeletePropagationBackground
	all := metav1.DeleteOptions{PropagationPolicy: &background}
	core, by := p.kube.Clientset().CoreV1(), p.selector()
	custom := func(kind string) func() error {
		resources := p.kube.Dynamic().Resource(schema.GroupVersionResource{Group: groupV4, Version: "v1", Resource: kind}).Namespace(p.namespace)
		return func() error { return resources.DeleteCollection(ctx, all, by) }
	}
	record := p.kube.Dynamic().Resource(schema.GroupVersionResource{Group: groupV4, Version: "v1", Resource: "pgclusters"}).Namespace(p.namespace)
	for _, s := range []struct {
		what string
		do   func() error
	}{
		{"Deployments", func() error {
			return p.kube.Clientset().AppsV1().Deployments(p.namespace).DeleteCollection(ctx, all, by)
		}},
		{"Pgcluster", func() error { return gone(record.Delete(ctx, p.name, all)) }},
		{"Services", func() error { return p.sweepServices(ctx) }},
		{"Pgreplicas", custom("pgreplicas")},
		{"Pgtasks", custom("pgtasks")},
		{"ConfigMaps", func() error { return core.ConfigMaps(p.namespace).DeleteCollection(ctx, all, by) }},
		{"Patroni's ConfigMaps", func() error {
			return core.ConfigMaps(p.namespace).DeleteCollection(ctx, all, metav1.ListOptions{LabelSelector: "crunchy-pgha-scope=" + p.names.scope})
		}},
		{"Jobs", func() error { return p.sweepJobs(ctx, v, all) }},
		{"Secrets and volumes", func() error { return p.sweepData(ctx, keepData, keepBackups) }},
	} {
		if err := s.do(); err != nil {
			return fmt.Errorf("take away the %s of cluster %s in %s: %w", s.what, p.name, p.namespace, err)
		}
	}
	return nil
}

// sweepServices goes one by one: old API servers delete no services by label.
func (p *place) sweepServices(ctx context.Context) error {
	services := p.kube.Clientset().CoreV1().Services(p.namespace)
	list, err := services.List(ctx, p.selector())
	if err != nil {
		return err
	}
	for _, s := range list.Items {
		if err := gone(services.Delete(ctx, s.Name, metav1.DeleteOptions{})); err != nil {
			return err
		}
	}
	return nil
}

func (p *place) sweepJobs(ctx context.Context, v *view, how metav1.DeleteOptions) error {
	ours := func(j *batchv1.Job) bool { return p.names.own.on(j.Labels) || p.names.removes(j) }
	for i := range v.jobs {
		if j := &v.jobs[i]; ours(j) {
			if err := gone(p.kube.Clientset().BatchV1().Jobs(p.namespace).Delete(ctx, j.Name, how)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *place) sweepData(ctx context.Context, keepData, keepBackups bool) error {
	core := p.kube.Clientset().CoreV1()
	secrets, err := core.Secrets(p.namespace).List(ctx, p.selector())
	if err != nil {
		return err
	}
	for _, s := range secrets.Items {
		if repo := p.names.repository.on(s.Labels); repo && keepBackups || !repo && keepData {
			continue
		}
		if err := gone(core.Secrets(p.namespace).Delete(ctx, s.Name, metav1.DeleteOptions{})); err != nil {
			return err
		}
	}
	claims, err := p.claimsOf(ctx)
	if err != nil {
		return err
	}
	for _, claim := range claims {
		if repo := p.names.repo(claim.Name); repo && keepBackups || !repo && keepData {
			continue
		}
		if err := gone(core.PersistentVolumeClaims(p.namespace).Delete(ctx, claim.Name, metav1.DeleteOptions{})); err != nil {
			return err
		}
	}
	return nil
}
