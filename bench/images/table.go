package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// table is what was wanted and what was seen.
type table struct{ rows []row }

type row struct {
	part, what, wanted, seen string
	ok                       bool
}

func (t *table) add(part, what, wanted, seen string, ok bool) {
	t.rows = append(t.rows, row{part, what, wanted, seen, ok})
	fmt.Printf("  %s: %s\n", what, seen)
}

// note adds a row that nothing is wanted of.
func (t *table) note(part, what, seen string) { t.add(part, what, "", seen, true) }

// atMost adds a row whose number has an upper bound.
func (t *table) atMost(part, what string, seen, limit float64, format string) {
	t.add(part, what, "<= "+fmt.Sprintf(format, limit), fmt.Sprintf(format, seen), seen <= limit)
}

// print writes the table and reports whether something was missed.
func (t *table) print(w io.Writer) (missed bool) {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(out, "\npart\twhat\twanted\tseen\t\n")
	for _, r := range t.rows {
		verdict := "ok"
		switch {
		case !r.ok:
			verdict, missed = "MISSED", true
		case r.wanted == "":
			verdict = ""
		}
		fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\n", r.part, r.what, r.wanted, r.seen, verdict)
	}
	out.Flush()
	return missed
}
