package lang

import (
	"bytes"
	"regexp"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// mostSyntaxErrors ends the search for further syntax errors in one file.
const mostSyntaxErrors = 50

// blockHead matches the first line of a block at the left margin.
var blockHead = regexp.MustCompile(`(?m)^(runbook|variable|locals|secret|target|step|output|playbook)\b[^\n]*`)

var headLabel = regexp.MustCompile(`"([^"\n]*)"`)

// parse reads one file. The parser gives up at the first syntax error, so parse
// blanks out the block that holds it and tries again: the faults of all other
// blocks are found in the same run. What a broken block declares is remembered
// as lost, so that references to it are not reported too.
func (r *Runbook) parse(name string, text []byte) (*hclsyntax.Body, hcl.Diagnostics) {
	var faults hcl.Diagnostics
	rest := text
	for {
		file, diags := hclsyntax.ParseConfig(rest, name, hcl.InitialPos)
		if !diags.HasErrors() {
			return file.Body.(*hclsyntax.Body), append(faults, diags...)
		}
		first := diags[0]
		for _, d := range diags {
			if d.Severity == hcl.DiagError {
				first = d
				break
			}
		}
		faults = append(faults, clearer(first))
		from, to := blockAround(rest, first)
		if len(bytes.TrimSpace(rest[from:to])) == 0 || len(faults) >= mostSyntaxErrors {
			return &hclsyntax.Body{}, faults
		}
		r.lose(text[from:to])
		rest = blank(rest, from, to)
	}
}

// clearer says of a quoted text that goes on to the next line what is missing:
// hardly ever was it meant to.
func clearer(d *hcl.Diagnostic) *hcl.Diagnostic {
	if d.Summary != "Invalid multi-line string" {
		return d
	}
	better := *d
	better.Summary = "The closing quote is missing"
	better.Detail = `A quoted text ends on its own line. Write several lines with \n, or as a heredoc (<<-EOT … EOT).`
	return &better
}

// blockAround is the part of text, from block head to block head, that holds
// the subject of d.
func blockAround(text []byte, d *hcl.Diagnostic) (from, to int) {
	from, to = 0, len(text)
	at := 0
	if d.Subject != nil {
		at = min(d.Subject.Start.Byte, len(text))
	}
	// An unclosed brace or quote is often noticed at the end of the file only:
	// its context tells where it was opened.
	if d.Context != nil && d.Context.Start.Byte < at {
		at = d.Context.Start.Byte
	}
	heads := blockHead.FindAllIndex(text, -1)
	for _, h := range heads {
		if h[0] <= at {
			from = h[0]
		} else {
			to = h[0]
			break
		}
	}
	if len(heads) > 0 && from == 0 && heads[0][0] > at {
		to = heads[0][0]
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

// lose remembers what the block in text would have declared.
func (r *Runbook) lose(text []byte) {
	head := blockHead.FindSubmatch(text)
	if head == nil {
		return
	}
	typ := string(head[1])
	labels := headLabel.FindAllSubmatch(head[0], -1)
	root := map[string]string{"variable": "var", "locals": "local", "secret": "secret", "target": "target", "step": "step", "playbook": "look"}[typ]
	if typ == "locals" || typ == "playbook" || len(labels) == 0 {
		r.lost[root] = true // any name may have been among them
		return
	}
	r.lost[root+"."+string(labels[len(labels)-1][1])] = true
}
