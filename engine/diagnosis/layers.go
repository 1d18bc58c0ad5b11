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

// hides says whether a gap keeps evidence of one of kinds from being seen. What
// a gap is about it says in words, and by its place.
func (r *run) hides(gap evidence.Gap, kinds []string) bool {
	hidden := hiddenBy(gap)
	return slices.ContainsFunc(kinds, func(kind string) bool {
		family, _, isFact := strings.Cut(kind, ".")
		return len(hidden) == 0 && !r.kinds[kind] || slices.Contains(hidden, kind) || isFact && slices.Contains(hidden, family+".")
	})
}

// hiddenBy lists kinds, and families of kinds ("pg."), that a gap is about;
// nothing where it does not say.
func hiddenBy(gap evidence.Gap) []string {
	what := strings.ToLower(gap.What)
	for _, about := range gapWords {
		if strings.Contains(what, about.word) {
			return about.kinds
		}
	}
	switch {
	case gap.Place.Pod != "":
		return []string{evidence.ContainerLog, evidence.ServerLog, "pg.", "patroni.", "pgbackrest."}
	case gap.Place.Node != "":
		return []string{"node.", evidence.KernelLog, evidence.KubeletLog, evidence.RuntimeLog}
	}
	return nil
}

// gapWords are words by which collectors name what they could not look at; the
// first that a gap has counts.
var gapWords = []struct {
	word  string
	kinds []string
}{
	{"kernel", []string{evidence.KernelLog}},
	{"kubelet", []string{evidence.KubeletLog}},
	{"container runtime", []string{evidence.RuntimeLog}},
	{"event", []string{evidence.EventLog}},
	{"certificate", []string{"certificate"}},
	{"image", []string{"image.", "node.image"}},
	{"run's log", []string{evidence.RunLog, "run."}},
	{"patroni", []string{"patroni."}},
	{"backup", []string{"pgbackrest.", evidence.JobLog}},
	{"pgbackrest", []string{"pgbackrest.", evidence.JobLog}},
	{"kubernetes", []string{"k8s.", evidence.EventLog, evidence.ContainerLog, evidence.JobLog, evidence.OperatorLog}},
	{"k8s.", []string{"k8s.", evidence.EventLog, evidence.ContainerLog, evidence.JobLog, evidence.OperatorLog}},
	{"host.", []string{"node.", evidence.KernelLog, evidence.KubeletLog, evidence.RuntimeLog}},
	{"pgo", []string{"pgo.", evidence.OperatorLog}},
	{"operator", []string{"pgo.", evidence.OperatorLog}},
	{"pgcluster", []string{"pgo."}},
	{"postgrescluster", []string{"pgo."}},
	{"sql.", []string{"pg.", evidence.ServerLog}},
	{"server", []string{"pg.", evidence.ServerLog}},
	{"data directory", []string{"pg.data"}},
	{"password", []string{"pg.role"}},
	{"role", []string{"pg.role"}},
	{"pods", []string{"k8s.", evidence.ContainerLog}},
	{"log", []string{evidence.ContainerLog, evidence.JobLog}},
}
