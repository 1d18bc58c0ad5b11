package signature

import (
	"bytes"
	"regexp"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// mostSyntaxErrors ends the search for further syntax errors in one file.
const mostSyntaxErrors = 50

// findingHead matches the first line of a block at the left margin.
var findingHead = regexp.MustCompile(`(?m)^[a-z_]+\b[^\n]*\{`)

// parse reads one file. HCL's parser gives up at the first fault of syntax, so
// parse blanks out the block that holds it and tries again: all other findings
// are read. lost says that a block was given up.
func parse(name string, text []byte) (body *hclsyntax.Body, lost bool, diags hcl.Diagnostics) {
	for rest := text; ; {
		file, more := hclsyntax.ParseConfig(rest, name, hcl.InitialPos)
		if !more.HasErrors() {
			return file.Body.(*hclsyntax.Body), lost, append(diags, more...)
		}
		first := firstError(more)
		diags, lost = append(diags, first), true
		from, to := blockAround(rest, first)
		if len(bytes.TrimSpace(rest[from:to])) == 0 || len(diags) >= mostSyntaxErrors {
			return &hclsyntax.Body{}, lost, diags
		}
		rest = blank(rest, from, to)
	}
}

func firstError(diags hcl.Diagnostics) *hcl.Diagnostic {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			return d
		}
	}
	return diags[0]
}

// blockAround is the part of text, from block head to block head, that holds
// the subject of d. An unclosed brace is often noticed at the end of the file
// only: the context of d tells where it was opened.
func blockAround(text []byte, d *hcl.Diagnostic) (from, to int) {
	at := 0
	if d.Subject != nil {
		at = d.Subject.Start.Byte
	}
	if d.Context != nil {
		at = min(at, d.Context.Start.Byte)
	}
	from, to = 0, len(text)
	for _, head := range findingHead.FindAllIndex(text, -1) {
		if head[0] > at {
			return from, head[0]
		}
		from = head[0]
	}
	return from, to
}

// blank replaces text[from:to] by spaces and keeps its line breaks, so that all
// other source positions stay.
func blank(text []byte, from, to int) []byte {
	out := bytes.Clone(text)
	for i := from; i < to; i++ {
		if out[i] != '\n' {
			out[i] = ' '
		}
	}
	return out
}
