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
	var lines []string
	for i, part := range parts(words) {
		indent := "    "
		if i == 0 {
			indent = ""
			part[0].text = verb + " " + part[0].text
		}
		lines = append(lines, part.lines(indent)...)
	}
	return strings.Join(lines, " \\\n")
}

// part is a command between && and the like.
type part []word

// within are the words of the shell that go on with what a ; ended.
var within = map[string]bool{"then": true, "do": true, "else": true, "elif": true, "fi": true, "done": true, "esac": true, "fi;": true, "done;": true}

// parts begins a new one before each operator that joins commands.
func parts(words []word) (list []part) {
	for i, w := range words {
		if i == 0 || w.text == "&&" || w.text == "||" || strings.HasSuffix(words[i-1].text, ";") && !within[w.text] && words[i-1].text != ";;" {
			list = append(list, nil)
		}
		list[len(list)-1] = append(list[len(list)-1], w)
	}
	return list
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
	deeper := "        "
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
