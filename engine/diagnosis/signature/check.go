package signature

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/customdecode"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/lang"
)

// functions are those of the language.
var functions = lang.Functions()

// Context is what expressions of signatures are evaluated in.
func Context(variables map[string]cty.Value) *hcl.EvalContext {
	return &hcl.EvalContext{Variables: variables, Functions: functions}
}

// FactType is the type of facts of a kind in expressions: its attributes, name
// and place.
func FactType(kind string) cty.Type {
	attrs := map[string]cty.Type{"name": cty.String, "place": evidence.Place{}.Value().Type()}
	of, ok := evidence.TypeOf(kind)
	if !ok {
		return cty.DynamicPseudoType
	}
	for name, t := range of.AttributeTypes() {
		attrs[name] = t
	}
	return cty.Object(attrs)
}

// FactsAttr is the name of a kind in facts.
func FactsAttr(kind string) string { return strings.ReplaceAll(kind, ".", "_") }

// Type is the type of the line in expressions.
func (l *Line) Type() cty.Type {
	attrs := map[string]cty.Type{"line": cty.String, "log": cty.String, "place": evidence.Place{}.Value().Type(), "count": cty.Number}
	for _, group := range l.Match.SubexpNames() {
		if group != "" {
			attrs[group] = cty.String
		}
	}
	return cty.Object(attrs)
}

// Signal says whether the finding has a signal of a name.
func (f *Finding) Signal(name string) bool { return slices.Contains(f.signals(), name) }

func (f *Finding) signals() []string {
	var names []string
	for _, l := range f.Lines {
		names = append(names, l.Name)
	}
	for _, x := range f.Facts {
		names = append(names, x.Name)
	}
	return names
}

// checkExpressions evaluates all expressions of a finding on values that are
// not known but for their type. Lists have one element, so that what a for
// expression does with it is checked too.
func (d *decoder) checkExpressions() {
	f := d.finding
	for _, x := range f.Facts {
		if x.When != nil && slices.Contains(evidence.KindNames(), x.Of) {
			d.check(x.When, map[string]cty.Value{"facts": sampleFacts, "self": sample(FactType(x.Of))}, cty.Bool)
		}
	}
	scope := map[string]cty.Value{"facts": sampleFacts, "place": sample(evidence.Place{}.Value().Type())}
	for _, l := range f.Lines {
		if scope[l.Name] = cty.DynamicVal; l.Match != nil {
			scope[l.Name] = sample(l.Type())
		}
	}
	for _, x := range f.Facts {
		scope[x.Name] = cty.DynamicVal
		if slices.Contains(evidence.KindNames(), x.Of) {
			scope[x.Name] = sample(FactType(x.Of))
		}
	}
	if f.Unless != nil {
		d.check(f.Unless, scope, cty.Bool)
	}
	for _, text := range []Text{f.Title, f.Cause, f.Check, f.Remedy} {
		for _, e := range []hcl.Expression{text.EN, text.ZH} {
			if e != nil {
				d.check(e, scope, cty.String)
			}
		}
	}
	if f.Fix != nil && f.Fix.Vars != nil {
		d.check(f.Fix.Vars, scope, cty.DynamicPseudoType)
	}
}

// check evaluates one expression on samples. Faults inside of try and can are
// faults all the same where they are of an attribute that never is there.
func (d *decoder) check(e hcl.Expression, scope map[string]cty.Value, want cty.Type) {
	for _, t := range e.Variables() {
		d.noteKinds(t)
	}
	var inside hcl.Diagnostics
	ctx := Context(scope).NewChild()
	ctx.Functions = map[string]function.Function{"try": watched("try", &inside), "can": watched("can", &inside)}
	v, diags := e.Value(ctx)
	var faults hcl.Diagnostics
	for _, diag := range append(inside, diags...) {
		// A sample list has one element, and maps have none that is known.
		if diag.Severity == hcl.DiagError && diag.Summary != "Invalid index" && diag.Summary != "Missing map element" {
			faults = append(faults, diag)
		}
	}
	if d.add(lang.Explain(faults)); faults.HasErrors() || diags.HasErrors() {
		return
	}
	if want == cty.DynamicPseudoType {
		if t := v.Type(); t != want && !t.IsObjectType() && !t.IsMapType() {
			d.fault(e.Range(), "Wrong type", "It takes { name = value, … }, not %s.", t.FriendlyName())
		}
		return
	}
	if _, err := convert.Convert(v, want); err != nil {
		d.fault(e.Range(), "Wrong type", "It does not fit: %s.", err)
	}
}

// noteKinds remembers the kinds of fact that an expression looks at.
func (d *decoder) noteKinds(t hcl.Traversal) {
	if t.RootName() != "facts" {
		return
	}
	for _, kind := range evidence.KindNames() {
		if attr, ok := attrAt(t, 1); !ok || attr == FactsAttr(kind) {
			d.kinds[kind] = true // all, where it looks at facts as a whole
		}
	}
}

func attrAt(t hcl.Traversal, at int) (string, bool) {
	if len(t) <= at {
		return "", false
	}
	attr, ok := t[at].(hcl.TraverseAttr)
	return attr.Name, ok
}

// watched is try or can, and reports misspelt attributes in their arguments,
// which they would pass over.
func watched(name string, found *hcl.Diagnostics) function.Function {
	real := functions[name]
	return function.New(&function.Spec{
		Params:   real.Params(),
		VarParam: real.VarParam(),
		Type: func(args []cty.Value) (cty.Type, error) {
			for _, arg := range args {
				if !arg.Type().Equals(customdecode.ExpressionClosureType) {
					continue
				}
				_, diags := customdecode.ExpressionClosureFromVal(arg).Value()
				for _, diag := range diags {
					if diag.Summary == "Unsupported attribute" {
						*found = append(*found, diag)
					}
				}
			}
			return real.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return real.Call(args) },
	})
}

var sampleFacts = func() cty.Value {
	attrs := map[string]cty.Value{}
	for _, kind := range evidence.KindNames() {
		attrs[FactsAttr(kind)] = cty.ListVal([]cty.Value{sample(FactType(kind))})
	}
	return cty.ObjectVal(attrs)
}()

// sample is a value of a type that is known only in its shape.
func sample(t cty.Type) cty.Value {
	switch {
	case t.IsObjectType():
		attrs := map[string]cty.Value{}
		for name, of := range t.AttributeTypes() {
			attrs[name] = sample(of)
		}
		return cty.ObjectVal(attrs)
	case t.IsListType():
		return cty.ListVal([]cty.Value{sample(t.ElementType())})
	}
	return cty.UnknownVal(t)
}

// pattern reads a regular expression.
func (d *decoder) pattern(e hclsyntax.Expression) *regexp.Regexp {
	text, ok := d.name(e)
	if !ok {
		return nil
	}
	re, err := compile(text)
	if err != nil {
		d.fault(e.Range(), "Invalid regular expression", "%s.", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return nil
	}
	return re
}

func didYouMean(given string, names []string) string { return lang.DidYouMean(given, names) }

// suggest names the one that was meant, or all there are.
func suggest(given string, names []string) string {
	if meant := didYouMean(given, names); meant != "" {
		return meant
	}
	return " There are " + strings.Join(names, ", ") + "."
}
