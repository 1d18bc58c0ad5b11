package engine

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

// gate is a recorder that can be closed: what comes later, from a collector
// that does not end in time, is not taken any more.
type gate struct {
	to evidence.Recorder
	*prior
	ctx  context.Context // ends when the gate is closed
	shut context.CancelFunc

	mu   sync.RWMutex // held for writing by close alone
	busy sync.WaitGroup
}

var errShut = errors.New("the time for looking is over")

func newGate(to evidence.Recorder) *gate {
	ctx, cancel := context.WithCancel(context.Background())
	return &gate{to: to, prior: &prior{known: make(chan struct{})}, ctx: ctx, shut: cancel}
}

// close ends the taking. Logs under way end where they are.
func (g *gate) close() {
	g.mu.Lock()
	g.shut()
	g.mu.Unlock()
	g.busy.Wait()
}

// Fact implements evidence.Recorder.
func (g *gate) Fact(name string, place evidence.Place, data any) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.ctx.Err() == nil {
		g.prior.fact(place, data)
		g.to.Fact(name, place, data)
	}
}

// Gap implements evidence.Recorder.
func (g *gate) Gap(what string, place evidence.Place, err error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.ctx.Err() == nil {
		g.to.Gap(what, place, err)
	}
}

// Log implements evidence.Recorder. The text is read apart, so that a reader
// that hangs keeps nobody from closing the gate.
func (g *gate) Log(log evidence.Log, text io.Reader) error {
	g.mu.RLock()
	if g.ctx.Err() != nil {
		g.mu.RUnlock()
		return errShut
	}
	g.busy.Add(1)
	g.mu.RUnlock()
	if log.Kind == evidence.ContainerLog {
		g.prior.done()
	}
	defer g.busy.Done()
	l := &lent{text: text, over: make(chan struct{})}
	stop := context.AfterFunc(g.ctx, l.end)
	defer stop()
	err := g.to.Log(log, l)
	l.end()
	select {
	case <-l.over:
	case <-g.ctx.Done():
	}
	if g.ctx.Err() != nil {
		return errors.Join(err, errShut)
	}
	return err
}

// lent is a text that can be ended while somebody waits for more of it. Nothing
// is read before the first Read.
type lent struct {
	text io.Reader
	over chan struct{} // closed when text is not read any more

	mu    sync.Mutex
	to    *io.PipeWriter
	from  *io.PipeReader
	ended bool
}

func (l *lent) Read(p []byte) (int, error) {
	l.mu.Lock()
	if l.from == nil && !l.ended {
		l.from, l.to = io.Pipe()
		go func() {
			defer close(l.over)
			_, err := io.Copy(l.to, l.text)
			l.to.CloseWithError(err)
		}()
	}
	from := l.from
	l.mu.Unlock()
	if from == nil {
		return 0, io.EOF
	}
	return from.Read(p)
}

// end makes the text end here. It may be called more than once.
func (l *lent) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.to != nil:
		l.to.Close()
	case !l.ended:
		close(l.over)
	}
	l.ended = true
}
