package lang

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/json"
	"github.com/zclconf/go-cty/cty"
)

// EnvPrefix begins the names of environment variables that hold variables.
const EnvPrefix = "ANTDBCTL_VAR_"

// setVariables gives every variable its value: the strongest source wins, in
// the order --var, --var-file, environment, default.
func (r *Runbook) setVariables(o Options) hcl.Diagnostics {
	var diags hcl.Diagnostics
	given := map[string]bool{}
	for _, text := range slices.Backward(o.Vars) {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			diags = append(diags, fault(nil, "Invalid --var", "Write --var name=value, not %q.", name)...)
			continue
		}
		v, more := r.variable(name, nil, "--var")
		diags = append(diags, more...)
		if v != nil && !given[name] {
			given[name] = true
			diags = append(diags, v.setText(value, "--var", r.functions)...)
		}
	}
	for _, file := range slices.Backward(o.VarFiles) {
		diags = append(diags, r.readVarFile(file, given)...)
	}
	for _, v := range r.Variables {
		if text, ok := r.lookupEnv(EnvPrefix + v.Name); ok && !given[v.Name] {
			given[v.Name] = true
			diags = append(diags, v.setText(text, EnvPrefix+v.Name, r.functions)...)
		}
		if given[v.Name] {
			continue
		}
		if v.Required {
			diags = append(diags, fault(v.Range.Ptr(), "Missing variable "+quote(v.Name),
				"It has no default. Give it with --var %s=…, in a --var-file, or as environment variable %s%s.", v.Name, EnvPrefix, v.Name)...)
			v.Value = cty.DynamicVal
			continue
		}
		if err := v.set(v.fallback, "default"); err != nil {
			v.Value = cty.DynamicVal // its default has been complained about
		}
	}
	values := map[string]cty.Value{}
	for _, v := range r.Variables {
		values[v.Name] = v.Value
	}
	r.varValue = cty.ObjectVal(values)
	return append(diags, r.validateVariables()...)
}

// variable finds the variable that from gives a value to.
func (r *Runbook) variable(name string, at *hcl.Range, from string) (*Variable, hcl.Diagnostics) {
	if v, ok := r.variables[name]; ok {
		return v, nil
	}
	if r.lost["var."+name] {
		return nil, nil
	}
	return nil, fault(at, "Unknown variable "+quote(name), "%s sets it, but the runbook declares no such variable.%s",
		from, didYouMean(name, slices.Sorted(maps.Keys(r.variables))))
}

// setText sets v from text of a command line or environment: a string as it
// is, anything else as an expression.
func (v *Variable) setText(text, from string, functions functionTable) hcl.Diagnostics {
	wrong := func(why string) hcl.Diagnostics {
		v.Value = cty.DynamicVal
		if v.Sensitive {
			why = "the value does not fit"
		}
		return fault(v.Range.Ptr(), "Wrong type of variable "+quote(v.Name), "Its type is %s; the value that %s gives: %s.", v.TypeName(), from, why)
	}
	val := cty.StringVal(text)
	if v.Type != cty.String {
		expr, diags := hclsyntax.ParseExpression([]byte(text), from, hcl.InitialPos)
		if !diags.HasErrors() {
			val, diags = expr.Value(&hcl.EvalContext{Functions: functions})
		}
		switch {
		case diags.HasErrors() && v.Type != cty.DynamicPseudoType:
			return wrong(expressionHint(diags, v.Type))
		case diags.HasErrors():
			val = cty.StringVal(text)
		}
	}
	if err := v.set(val, from); err != nil {
		return wrong(reason(err))
	}
	return nil
}

func expressionHint(diags hcl.Diagnostics, t cty.Type) string {
	if t.IsPrimitiveType() {
		return t.FriendlyName() + " required"
	}
	return "it is no expression such as [\"a\", \"b\"] or {k = \"v\"} (" + strings.ToLower(diags[0].Summary) + ")"
}

// readVarFile sets those variables of one file that nothing stronger has set. A
// file may serve several runbooks: what this one does not declare is passed
// over, unless it looks like a misspelling.
func (r *Runbook) readVarFile(file string, given map[string]bool) hcl.Diagnostics {
	text, err := os.ReadFile(file)
	if err != nil {
		return fault(nil, "Cannot read the --var-file", "%s.", err)
	}
	r.Sources[file] = text
	attrs, diags := varFileAttributes(file, text)
	names := slices.SortedFunc(maps.Keys(attrs), func(a, b string) int {
		return attrs[a].Range.Start.Byte - attrs[b].Range.Start.Byte
	})
	for _, name := range names {
		attr := attrs[name]
		if r.variables[name] == nil && nearest(name, slices.Sorted(maps.Keys(r.variables))) == "" {
			continue
		}
		v, more := r.variable(name, attr.NameRange.Ptr(), "This file")
		diags = append(diags, more...)
		if v == nil || given[name] {
			continue
		}
		given[name] = true
		val, more := attr.Expr.Value(nil)
		diags = append(diags, more...)
		if more.HasErrors() {
			continue
		}
		if err := v.set(val, file); err != nil {
			v.Value = cty.DynamicVal
			diags = append(diags, fault(attr.Expr.Range().Ptr(), "Wrong type of variable "+quote(name),
				"The type of %q, declared at %s, is %s: %s.", name, place(v.Range), v.TypeName(), reason(err))...)
		}
	}
	return diags
}

func varFileAttributes(file string, text []byte) (hcl.Attributes, hcl.Diagnostics) {
	var parsed *hcl.File
	var diags hcl.Diagnostics
	if filepath.Ext(file) == ".json" {
		parsed, diags = json.Parse(text, file)
	} else {
		parsed, diags = hclsyntax.ParseConfig(text, file, hcl.InitialPos)
	}
	if diags.HasErrors() {
		return nil, diags
	}
	attrs, more := parsed.Body.JustAttributes()
	return attrs, append(diags, more...)
}

// validateVariables runs the validation blocks. Conditions see the plain value
// even of a sensitive variable; messages see the secret.
func (r *Runbook) validateVariables() hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, v := range r.Variables {
		for _, check := range v.validations {
			if v.plain != cty.NilVal {
				diags = append(diags, r.validateVariable(v, check)...)
			}
		}
	}
	return diags
}

func (r *Runbook) validateVariable(v *Variable, check validation) hcl.Diagnostics {
	ctx := func(val cty.Value) *hcl.EvalContext {
		return &hcl.EvalContext{Functions: r.functions, Variables: map[string]cty.Value{"var": cty.ObjectVal(map[string]cty.Value{v.Name: val})}}
	}
	at := check.condition.Range().Ptr()
	val, diags := check.condition.Value(ctx(v.plain))
	if diags.HasErrors() && v.Sensitive {
		return fault(at, "Invalid condition", "The condition cannot be evaluated; the reason would show the value of a sensitive variable.")
	}
	if diags.HasErrors() {
		return diags
	}
	ok, err := boolOf(val)
	if err != nil {
		return fault(at, "Invalid condition", "A condition is true or false: %s.", err)
	}
	if ok {
		return nil
	}
	text, diags := check.message.Value(ctx(v.Value))
	if diags.HasErrors() {
		return explain(diags, nil)
	}
	message, err := stringOf(text)
	if err != nil {
		return explainSecret(check.message, text, ctx(v.Value), errors.New("an error message is a string"))
	}
	return fault(v.Range.Ptr(), "Invalid value of variable "+quote(v.Name), "%s (from %s)", message, v.From)
}
