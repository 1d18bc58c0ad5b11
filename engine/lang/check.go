package lang

import (
	"errors"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/engine/secret"
)

// mostDecodes bounds how many instances Load decodes one by one over the whole
// runbook; steps beyond are checked once, with unknown hosts and elements. The
// plan checks every instance in any case.
const mostDecodes = 500

// check checks everything that needs more than one block to judge, and gives
// the steps their needs.
func (r *Runbook) check() hcl.Diagnostics {
	r.markSecrets()
	r.checking = r.checkScope()
	diags := r.checkSecrets()
	for _, st := range r.everyStep() {
		st.own = st.checkOwnRefs()
		diags = append(append(diags, st.own...), st.readCommon()...)
	}
	for _, st := range r.Steps {
		st.Needs = r.needs(st)
	}
	diags = append(diags, r.cycles()...)
	scope := r.checking
	for _, st := range r.everyStep() {
		st.shape(scope)
	}
	for _, name := range slices.Sorted(maps.Keys(r.locals)) {
		diags = append(diags, r.checkLocal(r.locals[name], scope)...)
	}
	_, more := r.settings(scope)
	diags = append(diags, outside(more, diags)...)
	decodes := 0
	for _, st := range r.Steps {
		if st.kind != nil {
			diags = append(diags, st.checkBody(scope, &decodes)...)
		}
	}
	for _, o := range r.Outputs {
		diags = append(diags, r.checkOutput(o, scope)...)
	}
	for _, p := range r.Playbooks {
		diags = append(diags, r.checkPlaybook(p, scope, &decodes)...)
	}
	return diags
}

// everyStep lists steps and looks, in source order.
func (r *Runbook) everyStep() []*Step {
	all := slices.Clone(r.Steps)
	for _, p := range r.Playbooks {
		all = append(all, p.Looks...)
	}
	return all
}

func (r *Runbook) markSecrets() {
	mark := func(refs []ref) {
		for _, ref := range refs {
			if s := r.secrets[ref.name]; ref.root == "secret" && s != nil {
				s.Used = true
			}
		}
	}
	for _, l := range r.locals {
		mark(l.refs)
	}
	for _, t := range r.Targets {
		mark(t.refs)
	}
	for _, st := range r.everyStep() {
		mark(st.refs)
		for _, x := range st.Expects {
			mark(x.refs)
		}
	}
	for _, o := range r.Outputs {
		mark(o.refs)
	}
	for _, p := range r.Playbooks {
		for _, f := range p.Findings {
			mark(f.refs)
		}
	}
}

// checkOwnRefs checks the references of the step itself, each by what its
// place may refer to.
func (st *Step) checkOwnRefs() hcl.Diagnostics {
	element, body := placeExpand, placeStep
	if st.forEach != nil {
		element, body = placeExpandEach, placeEach
	}
	diags := st.run.checkRefs(st.eachRefs, placeExpand)
	diags = append(diags, st.run.checkRefs(st.onRefs, element)...)
	diags = append(diags, st.run.checkRefs(st.whenRefs, body)...)
	diags = append(diags, st.run.checkRefs(st.argRefs, body)...)
	for _, x := range st.Expects {
		w := placeExpect
		if st.forEach == nil {
			w.roots = append([]string{"self"}, placeStep.roots...)
		}
		diags = append(diags, st.run.checkRefs(x.refs, w)...)
	}
	return diags
}

// checkLocal checks a local that needs steps; the others have been evaluated.
func (r *Runbook) checkLocal(l *local, scope *Scope) hcl.Diagnostics {
	own := r.checkOutputs(l.refs)
	if !l.dynamic() || l.bad {
		return own
	}
	ctx, _ := scope.context(l.set, nil)
	_, diags := l.expr.Value(ctx)
	l.bad = diags.HasErrors()
	return append(own, outside(explain(diags, nil), own)...)
}

func (r *Runbook) checkOutput(o *Output, scope *Scope) hcl.Diagnostics {
	own := append(r.checkRefs(o.refs, placeOutput), r.checkOutputs(o.refs)...)
	o.Needs = r.stepsOf(o.refs)
	ctx, _ := scope.context(setOf(o.refs), nil)
	_, diags := o.expr.Value(ctx)
	return append(own, outside(explain(diags, nil), own)...)
}

// checkBody expands and decodes the step as far as is possible offline.
func (st *Step) checkBody(scope *Scope, decodes *int) hcl.Diagnostics {
	if st.kind == nil {
		return nil
	}
	own := append(slices.Clone(st.own), st.run.checkOutputs(st.refs)...)
	ex, diags := st.possible, slices.Clone(st.shapeFaults)
	if st.when != nil {
		ex, diags = st.Expand(scope)
	}
	for i, roots := range st.samples(scope, ex, decodes) {
		args, more := st.decode(scope, roots)
		diags = append(diags, more...)
		if !more.HasErrors() {
			diags = append(diags, st.validate(args)...)
		}
		if i > 0 {
			continue
		}
		for _, x := range st.Expects {
			own = append(own, st.run.checkOutputs(x.refs)...)
			roots["self"] = st.kind.checked
			_, more := x.evaluate(scope, roots)
			diags = append(diags, more...)
		}
	}
	return append(own[len(st.own):], outside(diags, own)...)
}

// samples are the each and host to check the step's arguments with: those of
// every instance where the arguments refer to them and they are known, else
// one pair of unknowns.
func (st *Step) samples(scope *Scope, ex Expansion, decodes *int) []map[string]cty.Value {
	if refs := setOf(st.argRefs); refs.each || refs.host {
		if n := len(ex.Instances); n > 0 && *decodes+n <= mostDecodes {
			*decodes += n
			var all []map[string]cty.Value
			for _, i := range ex.Instances {
				all = append(all, i.roots())
			}
			return all
		}
	}
	roots := map[string]cty.Value{"host": cty.UnknownVal(conn.TargetType)}
	if st.forEach != nil {
		roots["each"] = st.anyElement(scope)
	}
	return []map[string]cty.Value{roots}
}

// anyElement is each for checking: its value is of the type that all elements
// share, if there is one.
func (st *Step) anyElement(scope *Scope) cty.Value {
	value := cty.DynamicVal
	ctx, _ := scope.context(st.set, nil)
	if v, diags := st.forEach.Value(ctx); !diags.HasErrors() {
		switch t := v.Type(); {
		case t.IsCollectionType():
			value = cty.UnknownVal(t.ElementType())
		case t.IsTupleType():
			value = cty.UnknownVal(cty.String)
		case t.IsObjectType():
			value = commonElement(t)
		}
	}
	return cty.ObjectVal(map[string]cty.Value{"key": cty.UnknownVal(cty.String), "value": value})
}

func commonElement(t cty.Type) cty.Value {
	var common cty.Type
	for _, at := range t.AttributeTypes() {
		if common != cty.NilType && !common.Equals(at) {
			return cty.DynamicVal
		}
		common = at
	}
	switch common {
	case cty.NilType:
		return cty.DynamicVal
	case secret.Type:
		return placeholder
	}
	return cty.UnknownVal(common)
}

// validate applies the module's own rules, once all arguments are known. A
// complaint about an argument that holds a placeholder does not count.
func (st *Step) validate(args cty.Value) hcl.Diagnostics {
	if st.broken || !args.IsWhollyKnown() {
		return nil
	}
	m := st.Entry.New()
	v, ok := m.(module.Validator)
	if !ok {
		return nil
	}
	if err := st.Entry.Set(m, args); err != nil {
		return fault(st.Range.Ptr(), "Invalid arguments", "%s.", err)
	}
	err := v.Validate()
	if err == nil {
		return nil
	}
	at := st.Range
	if arg := (*module.ArgError)(nil); errors.As(err, &arg) {
		if st.hidden(arg.Arg, args) {
			return nil
		}
		at = st.ArgRange(arg.Arg)
	}
	return fault(&at, "Invalid arguments of "+st.Address(), "%s.", err)
}

// hidden reports whether an argument holds a secret, whose text is not known
// while a runbook is checked.
func (st *Step) hidden(arg string, args cty.Value) bool {
	return args.Type().HasAttribute(arg) && hasSecret(args.GetAttr(arg).Type())
}
