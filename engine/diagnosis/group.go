package diagnosis

import (
	"cmp"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
)

// instance is a finding that holds at one place: the same finding at another
// place may have another cause above it.
type instance struct {
	finding    *signature.Finding
	place      evidence.Place // as wide as the finding's Per
	held       []sighting
	vars       map[string]cty.Value
	confidence Confidence
	under      *instance // what explains it; nil for a cause
	symptoms   []*instance
}

// instances groups a finding's sightings by place and gives those groups in
// which it holds. A sighting that says nothing of what the finding is per, such
// as one of an image for a finding per pod, belongs to every group that it does
// not contradict.
func (r *run) instances(f *signature.Finding, all []sighting) []*instance {
	var groups []*instance
	var loose []sighting
	byKey := map[evidence.Place]*instance{}
	for _, s := range sortedSightings(all) {
		at, ok := project(s.place, f.Per)
		if !ok {
			loose = append(loose, s)
			continue
		}
		if byKey[at] == nil {
			byKey[at] = &instance{finding: f, place: wide(s.place, f.Per)}
			groups = append(groups, byKey[at])
		}
		g := byKey[at]
		g.held = append(g.held, s)
		g.place = fill(g.place, wide(s.place, f.Per))
	}
	var homeless []sighting
	for _, s := range loose {
		joined := false
		for _, g := range groups {
			if r.fits(g.place, s.place) {
				g.held = append(g.held, s)
				joined = true
			}
		}
		if !joined {
			homeless = append(homeless, s)
		}
	}
	groups = append(groups, r.groupLoose(f, homeless)...)
	return slices.DeleteFunc(groups, func(g *instance) bool { return !r.judge(g) })
}

// groupLoose groups what fits no group, by what is known of its place.
func (r *run) groupLoose(f *signature.Finding, loose []sighting) []*instance {
	var groups []*instance
	for _, s := range loose {
		at := slices.IndexFunc(groups, func(g *instance) bool { return r.fits(g.place, s.place) })
		if at < 0 {
			groups = append(groups, &instance{finding: f, place: wide(s.place, f.Per)})
			at = len(groups) - 1
		}
		groups[at].held = append(groups[at].held, s)
		groups[at].place = fill(groups[at].place, wide(s.place, f.Per))
	}
	return groups
}

// sortedSightings makes the order independent of which log was read first.
func sortedSightings(all []sighting) []sighting {
	out := slices.Clone(all)
	slices.SortStableFunc(out, func(a, b sighting) int {
		return cmp.Or(comparePlaces(a.place, b.place), cmp.Compare(a.signal, b.signal), cmp.Compare(a.where, b.where),
			b.quote.Time.Compare(a.quote.Time), cmp.Compare(a.quote.Line, b.quote.Line))
	})
	return out
}

func comparePlaces(a, b evidence.Place) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Cluster, b.Cluster), cmp.Compare(a.Node, b.Node),
		cmp.Compare(a.Pod, b.Pod), cmp.Compare(a.Container, b.Container))
}

// project gives what tells two places of a sort apart; false where the place
// does not say it.
func project(p evidence.Place, per string) (evidence.Place, bool) {
	switch per {
	case "pod":
		return evidence.Place{Namespace: p.Namespace, Pod: p.Pod}, p.Pod != ""
	case "node":
		return evidence.Place{Node: p.Node}, p.Node != ""
	case "cluster":
		return evidence.Place{Namespace: p.Namespace, Cluster: p.Cluster}, p.Cluster != ""
	}
	return evidence.Place{}, true
}

// wide takes off a place what is narrower than a finding is per.
func wide(p evidence.Place, per string) evidence.Place {
	p.Container = ""
	switch per {
	case "node":
		return evidence.Place{Node: p.Node}
	case "cluster":
		return evidence.Place{Namespace: p.Namespace, Cluster: p.Cluster}
	case "site":
		return evidence.Place{}
	}
	return p
}

// fill adds to p what it does not say.
func fill(p, q evidence.Place) evidence.Place {
	return evidence.Place{Node: cmp.Or(p.Node, q.Node), Namespace: cmp.Or(p.Namespace, q.Namespace),
		Cluster: cmp.Or(p.Cluster, q.Cluster), Pod: cmp.Or(p.Pod, q.Pod)}
}

// fits says whether two places may be the same one: they do not contradict
// each other.
func (r *run) fits(p, q evidence.Place) bool {
	same := func(a, b string) bool { return a == "" || b == "" || a == b }
	switch {
	case !same(p.Pod, q.Pod), !same(p.Cluster, q.Cluster), !same(p.Node, q.Node):
		return false
	case p.Cluster != "" && q.Cluster != "" || p.Pod != "" && q.Pod != "":
		return same(p.Namespace, q.Namespace)
	case p.Cluster != "" && p.Node == "" && q.Node != "":
		return r.health.runsOn(key{p.Namespace, p.Cluster}, q.Node)
	case q.Cluster != "" && q.Node == "" && p.Node != "":
		return r.health.runsOn(key{q.Namespace, q.Cluster}, p.Node)
	}
	return true
}

// judge says whether a group's finding holds, and how sure it is.
func (r *run) judge(g *instance) bool {
	f := g.finding
	has := map[string]bool{}
	strong, proof := map[string]bool{}, false
	for _, s := range g.held {
		has[s.signal] = true
		if s.strength != signature.Hint {
			strong[s.kind] = true
		}
		proof = proof || s.strength == signature.Proof
	}
	for _, names := range f.Require {
		if !slices.ContainsFunc(names, func(name string) bool { return has[name] }) {
			return false
		}
	}
	if len(f.Require) == 0 && len(strong) == 0 {
		return false
	}
	g.vars = r.variables(g)
	if f.Unless != nil {
		// Where it looks at a signal that did not hold, it says nothing.
		if v, diags := f.Unless.Value(signature.Context(g.vars)); !diags.HasErrors() && isTrue(v) {
			return false
		}
	}
	switch {
	case proof || len(strong) > 1:
		g.confidence = Certain
	case len(strong) == 1:
		g.confidence = Likely
	default:
		g.confidence = Possible
	}
	return true
}

// variables are what the finding's texts see: of each signal the sighting that
// is nearest to the place, and of these the latest.
func (r *run) variables(g *instance) map[string]cty.Value {
	vars := map[string]cty.Value{"facts": r.values.all, "place": g.place.Value()}
	for _, l := range g.finding.Lines {
		vars[l.Name] = cty.NullVal(l.Type())
	}
	for _, f := range g.finding.Facts {
		vars[f.Name] = cty.NullVal(signature.FactType(f.Of))
	}
	for _, s := range slices.Backward(g.held) {
		_, near := project(s.place, g.finding.Per)
		if near || vars[s.signal].IsNull() {
			vars[s.signal] = s.value
		}
	}
	return vars
}
