package lang

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// where says which references an expression may make, and how a message calls
// the place.
type where struct {
	name  string
	roots []string
}

var (
	placeLocal      = where{"locals", []string{"var", "local", "secret", "target", "step", "path"}}
	placeTarget     = where{"a target block", []string{"var", "local", "secret", "target", "path"}}
	placeSecret     = where{"a secret block", []string{"var", "local", "path"}}
	placeStatic     = where{"this argument", []string{"var", "local", "target", "path"}}
	placeOutput     = where{"an output", []string{"var", "local", "secret", "target", "step", "path"}}
	placeStep       = where{"this step", []string{"var", "local", "secret", "target", "step", "path", "host"}}
	placeEach       = where{"this step", append([]string{"each"}, placeStep.roots...)}
	placeExpand     = where{"the expansion of a step", []string{"var", "local", "secret", "target", "step", "path"}}
	placeExpandEach = where{"the expansion of a step", append([]string{"each"}, placeExpand.roots...)}
	placeExpect     = where{"an expect block", append([]string{"self"}, placeEach.roots...)}
	placeFinding    = where{"a finding", append([]string{"look"}, placeOutput.roots...)}
)

// explanations of roots that are known but mean nothing in some place.
var misplaced = map[string]string{
	"each":   "each stands for the element of for_each, and exists only in a step that has for_each.",
	"host":   "host stands for the target of one instance, and exists only in the arguments of a step.",
	"self":   "self stands for the step's own values, and exists only in its expect blocks.",
	"look":   "look stands for what a playbook has seen, and exists only in its findings.",
	"step":   "Steps run after everything here must be known.",
	"secret": "A secret cannot decide this: the decision would tell about the secret.",
	"target": "Targets are not known here.",
}

// checkRefs reports references to what does not exist or may not be used here.
func (r *Runbook) checkRefs(refs []ref, w where) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, ref := range refs {
		diags = append(diags, r.checkRef(ref, w)...)
	}
	return diags
}

func (r *Runbook) checkRef(ref ref, w where) hcl.Diagnostics {
	at := ref.at.Ptr()
	if !slices.Contains(w.roots, ref.root) {
		if why, ok := misplaced[ref.root]; ok {
			return fault(at, "No \""+ref.root+"\" in "+w.name, "%s", why)
		}
		return fault(at, "Unknown name "+quote(ref.root), "References start with one of: %s.%s", strings.Join(w.roots, ", "), didYouMean(ref.root, w.roots))
	}
	noun, declares := rootNoun[ref.root]
	switch {
	case !declares || ref.root == "look":
		return nil // path, each, host, self, look: their evaluation checks them
	case ref.name == "":
		return fault(at, "Incomplete reference", "Write %s and a name after it, as in %s.%s.", ref.root, ref.root, example(r.namesOf(ref.root)))
	case r.declares(ref.root, ref.name):
		return nil
	}
	hint := didYouMean(ref.name, r.namesOf(ref.root))
	if later := laterLabel(ref); (ref.root == "step" || ref.root == "target") && r.declares(ref.root, later) {
		hint = fmt.Sprintf(" A %s is called by its name alone: %s.%s.", noun, ref.root, later)
	}
	return fault(at, "Unknown "+noun+" "+quote(ref.name), "The runbook has no %s of this name.%s", noun, hint)
}

var rootNoun = map[string]string{"var": "variable", "local": "local", "secret": "secret", "target": "target", "step": "step", "look": "look"}

// laterLabel helps those who write step.module_name.NAME, as other tools want.
func laterLabel(ref ref) string {
	if len(ref.path) < 3 {
		return ""
	}
	for _, p := range ref.path[2:min(4, len(ref.path))] {
		if attr, ok := p.(hcl.TraverseAttr); ok {
			return attr.Name
		}
	}
	return ""
}

func example(names []string) string {
	if len(names) == 0 {
		return "NAME"
	}
	return names[0]
}

// declares reports whether root.name exists, or would but for a syntax error.
func (r *Runbook) declares(root, name string) (ok bool) {
	switch root {
	case "var":
		_, ok = r.variables[name]
	case "local":
		_, ok = r.locals[name]
	case "secret":
		_, ok = r.secrets[name]
	case "step":
		_, ok = r.steps[name]
	case "target":
		_, ok = r.targets[name]
		ok = ok || name == implicitTarget
	}
	return ok || r.lost[root] || r.lost[root+"."+name]
}

// namesOf lists, sorted, what is declared under a root.
func (r *Runbook) namesOf(root string) []string {
	switch root {
	case "var":
		return slices.Sorted(maps.Keys(r.variables))
	case "local":
		return slices.Sorted(maps.Keys(r.locals))
	case "secret":
		return slices.Sorted(maps.Keys(r.secrets))
	case "step":
		return slices.Sorted(maps.Keys(r.steps))
	case "target":
		return slices.Sorted(maps.Keys(r.targets))
	}
	return nil
}

// checkOutputs checks what follows step.NAME in refs, once it is known which
// steps have several instances.
func (r *Runbook) checkOutputs(refs []ref) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, ref := range refs {
		if ref.root == "step" {
			diags = append(diags, r.checkStepRef(ref)...)
		}
	}
	return diags
}

// checkStepRef checks the part after step.NAME.
func (r *Runbook) checkStepRef(ref ref) hcl.Diagnostics {
	st := r.steps[ref.name]
	if st == nil || st.kind == nil || len(ref.path) < 3 {
		return nil
	}
	if key := nameIn(ref.path[1:]); st.keys != nil && key != "" && !slices.Contains(st.keys, key) {
		if index, ok := ref.path[2].(hcl.TraverseIndex); ok {
			at := hcl.RangeBetween(ref.at, index.SrcRange)
			return fault(&at, "Unknown instance "+quote(key), "step.%s has no such instance. %s%s", st.Name, has(st.keys), didYouMean(key, st.keys))
		}
	}
	attr, ok := ref.path[2].(hcl.TraverseAttr)
	if !ok {
		return nil
	}
	at := hcl.RangeBetween(ref.at, attr.SrcRange)
	known := st.kind.value.HasAttribute(attr.Name)
	switch {
	case st.Keyed && known:
		return fault(&at, "Step of several instances", "step.%s runs once for each host or element: say which one, as in step.%s[\"…\"].%s, step.%s[host.name].%s or values(step.%s).",
			st.Name, st.Name, attr.Name, st.Name, attr.Name, st.Name)
	case st.Keyed || known:
		return nil
	}
	return fault(&at, "Unknown output "+quote(attr.Name), "step.%s (%s) has no %q.%s", st.Name, st.Entry.Name, attr.Name,
		didYouMean(attr.Name, slices.Sorted(maps.Keys(st.kind.value.AttributeTypes()))))
}

func quote(s string) string { return `"` + s + `"` }
