package diagnosis

import (
	"slices"
	"strings"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
)

// ruledOut gives the layers in which nothing was found, with how many of their
// signatures there was evidence for. A layer is blind when some of its evidence
// could not be looked at.
func (r *run) ruledOut(found map[string]bool, gaps []evidence.Gap) []Layer {
	out := []Layer{}
	for _, name := range signature.Layers {
		l := Layer{Name: name}
		for _, f := range r.book.Findings {
			if f.Layer != name || f.Warning {
				continue
			}
			kinds := evidenceOf(f)
			if slices.ContainsFunc(kinds, func(kind string) bool { return r.kinds[kind] }) {
				l.Signatures++
			}
			l.Blind = l.Blind || slices.ContainsFunc(gaps, func(g evidence.Gap) bool { return r.hides(g, kinds) })
		}
		if !found[name] && l.Signatures > 0 {
			out = append(out, l)
		}
	}
	return out
}

// evidenceOf lists the kinds of log and fact that a finding is seen in.
func evidenceOf(f *signature.Finding) []string {
	var kinds []string
	for _, l := range f.Lines {
		kinds = append(kinds, l.In...)
	}
	for _, x := range f.Facts {
		kinds = append(kinds, x.Of)
	}
	return kinds
}

// hides says whether a gap keeps evidence of one of kinds from being seen. A
// gap names in words what it is about, and its place tells the rest.
func (r *run) hides(gap evidence.Gap, kinds []string) bool {
	what := strings.ToLower(gap.What)
	return slices.ContainsFunc(kinds, func(kind string) bool {
		family, _, isFact := strings.Cut(kind, ".")
		for _, about := range gapWords {
			if strings.Contains(what, about.word) {
				return kind == about.kind || isFact && family+"." == about.kind
			}
		}
		switch {
		case gap.Place.Pod != "":
			return slices.Contains([]string{"pg", "patroni", "pgbackrest"}, family) || kind == evidence.ContainerLog || kind == evidence.ServerLog
		case gap.Place.Node != "":
			return family == "node" || slices.Contains(nodeLogs, kind)
		}
		return !r.kinds[kind]
	})
}

var nodeLogs = []string{evidence.KernelLog, evidence.KubeletLog, evidence.RuntimeLog}

// gapWords are words by which a gap says what it is about.
var gapWords = []struct{ word, kind string }{
	{"kernel", evidence.KernelLog},
	{"kubelet", evidence.KubeletLog},
	{"event", evidence.EventLog},
	{"patroni", "patroni."},
	{"clock", "node.clock"},
}
