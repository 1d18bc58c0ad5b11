// Package progress prints what the lab is doing: one line for each finished task, and a sign of life
// for every task that takes longer than two seconds.
package progress

import (
	"context"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	firstSign = 2 * time.Second
	nextSigns = 15 * time.Second
)

// Printer is safe for concurrent use.
type Printer struct {
	mu    sync.Mutex
	out   io.Writer
	start time.Time
}

func New(out io.Writer) *Printer { return &Printer{out: out, start: time.Now()} }

// Say prints one line with the time since the start.
func (p *Printer) Say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := int(time.Since(p.start).Seconds())
	fmt.Fprintf(p.out, "%02d:%02d  %s\n", since/60, since%60, fmt.Sprintf(format, args...))
}

// Elapsed is the time since the printer was made.
func (p *Printer) Elapsed() time.Duration { return time.Since(p.start) }

// Do runs work and reports it as what. The error comes back with what in front of it.
func (p *Printer) Do(ctx context.Context, what string, work func(context.Context) error) error {
	begin := time.Now()
	finished := make(chan struct{})
	var watcher sync.WaitGroup
	watcher.Add(1)
	go func() {
		defer watcher.Done()
		p.watch(what, begin, finished)
	}()
	err := work(ctx)
	close(finished)
	watcher.Wait()
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	p.Say("✓ %s (%s)", what, round(time.Since(begin)))
	return nil
}

func (p *Printer) watch(what string, begin time.Time, finished <-chan struct{}) {
	timer := time.NewTimer(firstSign)
	defer timer.Stop()
	for {
		select {
		case <-finished:
			return
		case <-timer.C:
			if spent := time.Since(begin); spent < nextSigns {
				p.Say("… %s", what)
			} else {
				p.Say("… %s, still at it after %s", what, round(spent))
			}
			timer.Reset(nextSigns)
		}
	}
}

func round(d time.Duration) time.Duration {
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond)
	}
	return d.Round(time.Second)
}
