package engine

import (
	"encoding/json"

	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/secret"
)

// outputs evaluates what the runbook shows at its end. One that cannot be
// evaluated is reported and left out.
func (r *run) outputs() []event.Output {
	scope := r.table.scopeAll(r.scope)
	var out []event.Output
	for _, o := range r.book.Outputs {
		value, diags := o.Value(scope)
		r.report(diags)
		if diags.HasErrors() || !value.IsWhollyKnown() {
			continue
		}
		if o.Sensitive {
			out = append(out, event.Output{Name: o.Name, Value: secret.Hidden})
			continue
		}
		data, err := ctyjson.SimpleJSONValue{Value: value}.MarshalJSON()
		var plain any
		if err != nil || json.Unmarshal(data, &plain) != nil {
			plain = secret.Hidden
		}
		out = append(out, event.Output{Name: o.Name, Value: plain})
	}
	return out
}
