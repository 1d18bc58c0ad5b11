package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/adbsql/antdbctl/engine/event"
)

// lanes are the instances at work, by step: what the moving lines show.
type lanes struct {
	style
	width int
	steps []*stepLane // in the order in which they began
}

type stepLane struct {
	step, module string
	began        time.Time
	hosts        []*hostLane
	ended        int // hosts
	moved        sum // by them
}

type hostLane struct {
	address, name string // name is the instance's key, or its target's name
	phase, log    string
	meter
}

func newLanes(opts Options) *lanes {
	return &lanes{style: style{opts.Color}, width: max(opts.Width, 60)}
}

// add begins an instance.
func (l *lanes) add(ev event.StepStarted, now time.Time) {
	host := &hostLane{address: ev.Address, name: ev.Target}
	if _, key, keyed := strings.Cut(ev.Address, "["); keyed {
		host.name = strings.Trim(key, `"]`)
	}
	for _, s := range l.steps {
		if s.step == ev.Step {
			s.hosts = append(s.hosts, host)
			return
		}
	}
	l.steps = append(l.steps, &stepLane{step: ev.Step, module: ev.Module, began: now, hosts: []*hostLane{host}})
}

// at changes the lane of an instance at work.
func (l *lanes) at(address string, change func(*hostLane)) {
	for _, s := range l.steps {
		for _, h := range s.hosts {
			if h.address == address {
				change(h)
			}
		}
	}
}

// remove ends an instance.
func (l *lanes) remove(address string) {
	for _, s := range l.steps {
		s.hosts = slices.DeleteFunc(s.hosts, func(h *hostLane) bool {
			if h.address == address {
				s.ended++
				s.moved.end(&h.meter)
			}
			return h.address == address
		})
	}
	l.steps = slices.DeleteFunc(l.steps, func(s *stepLane) bool { return len(s.hosts) == 0 })
}

// mostRows is how many moving lines there are at most: they fit every terminal.
const mostRows = 20

// lines are the moving lines, none wider than the terminal. Steps that began
// just now are left out: most are over before one could read them.
func (l *lanes) lines(now time.Time) []string {
	var out []string
	for n, s := range l.steps {
		age := now.Sub(s.began)
		if age < redrawEvery {
			continue
		}
		if len(out) == mostRows-1 && n < len(l.steps)-1 {
			return append(out, fmt.Sprintf("  … and %s more", plural(len(l.steps)-n, "step")))
		}
		head := fmt.Sprintf("  ▸ %-18s %8s  %-14s ", s.step, age.Truncate(time.Second), s.module)
		room := l.width - ansi.StringWidth(head) - 1
		if s.shipping() {
			out = append(out, l.warn(head)+ansi.Truncate(s.whole(now), room, "…"))
			out = append(out, s.bars(l.width-1, mostRows-len(out)-(len(l.steps)-1-n), now)...)
			continue
		}
		out = append(out, l.warn(head)+s.body(room, now))
	}
	return out
}

// shipping reports whether the step moves bytes: then each host has a line of
// its own.
func (s *stepLane) shipping() bool {
	return slices.ContainsFunc(s.hosts, func(h *hostLane) bool { return h.unit == "B" && h.total > 0 })
}

// whole is how all hosts of a step come on.
func (s *stepLane) whole(now time.Time) string {
	if len(s.hosts)+s.ended == 1 {
		return "" // its only host says it
	}
	all := s.moved
	for _, h := range s.hosts {
		all.add(&h.meter, now)
	}
	parts := []string{fmt.Sprintf("%d of %s done", s.ended, plural(s.ended+len(s.hosts), "host")), fraction(all.done, all.total, "B")}
	if p := pace(all.speed, all.total-all.done); p != "" {
		parts = append(parts, p)
	}
	return strings.Join(parts, " · ")
}

// bars are a line for each host at work.
func (s *stepLane) bars(width, rows int, now time.Time) []string {
	shown := s.hosts
	if len(shown) > rows {
		shown = shown[:max(rows-1, 0)]
	}
	out := columns(shown, true, now)
	if slices.ContainsFunc(out, func(line string) bool { return ansi.StringWidth(line) > width }) {
		out = columns(shown, false, now)
	}
	for n := range out {
		out[n] = ansi.Truncate(out[n], width, "…")
	}
	if n := len(s.hosts) - len(shown); n > 0 {
		out = append(out, fmt.Sprintf("      … and %s more", plural(n, "host")))
	}
	return out
}

// columns are the lines of hosts, with the bytes or without.
func columns(hosts []*hostLane, exact bool, now time.Time) []string {
	name, phase, bytes := 0, 0, 0
	for _, h := range hosts {
		name, phase = max(name, ansi.StringWidth(h.name)), max(phase, ansi.StringWidth(h.phase))
		if exact {
			bytes = max(bytes, len(fraction(h.done, h.total, h.unit))+2)
		}
	}
	var out []string
	for _, h := range hosts {
		line := fmt.Sprintf("      %-*s  %-*s", name, h.name, phase, h.phase)
		switch {
		case h.unit == "B" && h.total > 0 && exact:
			line += fmt.Sprintf("  %s %4s  %-*s%s", bar(h.done, h.total), percent(h.done, h.total), bytes, fraction(h.done, h.total, "B"), h.pace(now))
		case h.unit == "B" && h.total > 0:
			line += fmt.Sprintf("  %s %4s  %s", bar(h.done, h.total), percent(h.done, h.total), h.pace(now))
		case h.done > 0:
			line += "  " + amount(h.done, h.unit)
		}
		out = append(out, strings.TrimRight(line, " "))
	}
	return out
}

// body shows as many hosts as fit, the rest as a number.
func (s *stepLane) body(room int, now time.Time) string {
	var shown []string
	for n, h := range s.hosts {
		text := h.text(len(s.hosts) == 1, now)
		if n > 0 && ansi.StringWidth(strings.Join(append(shown, text), "  ")) > room-4 {
			return strings.Join(shown, "  ") + fmt.Sprintf("  +%d", len(s.hosts)-n)
		}
		shown = append(shown, text)
	}
	return ansi.Truncate(strings.Join(shown, "  "), room, "…")
}

func (h *hostLane) text(alone bool, now time.Time) string {
	parts := []string{h.name}
	if h.phase != "" {
		parts = append(parts, h.phase)
	}
	switch {
	case h.total > 0:
		parts = append(parts, bar(h.done, h.total), percent(h.done, h.total))
		if alone {
			parts = append(parts, fraction(h.done, h.total, h.unit))
			if p := h.pace(now); p != "" {
				parts = append(parts, "· "+p)
			}
		}
	case h.done > 0:
		parts = append(parts, amount(h.done, h.unit))
	case alone && h.log != "":
		parts = append(parts, "│ "+h.log)
	}
	return strings.Join(parts, " ")
}

const barWidth = 10

func bar(done, total int64) string {
	full := int(min(done, total) * barWidth / total)
	return strings.Repeat("█", full) + strings.Repeat("░", barWidth-full)
}
