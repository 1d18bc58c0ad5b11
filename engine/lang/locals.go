package lang

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// local is a name for an expression. Locals may refer to steps; such a local
// is evaluated anew in every scope, and who refers to it refers to the steps.
type local struct {
	name  string
	expr  hclsyntax.Expression
	at    hcl.Range
	refs  []ref
	set   refset
	steps []string // all that it needs, through other locals too
	bad   bool     // part of a cycle, or not evaluable: its value is unknown
}

// dynamic locals depend on steps.
func (l *local) dynamic() bool { return len(l.steps) > 0 }

func (r *Runbook) addLocals(body *hclsyntax.Body) hcl.Diagnostics {
	attrs, diags := body.JustAttributes()
	for _, attr := range sortedAttributes(body) {
		if attrs[attr.Name] == nil {
			continue
		}
		if dup, ok := r.locals[attr.Name]; ok {
			diags = append(diags, fault(attr.NameRange.Ptr(), "Duplicate local name", "A local called %q is already declared at %s.", attr.Name, place(dup.at))...)
			continue
		}
		l := &local{name: attr.Name, expr: attr.Expr, at: attr.SrcRange, refs: refsOf(attr.Expr)}
		l.set = setOf(l.refs)
		r.locals[attr.Name] = l
	}
	return diags
}

func sortedAttributes(body *hclsyntax.Body) []*hclsyntax.Attribute {
	return slices.SortedFunc(maps.Values(body.Attributes), func(a, b *hclsyntax.Attribute) int {
		return a.SrcRange.Start.Byte - b.SrcRange.Start.Byte
	})
}

// evalNamed finds cycles among locals and targets, and evaluates the targets
// and the locals they use. Locals that need steps get the list of them.
func (r *Runbook) evalNamed() hcl.Diagnostics {
	n := &namer{Runbook: r, state: map[string]int{}, targets: map[string]cty.Value{}, values: map[string]cty.Value{}}
	for _, name := range slices.Sorted(maps.Keys(r.locals)) {
		n.visitLocal(name)
	}
	for _, t := range r.Targets {
		n.visitTarget(t.Name)
	}
	if _, ok := n.targets[implicitTarget]; !ok {
		n.targets[implicitTarget] = localTarget(implicitTarget).Cty()
	}
	r.targetValue = cty.ObjectVal(n.targets)
	return n.diags
}

// namer evaluates locals and targets, each after what it refers to.
type namer struct {
	*Runbook
	state   map[string]int // 1: on the path, 2: done
	path    []string
	values  map[string]cty.Value // locals without steps
	targets map[string]cty.Value
	diags   hcl.Diagnostics
}

// enter begins a visit; false when there is nothing to do, or a cycle.
func (n *namer) enter(key string, at hcl.Range) bool {
	switch n.state[key] {
	case 1:
		from := slices.Index(n.path, key)
		cycle := append(slices.Clone(n.path[from:]), key)
		n.diags = append(n.diags, fault(at.Ptr(), "Values that need each other", "%s: none of them can be evaluated first.", strings.Join(cycle, " → "))...)
		for _, k := range n.path[from:] {
			if name, ok := strings.CutPrefix(k, "local."); ok {
				n.locals[name].bad = true
			}
		}
		return false
	case 2:
		return false
	}
	n.state[key] = 1
	n.path = append(n.path, key)
	return true
}

func (n *namer) leave(key string) {
	n.state[key] = 2
	n.path = n.path[:len(n.path)-1]
}

func (n *namer) visitRefs(refs []ref) {
	for _, ref := range refs {
		switch ref.root {
		case "local":
			n.visitLocal(ref.name)
		case "target":
			n.visitTarget(ref.name)
		}
	}
}

func (n *namer) visitLocal(name string) {
	l, ok := n.locals[name]
	if !ok || !n.enter("local."+name, l.at) {
		return
	}
	defer n.leave("local." + name)
	n.visitRefs(l.refs)
	own := n.checkRefs(l.refs, placeLocal)
	n.diags = append(n.diags, own...)
	l.bad = l.bad || own.HasErrors()
	for _, ref := range l.refs {
		if ref.root == "step" && n.steps[ref.name] != nil {
			l.steps = append(l.steps, ref.name)
		}
		if other := n.locals[ref.name]; ref.root == "local" && other != nil {
			l.steps = append(l.steps, other.steps...)
		}
	}
	slices.Sort(l.steps)
	l.steps = slices.Compact(l.steps)
	n.values[name] = cty.DynamicVal
	if l.bad || l.dynamic() {
		return
	}
	val, diags := l.expr.Value(n.context(l.set))
	n.diags = append(n.diags, explain(diags, nil)...)
	l.bad = diags.HasErrors()
	n.values[name] = val
}

func (n *namer) visitTarget(name string) {
	t, ok := n.Runbook.targets[name]
	if !ok || !n.enter("target."+name, t.Range) {
		return
	}
	defer n.leave("target." + name)
	n.visitRefs(t.refs)
	own := n.checkRefs(t.refs, placeTarget)
	own = append(own, n.noSteps(t.refs)...)
	n.diags = append(n.diags, own...)
	diags := t.evaluate(n.context(setOf(t.refs)))
	n.diags = append(n.diags, outside(explain(diags, nil), own)...)
	n.targets[name] = t.value
}

// context is what a local or a target may see, as far as it is evaluated.
func (n *namer) context(set refset) *hcl.EvalContext {
	locals, secrets := map[string]cty.Value{}, map[string]cty.Value{}
	for _, name := range set.locals {
		locals[name] = cty.DynamicVal
		if v, ok := n.values[name]; ok {
			locals[name] = v
		}
	}
	for name := range n.secrets {
		secrets[name] = placeholder
	}
	targets := maps.Clone(n.targets)
	if _, ok := n.Runbook.targets[implicitTarget]; !ok {
		targets[implicitTarget] = localTarget(implicitTarget).Cty()
	}
	return &hcl.EvalContext{Functions: n.functions, Variables: map[string]cty.Value{
		"var": n.varValue, "path": n.pathValue, "local": cty.ObjectVal(locals),
		"secret": cty.ObjectVal(secrets), "target": cty.ObjectVal(targets),
	}}
}

// noSteps refuses references to locals that need steps, where everything must
// be known before the run.
func (r *Runbook) noSteps(refs []ref) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, ref := range refs {
		if l := r.locals[ref.name]; ref.root == "local" && l != nil && l.dynamic() {
			diags = append(diags, fault(ref.at.Ptr(), "Value not known before the run",
				"local.%s needs step.%s, and this must be known before any step has run.", l.name, l.steps[0])...)
		}
	}
	return diags
}
