package scan

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// oracle says what Scan should tell, by giving every line to every pattern.
func oracle(s *Set, text []byte) []string {
	var all []string
	lines := bytes.SplitAfter(text, []byte("\n"))
	if len(lines[len(lines)-1]) == 0 {
		lines = lines[:len(lines)-1]
	}
	for n, p := range s.patterns {
		matches := func(i int) ([]byte, bool) {
			if len(lines[i]) <= s.sizes.piece {
				e := unwrap(lines[i])
				return e.text, p.Regexp.Match(e.text)
			}
			for from := 0; from < len(lines[i]); from += s.sizes.step() {
				if e := unwrap(lines[i][from:min(len(lines[i]), from+s.sizes.piece)]); p.Regexp.Match(e.text) {
					return e.text, true
				}
			}
			return nil, false
		}
		for i := range lines {
			if text, ok := matches(i); ok {
				all = append(all, fmt.Sprintf("%d %d %v %.200q", n, i+1, groups(p.Regexp, text), text))
				continue
			}
			if i+1 == len(lines) || len(lines[i])+len(lines[i+1]) > s.sizes.broken {
				continue
			}
			a, b := unwrap(lines[i]), unwrap(lines[i+1])
			if _, ok := matches(i + 1); ok || !s.sizes.wrapped(a, b) {
				continue
			}
			if joined := join(a, b); p.Regexp.Match(joined) {
				all = append(all, fmt.Sprintf("%d %d %v %.200q", n, i+1, groups(p.Regexp, joined), joined))
			}
		}
	}
	slices.Sort(all)
	return all
}

// groups are those of the first match. Scan gives them only of patterns whose
// matches all begin with what is looked for.
func groups(expression *regexp.Regexp, text []byte) map[string]string {
	all := map[string]string{}
	if slices.ContainsFunc(required(expression.String()), func(p phrase) bool { return !p.leads }) {
		return all
	}
	at := expression.FindSubmatchIndex(text)
	for n, name := range expression.SubexpNames() {
		if name != "" && at[2*n] >= 0 {
			all[name] = string(text[at[2*n]:at[2*n+1]])
		}
	}
	return all
}

var fuzzed = []string{
	`could\s+not\s+access\s+file\s+\\?["“”'](?P<library>pgaudit[^"“”']*)`, `no\s+space\s+left`, `(?i)access\s+Denied`, `disk|no\s+inode\s+is\s+left`,
	`^\s*FATAL:\s*could`, `left$`, `[0-9]+%`, `(?:one|two)\s(?:three|four)+\s?five`, `密码认证失败`, `file\s*x`, `oom`, `a\.b\s+c`,
	`could\s+not\s+(?P<what>\S+)\s+file|one\s+two\s+(?P<next>\S+)|(?P<any>\S+)\s+space`, `(?P<a>one\s+two\s+three)|two\s+(?P<b>three)|three\s+(?P<c>four)`,
	`access\s(?P<file>file\s.*)|(?i)file\s(?P<x>x)`, `\bnot\s+access`,
}

// tokens are what fuzzed texts are made of.
var tokens = []string{
	"could", "not", "access", "file", `"pgaudit.so"`, `\"pgaudit\"`, "no", "space", "left", "Denied", "DENIED", "disk", "inode", "is", "FATAL:", "7%", "one", "two",
	"three", "four", "five", "密码认证失败", "x", "oom", "a.b", "c", " ", " ", " ", " ", "  ", "\t", "\n", "\n", "\r\n", "\r", "\x00", "\xff", "\\", "\\t", `"`,
	"2026-03-05T05:52:03.096123456Z stderr F ", "2026-03-05T05:52:03.096123456Z stdout P ", `{"log":"`, `\n","stream":"stderr"}`, "2026-03-05 05:52:03.096 UTC ",
	"a longer word to make lines long enough to break ", "HINT:  ",
}

func FuzzScanFindsWhatEveryLineGivenToEveryPatternFinds(f *testing.F) {
	small := sizes{window: 4 << 10, piece: 512, overlap: 128, broken: 256}
	f.Add([]byte{0, 26, 1, 26, 2, 26, 3, 26, 4, 32, 6, 26, 7, 29, 8}, uint16(0), false)
	f.Add([]byte{44, 26, 0, 26, 1, 32, 2, 26, 3, 26, 4, 32}, uint16(small.window-30), false)
	f.Add([]byte{6, 26, 7, 29, 8, 32, 11}, uint16(small.piece-7), true)
	f.Add([]byte{6, 26, 7, 29, 8, 32, 11}, uint16(small.window-7), true)
	f.Add([]byte{42, 14, 28, 0, 43, 32, 46, 46, 6, 32, 7, 26, 8}, uint16(3), false)
	s := set(fuzzed...)
	s.sizes = small
	f.Fuzz(func(t *testing.T, script []byte, before uint16, oneLine bool) {
		var text bytes.Buffer
		filler := "this is quiet\n"
		if oneLine {
			filler = "this is quiet "
		}
		before %= 3 * uint16(small.window)
		text.WriteString(strings.Repeat(filler, int(before)/len(filler)+1)[:before])
		for _, b := range script {
			text.WriteString(tokens[int(b)%len(tokens)])
		}
		compare(t, s, text.Bytes())
	})
}

// FuzzScanOfAnyBytes takes bytes as they come.
func FuzzScanOfAnyBytes(f *testing.F) {
	f.Add([]byte("FATAL: could not access file \"pgaudit\"\r\n\x00\xff 7%"))
	s := set(fuzzed...)
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.HasPrefix(text, []byte{0xFE, 0xFF}) || bytes.HasPrefix(text, []byte{0xFF, 0xFE}) || bytes.HasPrefix(text, []byte{0xEF, 0xBB, 0xBF}) {
			told(t, s, bytes.NewReader(text)) // in another encoding for the oracle
			return
		}
		compare(t, s, text)
	})
}

func compare(t *testing.T, s *Set, text []byte) {
	t.Helper()
	var got []string
	stats, err := s.Scan(iotest.HalfReader(bytes.NewReader(text)), func(h Hit) bool {
		if len(groups(s.patterns[h.Pattern].Regexp, h.Line)) == 0 {
			h.Groups = nil
		}
		got = append(got, fmt.Sprintf("%d %d %v %.200q", h.Pattern, h.Number, h.Groups, h.Line))
		return true
	})
	require.NoError(t, err)
	require.EqualValues(t, len(text), stats.Bytes)
	slices.Sort(got)
	require.Equal(t, oracle(s, text), got)
	lines := bytes.Count(text, []byte("\n"))
	if len(text) > 0 && text[len(text)-1] != '\n' {
		lines++
	}
	require.Equal(t, lines, stats.Lines)
}

// What the words of an expression are taken for must be in all that it matches.
func TestWhatIsRequiredIsRequired(t *testing.T) {
	for expression, want := range map[string]string{
		`could\s+not\s+access`:        "could not ACCESS",
		`(?:a|bc)+xy\s*z(?:q)?`:       "XY z",
		`(?:alpha|beta)\s+gamma`:      "GAMMA",
		`one(?:alpha|omega)`:          "ALPHA|OMEGA",
		`(?:alphabet|beta)\s+\S+`:     "ALPHABET|BETA",
		`(?:alpha|[0-9]+)`:            "",
		`x*`:                          "",
		`"name":"value"`:              "VALUE",
		`(?i)straße\s+full`:           "STRA",
		`(?P<a>disk)(?P<b>\s+)full`:   "DISK full",
		`^\s*a\s{2,}failure(?:s){2,}`: "a FAILURE",
	} {
		var choices []string
		for _, p := range required(expression) {
			var words []string
			for n, w := range p.words {
				text := strings.ToLower(w.Text)
				if n == p.key {
					text = strings.ToUpper(text)
				}
				words = append(words, text)
			}
			choices = append(choices, strings.Join(words, " "))
		}
		require.Equal(t, want, strings.Join(choices, "|"), expression)
	}
}
