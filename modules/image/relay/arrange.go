package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
)

// arrange gives every node that lacks chunks somewhere to get them from. Nodes
// are linked before anything is fed, so that all chunks find their way on.
func (c *conductor) arrange(ctx context.Context) {
	for _, m := range c.members {
		if c.done(m) {
			continue
		}
		if m.up != nil && (m.slow || c.broken(m)) {
			c.unlink(ctx, m)
		}
		if m.up == nil && m.feeding == nil && !m.silent(c.silent) {
			if up := c.upstream(m); up != nil {
				c.link(ctx, up, m)
			}
		}
	}
	for _, m := range c.members {
		if c.done(m) || m.silent(c.silent) {
			continue
		}
		down := c.downstream(m)
		switch {
		case m.feeding != nil:
			if time.Since(m.moved) > c.stalled && time.Since(m.feeding.lastTaken()) > c.stalled {
				m.feeding.stop()
				m.moved = time.Now()
				m.futile++ // once more than one that was refused
			}
		case m.brought > m.status.next && time.Since(m.moved) < 5*time.Second: // the station is at the last of them
		case m.up != nil:
			if from := m.up.status.from; from > m.status.next {
				c.feed(ctx, m, from)
			}
		case down == nil || !down.linking:
			c.feed(ctx, m, c.chunks)
		}
	}
}

// done: nothing needs to be done for m now.
func (c *conductor) done(m *member) bool { return m.out() || m.linking || c.full(m) }

// broken reports that what m's upstream passes on does not reach it any more.
func (c *conductor) broken(m *member) bool {
	up, quiet := m.up, time.Since(m.moved)
	switch {
	case up.err != nil:
		return true
	case up.silent(c.silent), m.silent(c.silent):
		return quiet > c.silent
	case up.status.hopped:
		return quiet > time.Second // the last chunks may be on their way
	case c.full(up) && up.status.unmet, up.slow:
		return true
	case c.full(up) || up.status.next > m.status.next:
		return quiet > c.stalled
	}
	return false
}

// unlink makes m independent of its upstream.
func (c *conductor) unlink(ctx context.Context, m *member) {
	up := m.up
	m.up, m.moved = nil, time.Now()
	if up.silent(c.silent) || up.err != nil {
		m.Note("%s, from which it got its chunks, does not answer any more", up.Name)
		return
	}
	if !m.slow && !up.slow {
		m.tried++
		m.Note("what %s passes on does not come any more%s", up.Name, because(up.status.hop))
	}
	c.aside(func() { _ = up.station.cut(ctx) })
}

func because(text string) string {
	if text == "" {
		return ""
	}
	return ": " + text
}

// upstream is the node that m is to be linked to: the nearest before it that
// works, still gets chunks itself, and has nobody to pass them on to.
func (c *conductor) upstream(m *member) *member {
	if !c.opts.Chain || m.Login == nil || m.station.key == nil || m.tried >= c.tries || m.slow || !c.undoes(m) {
		return nil
	}
	for i := m.place - 1; i >= 0; i-- {
		up := c.members[i]
		if up.out() || up.silent(c.silent) || up.slow || c.full(up) || up.Login == nil || !up.station.has("ssh") || up.status.next < m.status.next {
			continue
		}
		if c.downstream(up) != nil {
			return nil
		}
		return up
	}
	return nil
}

func (c *conductor) downstream(m *member) *member {
	for _, other := range c.members {
		if other.up == m && !other.ended {
			return other
		}
	}
	return nil
}

// link makes up pass on to m what it gets from now on.
func (c *conductor) link(ctx context.Context, up, m *member) {
	m.linking, m.up = true, up
	up.status.from, up.status.hopped = -1, false
	began := m.status.next > 0 || m.tried > 0
	c.aside(func() {
		var err error
		if began {
			err = m.station.clear(ctx)
		}
		if err == nil {
			err = up.station.link(ctx, *m.Login, m.station)
		}
		c.tell(ctx, func() {
			m.linking, m.moved = false, time.Now()
			// What was asked before does not know of this hop.
			up.asked, up.status.from, up.status.hopped, up.status.unmet = m.moved, -1, false, false
			if err != nil {
				m.tried++
				m.up = nil
				m.Note("%s cannot pass on to %s: %s", up.Name, m.Name, err)
			}
		})
	})
}

// feed brings the chunks up to to from this machine.
func (c *conductor) feed(ctx context.Context, m *member, to int) {
	var pack *packer
	if c.packing != nil && c.undoes(m) {
		pack = &packer{packing: c.packing}
	}
	f, first := newFrames(ctx, c.cargo, m.status.next, to, pack), m.status.next
	m.feeding = f
	c.aside(func() {
		err := m.station.feed(f.ctx, f)
		unread := f.close()
		// Without a pause a node that refuses at once would be asked without end.
		if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
			pause(ctx, c.pollEvery)
		}
		asked := time.Now()
		st, perr := m.station.poll(ctx)
		c.tell(ctx, func() {
			m.feeding = nil
			if perr == nil {
				c.see(m, asked, st, nil)
			}
			switch {
			case m.out():
			case unread != nil:
				m.err = unread
			case err == nil:
				m.brought, m.moved = to, time.Now()
			case m.status.next == first && !unreachable(err) && perr == nil:
				if m.futile++; m.futile >= c.futile {
					m.err = fmt.Errorf("%s takes no chunks any more; is %s full? %w", m.Name, m.station.dir, err)
				}
			}
		})
	})
}
