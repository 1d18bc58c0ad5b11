package sql

import (
	"fmt"
	"strings"
)

// ident writes a name as a quoted identifier, exact to the letter.
func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal writes text as a string constant. The escape form is used when there
// is a backslash, so the constant means the same whatever the server's
// standard_conforming_strings says.
func literal(text string) string {
	quoted := strings.ReplaceAll(text, `'`, `''`)
	if strings.Contains(quoted, `\`) {
		return ` E'` + strings.ReplaceAll(quoted, `\`, `\\`) + `'`
	}
	return `'` + quoted + `'`
}

// literals writes a list of string constants for IN or ARRAY; never empty.
func literals(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = literal(t)
	}
	return strings.Join(quoted, ", ")
}

// textArray writes a list of texts, which may be empty.
func textArray(texts []string) string {
	return "array[" + literals(texts) + "]::text[]"
}

// single makes sure that text is one SQL statement and gives it without its
// closing semicolon. A second statement, or a command of the psql shell, would
// run outside of what the caller wrapped around the first.
func single(text string) (string, error) {
	end, seen := len(text), false // end of the first statement
	for i := 0; i < len(text); {
		next, solid := skip(text, i)
		switch {
		case next > i && !solid: // blank or comment
			i = next
			continue
		case end < len(text):
			return "", fmt.Errorf("there is a second statement, at %s: write one statement a step", place(text, i))
		case next > i: // string or quoted name
			seen, i = true, next
			continue
		case text[i] == '\\':
			return "", fmt.Errorf("%s at %s is a command of the psql shell, not SQL", word(text[i:]), place(text, i))
		case text[i] == ';':
			if !seen {
				return "", fmt.Errorf("there is no statement before the semicolon at %s", place(text, i))
			}
			end = i
		default:
			seen = true
		}
		i++
	}
	if !seen {
		return "", fmt.Errorf("there is no statement")
	}
	return text[:end], nil
}

// skip gives the end of the blank, comment, string or quoted name that starts
// at i, or i when none does; solid tells the latter two from the former.
func skip(text string, i int) (next int, solid bool) {
	rest := text[i:]
	switch {
	case strings.ContainsRune(" \t\r\n\f", rune(rest[0])):
		return i + 1, false
	case strings.HasPrefix(rest, "--"):
		return i + until(rest, 2, "\n"), false
	case strings.HasPrefix(rest, "/*"):
		return i + comment(rest), false
	case rest[0] == '"':
		return i + until(rest, 1, `"`), true
	case rest[0] == '\'':
		return i + quoted(rest, escapes(text, i)), true
	case rest[0] == '$' && (i == 0 || !nameByte(text[i-1])):
		if tag := dollarTag(rest); tag != "" {
			return i + until(rest, len(tag), tag), true
		}
	}
	return i, false
}

// until is the index after the first end that starts at or after from; all of
// the text when there is none.
func until(text string, from int, end string) int {
	if at := strings.Index(text[from:], end); at >= 0 {
		return from + at + len(end)
	}
	return len(text)
}

func comment(text string) int {
	depth := 0
	for i := 0; i+1 < len(text); i++ {
		switch text[i : i+2] {
		case "/*":
			depth++
			i++
		case "*/":
			depth--
			i++
		}
		if depth == 0 {
			return i + 1
		}
	}
	return len(text)
}

// escapes reports whether the quote at i belongs to an E'…' constant.
func escapes(text string, i int) bool {
	return i > 0 && (text[i-1] == 'E' || text[i-1] == 'e') && (i == 1 || !nameByte(text[i-2]))
}

func quoted(text string, backslash bool) int {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '\\' && backslash:
			i++
		case text[i] == '\'':
			return i + 1
		}
	}
	return len(text)
}

// dollarTag is the $tag$ that text starts with, or "".
func dollarTag(text string) string {
	for i := 1; i < len(text); i++ {
		switch {
		case text[i] == '$':
			return text[:i+1]
		case !nameByte(text[i]) || i == 1 && text[i] >= '0' && text[i] <= '9':
			return ""
		}
	}
	return ""
}

func nameByte(b byte) bool {
	return b == '_' || b >= 0x80 || b >= '0' && b <= '9' || b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z'
}

func word(text string) string {
	if end := strings.IndexAny(text, " \t\r\n;"); end > 0 {
		return text[:end]
	}
	return text
}

// place names a position for people.
func place(text string, i int) string {
	line := strings.Count(text[:i], "\n") + 1
	return fmt.Sprintf("line %d, column %d", line, i-strings.LastIndexByte(text[:i], '\n'))
}
