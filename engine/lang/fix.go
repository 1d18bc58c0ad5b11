package lang

import (
	"encoding/json"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// fix is the runbook that takes a finding's cause away.
type fix struct {
	runbook, vars hclsyntax.Expression // vars is nil when left out
	refs          []ref
}

var fixSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "runbook"}, {Name: "vars"}}}

// addFix reads a finding's fix block.
func (f *Finding) addFix(b *hcl.Block) hcl.Diagnostics {
	if f.fix != nil {
		return fault(b.DefRange.Ptr(), "Second fix block", "A finding has one fix: one runbook, of as many steps as it takes.")
	}
	content, diags := b.Body.Content(fixSchema)
	attr, ok := content.Attributes["runbook"]
	if !ok {
		return append(diags, fault(b.DefRange.Ptr(), "Missing argument \"runbook\"", "A fix names the runbook that takes the cause away.")...)
	}
	f.fix = &fix{runbook: attr.Expr.(hclsyntax.Expression)}
	f.fix.refs = refsOf(f.fix.runbook)
	if attr, ok := content.Attributes["vars"]; ok {
		f.fix.vars = attr.Expr.(hclsyntax.Expression)
		f.fix.refs = append(f.fix.refs, refsOf(f.fix.vars)...)
	}
	f.refs = append(f.refs, f.fix.refs...)
	return diags
}

// FixOf is the path of the finding's fix, and the values of its variables as
// JSON knows them. The path is empty when it has none, or it is not known.
func (f *Finding) FixOf(s *Scope) (runbook string, vars map[string]any, diags hcl.Diagnostics) {
	if f.fix == nil {
		return "", nil, nil
	}
	ctx, diags := s.context(setOf(f.fix.refs), nil)
	runbook, values := f.fix.eval(ctx, &diags)
	if diags.HasErrors() || runbook == "" || values.IsNull() {
		return runbook, nil, diags
	}
	vars = map[string]any{}
	for name, v := range values.AsValueMap() {
		if !v.IsWhollyKnown() {
			continue // the fix asks for it, where it cannot do without
		}
		var plain any
		data, err := ctyjson.SimpleJSONValue{Value: v}.MarshalJSON()
		if err == nil {
			err = json.Unmarshal(data, &plain)
		}
		if err != nil {
			return "", nil, append(diags, fault(f.fix.vars.Range().Ptr(), "Invalid variable "+quote(name), "%s.", err)...)
		}
		vars[name] = plain
	}
	return f.run.path(runbook), vars, diags
}

// eval gives null for variables that are left out or not known.
func (x *fix) eval(ctx *hcl.EvalContext, diags *hcl.Diagnostics) (runbook string, vars cty.Value) {
	runbook = evalString(x.runbook, ctx, "runbook", diags)
	none := cty.NullVal(cty.EmptyObject)
	if x.vars == nil {
		return runbook, none
	}
	v, more := x.vars.Value(ctx)
	*diags = append(*diags, explain(more, nil)...)
	t := v.Type()
	switch {
	case more.HasErrors(), t == cty.DynamicPseudoType:
		return runbook, none
	case hasSecret(t):
		*diags = append(*diags, fault(x.vars.Range().Ptr(), "A secret in vars", "A finding is shown and kept: let the fix read the secret itself.")...)
		return runbook, none
	case !t.IsObjectType() && !t.IsMapType():
		*diags = append(*diags, fault(x.vars.Range().Ptr(), "Wrong type", "The argument \"vars\" takes { name = value, … }, not %s.", t.FriendlyName())...)
		return runbook, none
	case v.IsNull(), !v.IsKnown():
		return runbook, none
	}
	return runbook, v
}
