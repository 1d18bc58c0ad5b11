package k8s

import (
	"errors"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

const definitionV1 = "apiextensions.k8s.io/v1"

// perVersion are the parts of a definition that v1 has in each version, and
// v1beta1 in one place for all (the first of the names), if it has to.
var perVersion = []struct{ shared, own string }{
	{"validation", "schema"}, {"subresources", "subresources"}, {"additionalPrinterColumns", "additionalPrinterColumns"},
}

// convertDefinition translates a CustomResourceDefinition.
func convertDefinition(o *unstructured.Unstructured, _, to string, s skills) error {
	spec, _ := o.Object["spec"].(map[string]any)
	if spec == nil {
		return errors.New("it has no spec")
	}
	if to == definitionV1 {
		return newDefinition(spec)
	}
	return oldDefinition(spec, s)
}

// oldDefinition makes v1beta1 of v1, for servers before 1.16. Those fill in no
// defaults and keep unknown fields.
func oldDefinition(spec map[string]any, s skills) error {
	delete(spec, "preserveUnknownFields")
	versions := objectsIn(spec["versions"])
	for _, v := range versions {
		for _, field := range []string{"deprecated", "deprecationWarning", "selectableFields"} {
			delete(v, field)
		}
		if schema, ok := v["schema"].(map[string]any); ok {
			if root, ok := schema["openAPIV3Schema"].(map[string]any); ok {
				eachSchema(root, withoutLaterWords)
			}
		}
		for _, column := range objectsIn(v["additionalPrinterColumns"]) {
			rename(column, "jsonPath", "JSONPath")
		}
	}
	for _, part := range perVersion {
		same := true
		for _, v := range versions {
			same = same && reflect.DeepEqual(v[part.own], versions[0][part.own])
		}
		switch {
		case !same && !s.atLeast(1, 15):
			return errors.New("its versions differ in their " + part.own + ", and " + s.version + " takes one for all versions")
		case same && len(versions) > 0 && versions[0][part.own] != nil:
			spec[part.shared] = versions[0][part.own]
			for _, v := range versions {
				delete(v, part.own)
			}
		}
	}
	return oldConversion(spec, s)
}

func oldConversion(spec map[string]any, s skills) error {
	conversion, ok := spec["conversion"].(map[string]any)
	if !ok {
		return nil
	}
	if conversion["strategy"] != "Webhook" {
		delete(spec, "conversion") // None is all that servers before 1.15 know
		return nil
	}
	if !s.atLeast(1, 15) {
		return errors.New("its versions are converted by a webhook, which " + s.version + " does not do")
	}
	if webhook, ok := conversion["webhook"].(map[string]any); ok {
		conversion["webhookClientConfig"] = webhook["clientConfig"]
		conversion["conversionReviewVersions"] = webhook["conversionReviewVersions"]
		delete(conversion, "webhook")
	}
	return nil
}

// newDefinition makes v1 of v1beta1, for servers from 1.22 on.
func newDefinition(spec map[string]any) error {
	versions := objectsIn(spec["versions"])
	if name, ok := spec["version"].(string); ok && len(versions) == 0 {
		versions = []map[string]any{{"name": name, "served": true, "storage": true}}
		spec["versions"] = []any{versions[0]}
	}
	delete(spec, "version")
	keeps := spec["preserveUnknownFields"] != false // the default of v1beta1 is to keep them
	delete(spec, "preserveUnknownFields")
	if spec["scope"] == nil {
		spec["scope"] = "Namespaced"
	}
	for _, v := range versions {
		for _, part := range perVersion {
			if shared, ok := spec[part.shared]; ok && v[part.own] == nil {
				v[part.own] = copied(shared)
			}
		}
		for _, column := range objectsIn(v["additionalPrinterColumns"]) {
			rename(column, "JSONPath", "jsonPath")
		}
		v["schema"] = newSchema(v["schema"], keeps)
	}
	for _, part := range perVersion {
		delete(spec, part.shared)
	}
	if conversion, ok := spec["conversion"].(map[string]any); ok && conversion["strategy"] == "Webhook" {
		conversion["webhook"] = map[string]any{"clientConfig": conversion["webhookClientConfig"],
			"conversionReviewVersions": conversion["conversionReviewVersions"]}
		delete(conversion, "webhookClientConfig")
		delete(conversion, "conversionReviewVersions")
	}
	return nil
}

// newSchema gives a schema the types that v1 asks for, and lets it keep what
// v1beta1 kept.
func newSchema(of any, keeps bool) map[string]any {
	schema, _ := of.(map[string]any)
	root, ok := schema["openAPIV3Schema"].(map[string]any)
	if !ok {
		root = map[string]any{}
	}
	root["type"] = "object"
	eachSchema(root, func(node map[string]any) {
		_, hasFields := node["properties"]
		_, hasItems := node["items"]
		switch {
		case node["type"] != nil, node["x-kubernetes-int-or-string"] == true:
		case hasFields:
			node["type"] = "object"
		case hasItems:
			node["type"] = "array"
		default:
			node["x-kubernetes-preserve-unknown-fields"] = true
		}
		if _, isMap := node["additionalProperties"]; keeps && node["type"] == "object" && !isMap {
			node["x-kubernetes-preserve-unknown-fields"] = true
		}
	})
	return map[string]any{"openAPIV3Schema": root}
}

// withoutLaterWords takes from a schema what servers before 1.16 refuse.
// Extensions (x-kubernetes-…) they just do not keep.
func withoutLaterWords(node map[string]any) { delete(node, "default") }

// eachSchema visits a schema and those of its fields and items. What stands
// under allOf, anyOf, oneOf and not has no types of its own in v1.
func eachSchema(node map[string]any, visit func(map[string]any)) {
	visit(node)
	fields, _ := node["properties"].(map[string]any)
	for _, field := range fields {
		if field, ok := field.(map[string]any); ok {
			eachSchema(field, visit)
		}
	}
	for _, word := range []string{"items", "additionalProperties"} {
		if inner, ok := node[word].(map[string]any); ok {
			eachSchema(inner, visit)
		}
	}
}

func rename(m map[string]any, from, to string) {
	if value, ok := m[from]; ok {
		m[to] = value
		delete(m, from)
	}
}

func copied(v any) any {
	return (&unstructured.Unstructured{Object: map[string]any{"v": v}}).DeepCopy().Object["v"]
}
