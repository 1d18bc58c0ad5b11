package engine

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/adbsql/antdbctl/engine/diagnosis"
	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
	"github.com/adbsql/antdbctl/engine/event"
	"github.com/adbsql/antdbctl/engine/lang"
)

const (
	defaultPatience = time.Minute
	lookPause       = 3 * time.Second // between two looks whether a finding is gone
)

// keyOf is the same for fixes that do the same.
func keyOf(f *diagnosis.Fix) string {
	text, err := json.Marshal(f)
	if err != nil {
		return f.Runbook // its variables came out of JSON, so they go into it
	}
	return string(text)
}

// prove looks until the finding is gone, or for as long as patience has. When it
// is left only where another fix than those tried is due, the outcome has that.
func prove(ctx context.Context, cfg Config, book *lang.Runbook, c cure, patience time.Duration, tried map[string]bool) (Outcome, error) {
	r, err := open(ctx, cfg, book, "diagnose")
	if r == nil {
		return Outcome{Failed: true}, err
	}
	gone := false
	r.fixed = true
	if err == nil {
		gone, err = r.prove(ctx, c, patience, tried)
	}
	out, err := r.finish(ctx, "diagnose", err)
	out.found = r.found
	out.found.known = r.known
	out.Failed = out.Failed || !gone && r.found.next == nil
	return out, err
}

func (r *run) prove(ctx context.Context, c cure, patience time.Duration, tried map[string]bool) (gone bool, err error) {
	if patience <= 0 {
		patience = defaultPatience
	}
	timed, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	done := event.FixFinished{Finding: c.finding, Title: c.title, Remedy: c.remedy, Language: r.Diagnosis.Language}
	for {
		still, fix, err := r.holds(ctx, c)
		if err != nil || r.stopped(ctx) {
			return false, err
		}
		if still && fix != nil && !tried[keyOf(fix)] {
			r.found.next = fix
			return false, nil
		}
		if done.Gone = !still; done.Gone || !r.pause(timed) {
			break
		}
	}
	if v := r.found.verdict; v != nil && c.playbook == "" {
		r.bus.Emit(*v)
		done.Blind = len(v.Gaps) > c.gaps
		done.Hearsay = c.hearsay
	}
	if !r.stopped(ctx) {
		r.bus.Emit(done)
	}
	return done.Gone, nil
}

// pause waits before the next look; false when there is none.
func (r *run) pause(timed context.Context) bool {
	select {
	case <-time.After(lookPause):
		return true
	case <-r.Stop:
	case <-timed.Done():
	}
	return false
}

// holds looks whether a finding is still there, and with which fix.
func (r *run) holds(ctx context.Context, c cure) (bool, *diagnosis.Fix, error) {
	if c.playbook != "" {
		return r.playbookHolds(ctx, c)
	}
	targets, err := r.everywhere()
	if err != nil {
		return false, nil, err
	}
	v, err := r.investigate(ctx, targets, nil)
	if err == nil && v == nil && !r.stopped(ctx) {
		err = errors.New("nothing was diagnosed")
	}
	if err != nil || v == nil {
		return false, nil, err
	}
	r.found.verdict = v
	if f := remaining(append(slices.Clone(v.Causes), v.Warnings...), c); f != nil {
		return true, f.Fix, nil
	}
	return false, nil, nil
}

func (r *run) playbookHolds(ctx context.Context, c cure) (bool, *diagnosis.Fix, error) {
	r.found.playbooks = nil
	n := slices.IndexFunc(r.book.Playbooks, func(p *lang.Playbook) bool { return p.Name == c.playbook })
	p := r.book.Playbooks[n]
	if err := r.walk(ctx, r.neededBy([]*lang.Playbook{p}), false, r.glance); err != nil {
		return false, nil, err
	}
	r.play(ctx, p)
	r.table = newTable(r.book)
	for _, f := range r.found.playbooks {
		if f.Title == c.finding {
			return true, f.Fix, nil
		}
	}
	return false, nil, nil
}

// remaining looks for the finding of c, at a place that is one of its own.
func remaining(list []diagnosis.Finding, c cure) *diagnosis.Finding {
	for n := range list {
		f := &list[n]
		if f.ID != c.finding || !near(f.Places, c.places) {
			f = remaining(f.Symptoms, c)
		}
		if f != nil {
			return f
		}
	}
	return nil
}

// near reports whether two findings may be of one thing. Pods are made anew
// under other names: they count by their cluster.
func near(now, before []evidence.Place) bool {
	if len(now) == 0 || len(before) == 0 {
		return true
	}
	return slices.ContainsFunc(now, func(p evidence.Place) bool {
		return slices.ContainsFunc(before, func(q evidence.Place) bool {
			switch {
			case p.Namespace != q.Namespace:
				return false
			case p.Cluster != "" || q.Cluster != "":
				return p.Cluster == q.Cluster
			case p.Pod != "" || q.Pod != "":
				return true
			}
			return p.Node == q.Node
		})
	})
}
