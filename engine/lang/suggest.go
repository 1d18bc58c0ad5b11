package lang

import (
	"fmt"
	"strings"
)

// DidYouMean is " Did you mean …?" when one of names is close to given, else "".
func DidYouMean(given string, names []string) string { return didYouMean(given, names) }

// didYouMean is " Did you mean …?" when one of names is close to given, else "".
// Of several equally close names the first one counts.
func didYouMean(given string, names []string) string {
	if best := nearest(given, names); best != "" {
		return fmt.Sprintf(" Did you mean %q?", best)
	}
	return ""
}

func nearest(given string, names []string) string {
	best, least := "", 1+max(1, min(3, len(given)/3))
	for _, n := range names {
		if d := distance(given, n); d < least {
			best, least = n, d
		}
	}
	return best
}

// mostListed bounds the names that a message lists.
const mostListed = 8

// has lists names: `It has "a", "b".`
func has(names []string) string {
	if len(names) == 0 {
		return "It is empty."
	}
	quoted := make([]string, 0, mostListed)
	for _, n := range names[:min(len(names), mostListed)] {
		quoted = append(quoted, quote(n))
	}
	text := "It has " + strings.Join(quoted, ", ")
	if more := len(names) - len(quoted); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text + "."
}

// distance counts the letters to insert, delete, replace or swap with their
// neighbour to get from a to b.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	var older, old []int
	row := make([]int, len(t)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(s); i++ {
		older, old, row = old, row, make([]int, len(t)+1)
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(old[j]+1, row[j-1]+1, old[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], older[j-2]+1)
			}
		}
	}
	return row[len(t)]
}
