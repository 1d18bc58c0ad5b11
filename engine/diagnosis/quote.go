package diagnosis

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/adbsql/antdbctl/engine/diagnosis/signature"
)

const (
	mostQuotes   = 5
	longestQuote = 400 // bytes
)

// around quotes a line; of a very long one, what stands around the match.
func around(line []byte, match []int) string {
	line = bytes.TrimRight(line, " \t\r\n")
	from, to := 0, len(line)
	if to > longestQuote {
		if match == nil {
			match = []int{0, 0}
		}
		from = max(0, min(match[0]-longestQuote/4, to-longestQuote))
		to = from + longestQuote
	}
	text := clean(line[from:to])
	if from > 0 {
		text = "…" + text
	}
	if to < len(line) {
		text += "…"
	}
	return text
}

// shorten cuts a text at its end.
func shorten(text string, longest int) string {
	if len(text) <= longest {
		return text
	}
	return clean([]byte(text[:longest])) + "…"
}

// clean makes text of what a log has: no halves of characters, nothing that a
// terminal would obey. A group that stood between quotation marks in JSON ends
// with the backslash that was before the second one.
func clean(b []byte) string {
	for len(b) > 0 && !utf8.RuneStart(b[0]) {
		b = b[1:]
	}
	text := strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case r == utf8.RuneError || unicode.IsControl(r):
			return -1
		}
		return r
	}, string(b))
	return strings.TrimRight(text, `\`)
}

// byWeight orders sightings: what is the cause itself first, and what was seen
// first before what was seen later.
func byWeight(all []sighting) []sighting {
	out := slices.Clone(all)
	slices.SortStableFunc(out, func(a, b sighting) int {
		if a.strength != b.strength {
			return int(b.strength) - int(a.strength)
		}
		return strings.Compare(a.where, b.where)
	})
	return out
}

// quotes picks the evidence of a finding: one of each signal before a second
// one of any, the weightiest first.
func quotes(instances []*instance) []Quote {
	var all []sighting
	for _, i := range instances {
		all = append(all, i.held...)
	}
	all = byWeight(all)
	picked := make([]bool, len(all))
	var chosen []int
	seen := map[Quote]bool{} // two collectors may have fetched the same log
	for round := 0; round < mostQuotes && len(chosen) < mostQuotes; round++ {
		had := map[string]bool{}
		for n, s := range all {
			if picked[n] || had[s.signal] || len(chosen) == mostQuotes {
				continue
			}
			picked[n], had[s.signal] = true, true
			if id := (Quote{Where: s.quote.Where, Time: s.quote.Time, Text: s.quote.Text}); !seen[id] {
				seen[id] = true
				chosen = append(chosen, n)
			}
		}
	}
	slices.Sort(chosen)
	var out []Quote
	for _, n := range chosen {
		q := all[n].quote
		if q.Count == 1 {
			q.Count = 0
		}
		out = append(out, q)
	}
	return out
}

// rests says what a confidence rests on: the weightiest sightings, in words.
func rests(said words, held []sighting) []string {
	var out []string
	for _, s := range byWeight(held) {
		text := said.strength[s.strength](s.where)
		if s.strength == signature.Hint && len(out) > 0 {
			break // hints add nothing to what is strong
		}
		if !slices.Contains(out, text) {
			out = append(out, text)
		}
		if len(out) == 3 {
			break
		}
	}
	return out
}
