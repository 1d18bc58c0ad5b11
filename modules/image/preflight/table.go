package preflight

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// Style is how a table of findings is written.
type Style struct {
	Width   int  // of a line
	Color   bool // by ANSI sequences
	Verbose bool // all evidence of what passed, too
}

// marks show verdicts: a character and its colour.
var marks = map[Verdict]struct{ text, color string }{
	Pass: {"✔", "32"}, Warn: {"!", "33"}, Unknown: {"?", "36"}, Fail: {"✘", "31;1"},
}

// Table writes findings for people: a line for what passed, and all that is
// known about the rest.
func Table(w io.Writer, findings []Finding, style Style) error {
	title := 0
	for _, f := range findings {
		title = max(title, utf8.RuneCountInString(f.Title))
	}
	t := table{w: w, style: style, indent: 2 + 2 + 7 + title + 2}
	if style.Width-t.indent < 40 { // too narrow for columns
		t.indent = 11
	}
	for _, f := range findings {
		t.finding(f, title)
	}
	t.tally(findings)
	return t.err
}

type table struct {
	w      io.Writer
	style  Style
	indent int // where evidence begins
	err    error
}

func (t *table) printf(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintf(t.w, format, args...)
	}
}

func (t *table) paint(color, text string) string {
	if !t.style.Color || text == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

func (t *table) finding(f Finding, title int) {
	m := marks[Verdict(f.Verdict)]
	mark := t.paint(m.color, m.text)
	id, name := fmt.Sprintf("%-6s", f.ID), f.Title
	passed := f.Verdict == string(Pass)
	evidence := f.Evidence
	if passed && !t.style.Verbose && len(evidence) > 1 {
		evidence = evidence[:1]
	}
	if !passed {
		name = t.paint("1", name)
	}
	t.printf("  %s %s %s%s", mark, t.paint("2", id), name, strings.Repeat(" ", title-utf8.RuneCountInString(f.Title)+2))
	if t.indent == 11 {
		t.printf("\n%s", strings.Repeat(" ", t.indent))
	}
	for i, e := range evidence {
		color := ""
		if passed || i > 0 {
			color = "2"
		}
		t.text(e, color, i > 0)
	}
	if len(evidence) == 0 {
		t.printf("\n")
	}
	if fault := f.Fault(); fault != "" && !passed {
		t.text("at fault: "+fault, "33", true)
	}
	for remedy := range strings.Lines(f.Remedy) {
		t.text("→ "+remedy, "36", true)
	}
}

// text writes a paragraph in the column of evidence. The first line of a
// finding stands beside its title.
func (t *table) text(text, color string, indented bool) {
	width := max(t.style.Width-t.indent, 40)
	for i, line := range wrap(text, width) {
		if i > 0 || indented {
			t.printf("%s", strings.Repeat(" ", t.indent))
		}
		if color != "" {
			line = t.paint(color, line)
		}
		t.printf("%s\n", line)
	}
}

// wrap breaks a text into lines at blanks; a word longer than a line stays whole.
func wrap(text string, width int) []string {
	var lines []string
	line, n := "", 0
	for _, word := range strings.Fields(text) {
		size := utf8.RuneCountInString(word)
		if line != "" && n+1+size > width {
			lines, line, n = append(lines, line), "", 0
		}
		if line != "" {
			line, n = line+" ", n+1
		}
		line, n = line+word, n+size
	}
	return append(lines, line)
}

func (t *table) tally(findings []Finding) {
	count := map[Verdict]int{}
	for _, f := range findings {
		count[Verdict(f.Verdict)]++
	}
	var parts []string
	for _, p := range []struct {
		v    Verdict
		text string
	}{{Fail, "failed"}, {Warn, "warned"}, {Unknown, "cannot tell"}, {Pass, "passed"}} {
		if n := count[p.v]; n > 0 {
			parts = append(parts, t.paint(marks[p.v].color, fmt.Sprintf("%d %s", n, p.text)))
		}
	}
	proved := 0
	for _, f := range findings {
		if f.Proved {
			proved++
		}
	}
	line := strings.Join(parts, ", ")
	if proved > 0 {
		line += fmt.Sprintf("; %d proved in a container", proved)
	}
	t.printf("\n  %s\n", line)
}
