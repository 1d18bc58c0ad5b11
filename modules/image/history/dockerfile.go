package history

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Dockerfile is what was recovered.
type Dockerfile struct {
	Of    string // what it was recovered from, for the first line
	Base  Base
	Flat  string // archive of the base's files, beside the Dockerfile, to build from scratch
	Steps []Step
	Needs []string // paths that must be put beside the Dockerfile before it builds
}

// textWidth is where comments are broken.
const textWidth = 100

// String writes the Dockerfile.
func (d *Dockerfile) String() string {
	var b strings.Builder
	comment(&b, "", "Recovered from "+d.Of+" by antdbctl image recover. What the history does not tell is marked \"guess:\", with the reason.")
	if len(d.Needs) > 0 {
		b.WriteString("#\n")
		comment(&b, "", "The history has no files. Put these beside this Dockerfile before you build:")
		for _, n := range d.Needs {
			fmt.Fprintf(&b, "#   %s\n", oneLine(n))
		}
	}
	b.WriteString("\n")
	d.from(&b)
	last := "FROM"
	public := false
	for _, s := range d.Steps {
		text := s.String()
		if text == "" && len(s.Notes)+len(s.Guesses) == 0 {
			continue
		}
		if s.Verb != last || s.Verb == "RUN" || len(s.Notes)+len(s.Guesses) > 0 {
			b.WriteString("\n")
		}
		if s.Verb == "ARG" && !public {
			public = true
			comment(&b, "", "The values of build arguments are public: whoever has the image can read them.")
		}
		for _, n := range s.Notes {
			comment(&b, "", n)
		}
		for _, g := range s.Guesses {
			comment(&b, "guess: ", g)
		}
		if text != "" {
			b.WriteString(text + "\n")
		}
		last = s.Verb
	}
	return b.String()
}

func (d *Dockerfile) from(b *strings.Builder) {
	switch {
	case d.Flat != "":
		what := "its base"
		if d.Base.Name != "" {
			what = d.Base.Name
		}
		comment(b, "", "The files of "+what+" come from the image itself, so no registry is asked.")
		fmt.Fprintf(b, "FROM scratch\nADD %s /\n", copyWords([]string{d.Flat}))
	case d.Base.Name == "" && d.Base.Rows == 0:
		for _, r := range d.Base.Reasons {
			comment(b, "", r)
		}
		b.WriteString("FROM scratch\n")
	case d.Base.Name == "":
		comment(b, "guess: ", "The history does not name the base; put its name here. Of its place:")
		bullets(b, d.Base.Reasons)
		b.WriteString("FROM " + unknownBase + "\n")
	case d.Base.Sure >= Stated:
		comment(b, "", fmt.Sprintf("The base is %s: %s.", d.Base.Sure, strings.Join(d.Base.Reasons, "; ")))
		b.WriteString("FROM " + oneWord(d.Base.Name) + "\n")
	default:
		comment(b, "guess: ", fmt.Sprintf("no history has a FROM; %s is %s:", d.Base.Name, d.Base.Sure))
		bullets(b, d.Base.Reasons)
		b.WriteString("FROM " + oneWord(d.Base.Name) + "\n")
	}
}

// unknownBase stands for a base that nothing names.
const unknownBase = "unknown-base"

// oneWord keeps a name that a label gives from being more than a name.
func oneWord(name string) string {
	if words := strings.Fields(name); len(words) == 1 {
		return strings.TrimRight(words[0], `\`)
	}
	return unknownBase
}

func bullets(b *strings.Builder, texts []string) {
	for _, text := range texts {
		comment(b, "  - ", text)
	}
}

// comment writes text as comment lines; mark stands before the first.
func comment(b *strings.Builder, mark, text string) {
	line := "# " + mark
	indent := "# " + strings.Repeat(" ", len(mark))
	fresh := true
	for _, w := range strings.Fields(text) {
		if !fresh && len(line)+1+len(w) > textWidth {
			b.WriteString(line + "\n")
			line, fresh = indent, true
		}
		if !fresh {
			line += " "
		}
		line += w
		fresh = false
	}
	b.WriteString(line + "\n")
}

// String is the instruction as a Dockerfile has it; empty where there is none.
func (s Step) String() string {
	switch {
	case s.Verb == "":
		return ""
	case s.Verb == "RUN":
		return s.runLine()
	case s.Copy != nil:
		words := slices.Concat([]string{s.Verb}, s.Copy.Flags, []string{copyWords(append(slices.Clone(s.Copy.Sources), s.Copy.Dest))})
		return strings.Join(words, " ")
	case s.Verb == "ARG":
		return s.argLines()
	case len(s.Pairs) > 0:
		return pairLines(s.Verb, s.Pairs)
	case s.Literal && (s.Verb == "LABEL" || s.Verb == "ENV"):
		return literalPairs(s.Verb, s.Text)
	}
	return s.Verb + " " + oneLine(s.Text)
}

// oneLine keeps text from ending its line, and from joining it with the next.
func oneLine(text string) string {
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	return strings.TrimRight(text, "\\ \t")
}

func (s Step) argLines() string {
	lines := make([]string, len(s.Pairs))
	for i, p := range s.Pairs {
		switch {
		case s.Literal && !p.Bare:
			lines[i] = "ARG " + p.Name + "=" + oneLine(literalValue(p.Value))
		default:
			lines[i] = "ARG " + oneLine(p.String())
		}
	}
	return strings.Join(lines, "\n")
}

func literalValue(value string) string {
	if strings.ContainsAny(value, " \t\"'") {
		return `"` + strings.ReplaceAll(value, `"`, `\"`) + `"`
	}
	return value
}

// pairLines writes one pair a line.
func pairLines(verb string, pairs []Pair) string {
	texts := make([]string, len(pairs))
	for i, p := range pairs {
		texts[i] = oneLine(p.String())
	}
	if one := verb + " " + strings.Join(texts, " "); len(one) <= shortLine {
		return one
	}
	return verb + " " + strings.Join(texts, " \\\n"+strings.Repeat(" ", len(verb)+1))
}

// literalPairs lays pairs out that stand as the author wrote them.
func literalPairs(verb, text string) string {
	words, ok := splitWords(text)
	if !ok {
		return verb + " " + oneLine(text)
	}
	if len(words) == 2 && !strings.Contains(words[0].text, "=") && plain.MatchString(words[1].text) {
		return verb + " " + words[0].text + "=" + words[1].text
	}
	for _, w := range words {
		if !strings.Contains(w.text, "=") {
			return verb + " " + oneLine(text) // the old form, NAME and all the rest
		}
	}
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = w.text
	}
	if one := verb + " " + strings.Join(texts, " "); len(one) <= shortLine {
		return one
	}
	return verb + " " + strings.Join(texts, " \\\n"+strings.Repeat(" ", len(verb)+1))
}

var simplePath = regexp.MustCompile(`^[^\s"'\\\[<#$*?][^\s"'\\<$*?\[]*$`)

// copyWords writes paths, as a list in brackets where blanks ask for it.
func copyWords(paths []string) string {
	for _, p := range paths {
		if !simplePath.MatchString(p) {
			quoted := make([]string, len(paths))
			for i, p := range paths {
				quoted[i] = strings.ReplaceAll(p, `$`, `\$`)
			}
			return jsonList(quoted)
		}
	}
	return strings.Join(paths, " ")
}

var hereDocument = regexp.MustCompile(`(^|[^<])<<-?["']?[A-Za-z_]`)

// runLine writes a RUN. What a line cannot hold, or what would be read as
// something else there, takes the form with brackets, in which the shell gets
// just the same text.
func (s Step) runLine() string {
	if s.Argv != nil {
		return "RUN " + jsonList(s.Argv)
	}
	script := strings.TrimLeft(s.Script, " \t")
	if !s.Own && !strings.ContainsAny(script, "\n\r") && !strings.HasSuffix(script, `\`) && script != "" && !hereDocument.MatchString(script) &&
		!strings.HasPrefix(script, "[\"") && (!strings.HasPrefix(script, "--") || s.Dialect == Buildah || s.Dialect == Unknown) {
		return wrap("RUN", script)
	}
	return scriptLines(s.Shell, s.Script)
}

// scriptLines writes a script of several lines as it was, a line each.
func scriptLines(shell []string, script string) string {
	head := strings.TrimSuffix(jsonList(shell), "]")
	if !strings.Contains(script, "\n") {
		return "RUN " + head + ", " + jsonString(script) + "]"
	}
	var b strings.Builder
	b.WriteString("RUN " + head + ", \"\\\n")
	for line := range strings.Lines(script) {
		text := jsonString(line)
		text = text[1 : len(text)-1]
		if strings.HasPrefix(strings.TrimLeft(text, " "), "#") { // a Dockerfile drops such lines, here too
			text = strings.Replace(text, "#", `\u0023`, 1)
		}
		if rest, ok := strings.CutSuffix(text, `\\`); ok { // before a continuation it would be none
			text = rest + `\u005c`
		}
		b.WriteString(text + "\\\n")
	}
	b.WriteString("\"]")
	return b.String()
}
