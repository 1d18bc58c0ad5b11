package writer

import (
	"slices"
	"time"
)

// Gap is a time in which nothing was acknowledged.
type Gap struct{ From, To time.Time }

// Length is how long it was.
func (g Gap) Length() time.Duration { return g.To.Sub(g.From) }

// Gaps are the gaps that end after a moment and are longer than least, in the
// order of time. Each is from the last acknowledgement before to the first
// after.
func (l Log) Gaps(after time.Time, least time.Duration) []Gap {
	var gaps []Gap
	for i := 1; i < len(l.Acks); i++ {
		g := Gap{l.Acks[i-1].At, l.Acks[i].At}
		if g.To.After(after) && g.Length() > least {
			gaps = append(gaps, g)
		}
	}
	return gaps
}

// Longest is the longest of gaps; zero when there is none.
func Longest(gaps []Gap) Gap {
	if len(gaps) == 0 {
		return Gap{}
	}
	return slices.MaxFunc(gaps, func(a, b Gap) int { return int(a.Length() - b.Length()) })
}

// Last is when the last write was acknowledged; zero when none was.
func (l Log) Last() time.Time {
	if len(l.Acks) == 0 {
		return time.Time{}
	}
	return l.Acks[len(l.Acks)-1].At
}

// Lost are the acknowledged numbers that are not among the rows found.
func (l Log) Lost(found []int64) []int64 {
	there := make(map[int64]bool, len(found))
	for _, n := range found {
		there[n] = true
	}
	var lost []int64
	for _, a := range l.Acks {
		if !there[a.Number] {
			lost = append(lost, a.Number)
		}
	}
	return lost
}

// Surfaced are the numbers that were not answered and are there all the same.
func (l Log) Surfaced(found []int64) int {
	n := 0
	for _, number := range l.Unsure {
		if slices.Contains(found, number) {
			n++
		}
	}
	return n
}
