package lang

import (
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// readCommon reads those common arguments that must be known before the run.
func (st *Step) readCommon() hcl.Diagnostics {
	var diags hcl.Diagnostics
	if attr, ok := st.body.Attributes["timeout"]; ok {
		if ctx := st.staticContext(attr.Expr, &diags); ctx != nil {
			st.Timeout = evalDuration(attr.Expr, ctx, "timeout", &diags)
		}
	}
	if attr, ok := st.body.Attributes["confirm"]; ok {
		if ctx := st.staticContext(attr.Expr, &diags); ctx != nil {
			st.Confirm = evalString(attr.Expr, ctx, "confirm", &diags)
		}
	}
	if attr, ok := st.body.Attributes["after"]; ok {
		diags = append(diags, st.readAfter(attr.Expr)...)
	}
	seen := map[string]bool{}
	for _, block := range st.body.Blocks {
		if block.Type != "retry" && block.Type != "rolling" {
			continue
		}
		if seen[block.Type] {
			diags = append(diags, fault(block.TypeRange.Ptr(), "Second "+block.Type+" block", "A step has at most one.")...)
			continue
		}
		seen[block.Type] = true
		ctx := st.staticContext(block.Body, &diags)
		if ctx == nil {
			continue
		}
		if block.Type == "retry" {
			st.Retry = readRetry(block, ctx, &diags)
		} else {
			st.Rolling = readRolling(block, ctx, &diags)
		}
	}
	return diags
}

// staticContext is the context for a part of the step that must be known
// before the run; nil when the part refers to what it may not.
func (st *Step) staticContext(n hclsyntax.Node, diags *hcl.Diagnostics) *hcl.EvalContext {
	refs := refsOf(n)
	own := append(st.run.checkRefs(refs, placeStatic), st.run.noSteps(refs)...)
	*diags = append(*diags, own...)
	if own.HasErrors() {
		return nil
	}
	return st.run.static(refs)
}

// blockContent checks a block's arguments against a list of names.
func blockContent(block *hclsyntax.Block, diags *hcl.Diagnostics, required string, names ...string) *hcl.BodyContent {
	schema := &hcl.BodySchema{}
	for _, name := range names {
		schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name})
	}
	content, more := block.Body.Content(schema)
	*diags = append(*diags, more...)
	if len(block.Labels) > 0 {
		*diags = append(*diags, fault(block.LabelRanges[0].Ptr(), "No label here", "A %s block has no label.", block.Type)...)
	}
	if _, ok := content.Attributes[required]; !ok {
		*diags = append(*diags, fault(block.TypeRange.Ptr(), "Missing argument "+quote(required), "A %s block needs %s.", block.Type, required)...)
	}
	return content
}

func readRetry(block *hclsyntax.Block, ctx *hcl.EvalContext, diags *hcl.Diagnostics) *Retry {
	content := blockContent(block, diags, "attempts", "attempts", "delay", "backoff")
	out := &Retry{Attempts: 1, Backoff: 1}
	if attr, ok := content.Attributes["attempts"]; ok {
		out.Attempts = evalInt(attr.Expr.(hclsyntax.Expression), ctx, "attempts", 1, 1, diags)
	}
	if attr, ok := content.Attributes["delay"]; ok {
		out.Delay = evalDuration(attr.Expr.(hclsyntax.Expression), ctx, "delay", diags)
	}
	if attr, ok := content.Attributes["backoff"]; ok {
		v := evalAs(attr.Expr.(hclsyntax.Expression), ctx, "backoff", cty.Number, diags)
		if v.IsKnown() && !v.IsNull() {
			out.Backoff, _ = v.AsBigFloat().Float64()
		}
		if out.Backoff < 1 {
			*diags = append(*diags, fault(attr.Expr.Range().Ptr(), "Invalid number", "The argument \"backoff\" is the factor by which delay grows: 1 or more.")...)
			out.Backoff = 1
		}
	}
	return out
}

func readRolling(block *hclsyntax.Block, ctx *hcl.EvalContext, diags *hcl.Diagnostics) *Rolling {
	content := blockContent(block, diags, "batch", "batch", "max_failures", "pause")
	out := &Rolling{Batch: 1}
	if attr, ok := content.Attributes["batch"]; ok {
		readBatch(out, attr.Expr.(hclsyntax.Expression), ctx, diags)
	}
	if attr, ok := content.Attributes["max_failures"]; ok {
		out.MaxFailures = evalInt(attr.Expr.(hclsyntax.Expression), ctx, "max_failures", 0, 0, diags)
	}
	if attr, ok := content.Attributes["pause"]; ok {
		out.Pause = evalDuration(attr.Expr.(hclsyntax.Expression), ctx, "pause", diags)
	}
	return out
}

// readBatch takes a number of instances, or a share of them such as "25%".
func readBatch(out *Rolling, expr hclsyntax.Expression, ctx *hcl.EvalContext, diags *hcl.Diagnostics) {
	v, more := expr.Value(ctx)
	*diags = append(*diags, explain(more, nil)...)
	if more.HasErrors() || !v.IsKnown() || v.IsNull() {
		return
	}
	text := ""
	if s, err := convert.Convert(v, cty.String); err == nil && !s.IsNull() {
		text = s.AsString()
	}
	number, percent := strings.CutSuffix(text, "%")
	n, err := strconv.Atoi(number)
	switch {
	case err != nil || n < 1 || percent && n > 100:
		*diags = append(*diags, fault(expr.Range().Ptr(), "Invalid batch", "batch is a number of instances, 1 or more, or a share of them such as \"25%%\".")...)
	case percent:
		out.Batch, out.Percent = 0, n
	default:
		out.Batch = n
	}
}

// readAfter takes step.x or a list of such.
func (st *Step) readAfter(expr hclsyntax.Expression) hcl.Diagnostics {
	refs, diags := stepList(expr, "after")
	own := st.run.checkRefs(refs, placeOutput)
	st.after = refs
	return append(diags, own...)
}

// stepList reads a list of steps, which are named and not evaluated.
func stepList(expr hclsyntax.Expression, argument string) ([]ref, hcl.Diagnostics) {
	items := []hclsyntax.Expression{expr}
	if list, ok := expr.(*hclsyntax.TupleConsExpr); ok {
		items = list.Exprs
	}
	var refs []ref
	var diags hcl.Diagnostics
	for _, item := range items {
		of, ok := item.(*hclsyntax.ScopeTraversalExpr)
		if !ok || of.Traversal.RootName() != "step" || len(of.Traversal) != 2 || nameIn(of.Traversal) == "" {
			diags = append(diags, fault(item.Range().Ptr(), "Not a step", "%s takes steps by name, as in %s = [step.one, step.two].", argument, argument)...)
			continue
		}
		refs = append(refs, ref{root: "step", name: nameIn(of.Traversal), at: of.SrcRange, path: of.Traversal, lane: true})
	}
	return refs, diags
}
