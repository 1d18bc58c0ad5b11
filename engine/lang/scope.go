package lang

import (
	"maps"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/secret"
)

// Scope is what expressions see: var, local, secret, target, path, the values
// of steps as far as they are known, and what playbooks have seen. It does not
// change; WithStep and WithLook make new ones. It is safe for concurrent use.
type Scope struct {
	run   *Runbook
	steps map[string]cty.Value
	looks map[string]cty.Value
	// missing is the value of a step that steps does not hold.
	missing func(*Step) cty.Value
	base    *hcl.EvalContext
}

// Scope is the scope before any step has run: every step is an unknown of its
// type. Secrets are unknown until ResolveSecrets has run.
func (r *Runbook) Scope() *Scope {
	return r.newScope(func(s *Secret) cty.Value {
		if s.resolved {
			return s.value.Cty()
		}
		return cty.UnknownVal(secret.Type)
	}, (*Step).anyValue)
}

// checkScope is the scope in which Load checks expressions: secrets are
// placeholders, and steps have the keys that are known without running.
func (r *Runbook) checkScope() *Scope {
	return r.newScope(func(*Secret) cty.Value { return placeholder }, (*Step).checkValue)
}

func (r *Runbook) newScope(secrets func(*Secret) cty.Value, missing func(*Step) cty.Value) *Scope {
	return &Scope{run: r, missing: missing, base: &hcl.EvalContext{Functions: r.functions, Variables: map[string]cty.Value{
		"var": r.varValue, "target": r.targetValue, "path": r.pathValue, "secret": r.secretValues(secrets),
	}}}
}

// WithStep is s with a value for a step; Step.Value makes such a value.
func (s *Scope) WithStep(name string, v cty.Value) *Scope {
	next := *s
	next.steps = maps.Clone(s.steps)
	if next.steps == nil {
		next.steps = map[string]cty.Value{}
	}
	next.steps[name] = v
	return &next
}

// WithLook is s with the value of a playbook's look.
func (s *Scope) WithLook(name string, v cty.Value) *Scope {
	next := *s
	next.looks = maps.Clone(s.looks)
	if next.looks == nil {
		next.looks = map[string]cty.Value{}
	}
	next.looks[name] = v
	return &next
}

// context holds what an evaluation refers to, and no more: a runbook may have
// thousands of steps. extra are the roots of this evaluation alone (each, host,
// self). The diagnostics are those of locals.
func (s *Scope) context(set refset, extra map[string]cty.Value) (*hcl.EvalContext, hcl.Diagnostics) {
	e := evaluation{scope: s, locals: map[string]cty.Value{}}
	ctx := e.context(set)
	maps.Copy(ctx.Variables, extra)
	return ctx, e.diags
}

// evaluation remembers the locals it has evaluated.
type evaluation struct {
	scope  *Scope
	locals map[string]cty.Value
	diags  hcl.Diagnostics
}

func (e *evaluation) context(set refset) *hcl.EvalContext {
	ctx := e.scope.base.NewChild()
	ctx.Variables = map[string]cty.Value{}
	if len(set.steps) > 0 {
		ctx.Variables["step"] = cty.ObjectVal(pick(set.steps, e.scope.step))
	}
	if len(set.locals) > 0 {
		ctx.Variables["local"] = cty.ObjectVal(pick(set.locals, e.local))
	}
	if len(set.looks) > 0 {
		ctx.Variables["look"] = cty.ObjectVal(pick(set.looks, e.scope.look))
	}
	return ctx
}

func pick(names []string, value func(string) cty.Value) map[string]cty.Value {
	picked := make(map[string]cty.Value, len(names))
	for _, name := range names {
		picked[name] = value(name)
	}
	return picked
}

func (s *Scope) step(name string) cty.Value {
	if v, ok := s.steps[name]; ok {
		return v
	}
	if st := s.run.steps[name]; st != nil && st.kind != nil {
		return s.missing(st)
	}
	return cty.DynamicVal // reported by Load
}

func (s *Scope) look(name string) cty.Value {
	if v, ok := s.looks[name]; ok {
		return v
	}
	return cty.DynamicVal
}

// local evaluates a local, once in an evaluation. Cycles end at bad locals.
func (e *evaluation) local(name string) cty.Value {
	if v, ok := e.locals[name]; ok {
		return v
	}
	l := e.scope.run.locals[name]
	if l == nil || l.bad {
		return cty.DynamicVal
	}
	v, diags := l.expr.Value(e.context(l.set))
	e.diags = append(e.diags, explain(diags, nil)...)
	e.locals[name] = v
	return v
}
