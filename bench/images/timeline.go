package main

import (
	"time"

	"github.com/adbsql/antdbctl/engine/event"
)

// course is how the shipping to one node went, read off the program's events.
type course struct {
	phase string // the last one seen

	begun    time.Time // sending began, with all that it takes to set a way up
	held     time.Time // the node had every byte
	loading  time.Time // its engine began to load what the node had; zero where it loads while it receives
	finished time.Time
	status   event.Status
	sent     bool // the program tells sending from loading
}

// nearlyAll: a program that loads as it sends tells its last bytes only after the load.
const nearlyAll = 1 << 20

// courses gives each node's. The phase "send" ends when the progress is complete or the phase "load" begins. A program
// that knows only "load" sends in it.
func (s shipped) courses() map[string]*course {
	all, target := map[string]*course{}, map[string]string{}
	for _, e := range s.events {
		switch body := e.Event.(type) {
		case event.StepStarted:
			target[body.Address] = body.Target
			all[body.Target] = &course{}
		case event.StepPhase:
			all[target[body.Address]].enter(body.Phase, e.Time)
		case event.StepProgress:
			if c := all[target[body.Address]]; body.Unit == "B" && body.Total > 0 {
				c.progress(body.Done, body.Total, e.Time)
			}
		case event.StepFinished:
			if c := all[body.Target]; c != nil { // a step that was skipped has not started
				c.finished, c.status = e.Time, body.Status
				if c.held.IsZero() {
					c.held = e.Time
				}
			}
		}
	}
	return all
}

func (c *course) enter(phase string, at time.Time) {
	c.phase = phase
	c.sent = c.sent || phase == "send"
	if c.begun.IsZero() && (phase == "send" || phase == "load") {
		c.begun = at
	}
	if phase == "load" && c.sent {
		if c.loading.IsZero() {
			c.loading = at
		}
		if c.held.IsZero() {
			c.held = at
		}
	}
}

func (c *course) progress(done, total int64, at time.Time) {
	whole := c.phase == "send" && done >= total || c.phase == "load" && !c.sent && done >= total-nearlyAll
	if whole && c.held.IsZero() {
		c.held = at
	}
}

// span is from the moment when the first node's sending begins to when the last holds all, and to when all is done.
func (s shipped) span() (held, finished time.Duration) {
	var begun, lastHeld, lastFinished time.Time
	for _, c := range s.courses() {
		if c.begun.IsZero() {
			continue
		}
		if begun.IsZero() || c.begun.Before(begun) {
			begun = c.begun
		}
		if c.held.After(lastHeld) {
			lastHeld = c.held
		}
		if c.finished.After(lastFinished) {
			lastFinished = c.finished
		}
	}
	return lastHeld.Sub(begun), lastFinished.Sub(begun)
}

// loads is how long the engines loaded after they had all: the slowest node's time.
func (s shipped) loads() (slowest time.Duration) {
	for _, c := range s.courses() {
		if !c.loading.IsZero() {
			slowest = max(slowest, c.finished.Sub(c.loading))
		}
	}
	return slowest
}

// changed counts the nodes that have the image now.
func (s shipped) changed() (n int) {
	for _, c := range s.courses() {
		if c.status == event.Changed {
			n++
		}
	}
	return n
}
