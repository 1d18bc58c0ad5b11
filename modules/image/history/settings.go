package history

import (
	"maps"
	"regexp"
	"slices"
	"strings"
)

// arg reads an ARG row. Docker prints NAME or NAME=VALUE, BuildKit several with
// the values that they had, buildah what the author wrote or, since 1.23, the
// names of all arguments so far.
func (r *reader) arg(s *Step, text string) {
	s.Text = ""
	switch {
	case s.Dialect == Buildah && !strings.Contains(text, "="):
		for _, name := range strings.Fields(text) {
			if !r.declared[name] || len(strings.Fields(text)) == 1 {
				s.Pairs = append(s.Pairs, Pair{Name: name, Bare: true})
			}
		}
	case s.Dialect == Buildah:
		name, value, _ := strings.Cut(text, "=")
		s.Pairs, s.Literal = []Pair{{Name: strings.TrimSpace(name), Value: unquote(value)}}, true
	default:
		s.Pairs = r.argPairs(text, s.Dialect)
	}
	if r.first && s.Dialect == BuildKit && len(s.Pairs) > 1 {
		s.Pairs = s.Pairs[:1] // the others may be but part of its value
	}
	for _, p := range s.Pairs {
		r.declared[p.Name] = true
	}
}

// argPairs reads "A", "A=x y" or, from BuildKit, "A=x B=y". Names are then those
// that some RUN row lists.
func (r *reader) argPairs(text string, d Dialect) []Pair {
	if d == BuildKit && strings.Contains(text, " ") && argName.MatchString(text) {
		var known map[string]string
		for name, values := range r.seen {
			if known == nil {
				known = map[string]string{}
			}
			known[name] = values[0]
		}
		pairs, _ := parsePairs(text, argName, known)
		return pairs
	}
	if !argName.MatchString(text) {
		var pairs []Pair
		for _, name := range strings.Fields(text) {
			pairs = append(pairs, Pair{Name: name, Bare: true})
		}
		return pairs
	}
	name, value, _ := strings.Cut(text, "=")
	return []Pair{{Name: name, Value: value}}
}

func unquote(value string) string {
	value = strings.TrimSpace(value)
	if n := len(value); n > 1 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return value[1 : n-1]
	}
	return value
}

// list reads CMD and ENTRYPOINT. A list behind the shell is the shell form.
func (r *reader) list(s *Step, text string) {
	items, guessed, ok := parseList(text)
	if !ok {
		return // buildah: what the author wrote
	}
	if guessed {
		s.guess("the history has no quotes around the words of this list")
	}
	s.Text = jsonList(items)
	script := ""
	if n := len(r.shell); len(items) == n+1 && slices.Equal(items[:n], r.shell) {
		script = items[n]
	}
	if script != "" && script == strings.TrimSpace(script) && !strings.ContainsAny(script, "\n\r") &&
		!strings.HasPrefix(script, "[") && !strings.HasSuffix(script, `\`) && s.Dialect != Buildah {
		s.Text = script
	}
}

func (r *reader) setShell(s *Step, text string) {
	items, _, ok := parseList(text)
	if !ok {
		return
	}
	if r.config != nil && strings.Join(r.config.Shell, " ") == strings.Join(items, " ") {
		items = r.config.Shell // the history's print joins words
	}
	r.shell, s.Text = items, jsonList(items)
}

func (r *reader) volume(s *Step, text string) {
	items, guessed, ok := parseList(text)
	if !ok {
		return
	}
	if guessed {
		items = joinPaths(items)
		if r.config != nil {
			items = r.knownVolumes(items)
		}
	}
	s.Text = jsonList(items)
}

// knownVolumes prefers the paths that the image has, the longest first.
func (r *reader) knownVolumes(items []string) []string {
	text := " " + strings.Join(items, " ") + " "
	known := slices.Sorted(maps.Keys(r.config.Volumes))
	slices.SortStableFunc(known, func(a, b string) int { return len(b) - len(a) })
	left, at := text, map[string]int{}
	for _, path := range known {
		if i := strings.Index(left, " "+path+" "); i >= 0 {
			at[path] = i
			left = left[:i+1] + strings.Repeat("\x00", len(path)) + left[i+1+len(path):]
		}
	}
	if strings.Trim(left, " \x00") != "" {
		return items
	}
	found := slices.Collect(maps.Keys(at))
	slices.SortFunc(found, func(a, b string) int { return at[a] - at[b] })
	return found
}

var portPattern = regexp.MustCompile(`[0-9]+(?:-[0-9]+)?(?:/[a-z]+)?`)

// ports turns Go's prints of a set or list of ports into words.
func ports(text string) string {
	if !strings.HasPrefix(text, "map[") && !strings.HasPrefix(text, "[") {
		return text
	}
	found := portPattern.FindAllString(strings.ReplaceAll(text, ":{}", ""), -1)
	for i, p := range found {
		found[i] = strings.TrimSuffix(p, "/tcp")
	}
	return strings.Join(found, " ")
}

func (r *reader) health(s *Step, text string) {
	if r.config != nil && r.config.Healthcheck != nil && len(r.config.Healthcheck.Test) > 0 {
		if own := HealthcheckOf(*r.config.Healthcheck); s.Dialect != Buildah {
			if parsed, guessed, ok := healthcheck(text); !ok || guessed || parsed == own {
				s.Text = own
				return
			}
		}
	}
	parsed, guessed, ok := healthcheck(text)
	switch {
	case ok:
		s.Text = parsed
		if guessed {
			s.guess("the history has no quotes around the words of the health check's command")
		}
	case s.Dialect != Buildah:
		s.Verb, s.Text = "", "HEALTHCHECK "+text
		s.guess("this print of a health check is not known")
	}
}

var (
	checksum = regexp.MustCompile(`^((?:--\S+? ?)*?)(file|dir|multi):([0-9a-f]{64}) in (.+?) *$`)
	copyFlag = regexp.MustCompile(`^--[a-z-]+(?:=(?:"[^"]*"|\S+))? +`)
)

// parseCopy reads a COPY or ADD: with a checksum for the sources, or with their
// names. Docker sets no blank between the last flag and the checksum.
func parseCopy(text string) *Copy {
	if m := checksum.FindStringSubmatch(text); m != nil {
		return &Copy{Flags: strings.Fields(m[1]), Kind: m[2], Sum: m[3], Dest: m[4]}
	}
	c := &Copy{}
	for {
		flag := copyFlag.FindString(text)
		if flag == "" {
			break
		}
		c.Flags = append(c.Flags, strings.TrimSpace(flag))
		text = text[len(flag):]
	}
	words, guessed, ok := parseList(text)
	if !ok || guessed {
		words = strings.Fields(text)
	}
	if len(words) < 2 {
		return nil
	}
	c.Sources, c.Dest = words[:len(words)-1], words[len(words)-1]
	return c
}
