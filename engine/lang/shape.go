package lang

import (
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/conn"
)

// shape finds out, without running anything, whether the step is keyed and, if
// that is possible, which keys its instances can have. What on refers to is
// shaped first; in a cycle, which is reported, the first one counts as single.
func (st *Step) shape(scope *Scope) {
	if st.shaped != 0 {
		return
	}
	st.shaped = 1
	for _, name := range st.run.stepsOf(st.refs) {
		if other := st.run.steps[name]; other != nil && other.kind != nil {
			other.shape(scope)
		}
	}
	defer func() { st.shaped = 2 }()
	st.hosts = st.manyTargets(scope)
	st.Keyed = st.hosts || st.forEach != nil
	if !st.Keyed || st.kind == nil {
		return
	}
	x := &expander{Step: st, scope: scope, always: true, ex: Expansion{Known: true}}
	x.expand()
	if !x.ex.Known || x.diags.HasErrors() {
		return // the faults are reported when the step is checked
	}
	st.keys = []string{}
	for _, i := range x.ex.Instances {
		st.keys = append(st.keys, i.Key)
	}
	slices.Sort(st.keys)
}

// manyTargets tells from the type of on, or from its form where the type
// depends on the run, whether the step works on several targets.
func (st *Step) manyTargets(scope *Scope) bool {
	if st.on == nil {
		return false
	}
	roots := map[string]cty.Value{"host": cty.UnknownVal(conn.TargetType)}
	if st.forEach != nil {
		roots["each"] = st.anyElement(scope)
	}
	ctx, _ := scope.context(st.set, roots)
	v, diags := st.on.Value(ctx)
	if diags.HasErrors() || v.Type() == cty.DynamicPseudoType {
		return manySyntax(st.on)
	}
	return manyShape(v.Type())
}
