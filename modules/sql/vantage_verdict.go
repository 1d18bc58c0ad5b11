package sql

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// meets says which ways a word of require means. Of inside and here one is
// enough.
func meets(word string, w *way) bool {
	switch word {
	case inside:
		return w.to == "socket" || w.to == "loopback"
	case here:
		return w.From == here && (w.to == "pod_ip" || w.to == "service")
	case "nodes":
		return w.From != here && w.From != inside
	}
	return w.to == word && (w.From != here || word == "forward" || word == "node_port")
}

func oneIsEnough(word string) bool { return word == inside || word == here }

// require marks what must work.
func (v *Vantage) require(ways []*way) {
	for _, word := range v.demanded() {
		for _, w := range ways {
			if meets(word, w) && !oneIsEnough(word) {
				w.Required = true
			}
		}
	}
}

// unmet lists the ways that do not work and had to, and says it in words.
func unmet(demanded []string, ways []*way) (failed []*way, wanted []string) {
	for _, word := range demanded {
		var bad []*way
		meant := 0
		for _, w := range ways {
			if !meets(word, w) {
				continue
			}
			meant++
			if !w.OK && !slices.Contains(failed, w) {
				bad = append(bad, w)
			}
		}
		switch {
		case meant == 0:
			failed, wanted = append(failed, &way{Way: Way{Reason: "there is no such way in here"}}), append(wanted, word)
		case oneIsEnough(word) && len(bad) > 0 && len(bad) == meant:
			// The last of them is the one that ordinary users come by.
			failed, wanted = append(failed, bad[len(bad)-1]), append(wanted, word)
		case !oneIsEnough(word):
			for _, w := range bad {
				failed, wanted = append(failed, w), append(wanted, w.Vantage)
			}
		}
	}
	return failed, wanted
}

// mixedUp finds ways that lead to different databases, or to two primaries.
func mixedUp(ways []*way) error {
	var first, primary *way
	for _, w := range ways {
		if !w.OK {
			continue
		}
		if first == nil {
			first = w
		}
		if w.System != first.System {
			return fmt.Errorf("two different databases: %s leads to pod %s (system identifier %s), %s to pod %s (system identifier %s)",
				first.Vantage, first.Server, first.System, w.Vantage, w.Server, w.System)
		}
		if w.Standby {
			continue
		}
		if primary == nil {
			primary = w
		}
		if w.Server != primary.Server {
			return errors.New("two primaries: " + primary.Vantage + " leads to pod " + primary.Server + ", " + w.Vantage + " to pod " + w.Server + ", and neither is a standby")
		}
	}
	return nil
}

// drawWays is the table for people: one line a way, the reason last, which may
// be long.
func drawWays(ways []Way) string {
	head := []string{"vantage point", "address", "works", "ms", "user", "database", "server"}
	asked := slices.ContainsFunc(ways, func(w Way) bool { return w.Answer != "" })
	if asked {
		head = append(head, "answer")
	}
	rows := [][]string{append(head, "why not")}
	for _, w := range ways {
		works, ms, server := "yes", fmt.Sprint(w.MS), w.Server
		if !w.OK {
			works, ms = "no", ""
		}
		if w.Required && !w.OK {
			works = "NO"
		}
		if w.Standby {
			server += " (standby)"
		}
		row := []string{w.Vantage, w.Address, works, ms, w.User, w.Database, server}
		if asked {
			row = append(row, w.Answer)
		}
		rows = append(rows, append(row, w.Reason))
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			widths[i] = max(widths[i], ansi.StringWidth(cell))
		}
	}
	var lines []string
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell)
			if i < len(row)-1 {
				b.WriteString(strings.Repeat(" ", widths[i]-ansi.StringWidth(cell)+2))
			}
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return strings.Join(lines, "\n")
}
