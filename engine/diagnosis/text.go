package diagnosis

import (
	"encoding/json"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
)

// text makes a finding's text of what was seen. Parts of a template that cannot
// be made, because they look at a signal that did not hold, are left out.
func (r *run) text(t signature.Text, g *instance) string {
	expr := t.In(r.words.language)
	if expr == nil {
		return ""
	}
	ctx := signature.Context(g.vars)
	if text, ok := evaluated(expr, ctx); ok {
		return text
	}
	template, ok := expr.(*hclsyntax.TemplateExpr)
	if !ok {
		return ""
	}
	var b strings.Builder
	for _, part := range template.Parts {
		text, _ := evaluated(part, ctx)
		b.WriteString(text)
	}
	return strings.TrimSpace(b.String())
}

func evaluated(expr hcl.Expression, ctx *hcl.EvalContext) (string, bool) {
	v, diags := expr.Value(ctx)
	if diags.HasErrors() {
		return "", false
	}
	v, err := convert.Convert(v, cty.String)
	if err != nil || v.IsNull() || !v.IsKnown() {
		return "", false
	}
	return v.AsString(), true
}

// fix gives the finding's fix with those of its variables that are known; the
// fix asks for the others, where it cannot do without.
func (r *run) fix(g *instance) *Fix {
	x := g.finding.Fix
	if x == nil {
		return nil
	}
	out := &Fix{Runbook: x.Runbook, Vars: map[string]any{}}
	if x.Vars == nil {
		return out
	}
	ctx := signature.Context(g.vars)
	pairs, diags := hcl.ExprMap(x.Vars)
	if diags.HasErrors() { // no literal { name = value }
		if v, diags := x.Vars.Value(ctx); !diags.HasErrors() && !v.IsNull() && v.IsKnown() && v.CanIterateElements() {
			for name, one := range v.AsValueMap() {
				setVar(out.Vars, name, one)
			}
		}
		return out
	}
	for _, p := range pairs {
		name, more := p.Key.Value(ctx)
		v, diags := p.Value.Value(ctx)
		if !more.HasErrors() && !diags.HasErrors() && name.Type() == cty.String && name.IsKnown() && !name.IsNull() {
			setVar(out.Vars, name.AsString(), v)
		}
	}
	return out
}

// setVar keeps a value as JSON knows it.
func setVar(vars map[string]any, name string, v cty.Value) {
	if v.IsNull() || !v.IsWhollyKnown() {
		return
	}
	var simple any
	data, err := ctyjson.SimpleJSONValue{Value: v}.MarshalJSON()
	if err == nil && json.Unmarshal(data, &simple) == nil {
		vars[name] = simple
	}
}
