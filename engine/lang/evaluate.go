package lang

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/gocty"

	"github.com/adbsql/antdbctl/engine/secret"
)

// evalAs evaluates expr, an argument called name, and converts it to type t.
// On a fault the value is an unknown of t.
func evalAs(expr hclsyntax.Expression, ctx *hcl.EvalContext, name string, t cty.Type, diags *hcl.Diagnostics) cty.Value {
	v, more := expr.Value(ctx)
	*diags = append(*diags, explain(more, nil)...)
	if more.HasErrors() {
		return cty.UnknownVal(t)
	}
	out, err := convert.Convert(v, t)
	if err != nil {
		*diags = append(*diags, explainSecret(expr, v, ctx, fmt.Errorf("the argument %q: %s", name, reason(err)))...)
		return cty.UnknownVal(t)
	}
	return out
}

// evalString is evalAs for a string that must be known; "" on a fault.
func evalString(expr hclsyntax.Expression, ctx *hcl.EvalContext, name string, diags *hcl.Diagnostics) string {
	v := evalAs(expr, ctx, name, cty.String, diags)
	if v.IsNull() || !v.IsKnown() {
		return ""
	}
	return v.AsString()
}

// evalInt gives fallback for null and for what is not known.
func evalInt(expr hclsyntax.Expression, ctx *hcl.EvalContext, name string, least, fallback int, diags *hcl.Diagnostics) int {
	v := evalAs(expr, ctx, name, cty.Number, diags)
	if v.IsNull() || !v.IsKnown() {
		return fallback
	}
	n, err := intOf(v)
	if err != nil || n < least {
		*diags = append(*diags, fault(expr.Range().Ptr(), "Invalid number", "The argument %q takes a whole number, %d or more.", name, least)...)
		return fallback
	}
	return n
}

func evalBool(expr hclsyntax.Expression, ctx *hcl.EvalContext, name string, diags *hcl.Diagnostics) bool {
	v := evalAs(expr, ctx, name, cty.Bool, diags)
	return v.IsKnown() && !v.IsNull() && v.True()
}

func evalDuration(expr hclsyntax.Expression, ctx *hcl.EvalContext, name string, diags *hcl.Diagnostics) time.Duration {
	n := len(*diags)
	text := evalString(expr, ctx, name, diags)
	if len(*diags) > n || text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		*diags = append(*diags, fault(expr.Range().Ptr(), "Invalid duration "+quote(text),
			"The argument %q takes a length of time such as \"90s\", \"15m\" or \"1h30m\".", name)...)
		return 0
	}
	return d
}

func evalSecret(expr hclsyntax.Expression, ctx *hcl.EvalContext, name string, diags *hcl.Diagnostics) secret.Value {
	v := evalAs(expr, ctx, name, secret.Type, diags)
	if v.IsNull() || !v.IsKnown() {
		return secret.Value{}
	}
	return *v.EncapsulatedValue().(*secret.Value)
}

// evalStrings takes one string or a list of them.
func evalStrings(expr hclsyntax.Expression, ctx *hcl.EvalContext, name string, diags *hcl.Diagnostics) []string {
	v, more := expr.Value(ctx)
	*diags = append(*diags, explain(more, nil)...)
	if more.HasErrors() {
		return nil
	}
	if v.IsNull() {
		return nil
	}
	if !hasSecret(v.Type()) {
		if s, err := stringOf(v); err == nil {
			return []string{s}
		}
	}
	list := evalAs(expr, ctx, name, cty.List(cty.String), diags)
	var out []string
	if list.IsNull() || !list.IsWhollyKnown() || gocty.FromCtyValue(list, &out) != nil {
		return nil
	}
	return out
}

func intOf(v cty.Value) (int, error) {
	v, err := known(v, cty.Number)
	if err != nil {
		return 0, err
	}
	var n int
	err = gocty.FromCtyValue(v, &n)
	return n, err
}

// static is the evaluation context of what must be known before the run.
func (r *Runbook) static(refs []ref) *hcl.EvalContext {
	ctx, _ := r.checking.context(setOf(refs), nil) // faults of locals are reported at the locals
	return ctx
}
