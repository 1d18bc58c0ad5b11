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
}

type hostLane struct {
	address, name string // name is the instance's key, or its target's name
	phase, log    string
	done, total   int64
	unit          string
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
		s.hosts = slices.DeleteFunc(s.hosts, func(h *hostLane) bool { return h.address == address })
	}
	l.steps = slices.DeleteFunc(l.steps, func(s *stepLane) bool { return len(s.hosts) == 0 })
}

// lines are the moving lines, none wider than the terminal. Steps that began
// just now are left out: most are over before one could read them.
func (l *lanes) lines(now time.Time) []string {
	var out []string
	for _, s := range l.steps {
		age := now.Sub(s.began)
		if age < redrawEvery {
			continue
		}
		head := fmt.Sprintf("  ▸ %-18s %8s  %-14s ", s.step, age.Truncate(time.Second), s.module)
		room := l.width - ansi.StringWidth(head) - 1
		out = append(out, l.warn(head)+s.body(room))
	}
	return out
}

// body shows as many hosts as fit, the rest as a number.
func (s *stepLane) body(room int) string {
	var shown []string
	for n, h := range s.hosts {
		text := h.String(len(s.hosts) == 1)
		if n > 0 && ansi.StringWidth(strings.Join(append(shown, text), "  ")) > room-4 {
			return strings.Join(shown, "  ") + fmt.Sprintf("  +%d", len(s.hosts)-n)
		}
		shown = append(shown, text)
	}
	return ansi.Truncate(strings.Join(shown, "  "), room, "…")
}

func (h *hostLane) String(alone bool) string {
	parts := []string{h.name}
	if h.phase != "" {
		parts = append(parts, h.phase)
	}
	switch {
	case h.total > 0:
		parts = append(parts, bar(h.done, h.total), fmt.Sprintf("%d%%", h.done*100/h.total))
		if alone {
			parts = append(parts, fraction(h.done, h.total, h.unit))
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
