package lang

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// ref is one reference of an expression: step.antdb.id is root "step", name
// "antdb".
type ref struct {
	root, name string
	at         hcl.Range
	path       hcl.Traversal
	lane       bool // step.x[host.name] or step.x[each.key]
}

// refsOf finds all references in an expression, a body or any other node, in
// source order.
func refsOf(n hclsyntax.Node) []ref {
	w := &refWalker{}
	_ = hclsyntax.Walk(n, w) // the walker itself reports nothing
	slices.SortStableFunc(w.refs, func(a, b ref) int { return a.at.Start.Byte - b.at.Start.Byte })
	return w.refs
}

// refsIn is refsOf for an expression that may be left out.
func refsIn(expr hclsyntax.Expression) []ref {
	if expr == nil {
		return nil
	}
	return refsOf(expr)
}

type refWalker struct {
	refs   []ref
	hidden []map[string]struct{} // names that for expressions bind
	lanes  []*hclsyntax.ScopeTraversalExpr
}

func (w *refWalker) Enter(n hclsyntax.Node) hcl.Diagnostics {
	switch n := n.(type) {
	case *hclsyntax.IndexExpr:
		if of, ok := n.Collection.(*hclsyntax.ScopeTraversalExpr); ok && len(of.Traversal) == 2 && laneKey(n.Key) {
			w.lanes = append(w.lanes, of)
		}
	case hclsyntax.ChildScope:
		w.hidden = append(w.hidden, n.LocalNames)
	case *hclsyntax.ScopeTraversalExpr:
		root := n.Traversal.RootName()
		for _, names := range w.hidden {
			if _, bound := names[root]; bound {
				return nil
			}
		}
		w.refs = append(w.refs, ref{root: root, name: nameIn(n.Traversal), at: n.SrcRange, path: n.Traversal, lane: slices.Contains(w.lanes, n)})
	}
	return nil
}

func (w *refWalker) Exit(n hclsyntax.Node) hcl.Diagnostics {
	if _, ok := n.(hclsyntax.ChildScope); ok {
		w.hidden = w.hidden[:len(w.hidden)-1]
	}
	return nil
}

// nameIn is the second part of a traversal: x of step.x and of step["x"].
func nameIn(t hcl.Traversal) string {
	if len(t) < 2 {
		return ""
	}
	switch part := t[1].(type) {
	case hcl.TraverseAttr:
		return part.Name
	case hcl.TraverseIndex:
		if part.Key.Type() == cty.String {
			return part.Key.AsString()
		}
	}
	return ""
}

// laneKey reports whether key picks, of another step, the instance that has
// the same host or the same element: host.name, each.key, or both joined as in
// "${each.key}@${host.name}".
func laneKey(key hclsyntax.Expression) bool {
	switch k := key.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		text := traversalText(k.Traversal)
		return text == "host.name" || text == "each.key"
	case *hclsyntax.TemplateWrapExpr:
		return laneKey(k.Wrapped)
	case *hclsyntax.ParenthesesExpr:
		return laneKey(k.Expression)
	case *hclsyntax.TemplateExpr:
		return len(k.Parts) == 3 && laneKey(k.Parts[0]) && laneKey(k.Parts[2])
	}
	return false
}

func traversalText(t hcl.Traversal) string {
	parts := []string{t.RootName()}
	for _, p := range t[1:] {
		attr, ok := p.(hcl.TraverseAttr)
		if !ok {
			return ""
		}
		parts = append(parts, attr.Name)
	}
	return strings.Join(parts, ".")
}

// refset is what an evaluation must have in scope, by name.
type refset struct {
	steps, locals, looks []string
	each, host           bool
}

func setOf(refs []ref) refset {
	var s refset
	add := func(list *[]string, name string) {
		if !slices.Contains(*list, name) {
			*list = append(*list, name)
		}
	}
	for _, r := range refs {
		switch r.root {
		case "step":
			add(&s.steps, r.name)
		case "local":
			add(&s.locals, r.name)
		case "look":
			add(&s.looks, r.name)
		case "each":
			s.each = true
		case "host":
			s.host = true
		}
	}
	return s
}
