package history

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	argCount = regexp.MustCompile(`^\|(\d+) `)
	argName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)
)

// arguments are the build arguments at the head of a RUN row, "|2 A=1 B=x y".
type arguments struct {
	pairs   []Pair
	rest    string // the command
	shell   string // the shell in front of it; empty when none ran it
	guessed bool
}

// parseArguments splits them off. There are no quotes: a value ends where the
// next name begins or, the last one, where the shell does. shells are those that
// may follow, declared the names of which ARG rows tell, and seen the values that
// other rows have for a name. With all, declared has every name that may occur.
// Docker counts names, buildah counts words.
func parseArguments(text string, shells []string, declared map[string]bool, all bool, seen map[string][]string) (arguments, bool) {
	m := argCount.FindStringSubmatch(text)
	if m == nil {
		return arguments{}, false
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return arguments{}, false
	}
	body := text[len(m[0]):]
	for _, end := range shellPositions(" "+body, shells) {
		words := strings.Split(body[:max(end.at-1, 0)], " ")
		if pairs, guessed, ok := assign(words, n, declared, all); ok {
			return arguments{pairs, body[end.at+len(end.shell)+1:], end.shell, guessed}, true
		}
	}
	return heads(body, n, declared, seen)
}

// heads takes n pairs off a text in which no shell says where they end.
func heads(text string, n int, declared map[string]bool, seen map[string][]string) (a arguments, ok bool) {
	for len(a.pairs) < n {
		m := argName.FindString(text)
		if m == "" {
			return a, false
		}
		p := Pair{Name: strings.TrimSuffix(m, "=")}
		text = text[len(m):]
		var rest string
		p.Value, rest, ok = strings.Cut(text, " ")
		sure := false
		for _, v := range seen[p.Name] {
			if after, found := strings.CutPrefix(text, v+" "); found && len(v) >= len(p.Value) {
				p.Value, rest, ok, sure = v, after, true, true
			}
		}
		for words := rest; ok && !sure && len(a.pairs) < n-1 && !declared[nameOfWord(rest)] && words != ""; { // up to the next name
			_, words, _ = strings.Cut(words, " ")
			if next := nameOfWord(words); declared[next] {
				p.Value, rest = strings.TrimSuffix(text[:len(text)-len(words)], " "), words
			}
		}
		if !ok {
			return a, false
		}
		a.pairs, a.guessed, text = append(a.pairs, p), a.guessed || !sure, rest
	}
	a.rest = text
	return a, text != ""
}

// nameOfWord is the name in front of the = that a text begins with.
func nameOfWord(text string) string { return strings.TrimSuffix(argName.FindString(text), "=") }

type position struct {
	at    int // in the text without its leading blank
	shell string
}

// shellPositions are the places where one of the shells stands as words of its
// own, from the left.
func shellPositions(text string, shells []string) (list []position) {
	for _, shell := range shells {
		for from := 0; ; {
			i := strings.Index(text[from:], " "+shell+" ")
			if i < 0 {
				break
			}
			list = append(list, position{from + i, shell})
			from += i + 1
		}
	}
	slices.SortFunc(list, func(a, b position) int { return a.at - b.at })
	return list
}

// assign makes n pairs of the words, or, as buildah counts, pairs of n words.
func assign(words []string, n int, declared map[string]bool, all bool) (pairs []Pair, guessed, ok bool) {
	names := 0
	known := 0
	for _, w := range words {
		if m := argName.FindString(w); m != "" {
			names++
			if declared[strings.TrimSuffix(m, "=")] {
				known++
			}
		}
	}
	if names < n && len(words) != n || !argName.MatchString(words[0]) {
		return nil, false, false
	}
	only := map[string]bool(nil)
	if known > 0 && (all || known == n || len(words) == n && n > names) {
		only = declared // a word that looks like a name may belong to a value
	}
	guessed = names != n && known != n && !all
	for _, w := range words {
		m := strings.TrimSuffix(argName.FindString(w), "=")
		fresh := m != "" && (only == nil || only[m]) && (len(pairs) < n)
		if !fresh && len(pairs) > 0 {
			pairs[len(pairs)-1].Value += " " + w
			continue
		}
		name, value, _ := strings.Cut(w, "=")
		pairs = append(pairs, Pair{Name: name, Value: value})
	}
	return pairs, guessed, true
}
