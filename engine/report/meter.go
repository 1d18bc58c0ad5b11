package report

import (
	"fmt"
	"math"
	"time"

	"github.com/adbsql/antdbctl/engine/event"
)

const (
	smoothing = 4 * time.Second  // how much of the past a speed remembers
	stalledAt = 10 * time.Second // without a report, nothing moves any more
)

// meter measures how a long call of one instance comes on.
type meter struct {
	done, total int64
	unit        string

	first   time.Time // report; what an earlier call moved is no speed
	last    time.Time // report that counts for the speed
	counted int64     // done at last
	rate    float64   // smoothed, a second
}

func (m *meter) report(now time.Time, p event.StepProgress) {
	p.Done = max(p.Done, 0)
	if m.first.IsZero() || p.Done < m.done || p.Unit != m.unit {
		*m = meter{done: p.Done, total: p.Total, unit: p.Unit, counted: p.Done, first: now, last: now}
		return
	}
	m.done, m.total = p.Done, p.Total
	passed := now.Sub(m.last).Seconds()
	if passed < 0.05 { // too little to tell a speed by
		return
	}
	speed := float64(m.done-m.counted) / passed
	// at first the average, later what the last seconds say
	weight := max(passed/now.Sub(m.first).Seconds(), 1-math.Exp(-passed/smoothing.Seconds()))
	m.rate += weight * (speed - m.rate)
	m.counted, m.last = m.done, now
}

// speed is bytes a second. It sinks while no reports come.
func (m *meter) speed(now time.Time) float64 {
	silent := now.Sub(m.last) - time.Second
	if silent <= 0 {
		return m.rate
	}
	return m.rate * math.Exp(-silent.Seconds()/smoothing.Seconds())
}

func (m *meter) moving() bool { return m.unit == "B" && m.total > 0 && m.done < m.total }

// pace is "11.8 MiB/s · 6s left", as far as it is known; it is empty for what
// does not count bytes.
func (m *meter) pace(now time.Time) string {
	if !m.moving() {
		return ""
	}
	if silent := now.Sub(m.last); silent > stalledAt {
		return "stalled for " + silent.Truncate(time.Second).String()
	}
	return pace(m.speed(now), m.total-m.done)
}

func pace(speed float64, left int64) string {
	if speed < 1 {
		return ""
	}
	text := size(int64(speed)) + "/s"
	return text + " · " + span(left, speed) + " left"
}

// span is how long what is left takes, as exactly as one can know.
func span(left int64, speed float64) string {
	wait := time.Duration(float64(left) / speed * float64(time.Second))
	switch {
	case wait > 48*time.Hour:
		return "days"
	case wait > time.Hour:
		return fmt.Sprintf("%dh%02dm", int(wait.Hours()), int(wait.Minutes())%60)
	}
	return max(wait.Round(time.Second), time.Second).String()
}

// sum is the meters of one step together.
type sum struct {
	done, total int64
	speed       float64
	hosts       int
}

func (s *sum) add(m *meter, now time.Time) {
	if m.unit != "B" || m.total <= 0 {
		return
	}
	s.hosts, s.done, s.total = s.hosts+1, s.done+m.done, s.total+m.total
	if m.moving() {
		s.speed += m.speed(now)
	}
}

// end adds one that moves no more: what it lacks will not come.
func (s *sum) end(m *meter) {
	if m.unit == "B" && m.total > 0 {
		s.hosts, s.done, s.total = s.hosts+1, s.done+m.done, s.total+m.done
	}
}

func percent(done, total int64) string { return fmt.Sprintf("%d%%", min(done, total)*100/total) }
