package buildcontext

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// ignore is a .dockerignore file. It is matched by the code that docker's own
// client matches with. A nil ignore leaves nothing out.
type ignore struct {
	matcher *patternmatcher.PatternMatcher
	rules   []rule
}

// rule is one pattern and its line.
type rule struct {
	pattern string
	line    int
}

func parseIgnore(r io.Reader) (*ignore, error) {
	g, patterns := &ignore{}, []string(nil)
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		// one line at a time, which keeps their numbers
		read, err := ignorefile.ReadAll(strings.NewReader(lines.Text()))
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		for _, pattern := range read {
			one, err := patternmatcher.New([]string{pattern})
			if err == nil {
				_, err = one.MatchesOrParentMatches("x") // patterns are compiled when first used
			}
			if err != nil {
				return nil, fmt.Errorf("line %d: %q is no pattern: %w", n, pattern, err)
			}
			patterns, g.rules = append(patterns, pattern), append(g.rules, rule{pattern, n})
		}
	}
	matcher, err := patternmatcher.New(patterns)
	g.matcher = matcher
	if err != nil {
		return nil, err
	}
	return g, lines.Err()
}

// out reports whether a path is left out, by its own name or a folder's.
func (g *ignore) out(name string) bool {
	if g == nil {
		return false
	}
	out, err := g.matcher.MatchesOrParentMatches(name)
	return err == nil && out
}

// line is that of the last rule that leaves the path out.
func (g *ignore) line(name string) (line int) {
	for _, r := range g.rules {
		if strings.HasPrefix(r.pattern, "!") {
			continue
		}
		if one, err := patternmatcher.New([]string{r.pattern}); err == nil {
			if out, err := one.MatchesOrParentMatches(name); err == nil && out {
				line = r.line
			}
		}
	}
	return line
}

// exceptions reports whether some rule brings back what another leaves out.
func (g *ignore) exceptions() bool { return g != nil && g.matcher.Exclusions() }
