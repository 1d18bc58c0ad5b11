package k8s

import (
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// notKept tells of fields that the server took and dropped: a slip of the pen,
// or a field that came with a later version. Servers before server-side apply
// do so with every field that they do not know; later ones refuse it, unless the
// kind is so new that they have not taken in its schema.
func (c client) notKept(d document, merged *unstructured.Unstructured) []string {
	var paths []string
	for _, field := range []string{"spec", "webhooks", "data", "rules"} {
		if wanted, ok := d.Object[field]; ok {
			dropped(&paths, field, wanted, merged.Object[field])
		}
	}
	var notes []string
	for _, path := range paths {
		notes = append(notes, fmt.Sprintf("warning: %s does not keep %s", c.skills().version, path))
	}
	return notes
}

// dropped collects the places of wanted that kept does not have. An empty value
// may be left out.
func dropped(paths *[]string, path string, wanted, kept any) {
	switch wanted := wanted.(type) {
	case nil:
	case map[string]any:
		have, ok := kept.(map[string]any)
		if !ok && len(wanted) > 0 {
			*paths = append(*paths, path)
			return
		}
		for _, key := range sortedKeys(wanted) {
			dropped(paths, path+"."+key, wanted[key], have[key])
		}
	case []any:
		have, ok := kept.([]any)
		if len(wanted) > 0 && !ok {
			*paths = append(*paths, path)
			return
		}
		names := itemNames(wanted)
		for i, item := range wanted {
			at := i
			place := fmt.Sprintf("%s[%d]", path, i)
			if names != nil {
				at, place = indexNamed(have, names[i]), fmt.Sprintf("%s[%s]", path, names[i])
			}
			if at < 0 || at >= len(have) {
				*paths = append(*paths, place)
				continue
			}
			dropped(paths, place, item, have[at])
		}
	default:
		if kept == nil && wanted != "" && wanted != false && wanted != int64(0) {
			*paths = append(*paths, path)
		}
	}
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }

func indexNamed(list []any, name string) int {
	return slices.IndexFunc(list, func(item any) bool {
		fields, _ := item.(map[string]any)
		return fields["name"] == name
	})
}
