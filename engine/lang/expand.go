package lang

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
)

// Expansion is what a step amounts to.
type Expansion struct {
	// Known is false while on, for_each or when depend on values that are not
	// known yet; then there are no instances.
	Known     bool
	Keyed     bool
	Instances []*Instance // for_each in the order of its elements, and in each the hosts in theirs
}

// Instance is one step on one target for one element of for_each.
type Instance struct {
	Step   *Step
	Key    string // each.key, the host's name, or "key@host"; "" when the step is not keyed
	Target conn.Target

	each *element // nil without for_each
}

// element is one element of for_each.
type element struct {
	key   string
	value cty.Value
}

func (e *element) cty() cty.Value {
	return cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(e.key), "value": e.value})
}

// Expand finds the instances of the step as far as s tells.
func (st *Step) Expand(s *Scope) (Expansion, hcl.Diagnostics) {
	x := &expander{Step: st, scope: s, ex: Expansion{Known: true, Keyed: st.Keyed}}
	return x.finish()
}

func (x *expander) finish() (Expansion, hcl.Diagnostics) {
	x.expand()
	if !x.ex.Known || x.diags.HasErrors() {
		x.ex.Instances = nil
	}
	return x.ex, x.diags
}

type expander struct {
	*Step
	scope *Scope
	ex    Expansion
	diags hcl.Diagnostics
	// always leaves when out, to learn which instances there could be
	always bool
}

func (x *expander) expand() {
	elements := []*element{nil}
	if x.forEach != nil {
		elements = x.elements()
	}
	for _, e := range elements {
		ctx, diags := x.scope.context(x.set, eachOnly(e))
		x.diags = append(x.diags, diags...)
		targets := x.targets(ctx)
		x.ex.Instances = slices.Grow(x.ex.Instances, len(targets))
		for _, t := range targets {
			i := &Instance{Step: x.Step, Target: t, each: e, Key: x.key(e, t)}
			if x.wanted(i) {
				x.ex.Instances = append(x.ex.Instances, i)
			}
		}
		if !x.ex.Known {
			return
		}
	}
	x.unique()
}

func eachOnly(e *element) map[string]cty.Value {
	if e == nil {
		return nil
	}
	return map[string]cty.Value{"each": e.cty()}
}

func (x *expander) key(e *element, t conn.Target) string {
	switch {
	case e != nil && x.hosts:
		return e.key + "@" + t.Name
	case e != nil:
		return e.key
	case x.hosts:
		return t.Name
	}
	return ""
}

func (x *expander) unique() {
	if len(x.ex.Instances) < 2 {
		return
	}
	seen := map[string]bool{}
	for _, i := range x.ex.Instances {
		if seen[i.Key] {
			x.fault(x.onRange(), "Same host twice", "%s would have two instances called %q.", x.Address(), i.Key)
			return
		}
		seen[i.Key] = true
	}
}

func (x *expander) fault(at hcl.Range, summary, detail string, args ...any) {
	x.diags = append(x.diags, fault(&at, summary, detail, args...)...)
}

func (st *Step) onRange() hcl.Range {
	if st.on != nil {
		return st.on.Range()
	}
	return st.Range
}

// wanted evaluates when, for the whole step or, where it refers to each or
// host, for the instance.
func (x *expander) wanted(i *Instance) bool {
	if x.when == nil || x.always {
		return true
	}
	ctx, _ := x.scope.context(x.set, i.roots()) // faults of locals were reported with the targets
	v, diags := x.when.Value(ctx)
	if diags.HasErrors() {
		x.diags = append(x.diags, explain(diags, nil)...)
		return false
	}
	if !v.IsKnown() {
		x.ex.Known = false
		return false
	}
	ok, err := boolOf(v)
	if err != nil {
		x.diags = append(x.diags, explainSecret(x.when, v, ctx, fmt.Errorf("when takes true or false: %w", err))...)
	}
	return ok
}

// elements evaluates for_each: a map, an object, or a list or set of strings.
func (x *expander) elements() []*element {
	ctx, diags := x.scope.context(x.set, nil)
	v, more := x.forEach.Value(ctx)
	x.diags = append(append(x.diags, diags...), explain(more, nil)...)
	if more.HasErrors() {
		return nil
	}
	elements, known, err := elementsOf(v)
	if err != nil {
		x.fault(x.forEach.Range(), "Invalid for_each", "%s.", err)
	}
	x.ex.Known = x.ex.Known && known
	return elements
}

func elementsOf(v cty.Value) (elements []*element, known bool, err error) {
	t := v.Type()
	switch {
	case t == cty.DynamicPseudoType && !v.IsKnown():
		return nil, false, nil
	case hasSecret(t) && !t.IsObjectType() && !t.IsMapType():
		return nil, true, fmt.Errorf("its elements name instances, so they cannot be secrets")
	case v.IsNull():
		return nil, true, fmt.Errorf("it is null")
	case t.IsMapType(), t.IsObjectType():
		if !v.IsKnown() {
			return nil, false, nil
		}
		fields := v.AsValueMap()
		for _, key := range slices.SortedFunc(maps.Keys(fields), natural) {
			elements = append(elements, &element{key, fields[key]})
		}
		return elements, true, nil
	case t.IsListType(), t.IsSetType(), t.IsTupleType():
		if !t.IsTupleType() && t.ElementType() != cty.String && t.ElementType() != cty.DynamicPseudoType {
			return nil, true, fmt.Errorf("a list or set for for_each holds strings, not %s", t.ElementType().FriendlyName())
		}
		if !v.IsKnown() {
			return nil, false, nil
		}
		return elementsOfList(v)
	}
	return nil, true, fmt.Errorf("it takes a map, an object, or a list or set of strings, not %s", t.FriendlyName())
}

func elementsOfList(v cty.Value) (elements []*element, known bool, err error) {
	known = true
	seen := map[string]bool{}
	for _, item := range v.AsValueSlice() {
		if !item.IsKnown() {
			known = false
			continue
		}
		if item.Type() != cty.String || item.IsNull() {
			return nil, true, fmt.Errorf("a list or set for for_each holds strings, not %s", item.Type().FriendlyName())
		}
		key := item.AsString()
		if seen[key] {
			return nil, true, fmt.Errorf("%q is listed twice", key)
		}
		seen[key] = true
		elements = append(elements, &element{key, item})
	}
	return elements, known, nil
}

// targets evaluates on.
func (x *expander) targets(ctx *hcl.EvalContext) []conn.Target {
	if x.on == nil {
		v := x.run.targetValue.GetAttr(implicitTarget)
		t, _ := singleTarget(v)
		return x.checked([]conn.Target{t})
	}
	v, diags := x.on.Value(ctx)
	if diags.HasErrors() {
		x.diags = append(x.diags, explain(diags, nil)...)
		return nil
	}
	targets, known, err := targetsOf(v, x.run)
	switch {
	case err != nil:
		x.fault(x.on.Range(), "Invalid target", "%s.", err)
		return nil
	case !known:
		x.ex.Known = false
		return nil
	case !x.hosts && len(targets) != 1:
		x.fault(x.on.Range(), "Not a single target", "%s works on one target, and this is %d: that cannot be told before the run, so write a list, [for …], where several are meant.", x.Address(), len(targets))
		return nil
	}
	return x.checked(targets)
}

// checked insists that the module works on the kinds of the targets.
func (x *expander) checked(targets []conn.Target) []conn.Target {
	for _, t := range targets {
		if len(x.Entry.On) == 0 || slices.Contains(x.Entry.On, t.Kind) {
			continue
		}
		detail := fmt.Sprintf("%s works on %s, and %s is %s.", x.Entry.Name, kindList(x.Entry.On), t, kindPhrase(t.Kind))
		if x.on == nil {
			detail = fmt.Sprintf("%s works on %s: say which one with on = target.NAME. Without on it would be this machine.", x.Entry.Name, kindList(x.Entry.On))
		}
		x.fault(x.onRange(), "Wrong kind of target", "%s", detail)
		return nil
	}
	return targets
}

var kindPhrases = map[string]string{
	conn.Local: "this machine (local)", conn.SSH: "a host over ssh", conn.Docker: "a docker engine",
	conn.Kubernetes: "a kubernetes cluster", conn.Container: "a container",
}

func kindPhrase(kind string) string {
	if phrase, ok := kindPhrases[kind]; ok {
		return phrase
	}
	return kind
}

func kindList(kinds []string) string {
	phrases := make([]string, len(kinds))
	for i, k := range kinds {
		phrases[i] = kindPhrase(k)
	}
	return strings.Join(phrases, " or ")
}
