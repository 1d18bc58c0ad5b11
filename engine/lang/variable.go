package lang

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/adbsql/antdbctl/engine/secret"
)

// Variable is an input of a runbook.
type Variable struct {
	Name        string
	Description string
	Type        cty.Type // DynamicPseudoType accepts anything
	Sensitive   bool     // its strings are secrets
	Required    bool     // it has no default
	Range       hcl.Range
	// Value is what the runbook sees: secrets when Sensitive.
	Value cty.Value
	// From says where the value comes from: "default", "--var", the name of a
	// file or of an environment variable.
	From string

	plain       cty.Value // the value before its strings became secrets
	fallback    cty.Value
	defaults    *typeexpr.Defaults
	validations []validation
}

type validation struct {
	condition, message hclsyntax.Expression
}

// TypeName is the type in the words of the runbook language.
func (v *Variable) TypeName() string { return typeexpr.TypeString(v.Type) }

var variableSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "type"}, {Name: "default"}, {Name: "description"}, {Name: "sensitive"}},
	Blocks:     []hcl.BlockHeaderSchema{{Type: "validation"}},
}

var validationSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "condition", Required: true}, {Name: "error_message", Required: true}},
}

func (r *Runbook) addVariable(b *hcl.Block) hcl.Diagnostics {
	v := &Variable{Name: b.Labels[0], Range: b.DefRange, Required: true, Value: cty.DynamicVal, Type: cty.String}
	var first *hcl.Range
	if dup, ok := r.variables[v.Name]; ok {
		first = &dup.Range
	}
	diags := named(b, "variable", 0, first)
	if first == nil {
		r.variables[v.Name] = v
		r.Variables = append(r.Variables, v)
	}
	content, more := b.Body.Content(variableSchema)
	diags = append(diags, more...)
	v.Description = literalString(content, "description", &diags)
	v.Sensitive = literalBool(content, "sensitive", &diags)
	diags = append(diags, v.readType(content)...)
	for _, block := range content.Blocks {
		c, more := block.Body.Content(validationSchema)
		diags = append(diags, more...)
		if !more.HasErrors() {
			v.validations = append(v.validations, validation{
				c.Attributes["condition"].Expr.(hclsyntax.Expression), c.Attributes["error_message"].Expr.(hclsyntax.Expression)})
		}
	}
	return diags
}

// readType reads type and default. A variable without type has the type of a
// simple default, takes anything beside a default that is a collection, and is
// else a string.
func (v *Variable) readType(content *hcl.BodyContent) hcl.Diagnostics {
	typeAttr, typed := content.Attributes["type"]
	var diags hcl.Diagnostics
	if typed {
		v.Type, v.defaults, diags = typeexpr.TypeConstraintWithDefaults(typeAttr.Expr)
		if diags.HasErrors() {
			v.Type = cty.DynamicPseudoType
		}
	}
	attr, ok := content.Attributes["default"]
	if !ok {
		return diags
	}
	v.Required, v.From = false, "default"
	val, more := attr.Expr.Value(nil)
	diags = append(diags, more...)
	if more.HasErrors() {
		v.fallback = cty.DynamicVal
		return diags
	}
	if !typed && !val.IsNull() {
		v.Type = cty.DynamicPseudoType
		if val.Type().IsPrimitiveType() {
			v.Type = val.Type()
		}
	}
	val, err := v.convert(val)
	if err != nil {
		val = cty.DynamicVal
		diags = append(diags, fault(attr.Expr.Range().Ptr(), "Wrong type of default", "The default of %q does not fit its type %s: %s.", v.Name, v.TypeName(), reason(err))...)
	}
	v.fallback = val
	return diags
}

func (v *Variable) convert(val cty.Value) (cty.Value, error) {
	if v.defaults != nil && !val.IsNull() {
		val = v.defaults.Apply(val)
	}
	return convert.Convert(val, v.Type.WithoutOptionalAttributesDeep())
}

// set gives v its value, or the reason why val cannot be it.
func (v *Variable) set(val cty.Value, from string) error {
	val, err := v.convert(val)
	if err != nil {
		return err
	}
	v.From, v.plain, v.Value = from, val, val
	if v.Sensitive {
		v.Value, err = convert.Convert(val, secretly(val.Type()))
	}
	return err
}

// secretly is t with secrets in the place of strings.
func secretly(t cty.Type) cty.Type {
	switch {
	case t == cty.String:
		return secret.Type
	case t.IsListType(), t.IsSetType(): // secrets cannot be members of a set
		return cty.List(secretly(t.ElementType()))
	case t.IsMapType():
		return cty.Map(secretly(t.ElementType()))
	case t.IsTupleType():
		types := slices.Clone(t.TupleElementTypes())
		for i := range types {
			types[i] = secretly(types[i])
		}
		return cty.Tuple(types)
	case t.IsObjectType():
		attrs := map[string]cty.Type{}
		for name, at := range t.AttributeTypes() {
			attrs[name] = secretly(at)
		}
		return cty.Object(attrs)
	}
	return t
}

// hasSecret reports whether values of type t can hold secrets.
func hasSecret(t cty.Type) bool {
	switch {
	case t == secret.Type:
		return true
	case t.IsCollectionType():
		return hasSecret(t.ElementType())
	case t.IsTupleType():
		return slices.ContainsFunc(t.TupleElementTypes(), hasSecret)
	case t.IsObjectType():
		for _, at := range t.AttributeTypes() {
			if hasSecret(at) {
				return true
			}
		}
	}
	return false
}
