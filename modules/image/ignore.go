package image

import (
	"bufio"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
)

// ignore is a .dockerignore file: the last rule that fits a path decides.
type ignore []ignoreRule

type ignoreRule struct {
	re   *regexp.Regexp
	keep bool // written with "!"
	line int
}

func parseIgnore(r io.Reader) (ignore, error) {
	var rules ignore
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		rule := ignoreRule{line: n}
		if rest, ok := strings.CutPrefix(text, "!"); ok {
			rule.keep, text = true, strings.TrimSpace(rest)
		}
		text = strings.TrimPrefix(path.Clean(text), "/")
		if text == "." || text == "" {
			continue
		}
		re, err := regexp.Compile(globPattern(text))
		if err != nil {
			return nil, fmt.Errorf("line %d: %q is no pattern: %w", n, text, err)
		}
		rule.re = re
		rules = append(rules, rule)
	}
	return rules, lines.Err()
}

// globPattern turns Docker's wildcards into a regular expression: * and ? stay
// within one folder, ** crosses folders.
func globPattern(glob string) string {
	var b strings.Builder
	b.WriteString("^")
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; {
		case strings.HasPrefix(glob[i:], "**/"):
			b.WriteString("(.*/)?")
			i += 2
		case strings.HasPrefix(glob[i:], "**"):
			b.WriteString(".*")
			i++
		case c == '*':
			b.WriteString("[^/]*")
		case c == '?':
			b.WriteString("[^/]")
		case c == '[' && strings.IndexByte(glob[i:], ']') > 0:
			end := i + strings.IndexByte(glob[i:], ']')
			b.WriteString(glob[i : end+1])
			i = end
		case c == '\\' && i+1 < len(glob):
			i++
			b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		default:
			b.WriteString(regexp.QuoteMeta(glob[i : i+1]))
		}
	}
	return b.String() + "$"
}

// rule gives the rule that leaves a path out; nil when it is in. A rule that
// fits a folder fits all that is in it.
func (g ignore) rule(name string) *ignoreRule {
	var last *ignoreRule
	for i := range g {
		for p := name; p != "." && p != "/"; p = path.Dir(p) {
			if g[i].re.MatchString(p) {
				last = &g[i]
				break
			}
		}
	}
	if last == nil || last.keep {
		return nil
	}
	return last
}

// exceptions reports whether some rule brings back what another leaves out.
func (g ignore) exceptions() bool {
	for _, rule := range g {
		if rule.keep {
			return true
		}
	}
	return false
}
