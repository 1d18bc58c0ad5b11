package signature

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// lazily makes && and || of expr look at their right side only when it decides.
// HCL evaluates both sides, and conditions of signatures are mostly a cheap test
// before a search through all facts of a kind.
func lazily(expr hclsyntax.Expression) hclsyntax.Expression {
	switch e := expr.(type) {
	case *hclsyntax.BinaryOpExpr:
		e.LHS, e.RHS = lazily(e.LHS), lazily(e.RHS)
		if e.Op == hclsyntax.OpLogicalAnd || e.Op == hclsyntax.OpLogicalOr {
			return &lazy{e}
		}
	case *hclsyntax.UnaryOpExpr:
		e.Val = lazily(e.Val)
	case *hclsyntax.ParenthesesExpr:
		e.Expression = lazily(e.Expression)
	case *hclsyntax.ConditionalExpr:
		e.Condition, e.TrueResult, e.FalseResult = lazily(e.Condition), lazily(e.TrueResult), lazily(e.FalseResult)
	case *hclsyntax.FunctionCallExpr:
		for n := range e.Args {
			e.Args[n] = lazily(e.Args[n])
		}
	case *hclsyntax.TupleConsExpr:
		for n := range e.Exprs {
			e.Exprs[n] = lazily(e.Exprs[n])
		}
	case *hclsyntax.ForExpr:
		e.CollExpr, e.ValExpr = lazily(e.CollExpr), lazily(e.ValExpr)
		if e.CondExpr != nil {
			e.CondExpr = lazily(e.CondExpr)
		}
	case *hclsyntax.IndexExpr:
		e.Collection, e.Key = lazily(e.Collection), lazily(e.Key)
	case *hclsyntax.RelativeTraversalExpr:
		e.Source = lazily(e.Source)
	}
	return expr
}

// lazy is a && or || that evaluates its right side when its left does not decide.
type lazy struct{ *hclsyntax.BinaryOpExpr }

// Value implements hcl.Expression.
func (l *lazy) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	left, diags := l.LHS.Value(ctx)
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	decisive := l.Op == hclsyntax.OpLogicalOr // what the left side must be to decide alone
	b, err := convert.Convert(left, cty.Bool)
	if err != nil || !b.IsKnown() || b.IsNull() || b.IsMarked() {
		return l.BinaryOpExpr.Value(ctx) // says what is wrong with it
	}
	if b.True() == decisive {
		return b, diags
	}
	right, more := l.RHS.Value(ctx)
	diags = append(diags, more...)
	if v, err := convert.Convert(right, cty.Bool); err == nil && v.IsKnown() && !v.IsNull() && !diags.HasErrors() {
		return v, diags
	}
	return l.BinaryOpExpr.Value(ctx)
}
