package lang

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

var rootSchema = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
	{Type: "runbook", LabelNames: []string{"name"}},
	{Type: "variable", LabelNames: []string{"name"}},
	{Type: "locals"},
	{Type: "secret", LabelNames: []string{"name"}},
	{Type: "target", LabelNames: []string{"kind", "name"}},
	{Type: "step", LabelNames: []string{"module", "name"}},
	{Type: "output", LabelNames: []string{"name"}},
	{Type: "playbook", LabelNames: []string{"name"}},
}}

// addBlocks takes over the blocks of one file.
func (r *Runbook) addBlocks(body *hclsyntax.Body) hcl.Diagnostics {
	content, diags := body.Content(rootSchema)
	for _, b := range content.Blocks {
		block := b.Body.(*hclsyntax.Body)
		switch b.Type {
		case "runbook":
			diags = append(diags, r.addHeader(b)...)
		case "variable":
			diags = append(diags, r.addVariable(b)...)
		case "locals":
			diags = append(diags, r.addLocals(block)...)
		case "secret":
			diags = append(diags, r.addSecret(b)...)
		case "target":
			diags = append(diags, r.addTarget(b)...)
		case "step":
			diags = append(diags, r.addStep(b)...)
		case "output":
			diags = append(diags, r.addOutput(b)...)
		case "playbook":
			diags = append(diags, r.addPlaybook(b)...)
		}
	}
	return diags
}

// addHeader reads the runbook block.
func (r *Runbook) addHeader(b *hcl.Block) hcl.Diagnostics {
	if r.header.Filename != "" {
		return fault(b.DefRange.Ptr(), "Second runbook block", "This runbook is already named by the block at %s.", place(r.header))
	}
	r.header, r.Name = b.DefRange, b.Labels[0]
	content, diags := b.Body.Content(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "title"}, {Name: "description"}}})
	r.Title = literalString(content, "title", &diags)
	r.Description = literalString(content, "description", &diags)
	return diags
}

// named checks the label that gives a block its name, and that the name is new.
// first is where the name was declared before, nil when it was not.
func named(b *hcl.Block, what string, label int, first *hcl.Range) hcl.Diagnostics {
	name, at := b.Labels[label], b.LabelRanges[label].Ptr()
	if !hclsyntax.ValidIdentifier(name) {
		return fault(at, "Invalid name", "%q cannot be the name of a %s: a name starts with a letter and goes on with letters, digits, _ and -.", name, what)
	}
	if first != nil {
		return fault(at, "Duplicate "+what+" name", "A %s called %q is already declared at %s.", what, name, place(*first))
	}
	return nil
}

// literalString reads an optional attribute whose value may refer to nothing.
func literalString(content *hcl.BodyContent, name string, diags *hcl.Diagnostics) string {
	attr, ok := content.Attributes[name]
	if !ok {
		return ""
	}
	v, more := attr.Expr.Value(nil)
	*diags = append(*diags, more...)
	if more.HasErrors() {
		return ""
	}
	s, err := stringOf(v)
	if err != nil {
		*diags = append(*diags, fault(attr.Expr.Range().Ptr(), "Wrong type", "The argument %q takes a string.", name)...)
	}
	return s
}

// literalBool is literalString for true and false.
func literalBool(content *hcl.BodyContent, name string, diags *hcl.Diagnostics) bool {
	attr, ok := content.Attributes[name]
	if !ok {
		return false
	}
	v, more := attr.Expr.Value(nil)
	*diags = append(*diags, more...)
	if more.HasErrors() {
		return false
	}
	b, err := boolOf(v)
	if err != nil {
		*diags = append(*diags, fault(attr.Expr.Range().Ptr(), "Wrong type", "The argument %q takes true or false.", name)...)
	}
	return b
}
