package lang

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Output is an output block: what a runbook tells at its end.
type Output struct {
	Name        string
	Description string
	Sensitive   bool // shown as "(sensitive)"
	Range       hcl.Range
	Needs       []string // steps, by name

	expr hclsyntax.Expression
	refs []ref
}

var outputSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "value"}, {Name: "description"}, {Name: "sensitive"}},
}

func (r *Runbook) addOutput(b *hcl.Block) hcl.Diagnostics {
	o := &Output{Name: b.Labels[0], Range: b.DefRange}
	var first *hcl.Range
	for _, dup := range r.Outputs {
		if dup.Name == o.Name {
			first = &dup.Range
		}
	}
	diags := named(b, "output", 0, first)
	content, more := b.Body.Content(outputSchema)
	diags = append(diags, more...)
	o.Description = literalString(content, "description", &diags)
	o.Sensitive = literalBool(content, "sensitive", &diags)
	attr, ok := content.Attributes["value"]
	if !ok {
		return append(diags, fault(b.DefRange.Ptr(), "Missing argument \"value\"", "An output needs a value.")...)
	}
	o.expr = attr.Expr.(hclsyntax.Expression)
	o.refs = refsOf(o.expr)
	r.Outputs = append(r.Outputs, o)
	return diags
}

// Value evaluates the output. It is unknown while what it refers to is.
func (o *Output) Value(s *Scope) (cty.Value, hcl.Diagnostics) {
	ctx, diags := s.context(setOf(o.refs), nil)
	v, more := o.expr.Value(ctx)
	return v, append(diags, explain(more, nil)...)
}
