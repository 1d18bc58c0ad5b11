package history

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Declare turns the build arguments that RUN rows carry into ARG lines: each
// once, with the value that it had, before its first use. The ARG rows of the
// history stay where they are, with their values. env are the variables that
// the base sets.
//
// A RUN row's list alone does not tell where its ARG lines stood: imagebuilder
// listed arguments of the whole command line before March 2020, even those
// declared below.
func Declare(steps []Step, env map[string]string) []Step {
	d := declarer{steps: steps, args: map[string]string{}, env: map[string]string{}}
	maps.Copy(d.env, env)
	for i, s := range steps {
		switch s.Verb {
		case "ARG":
			if s, keep := d.row(i, s); keep {
				d.out = append(d.out, s)
			}
			continue
		case "RUN":
			d.before(i, d.lacking(i, s))
		default:
			d.before(i, d.used(i, s))
		}
		maps.Copy(d.env, s.Env())
		d.out = append(d.out, s)
	}
	return d.out
}

type declarer struct {
	steps []Step
	out   []Step
	args  map[string]string // in force
	env   map[string]string
}

// row gives the pairs of an ARG row the values that they had.
func (d *declarer) row(i int, s Step) (Step, bool) {
	var pairs []Pair
	for _, p := range s.Pairs {
		value, known := d.valueAfter(i, p.Name)
		have, declared := d.args[p.Name]
		switch {
		case declared && (!known || have == value):
			continue // in force with this value
		case !known && p.Bare:
		case !known:
			value = p.Value
		case p.Bare:
			p.Bare, p.Value = false, value
		case s.Literal && expand(p.Value, d.args, d.env) == value:
			// the default as the author wrote it, with variables
		case p.Value != value:
			s.Notes = append(s.Notes, "the default of "+p.Name+" was "+quote(p.Value)+"; the image was built with another value")
			p.Value, s.Literal = value, false
		}
		if !p.Bare {
			d.args[p.Name] = value
		}
		pairs = append(pairs, p)
	}
	s.Pairs = pairs
	return s, len(pairs) > 0
}

// valueAfter is the value of an argument in the next RUN row that has it.
func (d *declarer) valueAfter(i int, name string) (string, bool) {
	for _, s := range d.steps[i+1:] {
		if at := slices.IndexFunc(s.Args, func(p Pair) bool { return p.Name == name }); at >= 0 {
			return s.Args[at].Value, true
		}
		if s.Verb == "ENV" && envHas(s, name) {
			return "", false // BuildKit lists what ENV sets
		}
	}
	return "", false
}

// lacking are the arguments of a RUN row that nothing has set by then.
func (d *declarer) lacking(i int, s Step) (pairs []Pair) {
	for _, p := range s.Args {
		if have, ok := d.args[p.Name]; ok && have == p.Value {
			continue
		}
		if have, ok := d.env[p.Name]; ok && have == p.Value {
			continue
		}
		if d.declaredLater(i, p.Name) && !mentions(s.Script, p.Name) {
			continue
		}
		pairs = append(pairs, p)
	}
	return pairs
}

// used are the arguments that a line names and nothing has set by then.
func (d *declarer) used(i int, s Step) (pairs []Pair) {
	if !s.Literal {
		return nil
	}
	for _, m := range variable.FindAllStringSubmatch(s.Text, -1) {
		name := m[1] + m[2]
		if _, ok := d.args[name]; ok || name == "" || slices.ContainsFunc(pairs, func(p Pair) bool { return p.Name == name }) {
			continue
		}
		if _, ok := d.env[name]; ok {
			continue
		}
		if value, ok := d.valueAfter(i, name); ok {
			pairs = append(pairs, Pair{Name: name, Value: value})
		}
	}
	return pairs
}

func (d *declarer) declaredLater(i int, name string) bool {
	for _, s := range d.steps[i+1:] {
		if s.Verb == "ARG" && slices.ContainsFunc(s.Pairs, func(p Pair) bool { return p.Name == name }) {
			return true
		}
	}
	return false
}

// before puts ARG lines in front of step i: those that lines name, and those
// that are but in the environment of RUN lines.
func (d *declarer) before(i int, pairs []Pair) {
	var named, unnamed []Pair
	for _, p := range pairs {
		if d.named(i, p.Name) {
			named = append(named, p)
		} else {
			unnamed = append(unnamed, p)
		}
		d.args[p.Name] = p.Value
	}
	for _, p := range named {
		d.out = append(d.out, Step{Verb: "ARG", Pairs: []Pair{p}, Row: Row{Layer: -1},
			Guesses: []string{"no row of the history declares " + p.Name + "; its value is that of the RUN rows"}})
	}
	if len(unnamed) > 0 {
		d.out = append(d.out, Step{Verb: "ARG", Pairs: unnamed, Row: Row{Layer: -1},
			Guesses: []string{"no line below names these; the RUN rows had them in their environment"}})
	}
}

func (d *declarer) named(i int, name string) bool {
	for _, s := range d.steps[i:] {
		if mentions(s.Script, name) || s.Literal && mentions(s.Text, name) {
			return true
		}
		for _, p := range s.Pairs {
			if s.Literal && mentions(p.Value, name) {
				return true
			}
		}
	}
	return false
}

var variable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)|\$([A-Za-z_][A-Za-z0-9_]*)`)

// mentions reports whether a text refers to a variable, or reads it by name as
// programs do.
func mentions(text, name string) bool {
	for _, m := range variable.FindAllStringSubmatch(text, -1) {
		if m[1]+m[2] == name {
			return true
		}
	}
	return false
}

// expand replaces variables as a Dockerfile's ARG does, in their plain forms.
func expand(text string, scopes ...map[string]string) string {
	return plainVariable.ReplaceAllStringFunc(text, func(ref string) string {
		m := plainVariable.FindStringSubmatch(ref)
		for _, vars := range scopes {
			if value, ok := vars[m[1]+m[2]]; ok {
				return value
			}
		}
		return ""
	})
}

var plainVariable = regexp.MustCompile(`\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)`)

var literalName = regexp.MustCompile(`(?:^|\s)([A-Za-z_][A-Za-z0-9_]*)=`)

// Env are the variables that an ENV step sets, as far as it shows their values.
func (s Step) Env() map[string]string {
	env := map[string]string{}
	if s.Verb != "ENV" {
		return env
	}
	for _, p := range s.Pairs {
		env[p.Name] = p.Value
	}
	if !s.Literal {
		return env
	}
	if first, rest, _ := strings.Cut(s.Text, " "); !strings.Contains(first, "=") {
		env[first] = strings.TrimSpace(rest)
		return env
	}
	for _, m := range literalName.FindAllStringSubmatch(s.Text, -1) {
		env[m[1]] = ""
	}
	return env
}

func envHas(s Step, name string) bool {
	_, ok := s.Env()[name]
	return ok
}
