package diagnosis

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
)

// sighting is one place where a signal of a finding held.
type sighting struct {
	signal   string
	kind     string // of the fact or the log
	strength signature.Strength
	place    evidence.Place
	value    cty.Value // for expressions
	where    string    // in words
	origin   string    // tells this fact, or this line, from all others
	quote    Quote
}

// factValues are the facts that expressions look at.
type factValues struct {
	of  map[string][]factValue // by kind
	all cty.Value              // facts
}

type factValue struct {
	number int
	fact   evidence.Fact
	value  cty.Value
}

// matchFacts holds all facts against all fact signals.
func (r *run) matchFacts(ctx context.Context) error {
	r.makeValues()
	for n, f := range r.book.Findings {
		for _, signal := range f.Facts {
			for _, fact := range r.values.of[signal.Of] {
				if ctx.Err() != nil {
					return nil // said by Run
				}
				if len(r.sightings[n]) < mostSightings && r.holds(f, signal, fact) {
					r.sightings[n] = append(r.sightings[n], r.sighted(signal, fact))
				}
			}
		}
	}
	return nil
}

// makeValues makes objects of the facts of those kinds that signatures ask for.
func (r *run) makeValues() {
	needed := map[string]bool{}
	for _, kind := range r.book.Kinds {
		needed[kind] = true
	}
	for _, f := range r.book.Findings {
		for _, signal := range f.Facts {
			needed[signal.Of] = true
		}
	}
	r.values.of = map[string][]factValue{}
	for n, f := range r.facts {
		if !needed[f.Kind] {
			continue
		}
		v, err := f.Object()
		if err != nil {
			r.problem("%s", err)
			continue
		}
		r.values.of[f.Kind] = append(r.values.of[f.Kind], factValue{n, f, v})
	}
	attrs := map[string]cty.Value{}
	for _, kind := range evidence.KindNames() {
		list := cty.ListValEmpty(signature.FactType(kind))
		if of := r.values.of[kind]; slices.Contains(r.book.Kinds, kind) && len(of) > 0 {
			values := make([]cty.Value, len(of))
			for n, one := range of {
				values[n] = one.value
			}
			list = cty.ListVal(values)
		}
		attrs[signature.FactsAttr(kind)] = list
	}
	r.values.all = cty.ObjectVal(attrs)
}

// holds evaluates a signal's condition. What cannot be evaluated, such as an
// element of an empty list, does not hold, and is a problem of the signature.
func (r *run) holds(f *signature.Finding, signal *signature.Fact, fact factValue) bool {
	ctx := signature.Context(map[string]cty.Value{"facts": r.values.all, "self": fact.value})
	v, diags := signal.When.Value(ctx)
	if diags.HasErrors() {
		r.problem(r.words.signature, f.ID, signal.Name, firstFault(diags))
		return false
	}
	return isTrue(v)
}

func firstFault(diags hcl.Diagnostics) string {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			return d.Summary + ": " + d.Detail
		}
	}
	return ""
}

func isTrue(v cty.Value) bool {
	v, err := convert.Convert(v, cty.Bool)
	return err == nil && v.IsKnown() && !v.IsNull() && v.True()
}

func (r *run) sighted(signal *signature.Fact, fact factValue) sighting {
	place := r.health.enrich(fact.fact.Place)
	if pod, ok := fact.fact.Data.(*evidence.Pod); ok {
		place.Pod = podName(fact.fact)
		if place.Node == "" {
			place.Node = pod.Node
		}
	}
	if _, ok := fact.fact.Data.(*evidence.Node); ok && place.Node == "" {
		place.Node = fact.fact.Name
	}
	where := whereFact(r.words, fact.fact)
	return sighting{
		signal: signal.Name, kind: fact.fact.Kind, strength: signal.Strength, place: place, value: fact.value, where: where, origin: fmt.Sprint("fact ", fact.number),
		quote: Quote{Where: where, Time: fact.fact.Seen, Text: factText(signal, fact.value)},
	}
}

// telling are attributes that say in words what a fact is about.
var telling = []string{"evidence", "message", "error", "summary"}

// factText quotes those attributes of a fact that the condition looks at, and
// those that say it in words; all, where there are none.
func factText(signal *signature.Fact, v cty.Value) string {
	var names, parts []string
	add := func(name string) {
		if v.Type().HasAttribute(name) && name != "name" && name != "place" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for _, t := range signal.When.Variables() {
		if len(t) < 2 || t.RootName() != "self" {
			continue
		}
		if attr, ok := t[1].(hcl.TraverseAttr); ok {
			add(attr.Name)
		}
	}
	for _, name := range telling {
		add(name)
	}
	if len(names) == 0 || allEmpty(v, names) {
		for _, name := range slices.Sorted(maps.Keys(v.Type().AttributeTypes())) {
			add(name)
		}
	}
	for _, name := range names {
		if text := plain(v.GetAttr(name)); text != "" {
			parts = append(parts, name+" = "+text)
		}
	}
	return shorten(strings.Join(parts, ", "), longestQuote)
}

func allEmpty(v cty.Value, names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return plain(v.GetAttr(name)) != "" })
}

// plain writes a value for people; nothing for what is empty.
func plain(v cty.Value) string {
	switch {
	case v.IsNull() || !v.IsKnown():
		return ""
	case v.Type() == cty.Bool:
		return fmt.Sprint(v.True())
	case v.CanIterateElements():
		var parts []string
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			if text := plain(e); v.Type().IsMapType() {
				parts = append(parts, k.AsString()+"="+text)
			} else {
				parts = append(parts, text)
			}
		}
		return strings.Join(parts, " ")
	}
	text, err := convert.Convert(v, cty.String)
	if err != nil {
		return ""
	}
	return text.AsString()
}
