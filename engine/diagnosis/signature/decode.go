package signature

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/gocty"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/lang"
)

var (
	pers      = []string{"pod", "node", "cluster", "site"}
	strengths = map[string]Strength{"hint": Hint, "strong": Strong, "proof": Proof}
	// taken are names that expressions use otherwise.
	taken = []string{"self", "facts", "place"}
	// ofLine are attributes that every line has.
	ofLine = []string{"line", "log", "place", "count"}
)

// decoder reads one finding.
type decoder struct {
	source   source
	finding  *Finding
	diags    hcl.Diagnostics
	faulty   bool // the finding cannot be used
	explains []reference
	kinds    map[string]bool
}

// argument is one that a block may have.
type argument struct {
	name     string
	required bool
	read     func(hclsyntax.Expression)
}

func (d *decoder) decode(block *hclsyntax.Block) (sound bool) {
	f := d.finding
	f.Per = "site"
	d.arguments(block.Body, "A finding", block.DefRange(), []argument{
		{"title", true, d.text(&f.Title)},
		{"layer", true, d.oneOf(&f.Layer, "layer", Layers)},
		{"per", false, d.oneOf(&f.Per, "place", pers)},
		{"steps", false, d.list(&f.Steps)},
		{"explains", false, d.explained},
		{"warning", false, d.value(cty.Bool, &f.Warning)},
		{"require", false, d.required},
		{"unless", false, func(e hclsyntax.Expression) { f.Unless = e }},
		{"cause", true, d.text(&f.Cause)},
		{"check", false, d.text(&f.Check)},
		{"remedy", false, d.text(&f.Remedy)},
	})
	for _, b := range block.Body.Blocks {
		switch b.Type {
		case "line", "fact":
			d.signal(b)
		case "fix":
			d.fix(b)
		default:
			d.fault(b.DefRange(), "Unsupported block type", "A finding has line, fact and fix blocks, not %q.%s", b.Type, didYouMean(b.Type, []string{"line", "fact", "fix"}))
		}
	}
	if len(f.Lines)+len(f.Facts) == 0 && !hasSignal(block) {
		d.fault(block.DefRange(), "A finding without signals", "%s needs a line or a fact block: what it looks like.", f.ID)
	}
	d.checkRequire(block)
	d.checkExpressions()
	return !d.faulty
}

func hasSignal(block *hclsyntax.Block) bool {
	return slices.ContainsFunc(block.Body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "line" || b.Type == "fact" })
}

// arguments reads a block's arguments; what names the block in messages.
func (d *decoder) arguments(body *hclsyntax.Body, what string, at hcl.Range, args []argument) {
	var names []string
	for _, arg := range args {
		names = append(names, arg.name)
		attr, given := body.Attributes[arg.name]
		switch {
		case given:
			arg.read(attr.Expr)
		case arg.required:
			d.fault(at, "Missing argument", "%s needs %q.", what, arg.name)
		}
	}
	for name, attr := range body.Attributes {
		if !slices.Contains(names, name) {
			d.fault(attr.NameRange, "Unsupported argument", "%s has no argument %q.%s", what, name, didYouMean(name, names))
		}
	}
}

// signal reads a line or fact block.
func (d *decoder) signal(b *hclsyntax.Block) {
	if len(b.Labels) != 1 || !hclsyntax.ValidIdentifier(b.Labels[0]) || slices.Contains(taken, b.Labels[0]) {
		d.fault(b.DefRange(), "Invalid name of a signal", "A %s block has one label: the name that expressions call it by, not one of %s.", b.Type, strings.Join(taken, ", "))
		return
	}
	name := b.Labels[0]
	if d.finding.Signal(name) {
		d.fault(b.DefRange(), "Duplicate signal", "%s has a signal %q already.", d.finding.ID, name)
		return
	}
	if b.Type == "line" {
		d.line(name, b)
	} else {
		d.fact(name, b)
	}
	for _, inner := range b.Body.Blocks {
		d.fault(inner.DefRange(), "Unsupported block type", "A %s has no blocks.", b.Type)
	}
}

func (d *decoder) line(name string, b *hclsyntax.Block) {
	l := &Line{Name: name, Strength: Strong}
	d.finding.Lines = append(d.finding.Lines, l)
	d.arguments(b.Body, "A line", b.DefRange(), []argument{
		{"in", true, func(e hclsyntax.Expression) {
			before := len(d.diags)
			d.list(&l.In)(e)
			for _, kind := range l.In {
				if !slices.Contains(evidence.LogKinds, kind) {
					d.fault(e.Range(), "Unknown kind of log", "There are no logs of kind %q.%s", kind, suggest(kind, evidence.LogKinds))
				}
			}
			if len(l.In) == 0 && len(d.diags) == before {
				d.fault(e.Range(), "No kind of log", "A line is looked for in logs of at least one kind: %s.", strings.Join(evidence.LogKinds, ", "))
			}
		}},
		{"container", false, func(e hclsyntax.Expression) { l.Container = d.pattern(e) }},
		{"match", true, func(e hclsyntax.Expression) { l.Match = d.pattern(e) }},
		{"strength", false, d.strength(&l.Strength)},
		{"past", false, d.value(cty.Bool, &l.Past)},
	})
	if l.Match == nil {
		return
	}
	for _, group := range l.Match.SubexpNames() {
		if slices.Contains(ofLine, group) {
			d.fault(b.Body.Attributes["match"].Expr.Range(), "Reserved name of a group", "Every line has %q by itself.", group)
		}
	}
}

func (d *decoder) fact(name string, b *hclsyntax.Block) {
	f := &Fact{Name: name, Strength: Strong}
	d.finding.Facts = append(d.finding.Facts, f)
	d.arguments(b.Body, "A fact", b.DefRange(), []argument{
		{"of", true, d.oneOf(&f.Of, "kind of fact", evidence.KindNames())},
		{"when", true, func(e hclsyntax.Expression) { f.When = lazily(e) }},
		{"strength", false, d.strength(&f.Strength)},
	})
}

func (d *decoder) fix(b *hclsyntax.Block) {
	if d.finding.Fix != nil {
		d.fault(b.DefRange(), "Second fix block", "A finding has one fix: one runbook, of as many steps as it takes.")
		return
	}
	x := &Fix{Range: b.DefRange()}
	d.finding.Fix = x
	d.arguments(b.Body, "A fix", b.DefRange(), []argument{
		{"runbook", true, func(e hclsyntax.Expression) {
			given, ok := d.name(e)
			path, there := d.source.fix(given)
			if ok && !there {
				// The finding is of use without it.
				d.complain(e.Range(), "No such runbook", "There is no file %s: the finding offers no fix.", path)
				d.finding.Fix = nil
			}
			x.Runbook = path
		}},
		{"vars", false, func(e hclsyntax.Expression) { x.Vars = e }},
	})
	for _, inner := range b.Body.Blocks {
		d.fault(inner.DefRange(), "Unsupported block type", "A fix has no blocks.")
	}
}

// text reads { en = "…", zh = "…" }.
func (d *decoder) text(to *Text) func(hclsyntax.Expression) {
	return func(e hclsyntax.Expression) {
		pairs, diags := hcl.ExprMap(e)
		if diags.HasErrors() {
			d.fault(e.Range(), "Not a text", "A text is given in the languages of operators: { en = \"…\", zh = \"…\" }.")
			return
		}
		for _, p := range pairs {
			switch key := hcl.ExprAsKeyword(p.Key); key {
			case "en":
				to.EN = p.Value
			case "zh":
				to.ZH = p.Value
			default:
				d.fault(p.Key.Range(), "Unknown language", "Texts are in en and zh.")
			}
		}
		if to.EN == nil {
			d.fault(e.Range(), "Missing text", "The text in English (en) is missing; the one in Chinese (zh) may be.")
		}
	}
}

// value reads a constant of a type.
func (d *decoder) value(t cty.Type, to any) func(hclsyntax.Expression) {
	return func(e hclsyntax.Expression) {
		v, diags := e.Value(&hcl.EvalContext{Functions: functions})
		if d.add(lang.Explain(diags)); diags.HasErrors() {
			return
		}
		v, err := convert.Convert(v, t)
		if err == nil && (v.IsNull() || !v.IsWhollyKnown()) {
			err = fmt.Errorf("a value is required")
		}
		if err == nil {
			err = gocty.FromCtyValue(v, to)
		}
		if err != nil {
			d.fault(e.Range(), "Wrong type", "It does not fit: %s.", err)
		}
	}
}

// name reads a constant string that is not empty.
func (d *decoder) name(e hclsyntax.Expression) (string, bool) {
	text, before := "", len(d.diags)
	d.value(cty.String, &text)(e)
	if text == "" && len(d.diags) == before {
		d.fault(e.Range(), "Empty string", "A text is needed here.")
	}
	return text, text != ""
}

func (d *decoder) list(to *[]string) func(hclsyntax.Expression) {
	return d.value(cty.List(cty.String), to)
}

func (d *decoder) oneOf(to *string, what string, of []string) func(hclsyntax.Expression) {
	return func(e hclsyntax.Expression) {
		given, ok := d.name(e)
		if *to = given; ok && !slices.Contains(of, given) {
			d.fault(e.Range(), "Unknown "+what, "There is no %s %q.%s", what, given, suggest(given, of))
		}
	}
}

func (d *decoder) strength(to *Strength) func(hclsyntax.Expression) {
	return func(e hclsyntax.Expression) {
		name := ""
		if d.oneOf(&name, "strength", []string{"hint", "strong", "proof"})(e); strengths[name] != 0 {
			*to = strengths[name]
		}
	}
}

func (d *decoder) explained(e hclsyntax.Expression) {
	exprs, diags := hcl.ExprList(e)
	if d.add(diags); diags.HasErrors() {
		return
	}
	for _, one := range exprs {
		if id, ok := d.name(one.(hclsyntax.Expression)); ok {
			d.explains = append(d.explains, reference{d.finding, id, one.Range()})
		}
	}
}

func (d *decoder) required(e hclsyntax.Expression) {
	var entries []string
	d.list(&entries)(e)
	for _, entry := range entries {
		var names []string
		for name := range strings.SplitSeq(entry, "|") {
			names = append(names, strings.TrimSpace(name))
		}
		d.finding.Require = append(d.finding.Require, names)
	}
}

func (d *decoder) checkRequire(block *hclsyntax.Block) {
	for _, names := range d.finding.Require {
		for _, name := range names {
			if !d.finding.Signal(name) {
				d.fault(block.Body.Attributes["require"].Expr.Range(), "Unknown signal", "%s has no line or fact %q.%s", d.finding.ID, name, suggest(name, d.finding.signals()))
			}
		}
	}
}

// add takes diagnostics over; errors make the finding unusable.
func (d *decoder) add(diags hcl.Diagnostics) {
	d.diags = append(d.diags, diags...)
	d.faulty = d.faulty || diags.HasErrors()
}

func (d *decoder) fault(at hcl.Range, summary, detail string, args ...any) {
	d.complain(at, summary, detail, args...)
	d.faulty = true
}

// complain reports what leaves the finding usable.
func (d *decoder) complain(at hcl.Range, summary, detail string, args ...any) {
	d.diags = append(d.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: &at})
}
