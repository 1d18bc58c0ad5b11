package k8s

import (
	"errors"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// convertIngress translates backends, and what only one side has.
func convertIngress(o *unstructured.Unstructured, from, to string, s skills) error {
	const newest = "networking.k8s.io/v1"
	if (from == newest) == (to == newest) {
		return nil
	}
	spec, _ := o.Object["spec"].(map[string]any)
	if spec == nil {
		return nil
	}
	oldName, newName, backend := "backend", "defaultBackend", upBackend
	if to != newest {
		oldName, newName, backend = newName, oldName, downBackend
		if class, ok := spec["ingressClassName"].(string); ok && !s.atLeast(1, 18) {
			delete(spec, "ingressClassName")
			annotate(o, "kubernetes.io/ingress.class", class)
		}
	}
	if given, ok := spec[oldName].(map[string]any); ok {
		delete(spec, oldName)
		spec[newName] = given
		if err := backend(given); err != nil {
			return err
		}
	}
	for _, rule := range objectsIn(spec["rules"]) {
		http, _ := rule["http"].(map[string]any)
		for _, path := range objectsIn(http["paths"]) {
			if given, ok := path["backend"].(map[string]any); ok {
				if err := backend(given); err != nil {
					return err
				}
			}
			switch {
			case to == newest && path["pathType"] == nil:
				path["pathType"] = "ImplementationSpecific"
			case to != newest && !s.atLeast(1, 18) && path["pathType"] == "ImplementationSpecific":
				delete(path, "pathType") // which is what such a server does
			}
		}
	}
	return nil
}

func upBackend(b map[string]any) error {
	name, found := b["serviceName"]
	if !found {
		return nil // a resource, which is the same in both
	}
	port := map[string]any{"number": b["servicePort"]}
	if text, ok := b["servicePort"].(string); ok {
		port = map[string]any{"name": text}
	}
	delete(b, "serviceName")
	delete(b, "servicePort")
	b["service"] = map[string]any{"name": name, "port": port}
	return nil
}

func downBackend(b map[string]any) error {
	service, ok := b["service"].(map[string]any)
	if !ok {
		return errors.New("its backend is no Service")
	}
	port, _ := service["port"].(map[string]any)
	delete(b, "service")
	b["serviceName"], b["servicePort"] = service["name"], port["number"]
	if name, ok := port["name"]; ok {
		b["servicePort"] = name
	}
	return nil
}

// objectsIn are the elements of a list of objects.
func objectsIn(list any) []map[string]any {
	items, _ := list.([]any)
	var all []map[string]any
	for _, item := range items {
		if m, ok := item.(map[string]any); ok {
			all = append(all, m)
		}
	}
	return all
}

func annotate(o *unstructured.Unstructured, key, value string) {
	annotations := o.GetAnnotations()
	if annotations == nil {
		annotations = map[string]string{}
	}
	annotations[key] = value
	o.SetAnnotations(annotations)
}
