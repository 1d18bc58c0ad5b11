package sql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// wayColumn is a column of the table for people.
type wayColumn struct {
	head string
	cell func(Way) string
	// always has the column shown even where all ways have the same in it.
	always bool
}

var wayColumns = []wayColumn{
	{"vantage point", func(w Way) string { return w.Vantage }, true},
	{"address", func(w Way) string { return w.Address }, true},
	{"works", worksWord, true},
	{"ms", func(w Way) string { return onlyIf(w.OK, fmt.Sprint(w.MS)) }, true},
	{"user", func(w Way) string { return w.User }, false},
	{"database", func(w Way) string { return w.Database }, false},
	{"server", func(w Way) string { return w.Server + onlyIf(w.Standby, " (standby)") }, true},
	{"system identifier", func(w Way) string { return w.System }, false},
	{"answer", func(w Way) string { return w.Answer }, false},
}

// worksWord shouts where what does not work was required.
func worksWord(w Way) string {
	switch {
	case w.OK:
		return "yes"
	case w.Required:
		return "NO"
	}
	return "no"
}

func onlyIf(yes bool, text string) string {
	if yes {
		return text
	}
	return ""
}

// drawWays is the table for people: one line a way, the reason last, which may
// be long. Columns that tell nothing apart are left out.
func drawWays(ways []Way) string {
	rows := make([][]string, len(ways)+1)
	for _, c := range wayColumns {
		if !c.always && !differs(ways, c.cell) {
			continue
		}
		rows[0] = append(rows[0], c.head)
		for i, w := range ways {
			rows[i+1] = append(rows[i+1], c.cell(w))
		}
	}
	rows[0] = append(rows[0], "why not")
	for i, w := range ways {
		reason := w.Reason
		if i > 0 && reason != "" && reason == ways[i-1].Reason {
			reason = "(the same)"
		}
		rows[i+1] = append(rows[i+1], reason)
	}
	return align(rows)
}

// differs looks at what there is: that some have nothing is no difference.
func differs(ways []Way, cell func(Way) string) bool {
	var seen []string
	for _, w := range ways {
		if text := cell(w); text != "" && !slices.Contains(seen, text) {
			seen = append(seen, text)
		}
	}
	return len(seen) > 1
}

// align puts cells of the same column below each other; wide characters take
// two places.
func align(rows [][]string) string {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], ansi.StringWidth(cell))
		}
	}
	lines := make([]string, len(rows))
	for n, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell + strings.Repeat(" ", widths[i]-ansi.StringWidth(cell)+2))
		}
		lines[n] = strings.TrimRight(b.String(), " ")
	}
	return strings.Join(lines, "\n")
}
