package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/module"
)

// planGroup is instances of one step that a plan says the same of.
type planGroup struct {
	event.StepPlanned
	targets []string
}

// groups joins what reads the same, riskiest first; what is unchanged is only
// counted.
func groups(lines []event.StepPlanned) []planGroup {
	var out []planGroup
	for _, l := range lines {
		if l.Status == event.Unchanged {
			continue
		}
		n := slices.IndexFunc(out, func(g planGroup) bool {
			return g.Step == l.Step && g.Status == l.Status && g.Summary == l.Summary && slices.Equal(g.Diff, l.Diff)
		})
		if n < 0 {
			out, n = append(out, planGroup{StepPlanned: l}), len(out)
		}
		out[n].targets = append(out[n].targets, l.Target)
	}
	slices.SortStableFunc(out, func(a, b planGroup) int { return cmp.Compare(a.risk(), b.risk()) })
	return out
}

// risk orders a plan: what other people notice, what goes away, what changes,
// what nobody knows yet.
func (g planGroup) risk() int {
	switch {
	case g.Outward:
		return 0
	case g.Action == module.Delete, g.Action == module.Replace:
		return 1
	case g.Status == event.Deferred:
		return 3
	}
	return 2
}

func (g planGroup) where() string {
	names := slices.Compact(slices.Sorted(slices.Values(g.targets)))
	switch {
	case len(names) > 3:
		return fmt.Sprintf("%s…%s (%d)", names[0], names[len(names)-1], len(names))
	case len(names) == 0:
		return ""
	}
	return strings.Join(names, ", ")
}

func (t *Text) printPlan(p event.PlanFinished) {
	all := groups(t.plan)
	instances := len(t.plan)
	t.printf("%s · %s → %s on %s\n", t.header.Runbook, plural(t.header.Steps, "step"), plural(instances, "instance"), plural(p.Targets, "target"))
	var step, mod, where int
	for _, g := range all {
		step, mod, where = max(step, len(g.Step)), max(mod, len(g.Module)), max(where, len([]rune(g.where())))
	}
	if len(all) > 0 {
		t.printf("\n")
	}
	for _, g := range all {
		outward := ""
		if g.Outward {
			outward = t.warn("   leaves this site changed")
		}
		t.printf("  %s %-*s  %-*s  %-*s  %s%s\n", t.action(g.Action, g.Status), step, g.Step, mod, g.Module, where, g.where(), g.Summary, outward)
		for _, d := range g.Diff {
			t.printDiff(d)
		}
	}
	t.printf("\n%s\n", t.verdict(p.Counts))
	if len(p.Left) > 0 {
		t.printf("%s, because by its state this runbook did not make them: %s (--all takes them too)\n", t.warn("Left alone"), strings.Join(p.Left, ", "))
	}
	if len(p.Orphans) > 0 {
		t.printf("%s in the state, no longer in the runbook: %s (antdbctl state rm forgets them)\n", t.warn("Orphans"), strings.Join(p.Orphans, ", "))
	}
}

// verdict is the plan's last line.
func (t *Text) verdict(n map[event.Status]int) string {
	parts := []string{fmt.Sprintf("%d certain", n[event.Certain])}
	for _, s := range []event.Status{event.Expected, event.Deferred, event.Failed, event.Skipped} {
		if n[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n[s], s))
		}
	}
	parts = append(parts, fmt.Sprintf("%d unchanged", n[event.Unchanged]))
	text := strings.Join(parts, ", ") + "."
	switch {
	case t.header.Command == "destroy":
		text = fmt.Sprintf("%d to destroy.", n[event.Certain])
	case n[event.Failed] > 0:
		text += " The plan is not complete."
	case n[event.Certain]+n[event.Expected]+n[event.Deferred] == 0:
		text = fmt.Sprintf("0 changes: %s as the runbook says.", plural(n[event.Unchanged], "instance"))
	default:
		text += " Nothing is destroyed."
	}
	return text
}

// longestDiff is how many lines of one difference are shown, without --verbose.
const longestDiff = 100

// printDiff shows a difference as lines of - and +.
func (t *Text) printDiff(d module.Diff) {
	before, after := visible(d.Before), visible(d.After)
	if !strings.Contains(before, "\n") && !strings.Contains(after, "\n") {
		t.printf("      %s: %s → %s\n", d.Path, quoteEmpty(before), quoteEmpty(after))
		return
	}
	text := string(diff.Diff("", []byte(ended(before)), "", []byte(ended(after))))
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	lines = lines[min(3, len(lines)):] // the file headers: the summary has said it
	more := 0
	if len(lines) > longestDiff && !t.opts.Verbose {
		lines, more = lines[:longestDiff], len(lines)-longestDiff
	}
	for _, line := range lines {
		switch {
		case line == "":
		case line[0] == '+':
			t.printf("      %s\n", t.good(line))
		case line[0] == '-':
			t.printf("      %s\n", t.bad(line))
		default:
			t.printf("      %s\n", t.dim(line))
		}
	}
	if more > 0 {
		t.printf("      %s\n", t.dim(fmt.Sprintf("… %s more (--verbose shows them)", plural(more, "line"))))
	}
}

func quoteEmpty(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

func ended(s string) string {
	if s == "" || strings.HasSuffix(s, "\n") {
		return s
	}
	return s + "\n"
}
