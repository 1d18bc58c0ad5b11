package corpus

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// What is wanted.
const (
	WantFirst   = 0.95
	WantHealthy = 0 // false alarms
)

// Summary is the outcome of all cases.
type Summary struct {
	Faults, First, Third int
	Healthy, FalseAlarms int // sites, and findings on them
	Live                 int // cases that were recorded of a real site that was broken
	Beside               int // causes that were named beside the right ones
	Took, Slowest        time.Duration
	SlowestCase          string
	Bytes                int64 // of logs
	Wrong                []Result
}

// Sum counts results.
func Sum(results []Result) Summary {
	var s Summary
	for _, r := range results {
		s.Took += r.Took
		s.Bytes += r.Verdict.Bytes
		if r.Took > s.Slowest {
			s.Slowest, s.SlowestCase = r.Took, r.Name
		}
		if strings.HasPrefix(r.Name, "live-") {
			s.Live++
		}
		if r.Healthy() {
			s.Healthy++
			s.FalseAlarms += len(r.FalseAlarms())
			if len(r.FalseAlarms()) > 0 {
				s.Wrong = append(s.Wrong, r)
			}
			continue
		}
		s.Faults++
		s.Beside += len(r.Beside())
		if r.Third() {
			s.Third++
		}
		if r.First() {
			s.First++
		} else {
			s.Wrong = append(s.Wrong, r)
		}
	}
	return s
}

// Rate is the share of faults whose cause came first.
func (s Summary) Rate() float64 {
	if s.Faults == 0 {
		return 0
	}
	return float64(s.First) / float64(s.Faults)
}

// Good says whether what is wanted was reached.
func (s Summary) Good() bool { return s.Rate() >= WantFirst && s.FalseAlarms <= WantHealthy }

// Print writes the table.
func (s Summary) Print(w io.Writer) {
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(what, wanted, format string, args ...any) {
		fmt.Fprintf(out, "%s\t%s\t%s\n", what, wanted, fmt.Sprintf(format, args...))
	}
	row("what", "wanted", "seen")
	row("cases with a fault", ">= 60", "%d, %d of them recorded live", s.Faults, s.Live)
	row("healthy or noisy sites", ">= 20", "%d", s.Healthy)
	row("right cause first", ">= 95 %", "%d = %.1f %%", s.First, 100*s.Rate())
	row("in the first three", "", "%d", s.Third)
	row("false alarms", "0", "%d", s.FalseAlarms)
	row("other causes beside the right one", "", "%d", s.Beside)
	row("time", "", "%s for %d MB of logs; at most %s (%s)", s.Took.Round(time.Millisecond), s.Bytes/1e6, s.Slowest.Round(time.Millisecond), s.SlowestCase)
	_ = out.Flush() // of a terminal
	for _, r := range s.Wrong {
		fmt.Fprintf(w, "WRONG %s\n", r)
	}
}
