package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/adbsql/antdbctl/engine/diagnosis"
	"github.com/adbsql/antdbctl/engine/event"
)

// nothingFound says so, and what was ruled out.
func (p *verdict) nothingFound() {
	p.printf("\n")
	switch {
	case p.Blind:
		p.indented(2, p.sightless, 0)
		return
	case len(p.After) > 0:
		p.indented(2, p.nothingAfter, 0)
	default:
		p.indented(2, p.nothing, 0)
	}
	var clear, blind []string
	for _, l := range p.RuledOut {
		name := layerName(l.Name, p.Language)
		clear = append(clear, fmt.Sprintf("%s %d", name, l.Signatures))
		if l.Blind {
			blind = append(blind, name)
		}
	}
	if len(clear) > 0 {
		p.field(p.ruledOut, strings.Join(clear, ", "), 0)
	}
	if len(blind) > 0 {
		p.field("", fmt.Sprintf(p.blind, strings.Join(blind, ", ")), 0)
	}
}

// warned tells what has not failed yet.
func (p *verdict) warned() {
	for n, f := range p.Warnings {
		if n == 0 {
			p.printf("\n")
		}
		if n == mostWarned && !p.opts.Verbose {
			p.field("", fmt.Sprintf(p.more, len(p.Warnings)-n)+p.words.verbose, 1)
			return
		}
		p.headline(p.warn, p.warning, f)
		lines := 2
		if p.opts.Verbose {
			lines = 0
		}
		p.field("", f.Cause, lines)
		if p.opts.Verbose {
			p.quotes(f.Evidence)
			p.field(p.check, f.Check, 0)
		}
		p.field(p.remedy, f.Remedy, lines)
		p.offer(f)
	}
}

// blanks tells what could not be looked at or read.
func (p *verdict) blanks() {
	type blank struct{ what, reason string }
	var order []blank
	places := map[blank][]string{}
	for _, g := range p.Gaps {
		b := blank{g.What, g.Reason}
		if _, known := places[b]; !known {
			order = append(order, b)
		}
		if place := g.Place.String(); !slices.Contains(places[b], place) {
			places[b] = append(places[b], place)
		}
	}
	var texts []string
	for _, b := range order {
		names := sameKind(places[b])
		where := strings.Join(names, ", ")
		if n := len(names); n > 3 && !p.opts.Verbose {
			where = strings.Join(names[:2], ", ") + " " + fmt.Sprintf(p.more, n-2)
		}
		texts = append(texts, fmt.Sprintf("%s (%s): %s", b.what, where, firstLine(b.reason)))
	}
	p.list(p.unseen, texts)
	p.list(p.problem, p.Problems)
}

// sameKind shortens "node a, node b" to "node a, b".
func sameKind(places []string) []string {
	short := slices.Clone(places)
	kind, _, _ := strings.Cut(places[0], " ")
	for n, place := range places[1:] {
		name, same := strings.CutPrefix(place, kind+" ")
		if !same {
			return places
		}
		short[n+1] = name
	}
	return short
}

func (p *verdict) list(label string, texts []string) {
	for n, text := range p.few(texts) {
		if n == 0 {
			p.printf("\n")
		}
		p.field(label, text, 2)
		label = ""
	}
}

// total is the last line: what there is, and what it was made from.
func (p *verdict) total() {
	parts := []string{p.none}
	if len(p.Causes) > 0 {
		var ids []string
		for _, f := range p.Causes {
			ids = append(ids, fmt.Sprintf("%s (%s)", f.ID, p.confidence[f.Confidence]))
		}
		parts[0] = fmt.Sprintf(p.causes, len(p.Causes), strings.Join(p.few(ids), ", "))
	}
	if len(p.Warnings) > 0 {
		parts = append(parts, fmt.Sprintf(p.warnings, len(p.Warnings)))
	}
	if n := len(p.Gaps) + len(p.Problems); n > 0 {
		parts = append(parts, fmt.Sprintf(p.unseenCount, n))
	}
	if !p.Taken.IsZero() {
		parts = append(parts, fmt.Sprintf(p.taken, p.Taken.Format("2006-01-02 15:04 MST")))
	}
	parts = append(parts, fmt.Sprintf(p.seen, p.Facts, p.Logs, size(p.Bytes), seconds(p.Seconds)))
	text := strings.Join(parts, " · ")
	p.printf("\n")
	p.indented(2, text, 0)
	if len(p.After) > 0 && p.Command != "" && !slices.ContainsFunc(p.Causes, func(f diagnosis.Finding) bool { return f.Fix != nil }) {
		p.indented(2, p.Command, 0)
	}
}

func (t *Text) printCollecting(c event.Collecting) {
	w := wordsOf(c.Language)
	places := c.Places
	if len(places) > mostListed {
		places = append(places[:mostListed-1:mostListed-1], fmt.Sprintf(w.more, len(c.Places)-mostListed+1))
	}
	t.printf("\n")
	t.indented(2, fmt.Sprintf(w.looking, strings.Join(places, ", "), fmt.Sprintf("%g s", c.Seconds)), 2)
}

func (t *Text) printFix(f event.FixFinished) {
	w := wordsOf(f.Language)
	name := visible(strings.Join(slices.DeleteFunc([]string{f.Finding, f.Title}, func(s string) bool { return s == "" }), " · "))
	switch {
	case !f.Gone:
		t.printf("\n%s %s\n", name, t.bad(w.stays))
		t.field(w.remedy, f.Remedy, 0)
	case f.Hearsay:
		t.printf("\n%s %s\n", name, t.warn(w.goneSaid))
	case f.Blind:
		t.printf("\n%s %s\n", name, t.warn(w.goneBlind))
	default:
		t.printf("\n%s %s\n", name, t.good(w.gone))
	}
}

func (t *Text) printBundled(at time.Time, b event.Bundled) {
	w := wordsOf(b.Language)
	t.printf("\n")
	t.indented(2, fmt.Sprintf(w.packed, b.Path, size(b.Size), b.Facts, b.Logs, size(b.Bytes)), 0)
	var hidden []string
	for _, r := range b.Redacted {
		hidden = append(hidden, fmt.Sprintf("%s %d", r.Kind, r.Count))
	}
	if len(hidden) == 0 {
		hidden = []string{w.nothingHidden}
	}
	t.field(w.hidden, strings.Join(hidden, ", "), 0)
	p := &verdict{t, w, event.Verdict{Verdict: diagnosis.Verdict{Gaps: b.Gaps}}, at}
	p.blanks()
	t.printf("\n  %s\n", visible(b.Command))
}

// field prints a label and its text beside it, in at most so many lines; 0 is
// as many as it takes. Nothing is printed for an empty text.
func (t *Text) field(label, text string, most int) {
	lines := t.wrap(text, labelColumn, most)
	for n, line := range lines {
		if n > 0 {
			label = ""
		}
		t.printf("  %s%s%s\n", label, pad(label), line)
	}
}

// whole prints a label and a command, which is never broken: it is to be copied.
func (t *Text) whole(label, command string) {
	t.printf("  %s%s%s\n", label, pad(label), visible(command))
}

func (t *Text) indented(by int, text string, most int) {
	for _, line := range t.wrap(text, by, most) {
		t.printf("%s%s\n", strings.Repeat(" ", by), line)
	}
}

func (t *Text) wrap(text string, indent, most int) []string {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	text = strings.ReplaceAll(visible(text), "\t", "    ")
	lines := strings.Split(ansi.Wrap(text, max(t.opts.Width-indent, 20), ""), "\n")
	if most > 0 && len(lines) > most {
		lines = lines[:most]
		lines[most-1] = ansi.Truncate(lines[most-1], max(t.opts.Width-indent-2, 18), "") + " …"
	}
	return lines
}

// pad fills a label up to where its text begins.
func pad(label string) string {
	return strings.Repeat(" ", max(labelColumn-2-ansi.StringWidth(label), 1))
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}
