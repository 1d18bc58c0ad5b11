package lang

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hcldec"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/module"
)

// The arguments and blocks that every step has.
var (
	commonArguments = []string{"on", "after", "for_each", "when", "timeout", "confirm"}
	commonBlocks    = []string{"retry", "rolling", "expect"}
)

// specCache makes a module's decoder once.
type specCache = func() hcldec.Spec

// kindOf gives what all steps of a module share.
func (r *Runbook) kindOf(e module.Entry) *kind {
	if k, ok := r.kinds[e.Name]; ok {
		return k
	}
	k := &kind{Entry: e, value: e.ValueType(), byKeys: map[string]cty.Value{}}
	k.spec = sync.OnceValue(func() hcldec.Spec { return e.Spec() })
	k.unknown = cty.UnknownVal(k.value)
	attrs := map[string]cty.Value{}
	for name, t := range k.value.AttributeTypes() {
		attrs[name] = cty.UnknownVal(t)
		if t == placeholder.Type() {
			attrs[name] = placeholder
		}
	}
	k.checked = cty.ObjectVal(attrs)
	r.kinds[e.Name] = k
	return k
}

func (r *Runbook) addStep(b *hcl.Block) hcl.Diagnostics {
	st, diags := r.newStep(b)
	var first *hcl.Range
	if dup, ok := r.steps[st.Name]; ok {
		first = &dup.Range
	}
	diags = append(diags, named(b, "step", 1, first)...)
	if first == nil {
		r.steps[st.Name] = st
	}
	r.Steps = append(r.Steps, st)
	return diags
}

// newStep reads a step or look block as far as this needs no evaluation.
func (r *Runbook) newStep(b *hcl.Block) (*Step, hcl.Diagnostics) {
	st := &Step{Name: b.Labels[1], Range: b.DefRange, run: r, body: b.Body.(*hclsyntax.Body), Look: b.Type == "look"}
	var diags hcl.Diagnostics
	if e, ok := r.registry.Lookup(b.Labels[0]); ok {
		st.Entry, st.kind = e, r.kindOf(e)
	} else {
		diags = fault(b.LabelRanges[0].Ptr(), "Unknown module "+quote(b.Labels[0]), "%s", r.moduleHint(b.Labels[0]))
	}
	for name, expr := range map[string]*hclsyntax.Expression{"on": &st.on, "for_each": &st.forEach, "when": &st.when} {
		if attr, ok := st.body.Attributes[name]; ok {
			*expr = attr.Expr
		}
	}
	diags = append(diags, st.split()...)
	for _, block := range st.body.Blocks {
		if block.Type == "expect" {
			diags = append(diags, st.addExpect(block)...)
		}
	}
	st.onRefs, st.eachRefs, st.whenRefs, st.argRefs = refsIn(st.on), refsIn(st.forEach), refsIn(st.when), refsOf(st.args)
	st.refs = slices.Concat(st.onRefs, st.eachRefs, st.whenRefs, st.argRefs)
	st.set = setOf(st.refs)
	return st, diags
}

func (r *Runbook) moduleHint(name string) string {
	names := r.registry.Names()
	if best := nearest(name, names); best != "" {
		return fmt.Sprintf("There is no such module. Did you mean %q?", best)
	}
	family, _, _ := strings.Cut(name, ".")
	var siblings []string
	for _, n := range names {
		if strings.HasPrefix(n, family+".") {
			siblings = append(siblings, n)
		}
	}
	if len(siblings) > 0 {
		return "There is no such module; its family has " + strings.Join(siblings, ", ") + "."
	}
	return "There is no such module. `antdbctl modules` lists them all."
}

// split puts what the module gets into st.args and reports what nobody wants.
func (st *Step) split() hcl.Diagnostics {
	st.args = &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: st.body.SrcRange, EndRange: st.body.EndRange}
	var diags hcl.Diagnostics
	var meant []string // what misspelt arguments stand for: it is not missing too
	for name, attr := range st.body.Attributes {
		if slices.Contains(commonArguments, name) {
			continue
		}
		if st.kind != nil {
			if f, ok := st.kind.Arg(name); !ok || f.Block != nil {
				diags = append(diags, fault(attr.NameRange.Ptr(), "Unknown argument "+quote(name), "%s has no such argument.%s", st.Entry.Name, st.argumentHint(name, ok))...)
				meant = append(meant, nearest(name, st.argumentNames()))
				continue
			}
		}
		st.args.Attributes[name] = attr
	}
	for _, block := range st.body.Blocks {
		if slices.Contains(commonBlocks, block.Type) {
			continue
		}
		if st.kind != nil {
			if f, ok := st.kind.Arg(block.Type); !ok || f.Block == nil {
				diags = append(diags, fault(block.TypeRange.Ptr(), "Unknown block "+quote(block.Type), "%s has no such block.%s", st.Entry.Name, st.blockHint(block.Type, ok))...)
				continue
			}
		}
		st.args.Blocks = append(st.args.Blocks, block)
	}
	diags = append(diags, st.missing(meant)...)
	st.broken = diags.HasErrors()
	return diags
}

func (st *Step) argumentHint(name string, isBlock bool) string {
	if isBlock || slices.Contains(commonBlocks, name) {
		return fmt.Sprintf(" It is a block: write %s { … }.", name)
	}
	return didYouMean(name, st.argumentNames())
}

func (st *Step) argumentNames() []string {
	names := slices.Clone(commonArguments)
	for _, f := range st.kind.Args {
		names = append(names, f.Name)
	}
	return names
}

func (st *Step) blockHint(name string, isArgument bool) string {
	if isArgument || slices.Contains(commonArguments, name) {
		return fmt.Sprintf(" It is an argument: write %s = …", name)
	}
	names := slices.Clone(commonBlocks)
	for _, f := range st.kind.Args {
		if f.Block != nil {
			names = append(names, f.Name)
		}
	}
	return didYouMean(name, names)
}

// missing reports required arguments that are left out.
func (st *Step) missing(meant []string) hcl.Diagnostics {
	if st.kind == nil {
		return nil
	}
	var diags hcl.Diagnostics
	for _, f := range st.kind.Args {
		if _, given := st.args.Attributes[f.Name]; f.Required && f.Block == nil && !given && !slices.Contains(meant, f.Name) {
			diags = append(diags, fault(st.Range.Ptr(), "Missing argument "+quote(f.Name), "%s needs %s (%s): %s", st.Entry.Name, f.Name, f.TypeName(), f.Doc)...)
		}
	}
	return diags
}

// argRange finds an argument or block of a body; of a dotted path, as much as
// there is.
func argRange(body *hclsyntax.Body, arg string) (hcl.Range, bool) {
	name, rest, _ := strings.Cut(arg, ".")
	name, _, _ = strings.Cut(name, "[")
	if attr, ok := body.Attributes[name]; ok {
		return attr.SrcRange, true
	}
	for _, block := range body.Blocks {
		if block.Type != name {
			continue
		}
		if at, ok := argRange(block.Body, rest); ok {
			return at, true
		}
		return block.DefRange(), true
	}
	return hcl.Range{}, false
}
