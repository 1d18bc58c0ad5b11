package signature

import (
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// looked counts how often an expression calls look(x), which gives x back.
func looked(t *testing.T, text string, lazy bool) (cty.Value, hcl.Diagnostics, int) {
	t.Helper()
	expr, diags := hclsyntax.ParseExpression([]byte(text), "x", hcl.InitialPos)
	require.False(t, diags.HasErrors(), diags.Error())
	var e hcl.Expression = expr
	if lazy {
		e = lazily(expr)
	}
	n := 0
	look := function.New(&function.Spec{
		Params: []function.Parameter{{Name: "x", Type: cty.DynamicPseudoType, AllowDynamicType: true, AllowUnknown: true}},
		Type:   func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { n++; return args[0], nil },
	})
	v, diags := e.Value(&hcl.EvalContext{
		Functions: map[string]function.Function{"look": look},
		Variables: map[string]cty.Value{
			"yes": cty.True, "no": cty.False, "unknown": cty.UnknownVal(cty.Bool), "null": cty.NullVal(cty.Bool), "text": cty.StringVal("x"),
			"list": cty.ListVal([]cty.Value{cty.NumberIntVal(1), cty.NumberIntVal(2)}),
		},
	})
	return v, diags, n
}

func TestTheRightSideIsLookedAtWhenItDecides(t *testing.T) {
	for text, want := range map[string]int{
		"no && look(yes)": 0, "yes && look(no)": 1, "yes || look(no)": 0, "no || look(yes)": 1,
		"no && (look(yes) || look(no))": 0, "!(no && look(yes))": 0, "(no && look(yes)) ? look(yes) : no": 1,
		"[for x in list : x == 1 && look(yes)]": 1, "[for x in list : x if x == 1 && look(yes)]": 2, // HCL tries the condition with an unknown first
	} {
		v, diags, n := looked(t, text, true)
		require.False(t, diags.HasErrors(), text)
		require.Equal(t, want, n, text)
		plain, _, _ := looked(t, text, false)
		require.True(t, v.RawEquals(plain), text)
	}
}

func TestWhatIsWrongWithASideIsSaidAsBefore(t *testing.T) {
	for _, text := range []string{
		"unknown && yes", "unknown && no", "yes && unknown", "unknown || yes", "null && yes", "yes && null", "text && yes", "yes && text",
		"list && yes", "missing && yes", "yes && missing", "no || missing", "yes && list",
	} {
		lazy, ours, _ := looked(t, text, true)
		plain, theirs, _ := looked(t, text, false)
		require.Equal(t, theirs.HasErrors(), ours.HasErrors(), text)
		if !theirs.HasErrors() {
			require.True(t, lazy.RawEquals(plain), "%s: %#v, not %#v", text, lazy, plain)
		}
	}
	_, diags, _ := looked(t, "no && missing", true)
	require.False(t, diags.HasErrors(), "what does not decide is not looked at")
}
