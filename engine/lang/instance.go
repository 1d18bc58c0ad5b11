package lang

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/zclconf/go-cty/cty"
)

// Address is what people call the instance: `nodes["node1"]`, `antdb`.
func (i *Instance) Address() string {
	if i.Key == "" {
		return i.Step.Address()
	}
	return fmt.Sprintf("%s[%q]", i.Step.Address(), i.Key)
}

// roots are the names that only this instance has.
func (i *Instance) roots() map[string]cty.Value {
	roots := map[string]cty.Value{"host": i.Target.Cty()}
	if i.each != nil {
		roots["each"] = i.each.cty()
	}
	return roots
}

// Decode evaluates the module's arguments. They hold unknowns where s does not
// know the steps that they refer to.
func (i *Instance) Decode(s *Scope) (cty.Value, hcl.Diagnostics) {
	return i.Step.decode(s, i.roots())
}

func (st *Step) decode(s *Scope, roots map[string]cty.Value) (cty.Value, hcl.Diagnostics) {
	if st.kind == nil {
		return cty.DynamicVal, nil // reported by Load
	}
	ctx, diags := s.context(st.set, roots)
	v, more := hcldec.Decode(st.args, st.kind.spec(), ctx)
	for _, d := range explain(more, st.kind.Schema) {
		// A required argument that is left out is reported at the step's
		// header, by Load.
		if d.Subject == nil || *d.Subject != st.args.MissingItemRange() {
			diags = append(diags, d)
		}
	}
	return v, tidy(diags)
}
