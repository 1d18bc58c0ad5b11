package pgo

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
)

// overlay puts want over have: maps key by key, lists of named things by name,
// all else as a whole. What want says nothing about stays. Neither is changed.
func overlay(have, want any) any {
	switch want := want.(type) {
	case map[string]any:
		old, ok := have.(map[string]any)
		if !ok {
			return runtime.DeepCopyJSONValue(want)
		}
		merged := runtime.DeepCopyJSON(old)
		for key, value := range want {
			merged[key] = overlay(old[key], value)
		}
		return merged
	case []any:
		old, ok := have.([]any)
		if !ok || !named(old) || !named(want) {
			return runtime.DeepCopyJSONValue(want)
		}
		merged := runtime.DeepCopyJSONValue(old).([]any)
		for _, value := range want {
			at := slices.IndexFunc(merged, func(v any) bool { return v.(map[string]any)["name"] == value.(map[string]any)["name"] })
			if at < 0 {
				merged = append(merged, runtime.DeepCopyJSONValue(value))
				continue
			}
			merged[at] = overlay(merged[at], value)
		}
		return merged
	}
	return want
}

// named reports whether all of a list have a name to be known by.
func named(list []any) bool {
	for _, value := range list {
		m, ok := value.(map[string]any)
		if !ok {
			return false
		}
		if name, ok := m["name"].(string); !ok || name == "" {
			return false
		}
	}
	return true
}
