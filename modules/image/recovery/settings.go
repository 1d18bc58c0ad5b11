package recovery

import (
	"fmt"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/adbsql/antdbctl/modules/image/history"
)

// setting is a setting of an image by its name in the configuration.
type setting struct {
	name  string
	value any
}

func settingsOf(f *v1.ConfigFile) []setting {
	c := f.Config
	labels := maps.Clone(c.Labels)
	maps.DeleteFunc(labels, func(name, _ string) bool { return history.BuilderLabel(name) })
	env := slices.Clone(c.Env)
	env = slices.DeleteFunc(env, func(pair string) bool { return pair == history.DefaultPath })
	slices.Sort(env)
	workdir := path.Clean("/" + c.WorkingDir)
	return []setting{
		{"Architecture", f.Architecture}, {"OS", f.OS},
		{"Env", env}, {"Cmd", c.Cmd}, {"Entrypoint", c.Entrypoint}, {"User", c.User}, {"WorkingDir", workdir},
		{"Volumes", slices.Sorted(maps.Keys(c.Volumes))}, {"ExposedPorts", ports(c.ExposedPorts)},
		{"Labels", labels}, {"StopSignal", c.StopSignal}, {"Healthcheck", c.Healthcheck},
		{"OnBuild", c.OnBuild}, {"Shell", c.Shell},
	}
}

// ports are those of an image; buildah leaves the protocol out where it is tcp.
func ports(set map[string]struct{}) []string {
	var list []string
	for p := range set {
		list = append(list, strings.TrimSuffix(p, "/tcp"))
	}
	slices.Sort(list)
	return list
}

func compareConfig(want, have *v1.ConfigFile) (diffs []Difference) {
	other := settingsOf(have)
	for i, w := range settingsOf(want) {
		if h := other[i]; !same(w.value, h.value) {
			diffs = append(diffs, Difference{What: w.name, Want: show(w.value), Have: show(h.value)})
		}
	}
	return diffs
}

// same takes nothing and an empty list for the same.
func same(a, b any) bool {
	return reflect.DeepEqual(a, b) || empty(a) && empty(b)
}

func empty(v any) bool {
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Slice, reflect.Map:
		return r.Len() == 0
	}
	return r.IsZero()
}

func show(v any) string {
	switch v := v.(type) {
	case string:
		if v == "" {
			return "none"
		}
		return v
	case *v1.HealthConfig:
		if v == nil {
			return "none"
		}
		return history.HealthcheckOf(*v)
	}
	if empty(v) {
		return "none"
	}
	return fmt.Sprintf("%q", v)
}
