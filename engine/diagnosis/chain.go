package diagnosis

import (
	"cmp"
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
)

// chain folds every instance that another one explains under it, and gives the
// causes and the warnings that remain, each finding's instances together, in
// the order in which they are told.
//
// A finding explains another at the same or a narrower place by what its
// signature says, and what explains a third explains what that does. Where the
// signatures say nothing, what rests on the same evidence and on more explains
// what rests on less of it, and the deepest layer explains what follows in the same
// pod, or in the pods of its node or cluster; but what was proved, it does not.
// What is merely possible explains nothing that is surer than it.
func (r *run) chain(all []*instance) (causes, warnings [][]*instance) {
	explains := closure(r.book)
	ranked := slices.Clone(all)
	slices.SortStableFunc(ranked, r.before)
	for n, s := range ranked {
		for m, c := range ranked {
			if m != n && c.finding != s.finding && !c.finding.Warning && !c.isUnder(s) && r.isExplained(explains, c, s, m < n) {
				s.under = c // the first is the best
				break
			}
		}
	}
	for _, s := range ranked {
		if s.under == nil {
			continue
		}
		root := s.root()
		root.symptoms = append(root.symptoms, s)
	}
	for _, i := range ranked {
		switch {
		case i.under != nil:
		case i.finding.Warning:
			warnings = gather(warnings, i)
		default:
			causes = gather(causes, i)
		}
	}
	slices.SortStableFunc(causes, r.rank)
	slices.SortStableFunc(warnings, r.rank)
	return causes, warnings
}

// root is what explains an instance in the end.
func (i *instance) root() *instance {
	for i.under != nil {
		i = i.under
	}
	return i
}

// isUnder says whether another instance explains i, directly or not.
func (i *instance) isUnder(other *instance) bool {
	for ; i != nil; i = i.under {
		if i == other {
			return true
		}
	}
	return false
}

// gather adds an instance to those of its finding.
func gather(to [][]*instance, i *instance) [][]*instance {
	for n := range to {
		if to[n][0].finding == i.finding {
			to[n] = append(to[n], i)
			return to
		}
	}
	return append(to, []*instance{i})
}

// isExplained says whether c explains s. In a cycle of signatures that explain
// each other only the one that comes first does, so that nothing explains
// itself.
func (r *run) isExplained(explains map[string]map[string]bool, c, s *instance, first bool) bool {
	if c.confidence == Possible && s.confidence != Possible {
		return false
	}
	forth, back := explains[c.finding.ID][s.finding.ID], explains[s.finding.ID][c.finding.ID]
	switch {
	case forth && back:
		return first && r.reaches(c, s)
	case forth:
		return r.reaches(c, s)
	case back:
		return false
	case r.restsOnMore(c, s):
		return true
	}
	return s.confidence != Certain && !s.finding.Warning && depth(c.finding) < depth(s.finding) && encloses(c, s)
}

// restsOnMore says whether c rests on all that s rests on, and on more, or is
// surer of it: then s is but a vaguer name for it.
func (r *run) restsOnMore(c, s *instance) bool {
	if c.finding.Warning != s.finding.Warning || sureness[c.confidence] > sureness[s.confidence] {
		return false
	}
	mine, its := weighty(c), weighty(s)
	for origin := range its {
		if !mine[origin] {
			return false
		}
	}
	return len(its) > 0 && (len(mine) > len(its) || sureness[c.confidence] < sureness[s.confidence])
}

// weighty are the facts and lines that an instance rests on, hints aside.
func weighty(i *instance) map[string]bool {
	origins := map[string]bool{}
	for _, s := range i.held {
		if s.strength != signature.Hint {
			origins[s.origin] = true
		}
	}
	return origins
}

// reaches says whether what a signature says it explains is near enough to be
// of this very cause.
func (r *run) reaches(c, s *instance) bool {
	p, q := c.place, s.place
	switch {
	case c.finding.Per == "site":
		return true
	case c.finding.Per == "node":
		return p.Node == "" || q.Node == p.Node || q.Node == "" && (q.Cluster == "" || r.health.runsOn(key{q.Namespace, q.Cluster}, p.Node))
	case p.Cluster != "" && q.Cluster != "":
		return p.Cluster == q.Cluster && (p.Namespace == q.Namespace || p.Namespace == "" || q.Namespace == "")
	case q.Cluster == "" && q.Pod == "" && q.Node != "" && p.Node != "":
		return p.Node == q.Node
	}
	return true
}

// encloses says whether s is where c is, or in it.
func encloses(c, s *instance) bool {
	p, q := c.place, s.place
	switch c.finding.Per {
	case "pod":
		return p.Pod != "" && p.Pod == q.Pod && p.Namespace == q.Namespace
	case "node":
		return p.Node != "" && p.Node == q.Node
	case "cluster":
		return p.Cluster != "" && p.Cluster == q.Cluster && p.Namespace == q.Namespace
	}
	return false
}

// closure gives for each ID all that it explains, directly or not.
func closure(book *signature.Book) map[string]map[string]bool {
	direct := map[string][]string{}
	for _, f := range book.Findings {
		direct[f.ID] = f.Explains
	}
	all := map[string]map[string]bool{}
	for id := range direct {
		reached := map[string]bool{}
		next := slices.Clone(direct[id])
		for len(next) > 0 {
			one := next[len(next)-1]
			next = next[:len(next)-1]
			if !reached[one] {
				reached[one] = true
				next = append(next, direct[one]...)
			}
		}
		delete(reached, id)
		all[id] = reached
	}
	return all
}

var sureness = map[Confidence]int{Certain: 0, Likely: 1, Possible: 2}

func depth(f *signature.Finding) int { return slices.Index(signature.Layers, f.Layer) }

// before orders instances: the surer and the deeper first.
func (r *run) before(a, b *instance) int {
	return cmp.Or(cmp.Compare(sureness[a.confidence], sureness[b.confidence]), cmp.Compare(depth(a.finding), depth(b.finding)),
		cmp.Compare(a.finding.ID, b.finding.ID), comparePlaces(a.place, b.place))
}

// rank orders causes: what may have failed the steps that the diagnosis is
// about, if it is more than possible, then the surer, the deeper, and what
// explains more.
func (r *run) rank(a, b []*instance) int {
	return cmp.Or(
		cmp.Compare(btoi(a[0].confidence == Possible), btoi(b[0].confidence == Possible)),
		cmp.Compare(btoi(!r.concerns(a)), btoi(!r.concerns(b))),
		cmp.Compare(sureness[a[0].confidence], sureness[b[0].confidence]),
		cmp.Compare(depth(a[0].finding), depth(b[0].finding)),
		cmp.Compare(explained(b), explained(a)),
		cmp.Compare(a[0].finding.ID, b[0].finding.ID))
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// concerns says whether a finding, or a symptom of it, may have failed the
// steps that the diagnosis is about.
func (r *run) concerns(all []*instance) bool {
	if len(r.opts.Steps) == 0 {
		return true
	}
	return slices.ContainsFunc(all, func(i *instance) bool {
		return r.mayFail(i.finding) || slices.ContainsFunc(i.symptoms, func(s *instance) bool { return r.mayFail(s.finding) })
	})
}

func (r *run) mayFail(f *signature.Finding) bool {
	return len(f.Steps) == 0 || slices.ContainsFunc(f.Steps, func(prefix string) bool {
		return slices.ContainsFunc(r.opts.Steps, func(module string) bool { return strings.HasPrefix(module, prefix) })
	})
}

// explained counts the findings that are folded under a cause.
func explained(all []*instance) int {
	ids := map[string]bool{}
	for _, i := range all {
		for _, s := range i.symptoms {
			ids[s.finding.ID] = true
		}
	}
	return len(ids)
}

// findings makes what is told of causes: of each, all its places together.
func (r *run) findings(all [][]*instance) []Finding {
	out := []Finding{}
	for _, instances := range all {
		out = append(out, r.finding(instances))
	}
	return out
}

func (r *run) finding(instances []*instance) Finding {
	best := instances[0]
	f := best.finding
	out := Finding{
		ID: f.ID, Title: r.text(f.Title, best), Layer: f.Layer, Confidence: best.confidence, Rests: rests(r.words, best.held),
		Cause: r.text(f.Cause, best), Check: r.text(f.Check, best), Remedy: r.text(f.Remedy, best),
		Evidence: quotes(instances), Fix: r.fix(best),
	}
	var symptoms [][]*instance
	for _, i := range instances {
		if !slices.Contains(out.Places, i.place) {
			out.Places = append(out.Places, i.place)
		}
		for _, s := range i.symptoms {
			symptoms = gather(symptoms, s)
		}
	}
	slices.SortFunc(out.Places, func(a, b evidence.Place) int { return comparePlaces(a, b) })
	// The chain, from the cause on.
	slices.SortStableFunc(symptoms, func(a, b []*instance) int { return r.chainOrder(a[0], b[0]) })
	for _, s := range symptoms {
		out.Symptoms = append(out.Symptoms, r.finding(s))
	}
	return out
}

func (r *run) chainOrder(a, b *instance) int {
	return cmp.Or(cmp.Compare(depth(a.finding), depth(b.finding)), cmp.Compare(a.finding.ID, b.finding.ID))
}
