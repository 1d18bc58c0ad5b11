package sql

import (
	"errors"
	"fmt"
	"slices"
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
