package k8s

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// noise are fields that the server keeps for itself.
var noise = [][]string{
	{"status"}, {"metadata", "managedFields"}, {"metadata", "resourceVersion"}, {"metadata", "generation"},
	{"metadata", "creationTimestamp"}, {"metadata", "uid"}, {"metadata", "selfLink"},
	{"metadata", "annotations", lastApplied}, {"metadata", "annotations", "deployment.kubernetes.io/revision"},
}

// differences lists where two versions of an object differ, in the order of
// their paths.
func differences(name string, before, after *unstructured.Unstructured) []module.Diff {
	was, will := map[string]string{}, map[string]string{}
	flatten(was, "", quiet(before))
	flatten(will, "", quiet(after))
	paths := maps.Clone(was)
	maps.Copy(paths, will)
	var out []module.Diff
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		if was[path] == will[path] {
			continue
		}
		d := module.Diff{Path: name + " " + path[1:], Before: was[path], After: will[path]}
		if isSecret(after) && (hasPrefix(path, ".data") || hasPrefix(path, ".stringData")) {
			d.Before, d.After = hide(d.Before), hide(d.After)
		}
		out = append(out, d)
	}
	return out
}

func hasPrefix(path, field string) bool {
	return len(path) >= len(field) && path[:len(field)] == field
}

// hide keeps that there is a value, and not which.
func hide(s string) string {
	if s == "" {
		return ""
	}
	return secret.Hidden
}

// quiet is o without noise. Empty maps that only held noise go too.
func quiet(o *unstructured.Unstructured) map[string]any {
	o = o.DeepCopy()
	for _, path := range noise {
		unstructured.RemoveNestedField(o.Object, path...)
	}
	if len(o.GetAnnotations()) == 0 {
		unstructured.RemoveNestedField(o.Object, "metadata", "annotations")
	}
	return o.Object
}

// itemNames are the names of a list's elements; nil unless all have one of
// their own.
func itemNames(list []any) []string {
	var names []string
	for _, value := range list {
		item, _ := value.(map[string]any)
		name, _ := item["name"].(string)
		if name == "" || slices.Contains(names, name) {
			return nil
		}
		names = append(names, name)
	}
	return names
}

// flatten writes the leaves of v by path. Elements of a list that have a name
// go by it, so that one new container does not make all others look changed.
func flatten(into map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			flatten(into, path+"."+key, value)
		}
		if len(v) == 0 {
			into[path] = "{}"
		}
	case []any:
		names := itemNames(v)
		for i, value := range v {
			key := strconv.Itoa(i)
			if names != nil {
				key = names[i]
			}
			flatten(into, fmt.Sprintf("%s[%s]", path, key), value)
		}
		if len(v) == 0 {
			into[path] = "[]"
		}
	case string:
		into[path] = v
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			panic(err) // the value came out of JSON
		}
		into[path] = string(raw)
	}
}
