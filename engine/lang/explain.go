package lang

import (
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/adbsql/antdbctl/engine/schema"
)

const plainSecret = "Secret in a plain string"

const plainSecretDetail = "A secret can only be the whole value of an argument that takes a secret. In a template or a plain string it would end in logs, plans and argument lists."

// wrongArgumentType is how hcldec calls it.
const wrongArgumentType = "Incorrect attribute value type"

// wrongType says of which argument d speaks, in the words of runbooks.
func wrongType(d *hcl.Diagnostic) *hcl.Diagnostic {
	_, want, ok := strings.Cut(d.Detail, ": ")
	if !ok {
		return d
	}
	better := *d
	better.Summary = "Wrong type of argument \"" + firstQuoted(d.Detail) + "\""
	better.Detail = "Its value does not fit: " + want
	return &better
}

// takers names the arguments that a secret could go to instead.
func takers(args *schema.Schema) string {
	if args == nil {
		return ""
	}
	var names []string
	for _, f := range args.Args {
		if f.Block == nil && f.Type == placeholder.Type() {
			names = append(names, f.Name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " Here it can go to " + strings.Join(names, " or ") + "."
}

// explain improves the diagnostics of an evaluation: a secret where a string
// belongs is named as what it is, and misspelt attributes get a suggestion.
// args is the schema the expressions were decoded by; nil when there is none.
func explain(diags hcl.Diagnostics, args *schema.Schema) hcl.Diagnostics {
	for i, d := range diags {
		if d.Expression == nil || d.EvalContext == nil || d.Severity != hcl.DiagError {
			continue
		}
		switch d.Summary {
		case "Unsupported attribute", "Missing map element", "Invalid index":
			diags[i] = suggestAttribute(d)
		default:
			if at := misusedSecret(d, args); at != nil {
				diags[i] = &hcl.Diagnostic{Severity: hcl.DiagError, Summary: plainSecret, Detail: plainSecretDetail + takers(args), Subject: at}
			} else if d.Summary == wrongArgumentType {
				diags[i] = wrongType(d)
			}
		}
	}
	return diags
}

// Explain does so for expressions that are no part of a runbook.
func Explain(diags hcl.Diagnostics) hcl.Diagnostics { return explain(diags, nil) }

// explainSecret is the diagnostic for a value v of expr that does not convert.
func explainSecret(expr hclsyntax.Expression, v cty.Value, ctx *hcl.EvalContext, err error) hcl.Diagnostics {
	if hasSecret(v.Type()) {
		if at := secretIn(expr, ctx); at != nil {
			return fault(at, plainSecret, plainSecretDetail)
		}
	}
	return fault(expr.Range().Ptr(), "Wrong type", "%s.", err)
}

// misusedSecret is where the secret stands that d is about, nil when d is
// about something else.
func misusedSecret(d *hcl.Diagnostic, args *schema.Schema) *hcl.Range {
	expr, ok := d.Expression.(hclsyntax.Expression)
	if !ok {
		return nil
	}
	switch d.Summary {
	case "Invalid template interpolation value", "Invalid function argument", wrongArgumentType, "Invalid operand":
	default:
		return nil
	}
	v, diags := expr.Value(d.EvalContext)
	if diags.HasErrors() {
		// The expression is the call itself, or an operation on what is at fault.
		return secretIn(expr, d.EvalContext)
	}
	if !hasSecret(v.Type()) {
		if d.Summary == "Invalid operand" {
			return secretIn(expr, d.EvalContext)
		}
		return nil
	}
	if d.Summary == wrongArgumentType && !secretIsTheFault(v, d, args) {
		return nil
	}
	return secretIn(expr, d.EvalContext)
}

// secretIsTheFault tries the conversion that failed again, with strings for
// secrets: if that works, the secrets were the fault.
func secretIsTheFault(v cty.Value, d *hcl.Diagnostic, args *schema.Schema) bool {
	want, ok := typeOfArgument(d, args)
	if !ok {
		return true
	}
	plain, err := cty.Transform(v, func(_ cty.Path, v cty.Value) (cty.Value, error) {
		if v.Type() == placeholder.Type() {
			return cty.UnknownVal(cty.String), nil
		}
		return v, nil
	})
	if err != nil {
		return false
	}
	_, err = convert.Convert(plain, want)
	return err == nil
}

// typeOfArgument finds the argument that d's detail names first.
func typeOfArgument(d *hcl.Diagnostic, args *schema.Schema) (cty.Type, bool) {
	if args == nil {
		return cty.NilType, false
	}
	name := firstQuoted(d.Detail)
	if f, ok := args.Arg(name); ok && f.Block == nil {
		return f.Type, true
	}
	for _, f := range args.Args {
		if f.Block != nil {
			if t, ok := typeOfArgument(d, f.Block); ok {
				return t, true
			}
		}
	}
	return cty.NilType, false
}

func firstQuoted(s string) string {
	from := -1
	for i := range len(s) {
		if s[i] != '"' {
			continue
		}
		if from >= 0 {
			return s[from:i]
		}
		from = i + 1
	}
	return ""
}

// secretIn finds the smallest part of expr whose value is a secret.
func secretIn(expr hclsyntax.Expression, ctx *hcl.EvalContext) *hcl.Range {
	w := &secretFinder{ctx: ctx}
	_ = hclsyntax.Walk(expr, w) // the walker reports nothing
	return w.found
}

type secretFinder struct {
	ctx   *hcl.EvalContext
	found *hcl.Range
}

func (w *secretFinder) Enter(n hclsyntax.Node) hcl.Diagnostics {
	switch e := n.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		w.try(e)
	case *hclsyntax.RelativeTraversalExpr:
		w.try(e)
	case *hclsyntax.IndexExpr:
		w.try(e)
	}
	return nil
}

func (w *secretFinder) Exit(hclsyntax.Node) hcl.Diagnostics { return nil }

func (w *secretFinder) try(e hclsyntax.Expression) {
	if w.found != nil {
		return
	}
	if v, diags := e.Value(w.ctx); !diags.HasErrors() && v.Type() == placeholder.Type() {
		w.found = e.Range().Ptr()
	}
}

// suggestAttribute adds "did you mean" to a complaint about a missing attribute.
func suggestAttribute(d *hcl.Diagnostic) *hcl.Diagnostic {
	var of cty.Value
	var steps hcl.Traversal
	switch e := d.Expression.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		for ctx := d.EvalContext; ctx != nil && of == cty.NilVal; ctx = ctx.Parent() {
			of = ctx.Variables[e.Traversal.RootName()]
		}
		steps = e.Traversal[1:]
	case *hclsyntax.RelativeTraversalExpr:
		v, diags := e.Source.Value(d.EvalContext)
		if diags.HasErrors() {
			return d
		}
		of, steps = v, e.Traversal
	}
	for _, step := range steps {
		if of == cty.NilVal {
			return d
		}
		name := nameIn(hcl.Traversal{nil, step})
		if of.Type().IsObjectType() && name != "" && !of.Type().HasAttribute(name) {
			more := *d
			names := slices.Sorted(maps.Keys(of.Type().AttributeTypes()))
			if _, index := step.(hcl.TraverseIndex); index {
				more.Detail += " " + has(names)
			}
			more.Detail += didYouMean(name, names)
			return &more
		}
		next, diags := hcl.Traversal{step}.TraverseRel(of)
		if diags.HasErrors() {
			return d
		}
		of = next
	}
	return d
}
