package lint

import (
	"path"
	"strings"
)

// command is one simple command of a shell script.
type command struct {
	words []string          // without quotes; what stands in front of the name is left out
	sets  map[string]string // NAME=value in front of it, or as export's words
	dir   string            // where it runs; empty when unknown
}

// name is the program without its path.
func (c command) name() string {
	if len(c.words) == 0 {
		return ""
	}
	return path.Base(c.words[0])
}

// args are the words that are no options.
func (c command) args() (list []string) {
	for i, word := range c.words {
		if i > 0 && !strings.HasPrefix(word, "-") {
			list = append(list, word)
		}
	}
	return list
}

// has reports whether one of the options holds the letter, or is the long word.
func (c command) has(letter byte, long string) bool {
	for _, word := range c.words {
		if word == long || strings.HasPrefix(word, "-") && !strings.HasPrefix(word, "--") && strings.IndexByte(word, letter) > 0 {
			return true
		}
	}
	return false
}

// leading are words after which a command begins.
var leading = map[string]bool{
	"if": true, "then": true, "else": true, "elif": true, "do": true, "while": true, "until": true, "!": true, "{": true, "}": true,
	"(": true, ")": true, "time": true, "sudo": true, "exec": true, "fi": true, "done": true,
}

// commands splits a script into its simple commands, as well as that can be
// done without running it. dir is where it starts.
func commands(script, dir string) (list []command) {
	for _, words := range split(script) {
		for len(words) > 0 && leading[words[0]] {
			words = words[1:]
		}
		c := command{sets: map[string]string{}, dir: dir}
		for len(words) > 0 && isAssignment(words[0]) {
			c.set(words[0])
			words = words[1:]
		}
		c.words = words
		if c.name() == "export" {
			for _, word := range c.args() {
				c.set(word)
			}
		}
		if len(c.words) > 0 || len(c.sets) > 0 {
			list = append(list, c)
		}
		if c.name() == "cd" && len(c.words) > 1 {
			dir = resolve(dir, c.words[1])
		}
	}
	return list
}

func (c *command) set(word string) {
	if name, value, ok := strings.Cut(word, "="); ok {
		c.sets[name] = value
	}
}

func isAssignment(word string) bool {
	name, _, ok := strings.Cut(word, "=")
	return ok && name != "" && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// resolve is the absolute path of name in dir; empty when it cannot be known.
func resolve(dir, name string) string {
	if strings.ContainsAny(name, "$`~") || name == "-" || name == "" {
		return ""
	}
	if path.IsAbs(name) {
		return path.Clean(name)
	}
	if dir == "" {
		return ""
	}
	return path.Join(dir, name)
}

// split cuts a script at its operators and its words at blanks.
func split(script string) (list [][]string) {
	var (
		words []string
		word  strings.Builder
		open  bool // a word has begun
	)
	endWord := func() {
		if open {
			words = append(words, word.String())
		}
		word.Reset()
		open = false
	}
	end := func() {
		endWord()
		if len(words) > 0 {
			list = append(list, words)
		}
		words = nil
	}
	for i := 0; i < len(script); i++ {
		switch c := script[i]; c {
		case '\'', '"', '`':
			n := quoted(script[i:])
			word.WriteString(strings.ReplaceAll(strings.TrimSuffix(script[i+1:i+n], script[i:i+1]), `\"`, `"`))
			open, i = true, i+n-1
		case '\\':
			if i++; i < len(script) && script[i] != '\n' {
				word.WriteByte(script[i])
				open = true
			}
		case '$':
			n := substitution(script[i:])
			word.WriteString(script[i : i+n])
			open, i = true, i+n-1
		case '#':
			if open {
				word.WriteByte(c)
				continue
			}
			if n := strings.IndexByte(script[i:], '\n'); n >= 0 {
				i += n - 1
			} else {
				i = len(script)
			}
		case ' ', '\t', '\r':
			endWord()
		case '\n', ';', '&', '|':
			end()
		case '(', ')':
			end()
		case '>', '<': // a redirection's file is no argument
			if word.Len() == 1 && strings.Contains("012", word.String()) {
				word.Reset()
				open = false
			}
			endWord()
			i += redirection(script[i:]) - 1
		default:
			word.WriteByte(c)
			open = true
		}
	}
	end()
	return list
}

// quoted is how long the quotation is that text begins with.
func quoted(text string) int {
	for i := 1; i < len(text); i++ {
		if text[i] == '\\' && text[0] != '\'' {
			i++
		} else if text[i] == text[0] {
			return i + 1
		}
	}
	return len(text)
}

// substitution is how long the $name, ${…} or $(…) is that text begins with.
func substitution(text string) int {
	if len(text) < 2 || text[1] != '{' && text[1] != '(' {
		return 1
	}
	depth := 0
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '{', '(':
			depth++
		case '}', ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(text)
}

// redirection is how long a redirection is, with its file.
func redirection(text string) int {
	i := 0
	for i < len(text) && strings.IndexByte("<>&-", text[i]) >= 0 {
		i++
	}
	for i < len(text) && (text[i] == ' ' || text[i] == '\t') {
		i++
	}
	for i < len(text) && strings.IndexByte(" \t\n;&|()", text[i]) < 0 {
		i++
	}
	return i
}
