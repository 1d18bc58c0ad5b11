package image

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// instruction is one instruction of a Dockerfile, its continuation lines
// joined.
type instruction struct {
	line int    // where it starts, from 1
	verb string // in capitals
	text string // all that follows the verb; heredocs included
}

var heredoc = regexp.MustCompile(`(?:^|[^<])<<(-?)["']?([A-Za-z_][A-Za-z0-9_]*)["']?`)

// parseDockerfile reads a Dockerfile as far as building needs to be understood
// beforehand: the instructions, not what they mean.
func parseDockerfile(r io.Reader) ([]instruction, error) {
	var (
		list   []instruction
		escape = `\`
		start  int
		buf    strings.Builder
		open   = false // within a continued instruction
		top    = true  // directives may still come
	)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 4<<20)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSuffix(strings.TrimPrefix(lines.Text(), "\ufeff"), "\r")
		trimmed := strings.TrimSpace(text)
		if top {
			if key, value, ok := directive(trimmed); ok {
				if key == "escape" {
					escape = value
				}
				continue
			}
			top = false
		}
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		if !open {
			start = n
		}
		body, more := strings.CutSuffix(strings.TrimRight(text, " \t"), escape)
		buf.WriteString(body)
		if open = more; open {
			continue
		}
		in := newInstruction(start, buf.String())
		buf.Reset()
		n += in.heredocs(lines)
		list = append(list, in)
	}
	if open {
		list = append(list, newInstruction(start, buf.String()))
	}
	return list, lines.Err()
}

var directivePattern = regexp.MustCompile(`^#\s*([a-z]+)\s*=\s*(.+)$`)

func directive(line string) (key, value string, ok bool) {
	m := directivePattern.FindStringSubmatch(line)
	if m == nil {
		return "", "", false
	}
	return m[1], strings.TrimSpace(m[2]), true
}

func newInstruction(line int, text string) instruction {
	text = strings.TrimSpace(text)
	i := strings.IndexAny(text, " \t")
	if i < 0 {
		i = len(text)
	}
	return instruction{line: line, verb: strings.ToUpper(text[:i]), text: strings.TrimSpace(text[i:])}
}

// heredocs reads the here-documents that the instruction announces and says how
// many lines they took.
func (in *instruction) heredocs(lines *bufio.Scanner) (read int) {
	if in.verb != "RUN" && in.verb != "COPY" && in.verb != "ADD" {
		return 0
	}
	for _, m := range heredoc.FindAllStringSubmatch(in.text, -1) {
		for lines.Scan() {
			read++
			text := lines.Text()
			if m[1] == "-" {
				text = strings.TrimLeft(text, "\t")
			}
			if text == m[2] {
				break
			}
			in.text += "\n" + text
		}
	}
	return read
}

// flags splits the leading --name=value words off the text.
func (in instruction) flags() (flags map[string]string, rest []string) {
	flags = map[string]string{}
	first, _, _ := strings.Cut(in.text, "\n")
	words := strings.Fields(first)
	for len(words) > 0 && strings.HasPrefix(words[0], "--") {
		name, value, _ := strings.Cut(words[0][2:], "=")
		flags[name], words = value, words[1:]
	}
	return flags, words
}

// sources are the paths in the context that a COPY or ADD names in plain words.
func (in instruction) sources() []string {
	if in.verb != "COPY" && in.verb != "ADD" || heredoc.MatchString(in.text) {
		return nil
	}
	flags, words := in.flags()
	if _, ok := flags["from"]; ok {
		return nil
	}
	if text := strings.Join(words, " "); strings.HasPrefix(text, "[") {
		words = nil
		if json.Unmarshal([]byte(text), &words) != nil {
			return nil
		}
	}
	var plain []string
	for i, word := range words {
		if i < len(words)-1 && !strings.ContainsAny(word, `$*?[\"'`) && !strings.Contains(word, "://") && !strings.HasPrefix(word, "git@") {
			plain = append(plain, word)
		}
	}
	return plain
}

// stage is what a FROM line begins.
type stage struct {
	image string // as written
	name  string // after AS; lower case
}

func (in instruction) from() stage {
	_, words := in.flags()
	var s stage
	if len(words) > 0 {
		s.image = words[0]
	}
	if len(words) > 2 && strings.EqualFold(words[1], "as") {
		s.name = strings.ToLower(words[2])
	}
	return s
}

// upTo leaves the stages out that come after the wanted one. An unknown name
// leaves all in: the engine will complain in its own words.
func upTo(list []instruction, target string) []instruction {
	if target == "" {
		return list
	}
	n, inTarget := 0, false
	for i, in := range list {
		if in.verb != "FROM" {
			continue
		}
		if inTarget {
			return list[:i]
		}
		inTarget = in.from().name == strings.ToLower(target) || strconv.Itoa(n) == target
		n++
	}
	return list
}

// bases are the images that the build needs to find or pull, each once, in
// order of appearance.
func bases(list []instruction, args map[string]string) []string {
	var (
		found  []string
		global = map[string]string{}
		stages = map[string]bool{"scratch": true}
		n      int
	)
	add := func(image string) {
		if image != "" && !stages[strings.ToLower(image)] && !strings.Contains(image, "$") {
			found = append(found, image)
			stages[strings.ToLower(image)] = true
		}
	}
	for _, in := range list {
		switch in.verb {
		case "ARG":
			if n > 0 {
				continue
			}
			for name, value := range assignments(in.text) {
				global[name] = expand(value, global)
				if given, ok := args[name]; ok {
					global[name] = given
				}
			}
		case "FROM":
			s := in.from()
			add(expand(s.image, global))
			if s.name != "" {
				stages[s.name] = true
			}
			stages[strconv.Itoa(n)] = true
			n++
		case "COPY":
			flags, _ := in.flags()
			add(flags["from"])
		}
	}
	return found
}

// readDockerfile parses the Dockerfile of the context.
func (c *buildContext) readDockerfile() ([]instruction, error) {
	f, err := os.Open(c.file())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	list, err := parseDockerfile(f)
	if err == nil && len(list) == 0 {
		err = fmt.Errorf("%s has no instruction", c.file())
	}
	return list, err
}
