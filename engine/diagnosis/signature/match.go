package signature

import (
	"errors"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The quotation marks that programs write, in any locale. Inside brackets a
// mark stands for those of its kind only: [^"] must not end at an apostrophe.
const (
	doubleMarks = `"“”„‟«»「」『』`
	singleMarks = "'`‘’‚"
	anyMark     = `\\?["“”„‟«»「」『』'` + "`‘’‚]" // JSON escapes them
)

var firstMember = regexp.MustCompile(`^\^?\]?`)

// longestMatch bounds a pattern's source.
const longestMatch = 4096

// compile makes a match tolerant of white space and quotation marks. Its time
// is linear in the text, whatever the pattern: Go's engine knows no other way.
func compile(match string) (*regexp.Regexp, error) {
	if len(match) > longestMatch {
		return nil, errors.New("it is longer than 4096 bytes")
	}
	// What the user wrote is compiled first, so that faults are told in its words.
	if _, err := regexp.Compile(match); err != nil {
		return nil, err
	}
	re, err := regexp.Compile(tolerant(match))
	if err != nil {
		return nil, err
	}
	if re.MatchString("") {
		return nil, errors.New("it matches the empty line, and with it every line")
	}
	return re, nil
}

// tolerant rewrites the source of a regular expression.
func tolerant(match string) string {
	var b strings.Builder
	class := false // inside brackets
	for i := 0; i < len(match); {
		r, n := utf8.DecodeRuneInString(match[i:])
		rest := match[i+n:]
		switch {
		case r == '\\' && strings.HasPrefix(rest, "Q"):
			end := strings.Index(rest, `\E`)
			if end < 0 {
				return b.String() + match[i:]
			}
			b.WriteString(match[i : i+n+end+2])
			n += end + 2
		case r == '\\' && rest != "" && !isMark(rest):
			_, m := utf8.DecodeRuneInString(rest)
			b.WriteString(match[i : i+n+m])
			n += m
		case r == '\\': // of a mark, which is put in below
		case class && r == '[' && strings.HasPrefix(rest, ":") && strings.Contains(rest, ":]"):
			end := strings.Index(rest, ":]") + 2 // [:digit:]
			b.WriteString(match[i : i+n+end])
			n += end
		case class:
			class = r != ']'
			b.WriteString(inClass(r))
		case r == '[':
			class = true
			// A bracket that is the first member of its class does not end it.
			first := firstMember.FindString(rest)
			b.WriteString(match[i:i+n] + first)
			n += len(first)
		case r == ' ':
			n += len(rest) - len(strings.TrimLeft(rest, " "))
			b.WriteString(blanks(match[i+n:]))
		case isMark(string(r)):
			b.WriteString(anyMark)
		default:
			b.WriteString(match[i : i+n])
		}
		i += n
	}
	return b.String()
}

// blanks stands for one or more blanks; a quantifier that follows counts them
// itself.
func blanks(rest string) string {
	if rest != "" && strings.ContainsRune("?*+{", rune(rest[0])) {
		return `\s`
	}
	return `\s+`
}

func isMark(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return strings.ContainsRune(doubleMarks+singleMarks, r)
}

func inClass(r rune) string {
	switch {
	case strings.ContainsRune(doubleMarks, r):
		return doubleMarks
	case strings.ContainsRune(singleMarks, r):
		return singleMarks
	}
	return string(r)
}
