package engine

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// randomBook is a runbook drawn by chance, with what a test needs to know about
// it without asking the engine: its instances and what each of them needs.
type randomBook struct{ steps []*randomStep }

// randomStep is one step. Its place is one of: "" for this machine, "hosts" for
// the three nodes, "each" for two elements on this machine, "none" for no
// elements, "off" for when = false.
type randomStep struct {
	name, place string
	look        *randomStep // what a test.look reads; nil for a test.thing
	needs       []randomNeed
}

// randomNeed is one reference to an earlier step: by after, by a value, or by when.
type randomNeed struct {
	step *randomStep
	how  string
}

var (
	nodes    = []string{"node1", "node2", "node3"}
	elements = []string{"x", "y"}
)

func drawBook(t *rapid.T) *randomBook {
	b := &randomBook{}
	for n := range rapid.IntRange(10, 20).Draw(t, "steps") {
		st := &randomStep{name: fmt.Sprintf("s%02d", n)}
		st.place = rapid.SampledFrom([]string{"", "", "hosts", "hosts", "hosts", "each", "none", "off"}).Draw(t, "place")
		for _, before := range b.drawEarlier(t) {
			how := "after"
			if before.readable() {
				how = rapid.SampledFrom([]string{"after", "value", "value", "when"}).Draw(t, "how")
			}
			st.needs = append(st.needs, randomNeed{before, how})
		}
		if n > 0 && rapid.IntRange(0, 3).Draw(t, "look") == 0 {
			st.look = rapid.SampledFrom(b.steps).Draw(t, "seen")
			st.place = st.look.place
			st.needs = slices.DeleteFunc(st.needs, func(n randomNeed) bool { return n.how == "value" || n.step == st.look })
			st.needs = append(st.needs, randomNeed{st.look, "after"})
		}
		b.steps = append(b.steps, st)
	}
	return b
}

func (b *randomBook) drawEarlier(t *rapid.T) []*randomStep {
	if len(b.steps) == 0 {
		return nil
	}
	return rapid.SliceOfNDistinct(rapid.SampledFrom(b.steps), 0, min(3, len(b.steps)), func(s *randomStep) string { return s.name }).Draw(t, "needs")
}

// readable steps have a value for sure.
func (s *randomStep) readable() bool { return s.place == "" || s.place == "hosts" || s.place == "each" }

// keys are the keys of the step's instances.
func (s *randomStep) keys() []string {
	switch s.place {
	case "hosts":
		return nodes
	case "each":
		return elements
	case "":
		return []string{""}
	}
	return nil
}

func (s *randomStep) address(key string) string {
	if key == "" {
		return s.name
	}
	return fmt.Sprintf("%s[%q]", s.name, key)
}

// at is the key of the world that the instance keeps or reads.
func (s *randomStep) at(key string) string {
	of := s
	for of.look != nil {
		of = of.look
	}
	switch s.place {
	case "hosts":
		return key + "/" + of.name
	case "each":
		return "local/" + of.name + "-" + key
	}
	return "local/" + of.name
}

func (b *randomBook) String() string {
	var text strings.Builder
	text.WriteString(hosts)
	for _, st := range b.steps {
		st.write(&text)
	}
	return text.String()
}

func (s *randomStep) write(text *strings.Builder) {
	module, of := "test.thing", s
	for of.look != nil {
		module, of = "test.look", of.look
	}
	fmt.Fprintf(text, "step %q %q {\n", module, s.name)
	key, conditions := of.name, []string{"true"}
	switch s.place {
	case "hosts":
		text.WriteString("  on = target.nodes\n")
	case "each":
		text.WriteString("  for_each = [\"x\", \"y\"]\n")
		key += "-${each.key}"
	case "none":
		text.WriteString("  for_each = []\n")
	case "off":
		conditions = append(conditions, "false")
	}
	var after []string
	value := "on"
	for _, n := range s.needs {
		switch n.how {
		case "after":
			after = append(after, "step."+n.step.name)
		case "value":
			value += "+${" + n.step.got(s.place) + "}"
		case "when":
			conditions = append(conditions, n.step.got("")+" != \"never\"")
		}
	}
	fmt.Fprintf(text, "  key = %q\n  when = %s\n  after = [%s]\n", key, strings.Join(conditions, " && "), strings.Join(after, ", "))
	if s.look == nil {
		fmt.Fprintf(text, "  value = \"%s\"\n", value)
	}
	text.WriteString("}\n")
}

// got is an expression for what the step got, as seen from a step at place.
func (s *randomStep) got(place string) string {
	switch {
	case s.place == "":
		return fmt.Sprintf("step.%s.got", s.name)
	case s.place == place && place == "hosts":
		return fmt.Sprintf("step.%s[host.name].got", s.name)
	case s.place == place && place == "each":
		return fmt.Sprintf("step.%s[each.key].got", s.name)
	}
	return fmt.Sprintf("join(\",\", [for k, v in step.%s : v.got])", s.name)
}

// upstream lists the instances that the instance of s called key needs, as
// addresses: its own lane's where both have it, else all; those of a step that
// has none are in its place.
func (s *randomStep) upstream(key string) []string {
	var all []string
	seen := map[string]bool{}
	var follow func(from *randomStep, n randomNeed, lane bool)
	follow = func(from *randomStep, n randomNeed, lane bool) {
		lane = lane && (n.how == "after" || n.how == "value" && from.place == n.step.place)
		if id := fmt.Sprint(n.step.name, lane); seen[id] {
			return
		} else {
			seen[id] = true
		}
		keys := n.step.keys()
		if len(keys) == 0 {
			for _, before := range n.step.needs {
				follow(n.step, before, lane)
			}
		}
		if lane && key != "" && slices.Contains(keys, key) {
			keys = []string{key}
		}
		for _, k := range keys {
			all = append(all, n.step.address(k))
		}
	}
	for _, n := range s.needs {
		follow(s, n, true)
	}
	return all
}

// skipped tells which addresses a run skips in which those in failed failed: by
// instance, or the whole step where what decides on its instances is missing.
func (b *randomBook) skipped(failed map[string]bool) map[string]bool {
	out, whole := map[string]bool{}, map[*randomStep]bool{}
	isBad := func(address string) bool { return failed[address] || out[address] }
	for _, s := range b.steps {
		for _, n := range s.needs {
			lost := whole[n.step]
			if n.how == "when" {
				lost = lost || slices.ContainsFunc(n.step.keys(), func(k string) bool { return isBad(n.step.address(k)) })
			}
			whole[s] = whole[s] || lost
		}
		if whole[s] {
			out[s.name] = true
			for _, k := range s.keys() {
				out[s.address(k)] = true
			}
			continue
		}
		for _, k := range s.keys() {
			if !failed[s.address(k)] && slices.ContainsFunc(s.upstream(k), isBad) {
				out[s.address(k)] = true
			}
		}
	}
	return out
}
