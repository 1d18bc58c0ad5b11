// Package diag is how faults are told: as text with the source line that is at
// fault, or as JSON with all that the text says.
package diag

import (
	"cmp"
	"slices"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// The severities of a Diagnostic.
const (
	Error   = "error"
	Warning = "warning"
)

// Diagnostic is one fault, complete in itself: it can be shown where the
// source is not at hand.
type Diagnostic struct {
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail,omitempty"`
	// Where it is. Lines and columns count from 1, columns in characters; the
	// end is the column after the last character. Line 0 means nowhere.
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	EndLine   int    `json:"end_line,omitempty"`
	EndColumn int    `json:"end_column,omitempty"`
	// Snippet holds the source from Line on, without line breaks.
	Snippet []string `json:"snippet,omitempty"`

	Step     string   `json:"step,omitempty"` // address of the instance at fault
	Host     string   `json:"host,omitempty"`
	Evidence []string `json:"evidence,omitempty"` // quoted: log lines, answers, values
	Remedy   string   `json:"remedy,omitempty"`
}

// Extra carries, in the Extra field of an hcl.Diagnostic, what that type has no
// field for.
type Extra struct {
	Step     string
	Host     string
	Evidence []string
	Remedy   string
}

// mostSnippet is how many lines of a long range are quoted.
const mostSnippet = 4

// From turns HCL's diagnostics into ours, sorted by place and without
// repetitions. sources are the texts by file name; one that is missing costs
// the snippet only.
func From(diags hcl.Diagnostics, sources map[string][]byte) []Diagnostic {
	out := make([]Diagnostic, 0, len(diags))
	for _, d := range diags {
		if d != nil {
			out = append(out, from(d, sources))
		}
	}
	return Sort(out)
}

func from(d *hcl.Diagnostic, sources map[string][]byte) Diagnostic {
	out := Diagnostic{Severity: Error, Summary: d.Summary, Detail: d.Detail}
	if d.Severity == hcl.DiagWarning {
		out.Severity = Warning
	}
	if extra, ok := hcl.DiagnosticExtra[*Extra](d); ok && extra != nil {
		out.Step, out.Host, out.Evidence, out.Remedy = extra.Step, extra.Host, extra.Evidence, extra.Remedy
	}
	if d.Subject == nil {
		return out
	}
	out.locate(*d.Subject, sources[d.Subject.Filename])
	return out
}

// locate fills the place and the snippet. Positions are computed from byte
// offsets, since that is what all makers of ranges agree on; a range without
// its source keeps its own numbers.
func (d *Diagnostic) locate(r hcl.Range, text []byte) {
	d.File = r.Filename
	d.Line, d.Column, d.EndLine, d.EndColumn = r.Start.Line, r.Start.Column, r.End.Line, r.End.Column
	if len(text) == 0 {
		return
	}
	start := min(max(r.Start.Byte, 0), len(text))
	end := min(max(r.End.Byte, start), len(text))
	d.Line, d.Column = position(text, start)
	d.EndLine, d.EndColumn = position(text, end)
	lines := linesFrom(text, start)
	d.Snippet = lines[:min(len(lines), mostSnippet, d.EndLine-d.Line+1)]
}

// position is the line and the column, in characters, of a byte offset.
func position(text []byte, offset int) (line, column int) {
	line, begin := 1, 0
	for i, b := range text[:offset] {
		if b == '\n' {
			line, begin = line+1, i+1
		}
	}
	return line, utf8.RuneCount(text[begin:offset]) + 1
}

// Sort orders diagnostics by place, those without a place first, and drops
// repetitions.
func Sort(diags []Diagnostic) []Diagnostic {
	sorted := slices.Clone(diags)
	slices.SortStableFunc(sorted, func(a, b Diagnostic) int {
		return cmp.Or(cmp.Compare(a.File, b.File), a.Line-b.Line, a.Column-b.Column)
	})
	var kept []Diagnostic
	for _, d := range sorted {
		if !slices.ContainsFunc(kept[max(0, len(kept)-20):], func(k Diagnostic) bool { return same(k, d) }) {
			kept = append(kept, d)
		}
	}
	return kept
}

func same(a, b Diagnostic) bool {
	return a.Severity == b.Severity && a.Summary == b.Summary && a.Detail == b.Detail && a.File == b.File &&
		a.Line == b.Line && a.Column == b.Column && a.Step == b.Step && a.Host == b.Host && slices.Equal(a.Evidence, b.Evidence)
}

// Count tells how many are errors and how many are warnings.
func Count(diags []Diagnostic) (errors, warnings int) {
	for _, d := range diags {
		if d.Severity == Warning {
			warnings++
		} else {
			errors++
		}
	}
	return errors, warnings
}
