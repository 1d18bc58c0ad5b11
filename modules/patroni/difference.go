package patroni

import (
	"maps"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/patroni/guc"
)

// difference is what the dynamic configuration lacks.
type difference struct {
	patch map[string]any // for PATCH /config; empty for nothing
	diff  []module.Diff
}

// against compares what is declared with the dynamic configuration. known
// tells, for a parameter's lower-case name, how the server reads its values.
func (d declared) against(config map[string]any, known map[string]guc.Setting) difference {
	out := difference{patch: map[string]any{}}
	settings := compare(d.settings, config, "settings", &out.diff)
	maps.Copy(out.patch, settings)
	parameters := map[string]any{}
	database, _ := config["postgresql"].(map[string]any)
	have, _ := database["parameters"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(d.parameters)) {
		want, key := d.parameters[name], spelt(have, name)
		now, there := have[key]
		if want == nil && !there || want != nil && there && same(known, name, text(now), text(want)) {
			continue
		}
		parameters[key] = want
		out.diff = append(out.diff, module.Diff{Path: "parameters." + name, Before: text(now), After: text(want)})
	}
	if len(parameters) > 0 {
		inner, _ := out.patch["postgresql"].(map[string]any)
		out.patch["postgresql"] = merge(inner, map[string]any{"parameters": parameters})
	}
	return out
}

// spelt is name as the configuration spells it: parameters have no case.
func spelt(have map[string]any, name string) string {
	for key := range have {
		if strings.EqualFold(key, name) {
			return key
		}
	}
	return name
}

func same(known map[string]guc.Setting, name, a, b string) bool {
	if s, ok := known[strings.ToLower(name)]; ok {
		return s.Same(a, b)
	}
	return a == b
}

// compare gives the part of want that have lacks.
func compare(want, have map[string]any, path string, diff *[]module.Diff) map[string]any {
	patch := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		now, there := have[key]
		inner, isMap := want[key].(map[string]any)
		if isMap {
			nowMap, _ := now.(map[string]any)
			if deeper := compare(inner, nowMap, path+"."+key, diff); len(deeper) > 0 {
				patch[key] = deeper
			}
			continue
		}
		if want[key] == nil && !there || want[key] != nil && there && text(now) == text(want[key]) {
			continue
		}
		patch[key] = want[key]
		*diff = append(*diff, module.Diff{Path: path + "." + key, Before: text(now), After: text(want[key])})
	}
	return patch
}
