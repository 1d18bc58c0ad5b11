package rootfs

import (
	"fmt"
	"path"
	"strings"
)

// Glob gives the entries that a pattern names, in the order of All. In a name
// of the pattern *, ? and [a-z] stand for characters, as in path.Match; a name
// ** stands for any folders or none. Links in the folders before the first of
// these are followed. A pattern without a slash is looked for in every folder.
func (t *Tree) Glob(pattern string) ([]Entry, error) {
	if !strings.Contains(pattern, "/") {
		pattern = "**/" + pattern
	}
	var names []string
	for name := range strings.SplitSeq(strings.Trim(pattern, "/"), "/") {
		if _, err := path.Match(name, ""); err != nil {
			return nil, fmt.Errorf("pattern %s: %w", pattern, err)
		}
		if name != "**" || len(names) == 0 || names[len(names)-1] != "**" {
			names = append(names, name)
		}
	}
	plain := 0
	for plain < len(names) && !strings.ContainsAny(names[plain], `*?[\`) {
		plain++
	}
	if plain == len(names) {
		if e, ok := t.Lstat(pattern); ok {
			return []Entry{e}, nil
		}
		return nil, nil
	}
	base := t.find("/"+strings.Join(names[:plain], "/"), true)
	if base == nil {
		return nil, nil
	}
	var out []Entry
	skip := len(strings.TrimSuffix(base.path(), "/")) + 1
	for e := range t.Under(base.path()) {
		if matches(names[plain:], strings.Split(e.Path[skip:], "/")) {
			out = append(out, e)
		}
	}
	return out, nil
}

// matches compares names with a pattern. at holds the places in the pattern
// where the names so far may have led.
func matches(pattern, names []string) bool {
	at := make([]bool, len(pattern)+1)
	at[0] = true
	for i := range names {
		next := make([]bool, len(pattern)+1)
		for p, here := range at[:len(pattern)] {
			if !here {
				continue
			}
			if pattern[p] == "**" {
				next[p] = true
				if p+1 == len(pattern) {
					next[p+1] = true // all there is below
				} else {
					at[p+1] = true // it may also stand for nothing
				}
				continue
			}
			if ok, _ := path.Match(pattern[p], names[i]); ok {
				next[p+1] = true
			}
		}
		at = next
	}
	return at[len(pattern)]
}
