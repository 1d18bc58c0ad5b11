package history

import (
	"maps"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Missing are the settings of an image that none of its rows explains, as
// steps to end the Dockerfile with: BuildKit leaves no row for ONBUILD, and
// commits may change settings without a word. steps are those of all rows.
func Missing(steps []Step, c *v1.Config) []Step {
	m := missing{env: map[string]string{}, labels: map[string]string{}, seen: map[string]bool{}, literal: map[string]bool{}}
	for _, s := range steps {
		m.note(s)
	}
	m.environment(c.Env)
	m.labelled(c.Labels)
	m.lists(c)
	for verb, text := range map[string]string{"USER": c.User, "WORKDIR": c.WorkingDir, "STOPSIGNAL": c.StopSignal} {
		if text != "" && !m.seen[verb] && !(verb == "WORKDIR" && text == "/") {
			m.add(Step{Verb: verb, Text: text})
		}
	}
	if c.Healthcheck != nil && !m.seen["HEALTHCHECK"] {
		m.add(Step{Verb: "HEALTHCHECK", Text: HealthcheckOf(*c.Healthcheck)})
	}
	for _, trigger := range c.OnBuild {
		if !m.seen["ONBUILD "+trigger] {
			m.add(Step{Verb: "ONBUILD", Text: trigger})
		}
	}
	slices.SortStableFunc(m.out, func(a, b Step) int { return strings.Compare(a.Verb, b.Verb) })
	if len(m.out) > 0 {
		m.out[0].Guesses = []string{"no row of the history sets what follows; the image has it"}
	}
	return m.out
}

type missing struct {
	env, labels map[string]string
	literal     map[string]bool // names set in the author's own words
	seen        map[string]bool
	out         []Step
}

func (m *missing) add(s Step) {
	s.Row = Row{Layer: -1}
	m.out = append(m.out, s)
}

// note remembers what a row sets.
func (m *missing) note(s Step) {
	m.seen[s.Verb] = true
	switch s.Verb {
	case "ONBUILD":
		m.seen["ONBUILD "+s.Text] = true
	case "ENV", "LABEL":
		into := m.env
		if s.Verb == "LABEL" {
			into = m.labels
		}
		for _, p := range s.Pairs {
			into[p.Name] = p.Value
			delete(m.literal, s.Verb+p.Name)
		}
		if s.Literal {
			for _, name := range literalNames(s.Text) {
				m.literal[s.Verb+name] = true
			}
		}
	}
}

// literalNames are the names in a text of NAME=VALUE words.
func literalNames(text string) (names []string) {
	words, ok := splitWords(text)
	if !ok {
		return nil
	}
	if len(words) > 0 && !strings.Contains(words[0].text, "=") {
		return []string{words[0].text}
	}
	for _, w := range words {
		name, _, _ := strings.Cut(w.text, "=")
		names = append(names, strings.Trim(name, `"'`))
	}
	return names
}

func (m *missing) environment(env []string) {
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		if have, ok := m.env[name]; !m.literal["ENV"+name] && (!ok || have != value) && pair != DefaultPath {
			m.add(Step{Verb: "ENV", Pairs: []Pair{{Name: name, Value: value}}})
		}
	}
}

func (m *missing) labelled(labels map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if BuilderLabel(name) {
			continue
		}
		if have, ok := m.labels[name]; !m.literal["LABEL"+name] && (!ok || have != labels[name]) {
			m.add(Step{Verb: "LABEL", Pairs: []Pair{{Name: name, Value: labels[name]}}})
		}
	}
}

// DefaultPath is the variable that builders give to images that set none.
const DefaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// BuilderLabel reports whether builders set the label of themselves.
func BuilderLabel(name string) bool { return name == "io.buildah.version" }

// lists are settings of several words.
func (m *missing) lists(c *v1.Config) {
	if len(c.Shell) > 0 && !m.seen["SHELL"] {
		m.add(Step{Verb: "SHELL", Text: jsonList(c.Shell)})
	}
	if len(c.Entrypoint) > 0 && !m.seen["ENTRYPOINT"] {
		m.add(Step{Verb: "ENTRYPOINT", Text: jsonList(c.Entrypoint)})
	}
	if len(c.Cmd) > 0 && !m.seen["CMD"] {
		m.add(Step{Verb: "CMD", Text: jsonList(c.Cmd)})
	}
	if len(c.Volumes) > 0 && !m.seen["VOLUME"] {
		m.add(Step{Verb: "VOLUME", Text: jsonList(slices.Sorted(maps.Keys(c.Volumes)))})
	}
	if len(c.ExposedPorts) > 0 && !m.seen["EXPOSE"] {
		m.add(Step{Verb: "EXPOSE", Text: strings.Join(slices.Sorted(maps.Keys(c.ExposedPorts)), " ")})
	}
}
