package lang

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/json"
)

// ExpectResult is the outcome of one expect block.
type ExpectResult struct {
	Label string
	OK    bool
	Known bool   // false: the condition depends on what is not known
	Hint  string // what to do when it is not OK; may be empty
	// Message shows the values that the condition looked at, one a line:
	// `self.exists is false`.
	Message string
	Range   hcl.Range // of the condition
}

func (st *Step) addExpect(block *hclsyntax.Block) hcl.Diagnostics {
	var diags hcl.Diagnostics
	if len(block.Labels) != 1 {
		return fault(block.DefRange().Ptr(), "One label, please", "Write expect \"what is expected\" { … }.")
	}
	content, more := block.Body.Content(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "that"}, {Name: "hint"}}})
	diags = append(diags, more...)
	x := &Expect{Label: block.Labels[0], Range: block.DefRange()}
	if attr, ok := content.Attributes["hint"]; ok {
		x.hint = attr.Expr.(hclsyntax.Expression)
	}
	attr, ok := content.Attributes["that"]
	if !ok {
		return append(diags, fault(block.DefRange().Ptr(), "Missing argument \"that\"", "An expect block needs that = a condition on self, the step's own values.")...)
	}
	x.that = attr.Expr.(hclsyntax.Expression)
	x.refs = refsOf(block.Body)
	x.set = setOf(x.refs)
	st.Expects = append(st.Expects, x)
	return diags
}

// Expect evaluates the step's expect blocks; self is the instance's value.
func (i *Instance) Expect(s *Scope, self cty.Value) ([]ExpectResult, hcl.Diagnostics) {
	var results []ExpectResult
	var diags hcl.Diagnostics
	for _, x := range i.Step.Expects {
		roots := i.roots()
		roots["self"] = self
		result, more := x.evaluate(s, roots)
		diags = append(diags, more...)
		if !more.HasErrors() {
			results = append(results, result)
		}
	}
	return results, diags
}

func (x *Expect) evaluate(s *Scope, roots map[string]cty.Value) (ExpectResult, hcl.Diagnostics) {
	result := ExpectResult{Label: x.Label, Range: x.that.Range()}
	ctx, diags := s.context(x.set, roots)
	v, more := x.that.Value(ctx)
	diags = append(diags, explain(more, nil)...)
	if diags.HasErrors() {
		return result, diags
	}
	if result.Known = v.IsKnown(); !result.Known {
		if v.Type() != cty.Bool && v.Type() != cty.DynamicPseudoType {
			return result, fault(x.that.Range().Ptr(), "Wrong type", "that takes true or false, not %s.", v.Type().FriendlyName())
		}
	} else {
		ok, err := boolOf(v)
		if err != nil {
			return result, explainSecret(x.that, v, ctx, fmt.Errorf("that takes true or false: %w", err))
		}
		result.OK = ok
	}
	if x.hint != nil {
		result.Hint = evalString(x.hint, ctx, "hint", &diags)
	}
	if !result.OK {
		result.Message = witness(x.that, ctx)
	}
	return result, diags
}

// witness shows the values of the references in a condition.
func witness(expr hclsyntax.Expression, ctx *hcl.EvalContext) string {
	var lines []string
	seen := map[string]bool{}
	for _, ref := range refsOf(expr) {
		name := traversalName(ref.path)
		v, diags := ref.path.TraverseAbs(ctx)
		if seen[name] || diags.HasErrors() || !v.IsKnown() {
			continue
		}
		seen[name] = true
		lines = append(lines, name+" is "+show(v))
	}
	return strings.Join(lines, "\n")
}

// longestShown bounds the values in messages.
const longestShown = 200

// show renders a value for a message: never a secret, and never very long.
func show(v cty.Value) string {
	if hasSecret(v.Type()) {
		return "(holds a secret)"
	}
	if !v.IsWhollyKnown() {
		return "(not known yet)"
	}
	text, err := json.Marshal(v, v.Type())
	if err != nil {
		return v.Type().FriendlyName()
	}
	if runes := []rune(string(text)); len(runes) > longestShown {
		return string(runes[:longestShown]) + "…"
	}
	return string(text)
}

func traversalName(t hcl.Traversal) string {
	var b strings.Builder
	b.WriteString(t.RootName())
	for _, part := range t[1:] {
		switch p := part.(type) {
		case hcl.TraverseAttr:
			b.WriteString("." + p.Name)
		case hcl.TraverseIndex:
			b.WriteString("[" + show(p.Key) + "]")
		}
	}
	return b.String()
}
