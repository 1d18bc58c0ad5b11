package host

import (
	"strconv"
	"strings"
	"time"
)

// reading is the time a remote clock showed; grain is what its last digit stands for.
type reading struct {
	at    time.Time
	grain time.Duration
}

// parseClock reads "seconds.nanoseconds". A date that knows no %N leaves it
// out or prints it as it is: then the reading is good to a second, and the
// middle of that second is the best guess.
func parseClock(text string) reading {
	sec, frac, _ := strings.Cut(text, ".")
	s, _ := strconv.ParseInt(sec, 10, 64)
	if ns, err := strconv.ParseInt(frac, 10, 64); err == nil && len(frac) == 9 {
		return reading{time.Unix(s, ns), time.Nanosecond}
	}
	return reading{time.Unix(s, int64(time.Second/2)), time.Second}
}

// offset is by how many seconds the remote clock, read first and last between
// our begin and end, is ahead of ours, and how wrong that may be: the readings
// lie anywhere in the part of the round trip that the script did not take.
func offset(begin, end time.Time, first, last reading) (seconds, bound float64) {
	ahead := (first.at.Sub(begin) + last.at.Sub(end)) / 2
	slack := max(0, end.Sub(begin)-last.at.Sub(first.at))/2 + first.grain/2
	return round(ahead.Seconds(), 6), round(slack.Seconds(), 6)
}
