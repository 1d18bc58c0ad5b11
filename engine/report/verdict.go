package report

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/adbsql/antdbctl/engine/diagnosis"
	"github.com/adbsql/antdbctl/engine/event"
)

// What a verdict shows without --verbose: what matters fits the last screen.
const (
	fullCauses  = 3 // told in full; after a failed step, one
	mostQuotes  = 4
	quoteLines  = 3 // of one quote
	mostListed  = 6 // gaps, symptoms, causes in one line
	mostWarned  = 5
	labelColumn = 11 // where the text beside a label begins
)

// verdict prints one verdict.
type verdict struct {
	*Text
	words
	event.Verdict
	at time.Time // when the evidence was taken
}

func (t *Text) printVerdict(at time.Time, v event.Verdict) {
	if !v.Taken.IsZero() {
		at = v.Taken
	}
	p := &verdict{t, wordsOf(v.Language), v, at}
	if len(v.Causes) == 0 {
		p.nothingFound()
	} else {
		p.found()
	}
	if len(v.After) == 0 || t.opts.Verbose {
		p.warned()
		p.blanks()
	}
	p.total()
}

func (p *verdict) found() {
	full := fullCauses
	if len(p.After) > 0 {
		full = 1
	}
	for n, f := range p.Causes {
		if n < full || p.opts.Verbose {
			p.finding(f)
			continue
		}
		if n == full {
			p.printf("\n")
		}
		if n == full+mostListed {
			p.field("", fmt.Sprintf(p.more, len(p.Causes)-n)+p.words.verbose, 1)
			break
		}
		p.headline(p.bad, p.cause, f)
	}
}

// finding tells one cause in full.
func (p *verdict) finding(f diagnosis.Finding) {
	p.printf("\n")
	p.headline(p.bad, p.cause, f)
	p.field("", f.Cause, 0)
	if len(f.Rests) > 0 {
		p.field("", fmt.Sprintf(p.restsOn, strings.Join(f.Rests, p.joint)), 2)
	}
	p.quotes(f.Evidence)
	if names := symptoms(f.Symptoms); len(names) > 0 {
		p.field(p.explains, strings.Join(p.few(names), p.joint), 0)
	}
	p.field(p.check, f.Check, 0)
	p.field(p.remedy, f.Remedy, 0)
	p.offer(f)
}

func (p *verdict) offer(f diagnosis.Finding) {
	if f.Fix != nil && p.Command != "" {
		p.whole(p.fix, fixCommand(p.Command, f.ID))
	}
}

// fixCommand is what plans and applies the fix of a finding.
func fixCommand(command, id string) string { return command + " --fix " + id }

// headline has the confidence at its end, at the right margin where there is room.
func (p *verdict) headline(paint func(string) string, label string, f diagnosis.Finding) {
	title := visible(f.ID + " · " + f.Title)
	sure := p.confidence[f.Confidence]
	room := p.opts.Width - labelColumn - ansi.StringWidth(title) - ansi.StringWidth(sure)
	if room < 2 {
		p.field(paint(label), title+"  ("+sure+")", 0)
		return
	}
	p.printf("  %s%s%s%s\n", paint(label), pad(label), title, strings.Repeat(" ", room)+p.dim(sure))
}

func (p *verdict) quotes(quotes []diagnosis.Quote) {
	label, last := p.evidence, ""
	for n, q := range quotes {
		if n == mostQuotes && !p.opts.Verbose {
			p.field("", fmt.Sprintf(p.more, len(quotes)-n)+p.words.verbose, 1)
			return
		}
		if where := p.where(q); where != last {
			p.field(label, where, 1)
			label, last = "", where
		}
		lines := quoteLines
		if p.opts.Verbose {
			lines = 0
		}
		p.indented(labelColumn+2, q.Text, lines)
	}
}

// where says of a quote what is known: its place, when, which line, how often.
func (p *verdict) where(q diagnosis.Quote) string {
	parts := []string{q.Where}
	if !q.Time.IsZero() {
		layout := "15:04:05.000"
		if age := p.at.Sub(q.Time); age > 20*time.Hour || age < -time.Hour {
			layout = "2006-01-02 15:04:05"
		}
		parts = append(parts, strings.TrimSuffix(q.Time.Format(layout), ".000"))
	}
	if q.Line > 0 {
		parts = append(parts, fmt.Sprintf(p.line, q.Line))
	}
	if q.Count > 1 {
		parts = append(parts, fmt.Sprintf(p.times, q.Count))
	}
	return strings.Join(parts, ", ")
}

// symptoms names what a cause explains, also by way of other symptoms.
func symptoms(list []diagnosis.Finding) []string {
	var names []string
	for _, f := range list {
		names = append(names, f.ID+" · "+f.Title)
		names = append(names, symptoms(f.Symptoms)...)
	}
	return names
}

// few cuts a list to what is shown.
func (p *verdict) few(list []string) []string {
	if len(list) <= mostListed || p.opts.Verbose {
		return list
	}
	return append(list[:mostListed:mostListed], fmt.Sprintf(p.more, len(list)-mostListed)+p.words.verbose)
}
