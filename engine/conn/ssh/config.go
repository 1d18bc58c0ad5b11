package ssh

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// options are what ssh_config files say about one host, by keyword in lower
// case. The first value counts; IdentityFile gathers all.
//
// The files are read here rather than by a library because what OpenSSH
// accepts must work: comma lists and several criteria in one Match, Match host
// by the HostName found so far, and Match exec, which is never run (its block
// does not apply) but must not make the rest of the file unusable.
type options map[string][]string

func (o options) get(keyword string) string {
	if v := o[strings.ToLower(keyword)]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// asked is what Host and Match are compared with.
type asked struct {
	alias     string // the name as the runbook has it
	user      string // the user as the runbook has it; empty for none
	localUser string
	home      string
}

// configFile is a file to read, and where its relative Includes are.
type configFile struct {
	path     string
	includes string
	required bool
}

// readConfig reads files in order.
func readConfig(files []configFile, a asked) (options, error) {
	r := configReader{asked: a, opts: options{}}
	for _, f := range files {
		if err := r.file(f, 0); err != nil {
			return nil, err
		}
	}
	return r.opts, nil
}

type configReader struct {
	asked asked
	opts  options
}

const maxIncludes = 16 // as deep as OpenSSH goes

func (r *configReader) file(f configFile, depth int) error {
	if depth > maxIncludes {
		return fmt.Errorf("%s: too many levels of Include", f.path)
	}
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) && !f.required {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ssh configuration: %w", err)
	}
	active := true
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		words, err := splitLine(line)
		if command, ok := proxyCommand(line); ok {
			words, err = command, nil
		}
		if err == nil && len(words) > 0 {
			active, err = r.line(f, words, active, depth)
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", f.path, n, err)
		}
	}
	return nil
}

// line takes in one line and tells whether the lines after it apply.
func (r *configReader) line(f configFile, words []string, active bool, depth int) (bool, error) {
	keyword, args := strings.ToLower(words[0]), words[1:]
	if len(args) == 0 {
		return active, fmt.Errorf("%s: no value", words[0])
	}
	switch {
	case keyword == "host":
		return matchList(args, r.asked.alias), nil
	case keyword == "match":
		return r.match(args)
	case !active:
	case keyword == "include":
		return active, r.include(f, args, depth)
	case keyword == "identityfile":
		r.opts[keyword] = append(r.opts[keyword], args[0])
	case r.opts[keyword] == nil:
		r.opts[keyword] = args
	}
	return active, nil
}

func (r *configReader) include(f configFile, patterns []string, depth int) error {
	for _, p := range patterns {
		p = expandHome(p, r.asked.home)
		if !filepath.IsAbs(p) {
			p = filepath.Join(f.includes, p)
		}
		found, err := filepath.Glob(p)
		if err != nil {
			return fmt.Errorf("Include %s: %w", p, err)
		}
		for _, path := range found {
			if err := r.file(configFile{path: path, includes: f.includes}, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// match evaluates the criteria of a Match line. Those that need a command, a
// network interface or a second pass never hold.
func (r *configReader) match(criteria []string) (bool, error) {
	all := true
	for len(criteria) > 0 {
		name, no := strings.CutPrefix(strings.ToLower(criteria[0]), "!")
		criteria = criteria[1:]
		if name == "all" {
			continue
		}
		if name == "canonical" || name == "final" {
			all = all && no
			continue
		}
		if len(criteria) == 0 {
			return false, fmt.Errorf("Match %s: no value", name)
		}
		values := strings.Split(criteria[0], ",")
		criteria = criteria[1:]
		subject, known := r.subject(name)
		all = all && known && matchList(values, subject) != no
	}
	return all, nil
}

func (r *configReader) subject(criterion string) (string, bool) {
	switch criterion {
	case "host":
		if name := r.opts.get("HostName"); name != "" {
			return strings.ReplaceAll(name, "%h", r.asked.alias), true
		}
		return r.asked.alias, true
	case "originalhost":
		return r.asked.alias, true
	case "localuser":
		return r.asked.localUser, true
	case "user":
		for _, user := range []string{r.asked.user, r.opts.get("User"), r.asked.localUser} {
			if user != "" {
				return user, true
			}
		}
	}
	return "", false
}

// matchList says whether one of patterns fits and none of the negated does.
func matchList(patterns []string, s string) bool {
	found := false
	for _, p := range patterns {
		p, no := strings.CutPrefix(p, "!")
		if wildcard(strings.ToLower(p), strings.ToLower(s)) {
			if no {
				return false
			}
			found = true
		}
	}
	return found
}

// wildcard matches with * and ?, as ssh_config has them.
func wildcard(pattern, s string) bool {
	for i, c := range []byte(pattern) {
		switch {
		case c == '*':
			rest := pattern[i+1:]
			return slices.ContainsFunc(suffixes(s), func(tail string) bool { return wildcard(rest, tail) })
		case s == "" || c != '?' && c != s[0]:
			return false
		}
		s = s[1:]
	}
	return s == ""
}

func suffixes(s string) []string {
	all := make([]string, 0, len(s)+1)
	for i := range len(s) + 1 {
		all = append(all, s[i:])
	}
	return all
}

// splitLine splits a line into words: "Keyword arg 'an arg'", "Keyword=arg".
func splitLine(line string) ([]string, error) {
	var words []string
	line = strings.TrimSpace(line)
	for line != "" && line[0] != '#' {
		var word string
		switch end := strings.IndexAny(line, " \t="); {
		case line[0] == '"' || line[0] == '\'':
			quote := strings.IndexByte(line[1:], line[0])
			if quote < 0 {
				return nil, fmt.Errorf("a quotation mark is missing")
			}
			word, line = line[1:quote+1], line[quote+2:]
		case len(words) > 0: // "=" separates the keyword only
			end = strings.IndexAny(line, " \t")
			fallthrough
		default:
			if end < 0 {
				end = len(line)
			}
			word, line = line[:end], line[end:]
		}
		words = append(words, word)
		line = strings.TrimLeft(line, " \t")
		if len(words) == 1 {
			line = strings.TrimLeft(strings.TrimPrefix(line, "="), " \t")
		}
	}
	return words, nil
}

// proxyCommand reads the one keyword whose value is the rest of its line, for a
// shell to split.
func proxyCommand(line string) ([]string, bool) {
	line = strings.TrimSpace(line)
	const keyword = "ProxyCommand"
	if len(line) <= len(keyword) || !strings.EqualFold(line[:len(keyword)], keyword) || !strings.ContainsRune(" \t=", rune(line[len(keyword)])) {
		return nil, false
	}
	value := strings.TrimLeft(line[len(keyword):], " \t")
	value = strings.TrimLeft(strings.TrimPrefix(value, "="), " \t")
	return []string{keyword, value}, value != ""
}

func expandHome(path, home string) string {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(home, rest)
	}
	return path
}
