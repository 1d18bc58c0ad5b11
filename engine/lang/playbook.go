package lang

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Playbook says how to find out why something failed: look at the world, then
// match what is seen with findings.
type Playbook struct {
	Name     string
	Watch    []string // steps at whose failure it is played; none: only when asked for
	Looks    []*Step  // of read-only modules, in source order
	Findings []*Finding
	Range    hcl.Range

	looks map[string]*Step
	watch hclsyntax.Expression
}

// Finding is one possible result of a playbook.
type Finding struct {
	Label    string
	Range    hcl.Range
	Evidence bool // it has an evidence argument

	run                           *Runbook
	when, cause, remedy, evidence hclsyntax.Expression
	fix                           *fix // nil when it has none
	refs                          []ref
}

var playbookSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "watch"}},
	Blocks: []hcl.BlockHeaderSchema{
		{Type: "look", LabelNames: []string{"module", "name"}},
		{Type: "finding", LabelNames: []string{"name"}},
	},
}

var findingSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "when"}, {Name: "cause"}, {Name: "remedy"}, {Name: "evidence"}},
	Blocks:     []hcl.BlockHeaderSchema{{Type: "fix"}},
}

func (r *Runbook) addPlaybook(b *hcl.Block) hcl.Diagnostics {
	p := &Playbook{Name: b.Labels[0], Range: b.DefRange, looks: map[string]*Step{}}
	var diags hcl.Diagnostics
	for _, dup := range r.Playbooks {
		if dup.Name == p.Name {
			diags = fault(b.LabelRanges[0].Ptr(), "Duplicate playbook name", "A playbook called %q is already declared at %s.", p.Name, place(dup.Range))
		}
	}
	r.Playbooks = append(r.Playbooks, p)
	content, more := b.Body.Content(playbookSchema)
	diags = append(diags, more...)
	if attr, ok := content.Attributes["watch"]; ok {
		p.watch = attr.Expr.(hclsyntax.Expression)
	}
	for _, block := range content.Blocks {
		if block.Type == "look" {
			diags = append(diags, r.addLook(p, block)...)
		} else {
			diags = append(diags, r.addFinding(p, block)...)
		}
	}
	return diags
}

func (r *Runbook) addLook(p *Playbook, b *hcl.Block) hcl.Diagnostics {
	st, diags := r.newStep(b)
	var first *hcl.Range
	if dup, ok := p.looks[st.Name]; ok {
		first = &dup.Range
	}
	diags = append(diags, named(b, "look", 1, first)...)
	if first == nil {
		p.looks[st.Name] = st
		p.Looks = append(p.Looks, st)
	}
	if st.kind != nil && !st.Entry.ReadOnly {
		diags = append(diags, fault(b.LabelRanges[0].Ptr(), "A look must not change anything", "%s may change what it works on; a playbook looks with read-only modules alone.", st.Entry.Name)...)
	}
	return diags
}

func (r *Runbook) addFinding(p *Playbook, b *hcl.Block) hcl.Diagnostics {
	f := &Finding{Label: b.Labels[0], Range: b.DefRange, run: r}
	content, diags := b.Body.Content(findingSchema)
	exprs := []struct {
		name     string
		into     *hclsyntax.Expression
		required bool
	}{{"when", &f.when, true}, {"cause", &f.cause, true}, {"remedy", &f.remedy, true}, {"evidence", &f.evidence, false}}
	complete := true
	for _, e := range exprs {
		attr, ok := content.Attributes[e.name]
		switch {
		case ok:
			*e.into = attr.Expr.(hclsyntax.Expression)
			f.refs = append(f.refs, refsOf(*e.into)...)
		case e.required:
			complete = false
			diags = append(diags, fault(b.DefRange.Ptr(), "Missing argument "+quote(e.name), "A finding needs when, cause and remedy.")...)
		}
	}
	f.Evidence = f.evidence != nil
	for _, block := range content.Blocks {
		diags = append(diags, f.addFix(block)...)
	}
	if complete {
		p.Findings = append(p.Findings, f)
	}
	return diags
}

// Eval tells whether the finding holds, and if so what is the cause and what
// to do. A condition that is not known does not hold.
func (f *Finding) Eval(s *Scope) (matched bool, cause, remedy string, diags hcl.Diagnostics) {
	ctx, diags := s.context(setOf(f.refs), nil)
	v := evalAs(f.when, ctx, "when", cty.Bool, &diags)
	if diags.HasErrors() || !v.IsKnown() || v.IsNull() || v.False() {
		return false, "", "", diags
	}
	cause = evalString(f.cause, ctx, "cause", &diags)
	remedy = evalString(f.remedy, ctx, "remedy", &diags)
	return true, cause, remedy, diags
}

// EvidenceText is what the finding quotes; nil when it quotes nothing.
func (f *Finding) EvidenceText(s *Scope) ([]string, hcl.Diagnostics) {
	if f.evidence == nil {
		return nil, nil
	}
	ctx, diags := s.context(setOf(f.refs), nil)
	return evalStrings(f.evidence, ctx, "evidence", &diags), diags
}

// checkPlaybook checks the looks and findings of p.
func (r *Runbook) checkPlaybook(p *Playbook, scope *Scope, decodes *int) hcl.Diagnostics {
	var diags hcl.Diagnostics
	if p.watch != nil {
		refs, more := stepList(p.watch, "watch")
		diags = append(append(diags, more...), r.checkRefs(refs, placeOutput)...)
		for _, ref := range refs {
			if !slices.Contains(p.Watch, ref.name) {
				p.Watch = append(p.Watch, ref.name)
			}
		}
	}
	for _, look := range p.Looks {
		diags = append(diags, look.checkBody(scope, decodes)...)
		scope = scope.WithLook(look.Name, look.lookValue())
	}
	for _, f := range p.Findings {
		own := append(r.checkRefs(f.refs, placeFinding), r.checkOutputs(f.refs)...)
		own = append(own, p.checkLooks(f.refs)...)
		diags = append(diags, own...)
		ctx, _ := scope.context(setOf(f.refs), nil)
		var more hcl.Diagnostics
		evalAs(f.when, ctx, "when", cty.Bool, &more)
		evalAs(f.cause, ctx, "cause", cty.String, &more)
		evalAs(f.remedy, ctx, "remedy", cty.String, &more)
		if f.evidence != nil {
			evalStrings(f.evidence, ctx, "evidence", &more)
		}
		if f.fix != nil {
			f.fix.eval(ctx, &more)
		}
		diags = append(diags, outside(more, own)...)
	}
	return diags
}

func (st *Step) lookValue() cty.Value {
	if st.kind == nil {
		return cty.DynamicVal
	}
	return st.checkValue()
}

// checkLooks reports references to looks that p does not have.
func (p *Playbook) checkLooks(refs []ref) hcl.Diagnostics {
	var diags hcl.Diagnostics
	for _, ref := range refs {
		if ref.root != "look" || p.looks[ref.name] != nil {
			continue
		}
		var names []string
		for _, look := range p.Looks {
			names = append(names, look.Name)
		}
		diags = append(diags, fault(ref.at.Ptr(), "Unknown look "+quote(ref.name), "The playbook %q has no look of this name.%s", p.Name, didYouMean(ref.name, names))...)
	}
	return diags
}
