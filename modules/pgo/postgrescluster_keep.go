package pgo

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/adbsql/antdbctl/engine/module"
)

// The operator stops the replicas first, so what they have may be older than
// what the primary has. Of several volumes that are kept, only the primary's may
// be taken up again: a note tells it, and the others get another role.
const (
	primaryAnnotation = "antdbctl.adbsql.com/primary"
	roleData          = "pgdata" // of volumes that the operator takes up
	roleCopy          = "pgdata-copy"
)

// markPrimary notes on the volumes which is the primary's, while there is one.
func (d *postgresDriver) markPrimary(ctx context.Context) error {
	core := d.kube.Clientset().CoreV1()
	pods, err := core.Pods(d.namespace).List(ctx, metav1.ListOptions{LabelSelector: fmt.Sprintf("%s,%s=%s", d.names.own, d.names.role, d.names.leader)})
	if err != nil {
		return fmt.Errorf("look for the primary of cluster %s in %s: %w", d.name, d.namespace, err)
	}
	if len(pods.Items) != 1 {
		return nil // none or two: nobody can tell which data is the newest
	}
	claims, err := d.claimsOf(ctx)
	if err != nil {
		return err
	}
	for _, claim := range d.dataClaims(claims) {
		note := []byte(`{"metadata":{"annotations":{"` + primaryAnnotation + `":null}}}`)
		if claim.Labels[postgresInstance] == pods.Items[0].Labels[postgresInstance] {
			note = []byte(`{"metadata":{"annotations":{"` + primaryAnnotation + `":"true"}}}`)
		}
		if err := d.patchClaim(ctx, claim.Name, note); err != nil {
			return err
		}
	}
	return nil
}

func (d *postgresDriver) patchClaim(ctx context.Context, name string, patch []byte) error {
	_, err := d.kube.Clientset().CoreV1().PersistentVolumeClaims(d.namespace).Patch(ctx, name, types.MergePatchType, patch, metav1.PatchOptions{})
	if err != nil {
		return fmt.Errorf("change claim %s, which is to be kept: %w", name, err)
	}
	return nil
}

// letGo makes what is to be kept nobody's: volumes, and with the data the users'
// Secrets. Their labels stay; by them the operator takes them up for a cluster
// of the same name.
func (d *postgresDriver) letGo(ctx context.Context, env *module.Env, keepData, keepBackups bool) error {
	claims, err := d.claimsOf(ctx)
	if err != nil {
		return err
	}
	known := slices.ContainsFunc(claims, func(c corev1.PersistentVolumeClaim) bool { return c.Annotations[primaryAnnotation] != "" })
	for i := range claims {
		claim := &claims[i]
		repo := d.names.repo(claim.Name)
		if claim.DeletionTimestamp != nil || repo && !keepBackups || !repo && !keepData {
			continue
		}
		if err := d.keepClaim(ctx, env, claim, known && !repo && claim.Annotations[primaryAnnotation] == ""); err != nil {
			return err
		}
	}
	if !keepData {
		return nil
	}
	return d.keepSecrets(ctx, env)
}

// dropOrphans deletes volumes that are not to be kept and that nobody owns: an
// earlier cluster of that name has left them, and this one has not taken them up.
func (d *postgresDriver) dropOrphans(ctx context.Context, keepData, keepBackups bool) error {
	claims, err := d.claimsOf(ctx)
	if err != nil {
		return err
	}
	for i := range claims {
		claim := &claims[i]
		if repo := d.names.repo(claim.Name); repo && keepBackups || !repo && keepData || metav1.GetControllerOf(claim) != nil {
			continue
		}
		err := gone(d.kube.Clientset().CoreV1().PersistentVolumeClaims(d.namespace).Delete(ctx, claim.Name, metav1.DeleteOptions{}))
		if err != nil {
			return fmt.Errorf("delete claim %s, which nobody owns: %w", claim.Name, err)
		}
	}
	return nil
}

func (d *postgresDriver) keepClaim(ctx context.Context, env *module.Env, claim *corev1.PersistentVolumeClaim, replica bool) error {
	if !replica {
		env.Logf("claim %s is kept", claim.Name)
		return d.patchClaim(ctx, claim.Name, []byte(`{"metadata":{"ownerReferences":null}}`))
	}
	env.Logf("claim %s is kept; it was a replica's, and no cluster takes it up", claim.Name)
	return d.patchClaim(ctx, claim.Name, []byte(`{"metadata":{"ownerReferences":null,"labels":{"`+postgresRole+`":"`+roleCopy+`"}}}`))
}

func (d *postgresDriver) keepSecrets(ctx context.Context, env *module.Env) error {
	secrets := d.kube.Clientset().CoreV1().Secrets(d.namespace)
	list, err := secrets.List(ctx, metav1.ListOptions{LabelSelector: d.names.own.String() + "," + postgresUserLabel})
	if err != nil {
		return fmt.Errorf("list Secrets of cluster %s in %s: %w", d.name, d.namespace, err)
	}
	for _, s := range list.Items {
		_, err := secrets.Patch(ctx, s.Name, types.MergePatchType, []byte(`{"metadata":{"ownerReferences":null}}`), metav1.PatchOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("keep Secret %s: %w", s.Name, err)
		}
		env.Logf("Secret %s is kept", s.Name)
	}
	return nil
}
