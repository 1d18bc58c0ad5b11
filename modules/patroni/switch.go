package patroni

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/adbsql/antdbctl/engine/module"
	"github.com/adbsql/antdbctl/modules/patroni/rest"
)

// handover is one switchover.
type handover struct {
	from, to string // to may be empty: whom Patroni finds best
	wait     time.Duration
}

// callTime is how long the answer to a switchover may take: Patroni waits up
// to twice its loop, and a call that is given up goes on behind one's back.
const callTime = 90 * time.Second

// run hands over and waits until the new leader leads on a new timeline and
// the old one follows it.
func (h handover) run(ctx context.Context, p *place, v *view) error {
	before := v.timeline()
	p.env.Phase("switchover")
	call, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	moved, err := v.find(h.from).api.Switchover(call, h.from, h.to)
	switch {
	case rest.Said(err, http.StatusServiceUnavailable):
		p.env.Logf("Patroni is not sure whether the switchover worked: %s", err)
	case err != nil:
		return h.explain(err)
	case h.to != "" && moved.Wish != "" || h.to != "" && moved.To != "" && moved.To != h.to:
		return module.At("candidate", module.Explain(fmt.Errorf("%s was to lead, and Patroni chose %s instead", h.to, moved.To),
			"see why "+h.to+" was passed over (lag, tags nofailover, synchronous mode), then apply again", moved.Words))
	default:
		p.env.Logf("%s", moved.Words)
	}
	return h.await(ctx, p, before)
}

// await waits until the change of leaders is complete.
func (h handover) await(ctx context.Context, p *place, before int) error {
	p.env.Phase("follow")
	state := ""
	err := p.until(ctx, h.wait, func(v *view) bool {
		state = h.missing(v, before)
		return state == ""
	})
	if err != nil {
		return fmt.Errorf("switchover from %s to %s: %s: %w", h.from, firstOf(h.to, "another member"), state, err)
	}
	return nil
}

// missing says what the handover still lacks.
func (h handover) missing(v *view, before int) string {
	leader := v.leader()
	switch {
	case leader == nil:
		return "no member leads yet"
	case leader.name == h.from:
		return h.from + " still leads"
	case h.to != "" && leader.name != h.to:
		return leader.name + " leads"
	case v.timeline() <= before:
		return fmt.Sprintf("%s leads, still on timeline %d", leader.name, v.timeline())
	case v.object != "" && v.annotated != leader.name:
		return v.object + " does not name the new leader yet"
	case !v.labelled():
		return "the labels of the pods do not say yet that " + leader.name + " leads"
	}
	if old := v.find(h.from); old == nil || v.ill(old) != "" {
		why := "it is gone"
		if old != nil {
			why = v.ill(old)
		}
		return h.from + " does not follow yet: " + why
	}
	return ""
}

// explain puts Patroni's refusal at the argument it is about.
func (h handover) explain(err error) error {
	if r := (*rest.Refusal)(nil); errors.As(err, &r) && (r.Status == http.StatusPreconditionFailed || r.Status == http.StatusBadRequest) {
		err = module.Explain(fmt.Errorf("Patroni refuses to switch over from %s: %s", h.from, r.Text),
			"a candidate must run, follow closely, and not be tagged nofailover; in synchronous mode it must be the synchronous standby")
		if h.to != "" {
			return module.At("candidate", err)
		}
	}
	return err
}

// until looks again and again, once a pace, until done says so. Looks that
// fail count as not yet: members come and go while roles change.
func (p *place) until(ctx context.Context, wait time.Duration, done func(*view) bool) error {
	limit, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	var last error
	for {
		var v *view
		if v, last = p.again(limit); last == nil && done(v) {
			return nil
		}
		select {
		case <-limit.Done():
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return errors.Join(fmt.Errorf("not done after %s", wait), last)
		case <-time.After(p.pace()):
		}
	}
}

// pace is the time between two looks.
func (p *place) pace() time.Duration { return 500 * time.Millisecond }

// again looks anew: in Kubernetes pods come and go.
func (p *place) again(ctx context.Context) (*view, error) {
	if p.kube != nil {
		p.members = nil
		if err := p.findPods(ctx, p.where); err != nil {
			return nil, err
		}
	}
	return p.look(ctx)
}

// successor is the member that can best take over: a synchronous standby
// before the others, then the closest.
func (v *view) successor() *member {
	able := slices.DeleteFunc(v.standbys(), func(m *member) bool {
		barred, _ := m.listed.Tags["nofailover"].(bool)
		return barred
	})
	if len(able) == 0 {
		return nil
	}
	return slices.MinFunc(able, func(a, b *member) int {
		if x, y := a.listed.Role == "sync_standby", b.listed.Role == "sync_standby"; x != y {
			if x {
				return -1
			}
			return 1
		}
		return int(max(-1, min(1, a.listed.Lag.Bytes-b.listed.Lag.Bytes)))
	})
}
