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
func split(script string) [][]string {
	var s splitter
	for i := 0; i < len(script); i++ {
		switch c := script[i]; c {
		case '\'', '"', '`':
			n := quoted(script[i:])
			s.add(strings.ReplaceAll(strings.TrimSuffix(script[i+1:i+n], script[i:i+1]), `\"`, `"`))
			i += n - 1
		case '\\':
			if i++; i < len(script) && script[i] != '\n' {
				s.add(script[i : i+1])
			}
		case '$':
			n := substitution(script[i:])
			s.add(script[i : i+n])
			i += n - 1
		case '#':
			if s.open {
				s.add("#")
				continue
			}
			if n := strings.IndexByte(script[i:], '\n'); n >= 0 {
				i += n - 1
			} else {
				i = len(script)
			}
		case ' ', '\t', '\r':
			s.endWord()
		case '\n', ';', '&', '|', '(', ')':
			s.endCommand()
		case '>', '<': // a redirection's file is no argument
			s.dropDescriptor()
			s.endWord()
			i += redirection(script[i:]) - 1
		default:
			s.add(script[i : i+1])
		}
	}
	s.endCommand()
	return s.list
}

// splitter collects words and commands.
type splitter struct {
	list  [][]string
	words []string
	word  strings.Builder
	open  bool // a word has begun
}

func (s *splitter) add(text string) {
	s.word.WriteString(text)
	s.open = true
}

func (s *splitter) endWord() {
	if s.open {
		s.words = append(s.words, s.word.String())
	}
	s.word.Reset()
	s.open = false
}

func (s *splitter) endCommand() {
	s.endWord()
	if len(s.words) > 0 {
		s.list = append(s.list, s.words)
	}
	s.words = nil
}

// dropDescriptor forgets the number in front of a redirection.
func (s *splitter) dropDescriptor() {
	if s.word.Len() == 1 && strings.Contains("012", s.word.String()) {
		s.word.Reset()
		s.open = false
	}
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
