package lang

import (
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/module"
)

// Step is a step block, or a look of a playbook.
type Step struct {
	Name  string
	Entry module.Entry
	Needs []Need // what must be done before it, by name
	Range hcl.Range
	Look  bool // a look: its address is "look.NAME" and it changes nothing
	Keyed bool // it has an instance for every host or element: step.NAME is an object by instance key

	Retry   *Retry // nil: one attempt
	Timeout time.Duration
	Rolling *Rolling // nil: all instances at once
	Confirm string   // question to ask before the step; "" for none
	Expects []*Expect

	run         *Runbook
	kind        *kind           // nil when the module is unknown
	body        *hclsyntax.Body // all that the block holds
	args        *hclsyntax.Body // what the module gets
	on          hclsyntax.Expression
	forEach     hclsyntax.Expression
	when        hclsyntax.Expression
	after       []ref
	refs        []ref // of the four that follow, together
	onRefs      []ref
	eachRefs    []ref
	whenRefs    []ref
	argRefs     []ref
	set         refset
	own         hcl.Diagnostics // of the references: what overlaps them is not reported twice
	hosts       bool            // on stands for several targets
	keys        []string        // instance keys as far as they are known offline
	possible    Expansion       // what Expand would give if when were left out
	shapeFaults hcl.Diagnostics
	checked     cty.Value // its value for checking expressions
	broken      bool      // an argument is unknown or missing: the module's own rules are not asked
	shaped      int       // 1: Keyed is being found out, 2: it is known
}

// Need is a step that another one waits for.
type Need struct {
	Step string
	// Lane: an instance needs no more than the instance of its own host (or
	// element) of that step: every reference is step.X[host.name] or
	// step.X[each.key], or it is named in after.
	Lane bool
	// Expansion: it decides which instances there are (on, for_each, when).
	Expansion bool
}

// Retry says how often a failed instance is tried.
type Retry struct {
	Attempts int // in all, at least 1
	Delay    time.Duration
	Backoff  float64 // factor on Delay after each attempt, at least 1
}

// Rolling says how many instances work at a time.
type Rolling struct {
	Batch       int // instances; 0 when Percent is given
	Percent     int
	MaxFailures int // the step goes on until more instances than this have failed
	Pause       time.Duration
}

// Size is the number of instances, of n, that make one batch: at least one.
func (r *Rolling) Size(n int) int {
	if r.Percent > 0 {
		return max(1, n*r.Percent/100)
	}
	return max(1, r.Batch)
}

// Expect is an expect block: a condition on the step's own values.
type Expect struct {
	Label string
	Range hcl.Range

	that, hint hclsyntax.Expression
	set        refset
	refs       []ref
}

// Address is what people call the step: its name, and "look.NAME" for a look.
func (st *Step) Address() string {
	if st.Look {
		return "look." + st.Name
	}
	return st.Name
}

// ArgRange is where an argument of the module (or one of every step) stands;
// "tls.cert" is found as well as "tls". The step's header stands in for one
// that is left out.
func (st *Step) ArgRange(arg string) hcl.Range {
	if at, ok := argRange(st.body, arg); ok {
		return at
	}
	return st.Range
}

// Unknown is the value of one instance before it has run.
func (st *Step) Unknown() cty.Value { return st.kind.unknown }

// Value is what step.NAME is, given the values of its instances by key: of a
// step that is not keyed that one value (null when when kept it from being),
// else an object by key.
func (st *Step) Value(instances map[string]cty.Value, keyed bool) cty.Value {
	if keyed {
		return cty.ObjectVal(instances)
	}
	if v, ok := instances[""]; ok {
		return v
	}
	return cty.NullVal(st.kind.value)
}

// anyValue is the step's value while nothing of it is known.
func (st *Step) anyValue() cty.Value {
	if st.Keyed {
		return cty.UnknownVal(cty.Map(st.kind.value))
	}
	return st.kind.unknown
}

// checkValue is the step's value for checking expressions.
func (st *Step) checkValue() cty.Value {
	if st.shaped != 2 {
		return cty.DynamicVal
	}
	return st.checked
}
