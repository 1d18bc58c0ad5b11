package history

import (
	"regexp"
	"strings"
)

var (
	envName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*=`)
	labelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_./-]*=`)
	plain     = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,~-]+$`)
)

// parsePairs reads NAME=VALUE pairs that were joined with blanks after their
// quotes were taken off, so that a value may hold blanks itself. known, unless
// nil, has the names that there can be, with the values that they ended with:
// nothing takes a variable or a label away again. It says whether a value's end
// had to be guessed.
func parsePairs(text string, name *regexp.Regexp, known map[string]string) (pairs []Pair, guessed bool) {
	for text != "" {
		m := name.FindString(text)
		if _, ok := known[strings.TrimSuffix(m, "=")]; known != nil && !ok && len(pairs) > 0 {
			m = ""
		}
		if m == "" {
			word, rest, _ := strings.Cut(text, " ")
			text = rest
			if len(pairs) == 0 {
				pairs = append(pairs, Pair{Name: word, Bare: true})
				continue
			}
			last := &pairs[len(pairs)-1]
			last.Value += " " + word
			guessed = guessed || known == nil && strings.Contains(word, "=")
			continue
		}
		p := Pair{Name: strings.TrimSuffix(m, "=")}
		body := text[len(m):]
		if v, ok := known[p.Name]; ok && endsPair(body, v, name) {
			p.Value = v
			text = strings.TrimPrefix(body[len(v):], " ")
		} else {
			p.Value, text, _ = strings.Cut(body, " ")
		}
		pairs = append(pairs, p)
	}
	return pairs, guessed
}

// endsPair reports whether value can be the whole of the first value in text.
func endsPair(text, value string, name *regexp.Regexp) bool {
	rest, ok := strings.CutPrefix(text, value)
	if !ok || rest == "" {
		return ok
	}
	rest, ok = strings.CutPrefix(rest, " ")
	return ok && name.MatchString(rest)
}

// quote writes a value so that a Dockerfile's ENV, LABEL or ARG means just it.
func quote(value string) string {
	if plain.MatchString(value) {
		return value
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(value) + `"`
}

// quoteName writes the name of a label, which may be any text.
func quoteName(name string) string {
	if plain.MatchString(name) && !strings.Contains(name, "=") {
		return name
	}
	return quote(name)
}

func (p Pair) String() string {
	if p.Bare {
		return quoteName(p.Name)
	}
	return quoteName(p.Name) + "=" + quote(p.Value)
}
