package lang

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
)

// singleTarget reads one target; false when v is none, or is not known.
func singleTarget(v cty.Value) (conn.Target, bool) {
	if !isTarget(v.Type()) {
		return conn.Target{}, false
	}
	t, err := conn.TargetFrom(v)
	return t, err == nil
}

func isTarget(t cty.Type) bool { return t.Equals(conn.TargetType) }

// isSSH recognises the value of a whole ssh target block.
func isSSH(t cty.Type) bool {
	return t.IsObjectType() && t.HasAttribute("hosts") && t.HasAttribute("groups") && t.HasAttribute("config")
}

// manyShape reports whether a value of type t stands for several targets.
func manyShape(t cty.Type) bool {
	return !isTarget(t) && (isSSH(t) || t.IsObjectType() || t.IsTupleType() || t.IsCollectionType())
}

// manySyntax tells, where the type is not known, whether an expression makes a
// list or an object.
func manySyntax(expr hclsyntax.Expression) bool {
	switch e := expr.(type) {
	case *hclsyntax.ForExpr, *hclsyntax.TupleConsExpr, *hclsyntax.ObjectConsExpr, *hclsyntax.SplatExpr:
		return true
	case *hclsyntax.ParenthesesExpr:
		return manySyntax(e.Expression)
	case *hclsyntax.ConditionalExpr:
		return manySyntax(e.TrueResult) || manySyntax(e.FalseResult)
	case *hclsyntax.FunctionCallExpr:
		return slices.Contains([]string{"values", "concat", "flatten", "slice", "distinct", "compact", "tolist", "toset", "merge", "reverse"}, e.Name)
	}
	return false
}

// targetsOf reads what on may be: one target, a whole ssh target, a group of
// its hosts, or a list or map of targets.
func targetsOf(v cty.Value, r *Runbook) (targets []conn.Target, known bool, err error) {
	t := v.Type()
	switch {
	case !v.IsKnown():
		if t != cty.DynamicPseudoType && !isTarget(t) && !manyShape(t) {
			return nil, true, notTarget(v)
		}
		return nil, false, nil
	case v.IsNull():
		return nil, true, fmt.Errorf("it is null: there is no target")
	case isTarget(t):
		one, err := conn.TargetFrom(v)
		if !v.IsWhollyKnown() {
			return nil, false, nil
		}
		if err == nil && one.IsZero() {
			err = fmt.Errorf("the target is empty: the step that exports it has not made one")
		}
		return []conn.Target{one}, true, err
	case isSSH(t):
		if block, ok := r.targets[v.GetAttr("name").AsString()]; ok {
			return block.Hosts, true, nil
		}
		return targetsOf(v.GetAttr("hosts"), r)
	case t.IsMapType(), t.IsObjectType():
		fields := v.AsValueMap()
		var items []cty.Value
		for _, name := range slices.SortedFunc(maps.Keys(fields), natural) {
			items = append(items, fields[name])
		}
		return targetList(items, r)
	case t.IsTupleType(), t.IsListType(), t.IsSetType():
		return targetList(v.AsValueSlice(), r)
	}
	return nil, true, notTarget(v)
}

func targetList(items []cty.Value, r *Runbook) (targets []conn.Target, known bool, err error) {
	known = true
	for _, item := range items {
		if t := item.Type(); !isTarget(t) && t != cty.DynamicPseudoType && !isSSH(t) {
			return nil, true, notTarget(item)
		}
		more, ok, err := targetsOf(item, r)
		if err != nil {
			return nil, true, err
		}
		targets, known = append(targets, more...), known && ok
	}
	return inBlockOrder(targets, r), known, nil
}

func notTarget(v cty.Value) error {
	return fmt.Errorf("on takes a target, such as target.NAME, target.NAME.hosts[\"…\"] or a step's output of type target, not %s", v.Type().FriendlyName())
}

// inBlockOrder restores the order in which an ssh block lists its hosts, when
// all targets come from one: expressions sort maps by key.
func inBlockOrder(targets []conn.Target, r *Runbook) []conn.Target {
	if len(targets) == 0 {
		return targets
	}
	block, ok := r.targets[targets[0].Config]
	if !ok {
		return targets
	}
	rank := map[string]int{}
	for i, h := range block.Hosts {
		rank[h.Key()] = i + 1
	}
	for _, t := range targets {
		if rank[t.Key()] == 0 {
			return targets
		}
	}
	sorted := slices.Clone(targets)
	slices.SortStableFunc(sorted, func(a, b conn.Target) int { return rank[a.Key()] - rank[b.Key()] })
	return sorted
}
