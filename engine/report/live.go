package report

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/charmbracelet/x/ansi"

	"github.com/adbsql/antdbctl/engine/event"
)

// redrawEvery is how often the moving lines are drawn while nothing happens,
// so that their clocks go on.
const redrawEvery = 200 * time.Millisecond

// Live is Text for a terminal: below the lines that stay, one line for every
// step at work shows where each of its hosts is.
type Live struct {
	out  io.Writer
	text *Text
	page bytes.Buffer // what text wrote for the event at hand

	mu    sync.Mutex
	lanes *lanes
	shown int           // moving lines on the screen, the cursor below them
	done  chan struct{} // ends the redrawing; nil while nothing moves
}

// NewLive writes to out, a terminal.
func NewLive(out io.Writer, opts Options) *Live {
	opts.Quiet = true // logs of steps at work stand in their lane; failures quote theirs
	l := &Live{out: out, lanes: newLanes(opts)}
	l.text = NewText(&l.page, opts)
	return l
}

// Emit implements event.Sink.
func (l *Live) Emit(e event.Envelope) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch ev := e.Event.(type) {
	case event.StepStarted:
		l.lanes.add(ev, e.Time)
		l.start()
		return
	case event.StepPhase:
		l.lanes.at(ev.Address, func(h *hostLane) { h.phase, h.meter = visible(ev.Phase), meter{} })
		return
	case event.StepProgress:
		l.lanes.at(ev.Address, func(h *hostLane) { h.report(e.Time, ev) })
		return
	case event.StepLog:
		l.lanes.at(ev.Address, func(h *hostLane) { h.log = visible(ansi.Strip(ev.Line)) })
		return
	case event.StepFinished:
		l.lanes.remove(ev.Address)
	case event.RunFinished:
		l.stop()
	}
	l.text.Emit(e)
	if l.page.Len() > 0 {
		l.draw(l.page.String(), l.done != nil)
		l.page.Reset()
	}
}

// Suspend takes the moving lines away, so that someone can be asked something.
// The next step that starts brings them back.
func (l *Live) Suspend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stop()
}

func (l *Live) start() {
	if l.done != nil {
		return
	}
	done := make(chan struct{})
	l.done = done
	go func() {
		for tick := time.NewTicker(redrawEvery); ; {
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
			}
			l.mu.Lock()
			if l.done == done {
				l.draw("", true)
			}
			l.mu.Unlock()
		}
	}()
}

func (l *Live) stop() {
	if l.done == nil {
		return
	}
	close(l.done)
	l.done = nil
	l.draw("", false)
}

// draw replaces the moving lines by text that stays and, with moving, the
// moving lines as they are now. It is one write, so nothing flickers.
func (l *Live) draw(text string, moving bool) {
	var b strings.Builder
	if l.shown > 0 {
		b.WriteString("\r" + ansi.CursorUp(l.shown) + ansi.EraseScreenBelow)
	}
	b.WriteString(text)
	l.shown = 0
	if moving {
		lines := l.lanes.lines(time.Now())
		for _, line := range lines {
			b.WriteString(line + "\n")
		}
		l.shown = len(lines)
	}
	_, _ = io.WriteString(l.out, b.String()) // a terminal that went away takes its picture with it, nothing else
}
