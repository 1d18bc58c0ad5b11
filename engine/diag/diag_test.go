package diag

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

const source = `runbook "x" {}

step "image.build" "antdb" {
	tgas = ["名前"] # tab before, wide inside
  context = <<EOT
one
two
three
four
five
EOT
}
`

// at is the range of the n-th occurrence of part in source.
func at(part string) *hcl.Range {
	start := strings.Index(source, part)
	line := strings.Count(source[:start], "\n") + 1
	return &hcl.Range{
		Filename: "main.hcl",
		Start:    hcl.Pos{Line: line, Column: 1, Byte: start},
		End:      hcl.Pos{Line: line + strings.Count(part, "\n"), Column: 1, Byte: start + len(part)},
	}
}

var sources = map[string][]byte{"main.hcl": []byte(source)}

func text(t *testing.T, diags []Diagnostic, o Options) string {
	t.Helper()
	var out bytes.Buffer
	require.NoError(t, Text(&out, diags, o))
	return out.String()
}

func TestTextShowsThePlaceTheReasonAndTheRemedy(t *testing.T) {
	diags := From(hcl.Diagnostics{
		{Severity: hcl.DiagError, Summary: "The database of antdb does not start", Subject: at(`step "image.build" "antdb"`),
			Extra: &Extra{Step: "antdb", Host: "node1", Evidence: []string{"FATAL:  could not access file\n  DETAIL: x"}, Remedy: "Build pgaudit."}},
		{Severity: hcl.DiagError, Summary: `Unknown argument "tgas"`, Detail: `image.build has no such argument. Did you mean "tags"?`, Subject: at("tgas")},
		{Severity: hcl.DiagWarning, Summary: "Wide", Subject: at("前")},
		{Severity: hcl.DiagError, Summary: "Long", Subject: at("<<EOT\none\ntwo\nthree\nfour\nfive\nEOT")},
		{Severity: hcl.DiagError, Summary: "Nowhere", Detail: "No place."},
	}, sources)
	require.Equal(t, `Error: Nowhere
  No place.

Error: The database of antdb does not start
  on main.hcl line 3, in step antdb, on host node1:
    3: step "image.build" "antdb" {
       ^^^^^^^^^^^^^^^^^^^^^^^^^^
  Evidence FATAL:  could not access file
             DETAIL: x
  Remedy   Build pgaudit.

Error: Unknown argument "tgas"
  on main.hcl line 4:
    4:     tgas = ["名前"] # tab before, wide inside
           ^^^^
  image.build has no such argument. Did you mean
  "tags"?

Warning: Wide
  on main.hcl line 4:
    4:     tgas = ["名前"] # tab before, wide inside
                      ^^

Error: Long
  on main.hcl line 5:
    5:   context = <<EOT
                   ^^^^^
    6: one
       ^^^
    7: two
       ^^^
    8: three
       ^^^^^
       … 3 more lines
`, text(t, diags, Options{Width: 52}))
	errors, warnings := Count(diags)
	require.Equal(t, []int{4, 1}, []int{errors, warnings})
}

func TestColourUnderlinesInsteadOfCarets(t *testing.T) {
	got := text(t, From(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "S", Subject: at("tgas")}}, sources), Options{Color: true})
	require.Contains(t, got, "\x1b[4mtgas\x1b[0m")
	require.NotContains(t, got, "^")
}

func TestJSONHasWhatTheTextHas(t *testing.T) {
	diags := From(hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "S", Detail: "D", Subject: at("前"), Extra: &Extra{Remedy: "R"}}}, sources)
	data, err := json.Marshal(diags)
	require.NoError(t, err)
	require.JSONEq(t, `[{"severity": "error", "summary": "S", "detail": "D", "file": "main.hcl", "line": 4, "column": 12, "end_line": 4,
		"end_column": 13, "snippet": ["\ttgas = [\"名前\"] # tab before, wide inside"], "remedy": "R"}]`, string(data))
}

func TestSortedByPlaceWithoutRepetitions(t *testing.T) {
	d := func(summary string, subject *hcl.Range) *hcl.Diagnostic {
		return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Subject: subject}
	}
	other := *at("tgas")
	other.Filename = "b.hcl"
	diags := From(hcl.Diagnostics{d("d", &other), d("c", at("前")), d("b", at("tgas")), d("c", at("前")), d("a", nil), d("b2", at("tgas"))}, sources)
	var order []string
	for _, d := range diags {
		order = append(order, d.Summary)
	}
	require.Equal(t, []string{"a", "d", "b", "b2", "c"}, order)
}

func TestTerminalsAreNotGivenOrders(t *testing.T) {
	text := text(t, From(hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "S\x1b[2J", Detail: "D\x1b]0;x\x07", Extra: &Extra{Evidence: []string{"E\x1b[31m"}, Remedy: "R\x1b"},
		Subject: &hcl.Range{Filename: "e.hcl", Start: hcl.InitialPos, End: hcl.Pos{Line: 1, Column: 3, Byte: 2}},
	}}, map[string][]byte{"e.hcl": []byte("\x1b[2J x\r\n")}), Options{})
	require.NotContains(t, text, "\x1b")
	require.NotContains(t, text, "\r")
}

// Ranges come from parsers, plugins and state files: none may break the report
// of a fault.
func TestNoRangePanics(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pos := func(name string) hcl.Pos {
			return hcl.Pos{
				Line:   rapid.IntRange(-2, 20).Draw(t, name+" line"),
				Column: rapid.IntRange(-2, 90).Draw(t, name+" column"),
				Byte:   rapid.IntRange(-5, 300).Draw(t, name+" byte"),
			}
		}
		src := rapid.SampledFrom([]string{source, "", "\n", "x", "\t\xff\xfe名\x00", strings.Repeat("a\n", 100)}).Draw(t, "source")
		d := hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "S", Detail: rapid.String().Draw(t, "detail"),
			Subject: &hcl.Range{Filename: rapid.SampledFrom([]string{"main.hcl", "none.hcl", ""}).Draw(t, "file"), Start: pos("start"), End: pos("end")}}}
		diags := From(d, map[string][]byte{"main.hcl": []byte(src)})
		require.Len(t, diags, 1)
		var out bytes.Buffer
		for _, o := range []Options{{}, {Color: true, Width: 1}, {Width: -7}} {
			require.NoError(t, Text(&out, diags, o))
		}
	})
	// What another program wrote need not come from From at all.
	var out bytes.Buffer
	require.NoError(t, Text(&out, []Diagnostic{{Line: -4, EndLine: 9, Column: -1, Snippet: []string{"", "x"}}, {}}, Options{}))
}
