package pgo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/adbsql/antdbctl/engine/module"
)

func (c *Cluster) create(ctx context.Context, env *module.Env, p *place) error {
	env.Phase(phaseRequest)
	if err := p.clearStaleTask(ctx, env); err != nil {
		return err
	}
	workflow, err := p.api.create(ctx, c.request(p.namespace))
	if err != nil {
		return c.locate(err)
	}
	env.Logf("the operator makes cluster %s, workflow %s", c.Name, workflow)
	return nil
}

func (c *Cluster) request(namespace string) createRequest {
	ref := c.ref()
	var labels []string
	for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
		labels = append(labels, k+"="+c.Labels[k])
	}
	return createRequest{
		Name: c.Name, Namespace: namespace, NodeLabel: c.NodeLabel, Password: c.Password.Reveal(),
		UserLabels: strings.Join(labels, ","), Policies: strings.Join(c.Policies, ","),
		CCPImage: ref.name, CCPImageTag: ref.tag, Series: 1, ReplicaCount: c.Replicas, ServiceType: c.ServiceType,
		MetricsFlag: c.Metrics, BadgerFlag: c.Badger, AutofailFlag: c.Autofail, PgbouncerUser: "pgbouncer",
		CustomConfig: c.CustomConfig, StorageConfig: c.StorageConfig, ContainerResources: c.ResourcesConfig, ClientVersion: Version,
	}
}

// clearStaleTask removes the workflow record of an earlier cluster of that
// name: with it there, the apiserver answers "ok", makes the Secrets, and no
// cluster. Nothing else reads the record of a cluster that is gone.
func (p *place) clearStaleTask(ctx context.Context, env *module.Env) error {
	tasks := p.kube.Dynamic().Resource(schema.GroupVersionResource{Group: "crunchydata.com", Version: "v1", Resource: "pgtasks"}).Namespace(p.namespace)
	err := tasks.Delete(ctx, p.name+"-createcluster", metav1.DeleteOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil
	case apierrors.IsForbidden(err):
		env.Logf("cannot look for a left-over pgtask %s-createcluster: %v", p.name, err)
		return nil
	case err != nil:
		return fmt.Errorf("remove the left-over pgtask %s-createcluster: %w", p.name, err)
	}
	env.Logf("removed the left-over pgtask %s-createcluster", p.name)
	return nil
}

// locate finds the argument that a refusal is about.
func (c *Cluster) locate(err error) error {
	no := (*Refusal)(nil)
	if !errors.As(err, &no) {
		return err
	}
	for _, known := range []struct{ text, arg, remedy string }{
		{"Storage config was not found", "storage_config", "name an entry of Storage in pgo.yaml"},
		{"ContainerResource config was not found", "resources_config", "name an entry of ContainerResources in pgo.yaml"},
		{"configmap was not found", "custom_config", "make the ConfigMap in the cluster's namespace first"},
		{"ServiceType", "service_type", ""},
		{"labels format", "labels", ""},
		{"replica-count", "replicas", ""},
		{"cluster name", "name", ""},
		{"was found so we will not create it", "name", "somebody else made it meanwhile; apply again"},
		{"is not part of the Operator installation", "namespace", "add the namespace to the operator's installation (pgo create namespace), or choose one of its own"},
		{"is not allowed access to namespace", "namespace", "give the PGO user access to the namespace; a namespace that does not exist is answered like this too"},
		{"list of Namespaces being watched", "namespace", "the namespace needs the labels vendor=crunchydata and pgo-installation-name=…"},
		{"-createcluster\" already exists", "name", "delete the left-over pgtask " + c.Name + "-createcluster, and apply again"},
	} {
		if strings.Contains(no.Msg, known.text) {
			return module.At(known.arg, module.Explain(err, known.remedy))
		}
	}
	return err
}
