package pgo

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/adbsql/antdbctl/engine/module"
)

// newestV47 is the version whose resources are written where the operator's own
// cannot be seen.
const newestV47 = "4.7.10"

// pgcluster is a new Pgcluster: the fields of the documented example, and those
// that the runbook asks for. Whoever leaves out the annotation, or the name of
// the first volume, gets no cluster and no error.
func (c *Cluster) pgcluster(namespace, version string) map[string]any {
	ref, labels := c.ref(), unstructuredMap(c.Labels)
	labels["pgo-version"] = version
	storage := func(name, size string) map[string]any {
		s := map[string]any{"accessmode": "ReadWriteMany", "matchLabels": "", "name": name, "size": firstOf(size, "1G"),
			"storageclass": c.StorageClass, "storagetype": "create", "supplementalgroups": ""}
		if c.StorageClass != "" {
			s["accessmode"], s["storagetype"] = "ReadWriteOnce", "dynamic" // storagetype create leaves the class out
		}
		return s
	}
	spec := map[string]any{
		"PrimaryStorage": storage(c.Name, c.StorageSize), "ReplicaStorage": storage("", c.StorageSize),
		"BackrestStorage": storage("", firstOf(c.BackupSize, c.StorageSize)),
		"annotations":     map[string]any{}, "limits": map[string]any{}, "tolerations": []any{},
		"ccpimage": ref.name, "ccpimageprefix": ref.prefix, "ccpimagetag": ref.tag, "pgoimageprefix": ref.prefix,
		"clustername": c.Name, "name": c.Name, "namespace": namespace, "port": "5432", "exporterport": "9187", "pgbadgerport": "10000",
		"database": firstOf(c.Dbname, c.Name), "user": firstOf(c.User, "testuser"),
		"pgDataSource":    map[string]any{"restoreFrom": "", "restoreOpts": ""},
		"podAntiAffinity": map[string]any{"default": "preferred", "pgBackRest": "preferred", "pgBouncer": "preferred"},
		"userlabels":      labels,
	}
	c.wishes(spec)
	return map[string]any{
		"apiVersion": groupV4 + "/v1", "kind": "Pgcluster",
		"metadata": map[string]any{
			"name": c.Name, "namespace": namespace, "annotations": map[string]any{currentPrimary: c.Name},
			"labels": map[string]any{"crunchy-pgha-scope": c.Name, "deployment-name": c.Name, "name": c.Name, "pg-cluster": c.Name,
				"pgo-version": version, "pgouser": "pgoadmin"},
		},
		"spec": spec,
	}
}

// wishes adds what the example has no field for.
func (c *Cluster) wishes(spec map[string]any) {
	for _, w := range []struct {
		asked bool
		key   string
		value any
	}{
		{c.Replicas > 0, "replicas", fmt.Sprint(c.Replicas)},
		{!c.Autofail, "disableAutofail", true},
		{c.Metrics, "exporter", true},
		{c.Badger, "pgBadger", true},
		{c.ServiceType != "", "serviceType", c.ServiceType},
		{c.CustomConfig != "", "customconfig", c.CustomConfig},
		{len(c.Policies) > 0, "policies", strings.Join(c.Policies, ",")},
	} {
		if w.asked {
			spec[w.key] = w.value
		}
	}
	for key, amounts := range map[string]map[string]string{"resources": c.Resources.amounts(false), "limits": c.Resources.amounts(true)} {
		if len(amounts) > 0 {
			spec[key] = unstructuredMap(amounts)
		}
	}
	if key, value, ok := strings.Cut(c.NodeLabel, "="); ok {
		spec["nodeAffinity"] = map[string]any{"default": map[string]any{
			"preferredDuringSchedulingIgnoredDuringExecution": []any{map[string]any{"weight": int64(10), "preference": map[string]any{
				"matchExpressions": []any{map[string]any{"key": key, "operator": "In", "values": []any{value}}}}}}}}
	}
}

// unstructuredMap is of the type that the dynamic client takes.
func unstructuredMap(m map[string]string) map[string]any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

// secrets makes the users' Secrets beforehand where the runbook says their
// password: the operator takes those that are there, and makes the others.
func (d *resourceV4) secrets(ctx context.Context, c *Cluster) error {
	if c.Password.IsZero() {
		return nil
	}
	client := d.kube.Clientset().CoreV1().Secrets(d.namespace)
	for _, user := range []string{superuser, "primaryuser", firstOf(c.User, "testuser")} {
		s := &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Name: d.names.user(user), Labels: map[string]string{"pg-cluster": c.Name, "vendor": "crunchydata"}},
			Data:       map[string][]byte{"username": []byte(user), "password": []byte(c.Password.Reveal())},
		}
		if _, err := client.Create(ctx, s, metav1.CreateOptions{}); err != nil && !apierrors.IsAlreadyExists(err) { // kept data keeps its passwords
			return module.At("password", fmt.Errorf("make Secret %s in %s: %w", s.Name, d.namespace, err))
		}
	}
	return nil
}

// addReplicas makes Pgreplicas, named as the operator names them.
func (d *resourceV4) addReplicas(ctx context.Context, env *module.Env, n int) error {
	for range n {
		o, err := d.pgreplica()
		if err != nil {
			return err
		}
		if _, err := d.kind("pgreplicas").Create(ctx, o, metav1.CreateOptions{}); err != nil {
			return d.refused(err, "make Pgreplica %s in %s", o.GetName(), d.namespace)
		}
		env.Logf("Pgreplica %s made", o.GetName())
	}
	return nil
}

func (d *resourceV4) pgreplica() (*unstructured.Unstructured, error) {
	name := d.name + "-"
	for range 4 {
		letter, err := rand.Int(rand.Reader, big.NewInt(26))
		if err != nil {
			return nil, err
		}
		name += string(rune('a' + letter.Int64()))
	}
	storage := unstructuredMap(d.last.Spec.ReplicaStorage)
	storage["name"] = ""
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": groupV4 + "/v1", "kind": "Pgreplica",
		"metadata": map[string]any{"name": name, "namespace": d.namespace,
			"labels": map[string]any{"name": name, "pg-cluster": d.name, "pgouser": firstOf(d.last.Metadata.Labels["pgouser"], "pgoadmin")}},
		"spec": map[string]any{"clustername": d.name, "name": name, "namespace": d.namespace, "replicastorage": storage,
			"serviceType": "", "status": "", "tolerations": []any{}, "userlabels": unstructuredMap(d.last.Spec.UserLabels)},
	}}, nil
}
