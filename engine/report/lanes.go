package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/adbsql/antdbctl/engine/event"
)

// lanes is the model of the moving lines: the instances at work, by step.
type lanes struct {
	style
	width  int
	hidden bool
	steps  []*stepLane // in the order in which they began
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

type (
	tick struct{}
	hide struct{} // show nothing any more: the program ends
)

func ticking() tea.Cmd {
	return tea.Tick(time.Second/4, func(time.Time) tea.Msg { return tick{} })
}

// Init implements tea.Model.
func (l *lanes) Init() tea.Cmd { return ticking() }

// Update implements tea.Model.
func (l *lanes) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch ev := msg.(type) {
	case tick:
		return l, ticking()
	case hide:
		l.hidden = true
	case tea.WindowSizeMsg:
		l.width = max(ev.Width, 60)
	case event.StepStarted:
		l.add(ev)
	case event.StepPhase:
		if h := l.find(ev.Address); h != nil {
			h.phase = ev.Phase
		}
	case event.StepLog:
		if h := l.find(ev.Address); h != nil {
			h.log = ev.Line
		}
	case event.StepProgress:
		if h := l.find(ev.Address); h != nil {
			h.done, h.total, h.unit = ev.Done, ev.Total, ev.Unit
		}
	case event.StepFinished:
		l.remove(ev.Address)
	}
	return l, nil
}

func (l *lanes) add(ev event.StepStarted) {
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
	l.steps = append(l.steps, &stepLane{step: ev.Step, module: ev.Module, began: time.Now(), hosts: []*hostLane{host}})
}

func (l *lanes) find(address string) *hostLane {
	for _, s := range l.steps {
		for _, h := range s.hosts {
			if h.address == address {
				return h
			}
		}
	}
	return nil
}

func (l *lanes) remove(address string) {
	for _, s := range l.steps {
		s.hosts = slices.DeleteFunc(s.hosts, func(h *hostLane) bool { return h.address == address })
	}
	l.steps = slices.DeleteFunc(l.steps, func(s *stepLane) bool { return len(s.hosts) == 0 })
}

// View implements tea.Model.
func (l *lanes) View() tea.View {
	if l.hidden {
		return tea.NewView("")
	}
	var b strings.Builder
	for _, s := range l.steps {
		head := fmt.Sprintf("▸ %-10s  %-14s  %5s  ", s.step, s.module, time.Since(s.began).Truncate(time.Second))
		room := l.width - len([]rune(head)) - 4
		fmt.Fprintf(&b, "  %s%s\n", l.warn(head), s.body(room))
	}
	return tea.NewView(b.String())
}

// body shows as many hosts as fit, the rest as a number.
func (s *stepLane) body(room int) string {
	var shown []string
	for n, h := range s.hosts {
		text := h.String(len(s.hosts) == 1)
		if n > 0 && len([]rune(strings.Join(append(shown, text), "  "))) > room-4 {
			return strings.Join(shown, "  ") + fmt.Sprintf("  +%d", len(s.hosts)-n)
		}
		shown = append(shown, text)
	}
	return clip(strings.Join(shown, "  "), room)
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

func clip(s string, room int) string {
	r := []rune(s)
	if len(r) <= room {
		return s
	}
	return string(r[:max(room-1, 0)]) + "…"
}
