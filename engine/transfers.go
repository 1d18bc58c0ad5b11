package engine

import (
	"strings"
	"sync"
	"time"

	"github.com/adbsql/antdbctl/engine/event"
)

// aboutToBegin is how many bytes a call may have moved before its first report
// without counting as one that goes on from where it was interrupted.
const aboutToBegin = 4 << 20

// transfers keeps how many bytes an instance moved, by the verbs of its phases:
// "send layer 1" and "send layer 2" are one transfer.
type transfers struct {
	clock func() time.Time

	mu    sync.Mutex
	verb  string
	began time.Time // of the phase, or of the first report where there is none
	last  int64     // bytes at the last report
	fresh bool      // nothing was reported in this phase
	all   []event.Transfer
}

// phase ends the phase before; what came after its last byte, such as bringing
// it to the disk, is part of it.
func (t *transfers) phase(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if n := len(t.all) - 1; n >= 0 && !t.fresh {
		t.all[n].Seconds += t.clock().Sub(t.began).Seconds()
	}
	t.verb, _, _ = strings.Cut(name, " ")
	t.began, t.fresh = t.clock(), true
}

// progress takes a report of a module, as of module.Env.Progress.
func (t *transfers) progress(done int64, unit string) {
	if unit != "B" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.clock()
	if t.began.IsZero() {
		t.began, t.fresh = now, true
	}
	if t.fresh || done < t.last { // else it is the same call that goes on
		t.last = 0
		if done > aboutToBegin {
			t.last = done
		}
	}
	t.fresh = false
	n := len(t.all) - 1
	if n < 0 || t.all[n].Verb != t.verb {
		t.all, n = append(t.all, event.Transfer{Verb: t.verb}), n+1
	}
	t.all[n].Bytes += done - t.last
	t.all[n].Seconds += now.Sub(t.began).Seconds()
	t.last, t.began = done, now
}

func (t *transfers) list() []event.Transfer {
	t.mu.Lock()
	defer t.mu.Unlock()
	var moved []event.Transfer
	for _, one := range t.all {
		if one.Bytes > 0 {
			moved = append(moved, one)
		}
	}
	return moved
}
