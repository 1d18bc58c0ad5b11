package diag

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/mattn/go-runewidth"
)

// Options says how to show diagnostics as text.
type Options struct {
	Color bool
	Width int // of the terminal; 0 for 100
}

const defaultWidth = 100

// Text writes diagnostics for people:
//
//	Error: Unknown argument "tgas"
//	  on main.hcl line 4:
//	    4:   tgas = ["a"]
//	         ^^^^
//	  image.build has no such argument. Did you mean "tags"?
func Text(w io.Writer, diags []Diagnostic, o Options) error {
	if o.Width <= 0 {
		o.Width = defaultWidth
	}
	p := &printer{Options: o}
	for i, d := range diags {
		if i > 0 {
			p.line("", "")
		}
		p.diagnostic(d)
	}
	_, err := w.Write(p.out.Bytes())
	return err
}

type printer struct {
	Options
	out bytes.Buffer
}

// The accents: ANSI attributes.
const (
	bold      = "1"
	red       = "1;31"
	yellow    = "1;33"
	underline = "4"
	dim       = "2"
)

func (p *printer) paint(attr, text string) string {
	if !p.Color || text == "" {
		return text
	}
	return "\x1b[" + attr + "m" + text + "\x1b[0m"
}

func (p *printer) line(indent, text string) {
	if text == "" {
		indent = ""
	}
	p.out.WriteString(indent + text + "\n")
}

func (p *printer) diagnostic(d Diagnostic) {
	head := p.paint(red, "Error")
	if d.Severity == Warning {
		head = p.paint(yellow, "Warning")
	}
	p.line("", head+": "+p.paint(bold, clean(d.Summary)))
	p.place(d)
	p.snippet(d)
	p.wrapped("  ", "", d.Detail)
	if len(d.Evidence) > 0 {
		p.quoted("Evidence", d.Evidence)
	}
	if d.Remedy != "" {
		p.wrapped("  ", "Remedy   ", d.Remedy)
	}
}

func (p *printer) place(d Diagnostic) {
	var parts []string
	if d.File != "" && d.Line > 0 {
		parts = append(parts, fmt.Sprintf("on %s line %d", d.File, d.Line))
	} else if d.File != "" {
		parts = append(parts, "on "+d.File)
	}
	if d.Step != "" {
		parts = append(parts, "in step "+d.Step)
	}
	if d.Host != "" {
		parts = append(parts, "on host "+d.Host)
	}
	if len(parts) == 0 {
		return
	}
	text := strings.Join(parts, ", ")
	if len(d.Snippet) > 0 {
		text += ":"
	}
	p.line("  ", text)
}

// snippet shows the source lines with the part at fault underlined, or marked
// by carets below where there is no colour.
func (p *printer) snippet(d Diagnostic) {
	digits := len(strconv.Itoa(d.Line + len(d.Snippet)))
	for i, source := range d.Snippet {
		from, to := d.columns(i)
		before, marked, after := cut(source, from, to)
		number := fmt.Sprintf("%*d: ", digits, d.Line+i)
		p.line("    ", number+before+p.paint(underline, marked)+after)
		if p.Color || i > 0 && marked == "" {
			continue
		}
		carets := strings.Repeat("^", max(1, runewidth.StringWidth(marked)))
		p.line("    ", strings.Repeat(" ", len(number)+runewidth.StringWidth(before))+carets)
	}
	if hidden := d.EndLine - d.Line + 1 - len(d.Snippet); len(d.Snippet) > 0 && hidden > 0 {
		p.line("    ", strings.Repeat(" ", digits+2)+p.paint(dim, fmt.Sprintf("… %d more lines", hidden)))
	}
}

// columns are the first marked column of snippet line i and the one after the
// last; to is 0 where the mark goes to the end of the line.
func (d Diagnostic) columns(i int) (from, to int) {
	from = 1
	if i == 0 {
		from = d.Column
	}
	if d.Line+i == d.EndLine {
		to = max(d.EndColumn, 1)
	}
	return from, to
}

// cut splits a source line around its marked columns, with tabs as spaces and
// nothing in it that a terminal would obey. The mark of a whole line leaves out
// the white space at its start.
func cut(source string, from, to int) (before, marked, after string) {
	runes := []rune(source)
	start := min(max(from-1, 0), len(runes))
	end := len(runes)
	if to > 0 {
		end = min(max(to-1, start), len(runes))
	}
	for from == 1 && start < end && (runes[start] == ' ' || runes[start] == '\t') {
		start++
	}
	before = expand(string(runes[:start]), 0)
	width := runewidth.StringWidth(before)
	marked = expand(string(runes[start:end]), width)
	after = expand(string(runes[end:]), width+runewidth.StringWidth(marked))
	return before, marked, after
}

const tab = 4

// expand replaces tabs by spaces up to the next tab stop, column being where s
// starts, and control characters by a mark.
func expand(s string, column int) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t':
			n := tab - column%tab
			b.WriteString(strings.Repeat(" ", n))
			column += n
		case r == '\r':
		case r < ' ' || r == 0x7f:
			b.WriteRune('�')
			column++
		default:
			b.WriteRune(r)
			column += runewidth.RuneWidth(r)
		}
	}
	return b.String()
}

func clean(s string) string { return strings.TrimSpace(expand(strings.ReplaceAll(s, "\n", " "), 0)) }

// quoted writes lines as they are, under a heading.
func (p *printer) quoted(heading string, lines []string) {
	indent := strings.Repeat(" ", 11)
	label := fmt.Sprintf("%-9s", heading)
	for _, text := range lines {
		for _, l := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
			p.line("  ", label+expand(l, len(indent)))
			label = strings.Repeat(" ", 9)
		}
	}
}

// wrapped writes text in lines no wider than the terminal. Lines that start
// with white space are left as they are.
func (p *printer) wrapped(indent, label, text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	rest := strings.Repeat(" ", len(label))
	for _, paragraph := range strings.Split(strings.TrimSpace(text), "\n") {
		for _, l := range wrap(expand(paragraph, 0), p.Width-len(indent)-len(label)) {
			p.line(indent, label+l)
			label = rest
		}
	}
}

func wrap(text string, width int) []string {
	if strings.HasPrefix(text, " ") || runewidth.StringWidth(text) <= width {
		return []string{strings.TrimRight(text, " ")}
	}
	var lines []string
	current := ""
	for _, word := range strings.Fields(text) {
		if current != "" && runewidth.StringWidth(current)+1+runewidth.StringWidth(word) > width {
			lines = append(lines, current)
			current = ""
		}
		if current != "" {
			current += " "
		}
		current += word
	}
	return append(lines, current)
}
