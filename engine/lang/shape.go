package lang

import (
	"slices"
	"strings"

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
	if st.kind == nil {
		return
	}
	x := &expander{Step: st, scope: scope, always: true, ex: Expansion{Known: true, Keyed: st.Keyed}}
	st.possible, st.shapeFaults = x.finish()
	st.checked = st.kind.checked
	if !st.Keyed {
		return
	}
	st.checked = cty.UnknownVal(cty.Map(st.kind.value))
	if !st.possible.Known || st.shapeFaults.HasErrors() {
		return
	}
	st.keys = []string{}
	for _, i := range st.possible.Instances {
		st.keys = append(st.keys, i.Key)
	}
	slices.Sort(st.keys)
	st.checked = st.kind.keyed(st.keys)
}

// keyed is the value of a keyed step for checking expressions. Many steps of a
// runbook work on the same hosts, so these values are shared.
func (k *kind) keyed(keys []string) cty.Value {
	id := strings.Join(keys, "\x00")
	v, ok := k.byKeys[id]
	if !ok {
		instances := make(map[string]cty.Value, len(keys))
		for _, key := range keys {
			instances[key] = k.checked
		}
		v = cty.ObjectVal(instances)
		k.byKeys[id] = v
	}
	return v
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
