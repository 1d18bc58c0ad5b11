package pgo

import (
	"errors"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
)

// locate finds the argument that a refusal of an apiserver is about.
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
