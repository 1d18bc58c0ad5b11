package report

import (
	"bytes"
	"context"
	"io"
	"strings"
	"sync"

	tea "charm.land/bubbletea/v2"

	"github.com/adbsql/antdbctl/engine/event"
)

// Live is Text for a terminal: below the lines that stay, one line for every
// step at work shows where each of its hosts is.
type Live struct {
	out  io.Writer
	text *Text
	page bytes.Buffer // what text wrote for the event at hand

	mu      sync.Mutex
	program *tea.Program // nil while nothing is at work
	ended   chan struct{}
	lanes   *lanes
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
		l.start()
		l.program.Send(ev)
		return
	case event.StepPhase, event.StepProgress, event.StepLog:
		if l.program != nil {
			l.program.Send(ev)
		}
		return
	case event.RunFinished:
		l.stop()
	}
	l.text.Emit(e)
	l.flush()
	if f, ok := e.Event.(event.StepFinished); ok && l.program != nil {
		l.program.Send(f)
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
	if l.program != nil {
		return
	}
	// The terminal's input is not ours: interrupts and answers go to the program.
	l.lanes.hidden = false
	l.program = tea.NewProgram(l.lanes, tea.WithOutput(l.out), tea.WithInput(nil), tea.WithoutSignalHandler(), tea.WithContext(context.Background()))
	program, ended := l.program, make(chan struct{})
	l.ended = ended
	go func() {
		defer close(ended)
		_, _ = program.Run() // a terminal that went away takes the moving lines with it, nothing else
	}()
}

func (l *Live) stop() {
	if l.program == nil {
		return
	}
	l.program.Send(hide{})
	l.program.Quit()
	<-l.ended
	l.program = nil
}

// flush puts what text wrote above the moving lines.
func (l *Live) flush() {
	text := l.page.String()
	l.page.Reset()
	switch {
	case text == "":
	case l.program != nil:
		l.program.Println(strings.TrimSuffix(text, "\n"))
	default:
		_, _ = io.WriteString(l.out, text)
	}
}
