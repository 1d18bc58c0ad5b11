package preflight

import (
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

// preset is a setting of shared_preload_libraries in a file of the image.
type preset struct {
	file      string
	libraries []string
	layer     int
}

// settingsDir is where the operator's images keep Patroni's settings.
const settingsDir = "/opt/cpm/conf"

// readSettings finds what the YAML files of the image preload.
func (s *subject) readSettings() []preset {
	var found []preset
	for _, e := range s.tree.Dir(settingsDir) {
		if ext := path.Ext(e.Path); ext != ".yaml" && ext != ".yml" {
			continue
		}
		text, ok := s.files.text(e.Path)
		if !ok {
			continue
		}
		var body any
		if yaml.Unmarshal([]byte(text), &body) != nil {
			continue // scripts may keep templates there
		}
		for _, list := range preloadIn(body) {
			found = append(found, preset{e.Path, list, e.Layer})
		}
	}
	return found
}

// preloadIn gives the values of shared_preload_libraries wherever they stand.
func preloadIn(body any) [][]string {
	var found [][]string
	switch node := body.(type) {
	case map[string]any:
		keys := make([]string, 0, len(node))
		for key := range node {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			if text, ok := node[key].(string); ok && key == "shared_preload_libraries" {
				found = append(found, splitLibraries(text))
				continue
			}
			found = append(found, preloadIn(node[key])...)
		}
	case []any:
		for _, item := range node {
			found = append(found, preloadIn(item)...)
		}
	}
	return found
}

func splitLibraries(text string) []string {
	var list []string
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.Trim(strings.TrimSpace(name), `"'`); name != "" {
			list = append(list, name)
		}
	}
	return list
}

// B6.17: what the image's own settings preload is there. A server that is told
// to preload a library it has not does not start.
func (s *subject) preloaded(f *finding) {
	if s.want.Preload != nil {
		f.notef("preload asks for %s", orNothing(strings.Join(s.preload(), ", ")))
	}
	for _, p := range s.preset {
		f.notef("%s preloads %s", p.file, strings.Join(p.libraries, ", "))
	}
	if len(s.preset) == 0 && s.want.Preload == nil {
		f.notef("no settings in %s preload anything; the operator's preload %s", settingsDir, strings.Join(operatorPreload, ", "))
	}
	if s.server.postgres == nil {
		f.seeServer()
		return
	}
	for _, name := range s.preload() {
		p := path.Join(s.server.lib, name)
		if _, ok := s.tree.Stat(p); ok {
			continue
		}
		f.failf("Add "+name+" built with this server's pg_config, or take it out of shared_preload_libraries with a custom configuration (and set preload to what that says).",
			"%s is not there: no server starts that preloads it", p)
		f.absent(p, path.Join(s.server.bin, "postgres"))
	}
}

func orNothing(text string) string {
	if text == "" {
		return "nothing"
	}
	return text
}
