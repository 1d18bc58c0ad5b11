package history

import "strings"

// word is a piece of a shell command that no line break may split, with the
// blanks in front of it.
type word struct {
	gap  string
	text string
}

// splitWords cuts a command at the blanks that are outside of quotes and
// substitutions. ok is false where that is not sure; such a command stays as it
// is.
func splitWords(script string) (words []word, ok bool) {
	if strings.ContainsAny(script, "\n\r") || strings.Contains(script, "<<") {
		return nil, false
	}
	sc := scanner{text: script}
	for sc.at < len(script) {
		from := sc.at
		for sc.at < len(script) && isBlank(script[sc.at]) {
			sc.at++
		}
		gap := script[from:sc.at]
		from = sc.at
		if !sc.word() {
			return nil, false
		}
		if from < sc.at {
			if script[from] == '#' {
				return nil, false // a comment: the rest is no command
			}
			words = append(words, word{gap, script[from:sc.at]})
		}
	}
	return words, true
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// scanner goes over shell text and knows where quotes end.
type scanner struct {
	text string
	at   int
}

// word moves over one word at the outer level.
func (s *scanner) word() bool {
	for s.at < len(s.text) && !isBlank(s.text[s.at]) {
		if !s.piece(false) {
			return false
		}
	}
	return true
}

// piece moves over one character, or over all that it opens.
func (s *scanner) piece(quoted bool) bool {
	c := s.text[s.at]
	s.at++
	switch {
	case c == '\\':
		s.at++
		return s.at <= len(s.text)
	case c == '\'' && !quoted:
		end := strings.IndexByte(s.text[s.at:], '\'')
		s.at += end + 1
		return end >= 0
	case c == '"' && !quoted:
		return s.until('"', true)
	case c == '`':
		return s.until('`', false)
	case c == '$' && s.at < len(s.text) && s.text[s.at] == '(':
		s.at++
		from := s.at
		return s.until(')', false) && !strings.Contains(s.text[from:s.at], "case ")
	case c == '$' && s.at < len(s.text) && s.text[s.at] == '{':
		s.at++
		return s.until('}', quoted)
	case c == '(' && !quoted:
		return true // a subshell: blanks in it are as good as outside
	}
	return true
}

// until moves behind the character that closes what was opened.
func (s *scanner) until(end byte, quoted bool) bool {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == end:
			s.at++
			return true
		case c == '(' && end == ')':
			s.at++
			if !s.until(')', false) {
				return false
			}
		case c == '"' && quoted && end == '}': // "${a:-"b"}"
			s.at++
			if !s.until('"', true) {
				return false
			}
		default:
			if !s.piece(quoted) {
				return false
			}
		}
	}
	return false
}

const (
	shortLine = 84  // a command that fits stays on one line
	longLine  = 110 // where lines are broken at blanks
)

// wrap breaks a long command into lines: before && and ||, and, in parts that
// are still long, where the author seems to have broken them (more than one
// blank). The lines mean the same: a Dockerfile joins them before a shell sees
// them.
func wrap(verb, script string) string {
	words, ok := splitWords(script)
	if !ok || len(words) == 0 {
		return verb + " " + script
	}
	if one := verb + " " + join(words); len(one) <= shortLine {
		return one
	}
	words[0].text = verb + " " + words[0].text
	lines := layout(words, "    ")
	lines[0] = strings.TrimPrefix(lines[0], "    ")
	return strings.Join(lines, " \\\n")
}

// layout writes a list of commands, one a line.
func layout(words []word, indent string) (lines []string) {
	for _, p := range parts(words) {
		lines = append(lines, p.lines(indent)...)
	}
	return lines
}

// part is a command between && and the like.
type part []word

// parts begins a new one before each operator that joins commands, but not
// within a block.
func parts(words []word) (list []part) {
	depth := 0
	for i, w := range words {
		joins := w.text == "&&" || w.text == "||" || i > 0 && strings.HasSuffix(words[i-1].text, ";") && !strings.HasSuffix(words[i-1].text, ";;")
		if i == 0 || depth == 0 && joins {
			list = append(list, nil)
		}
		list[len(list)-1] = append(list[len(list)-1], w)
		depth = max(depth+nests(w.text), 0)
	}
	return list
}

// nests is how a word changes the depth of blocks.
func nests(text string) int {
	switch strings.TrimRight(text, ";)") {
	case "if", "for", "while", "until", "case", "{", "(":
		return 1
	case "fi", "done", "esac", "}":
		return -1
	}
	if text == ")" || text == ");" {
		return -1
	}
	return 0
}

func join(words []word) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = w.text
	}
	return strings.Join(texts, " ")
}

// lines lays the part out.
func (p part) lines(indent string) []string {
	if one := indent + join(p); len(one) <= shortLine {
		return []string{one}
	}
	if block := p.block(indent); block != nil {
		return block
	}
	deeper := indent + "    "
	var lines []string
	line := indent + p[0].text
	for i, w := range p[1:] {
		broken := len(w.gap) > 1 && i > 0 || len(line)+len(w.text) > longLine
		if broken && strings.TrimSpace(line) != "&&" {
			lines = append(lines, line)
			line = deeper + w.text
			continue
		}
		line += " " + w.text
	}
	return append(lines, line)
}

var (
	opens  = map[string]bool{"then": true, "do": true, "else": true, "{": true}
	closes = map[string]bool{"fi": true, "done": true, "}": true, "else": true, "elif": true}
)

// block lays out a command that has commands inside it: those of an if, a loop
// or a group. nil when there is none.
func (p part) block(indent string) (lines []string) {
	depth, head := 0, 0
	from := -1 // where the commands inside begin
	for i, w := range p {
		bare := strings.TrimRight(w.text, ";")
		change := nests(w.text)
		if from >= 0 && depth == 1 && closes[bare] {
			lines = append(lines, layout(p[from:i], indent+"    ")...)
			head, from = i, -1
		}
		depth = max(depth+change, 0)
		if depth == 1 && from < 0 && opens[bare] {
			lines = append(lines, indent+join(p[head:i+1]))
			from = i + 1
		}
	}
	if lines == nil || from >= 0 {
		return nil
	}
	return append(lines, indent+join(p[head:]))
}
