package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// conductor decides, for every node and at any time, where its next chunk comes
// from. Everything that takes time runs beside it and reports through news, so
// its own state needs no lock.
type conductor struct {
	limits
	cargo   Cargo
	opts    Options
	result  func(*Node, Result)
	began   time.Time
	chunks  int
	owner   string
	members []*member // in the order of the chain
	news    chan func()
	packing *packing // nil sends as is
	work    sync.WaitGroup
}

// run conducts until every node is through.
func (c *conductor) run(ctx context.Context) {
	defer func() {
		if c.packing != nil {
			c.packing.close()
		}
	}()
	defer c.work.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	for _, m := range c.members {
		if m.Gone != nil {
			defer context.AfterFunc(m.Gone, func() { c.tell(ctx, func() { m.leave(context.Cause(m.Gone)) }) })()
		}
	}
	c.gatherAll(ctx)
	tick := time.NewTicker(c.pollEvery) // what has to come of silence, nobody tells
	defer tick.Stop()
	for {
		c.giveUp()
		c.arrange(ctx)
		c.finish(ctx)
		if !slices.ContainsFunc(c.members, func(m *member) bool { return !m.ended }) {
			return
		}
		select {
		case apply := <-c.news:
			apply()
		case <-tick.C:
		case <-ctx.Done():
			for _, m := range c.members {
				m.leave(context.Cause(ctx))
			}
		}
	}
}

func (c *conductor) aside(f func()) {
	c.work.Add(1)
	go func() {
		defer c.work.Done()
		f()
	}()
}

// tell hands a change of state to the conductor.
func (c *conductor) tell(ctx context.Context, apply func()) {
	select {
	case c.news <- apply:
	case <-ctx.Done():
	}
}

// pause waits a while; it reports whether there is a reason to go on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// gatherAll starts all stations at once and waits for most of them.
func (c *conductor) gatherAll(ctx context.Context) {
	left := len(c.members)
	var enough <-chan time.Time
	for _, m := range c.members {
		c.aside(func() {
			asked := time.Now()
			s, st, err := c.open(ctx, m.Node)
			c.tell(ctx, func() {
				left--
				m.station, m.status, m.asked, m.heard, m.moved = s, st, asked, time.Now(), time.Now()
				if m.err == nil {
					m.err = err
				}
				if m.err == nil {
					c.welcome(ctx, m)
					if enough == nil {
						enough = time.After(c.gather)
					}
				}
			})
		})
	}
	for waits := true; waits && left > 0; {
		select {
		case apply := <-c.news:
			apply()
		case <-enough:
			waits = false
		case <-ctx.Done():
			return
		}
	}
	// Who has more from an earlier run goes before who lacks it.
	slices.SortStableFunc(c.members, func(a, b *member) int { return b.status.next - a.status.next })
	for i, m := range c.members {
		m.place = i
	}
	if err := c.agree(); err != nil {
		for _, m := range c.members {
			m.err = errors.Join(m.err, err)
		}
	}
}

// open starts a station, or finds an earlier run's. One that belongs to another
// run is waited for a while: a run that was killed is known to be gone when its
// stations have not heard of it for some seconds.
func (c *conductor) open(ctx context.Context, n *Node) (*station, status, error) {
	for began := time.Now(); ; {
		s, err := openStation(ctx, n, c.cargo, c.owner, c.limits)
		var st status
		if err == nil {
			if st, err = s.poll(ctx); err == nil && st.gone {
				err = fmt.Errorf("the station on %s has ended: %s", n.Name, st.log)
			}
		}
		limit := time.Duration(0)
		switch {
		case errors.Is(err, ErrBusy):
			limit = c.busy
		case st.gone, unreachable(err):
			limit = c.silent
		}
		if err == nil || time.Since(began) >= limit {
			return s, st, err
		}
		if !pause(ctx, min(time.Second, limit/4)) {
			return nil, st, context.Cause(ctx)
		}
	}
}

// welcome takes a node in whose station is there.
func (c *conductor) welcome(ctx context.Context, m *member) {
	if c.opts.Chain && len(c.members) > 1 {
		switch {
		case m.Login == nil:
			m.Note("it is no SSH host, so it is not part of the chain")
		case m.station.key == nil:
			m.Note("nobody can be let in by ~%s/.ssh/authorized_keys, so this machine brings it everything", m.Login.User)
		}
		if !m.station.has("ssh") {
			m.Note("it has no ssh, so it passes nothing on")
		}
	}
	c.aside(func() { c.watch(ctx, m) })
}

// agree picks how to compress: so that all nodes can undo it, where that may be
// chosen. A node that cannot is not part of the chain.
func (c *conductor) agree() (err error) {
	common := func(codec string) bool {
		for _, m := range c.members {
			if !m.out() && !m.station.has(codec) {
				return false
			}
		}
		return true
	}
	switch want := c.opts.Compress; {
	case want == "" || want == "none":
	case want != "auto":
		c.packing, err = newPacking(want, true)
	case common("zstd"):
		c.packing, err = newPacking("zstd", false)
	case common("gzip"):
		c.packing, err = newPacking("gzip", false)
	}
	return err
}

// undoes reports that a node can undo what is sent to the others.
func (c *conductor) undoes(m *member) bool { return c.packing == nil || m.station.has(c.packing.codec) }

// finish tells of the nodes that are through, and stops their stations.
func (c *conductor) finish(ctx context.Context) {
	for _, m := range c.members {
		down := c.downstream(m)
		needed := down != nil && !c.full(down) && !down.out() && !down.silent(c.silent)
		if m.ended || m.err == nil && (!m.status.loaded || needed) {
			continue
		}
		m.ended = true
		r := Result{Err: m.err, Code: m.status.code, Log: m.status.log, Received: m.whole, Loaded: time.Since(c.began)}
		if m.up != nil {
			r.By = m.up.Name
		}
		if m.feeding != nil {
			m.feeding.stop()
		}
		if up := m.up; up != nil && m.err != nil && !up.out() {
			c.aside(func() { _ = up.station.cut(ctx) })
		}
		c.aside(func() {
			c.part(context.WithoutCancel(ctx), m)
			c.result(m.Node, r)
		})
	}
}

// part ends a station, or leaves it to a later run.
func (c *conductor) part(ctx context.Context, m *member) {
	switch {
	case m.station == nil || unreachable(m.err):
	case m.left:
		ctx, enough := context.WithTimeout(ctx, 3*time.Second) // somebody wants to go
		defer enough()
		_ = m.station.release(ctx) // else the next run waits until it sees that nobody comes
	default:
		ctx, enough := context.WithTimeout(ctx, c.lost)
		defer enough()
		err := m.station.stop(ctx)
		for unreachable(err) && ctx.Err() == nil { // a cut in just this moment; stopping twice does no harm
			select {
			case <-time.After(c.pollEvery):
			case <-ctx.Done():
			}
			err = m.station.stop(ctx)
		}
		if err != nil {
			m.Note("the station stays on %s: %s", m.Name, err)
		}
	}
}
