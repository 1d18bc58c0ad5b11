// Package dockerfile reads Dockerfiles as far as building needs to be
// understood beforehand: which instructions there are and where, which images
// and files they name, and which variables they use. It runs nothing.
package dockerfile

import (
	"encoding/json"
	"iter"
	"strings"
)

// File is a parsed Dockerfile.
type File struct {
	Instructions []Instruction
	Syntax       string // image of the frontend, of a "# syntax=" line; empty for the builder's own
	CRLF         int    // first line that ends in CR LF; 0 when none does
}

// Instruction is one instruction, its continuation lines joined.
type Instruction struct {
	Line     int    // where it starts, from 1
	Verb     string // in capitals
	Text     string // all that follows the verb, without heredocs
	Heredocs []Heredoc
}

// Heredoc is a here-document of a RUN, COPY or ADD.
type Heredoc struct {
	Name   string
	Quoted bool // its variables are not expanded by the builder
	Line   int  // of its first line of content
	Body   string
}

// String is the instruction on one line, with blanks run together.
func (in Instruction) String() string {
	return strings.TrimSpace(in.Verb + " " + strings.Join(strings.Fields(in.Text), " "))
}

// Script is what a RUN hands to its shell: the text without flags, and the
// heredocs. It is empty for the exec form.
func (in Instruction) Script() string {
	if _, exec := in.List(); exec || in.Verb != "RUN" {
		return ""
	}
	text := in.Text
	for word := ""; strings.HasPrefix(text, "--"); {
		word, _, _ = strings.Cut(text, " ")
		text = strings.TrimLeft(strings.TrimPrefix(text, word), " \t")
	}
	for _, doc := range in.Heredocs {
		text += "\n" + doc.Body
	}
	return text
}

// Flag is a word --name=value in front of the arguments.
type Flag struct{ Name, Value string }

// Flags splits the leading flags off the text's words.
func (in Instruction) Flags() (flags []Flag, rest []string) {
	words := strings.Fields(in.Text)
	for len(words) > 0 && strings.HasPrefix(words[0], "--") {
		name, value, _ := strings.Cut(words[0][2:], "=")
		flags, words = append(flags, Flag{name, value}), words[1:]
	}
	return flags, words
}

// Flag is the value of the last flag of that name; ok is false when there is
// none.
func (in Instruction) Flag(name string) (value string, ok bool) {
	flags, _ := in.Flags()
	for _, f := range flags {
		if f.Name == name {
			value, ok = f.Value, true
		}
	}
	return value, ok
}

// List is the text as a JSON array, which RUN, CMD, ENTRYPOINT, COPY, ADD,
// VOLUME and SHELL take; ok is false when it is none.
func (in Instruction) List() (words []string, ok bool) {
	text := in.Text
	for strings.HasPrefix(text, "--") {
		_, text, _ = strings.Cut(text, " ")
		text = strings.TrimLeft(text, " \t")
	}
	if !strings.HasPrefix(text, "[") {
		return nil, false
	}
	return words, json.Unmarshal([]byte(text), &words) == nil
}

// Copy is what a COPY or ADD does.
type Copy struct {
	From    string   // stage or image of --from; empty for the context
	Sources []string // as written; heredocs are none
	Dest    string
}

// Copy reads a COPY or ADD; ok is false for other instructions and for those
// without a destination.
func (in Instruction) Copy() (c Copy, ok bool) {
	if in.Verb != "COPY" && in.Verb != "ADD" {
		return c, false
	}
	c.From, _ = in.Flag("from")
	words, isList := in.List()
	if !isList {
		_, words = in.Flags()
		for i, word := range words {
			words[i] = strings.Trim(word, `"'`)
		}
	}
	if len(words) < 2 {
		return c, false
	}
	for _, word := range words[:len(words)-1] {
		if !strings.HasPrefix(word, "<<") {
			c.Sources = append(c.Sources, word)
		}
	}
	c.Dest = words[len(words)-1]
	return c, true
}

// IsURL reports whether a source of ADD is fetched from elsewhere.
func IsURL(source string) bool {
	return strings.Contains(source, "://") || strings.HasPrefix(source, "git@")
}

// IsPlain reports whether a source names one file or folder as it is written,
// with neither variables nor wildcards.
func IsPlain(source string) bool {
	return !strings.ContainsAny(source, `$*?[\`) && !IsURL(source)
}

// Stage is what a FROM line begins.
type Stage struct {
	Image string // as written
	Name  string // after AS; in lower case
	Index int    // among the stages, from 0; From does not know it
}

// Stages gives every instruction with the stage that it is in. Those before the
// first FROM are left out.
func (f *File) Stages() iter.Seq2[Stage, Instruction] {
	return func(yield func(Stage, Instruction) bool) {
		current := Stage{Index: -1}
		for _, in := range f.Instructions {
			if in.Verb == "FROM" {
				n := current.Index + 1
				current = in.From()
				current.Index = n
			}
			if current.Index >= 0 && !yield(current, in) {
				return
			}
		}
	}
}

// From reads a FROM line.
func (in Instruction) From() Stage {
	_, words := in.Flags()
	var s Stage
	if len(words) > 0 {
		s.Image = words[0]
	}
	if len(words) > 2 && strings.EqualFold(words[1], "as") {
		s.Name = strings.ToLower(words[2])
	}
	return s
}
