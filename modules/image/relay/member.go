package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
)

// member is a node and all that is known about it.
type member struct {
	*Node
	place int

	station *station // nil until it is there
	status  status
	asked   time.Time // when the station was asked for that
	err     error     // why it gets nothing any more
	left    bool      // nobody waits for it any more
	ended   bool      // its result was told
	heard   time.Time // when it last answered
	away    error     // why it did not answer since
	moved   time.Time // when it last got a chunk, or another way to get one
	whole   time.Duration

	up      *member // who passes chunks on to it; nil when this machine feeds it
	feeding *frames // what this machine brings to it now
	brought int     // the chunks before this one were brought to it by this machine
	futile  int     // feeds in a row that brought nothing
	linking bool
	tried   int
	dawdled int  // chunks in a row that came in much slower than elsewhere
	slow    bool // it is out of the chain for that
}

func (m *member) out() bool                       { return m.err != nil || m.ended || m.station == nil }
func (m *member) silent(after time.Duration) bool { return time.Since(m.heard) > after }
func (c *conductor) full(m *member) bool          { return m.status.next >= c.chunks }

func (m *member) leave(why error) {
	if !m.ended && m.err == nil {
		m.err, m.left = why, true
	}
}

// watch polls a station until its node is through; seldom, once it has all and
// only loads.
func (c *conductor) watch(ctx context.Context, m *member) {
	every := c.pollEvery
	for pause(ctx, every) {
		asked := time.Now()
		st, err := m.station.poll(ctx)
		if err == nil && st.next >= c.chunks {
			every = 2 * c.pollEvery
		}
		if ctx.Err() != nil {
			return
		}
		more := make(chan bool, 1)
		c.tell(ctx, func() {
			c.see(m, asked, st, err)
			more <- !m.ended
		})
		select {
		case ok := <-more:
			if !ok {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// giveUp gives up the nodes that have been out of reach for long.
func (c *conductor) giveUp() {
	for _, m := range c.members {
		if m.out() || !m.silent(c.lost) {
			continue
		}
		if m.away == nil {
			m.away = &conn.Unreachable{Target: m.Name, Err: fmt.Errorf("it has not answered for %s", c.lost)}
		}
		m.err = fmt.Errorf("%w; what it has waits there for %s", m.away, c.patience)
	}
}

// see takes in what a poll has brought. Of two at once, the one that was asked
// later counts.
func (c *conductor) see(m *member, asked time.Time, st status, err error) {
	switch {
	case m.ended:
		return
	case err != nil && unreachable(err):
		m.away = err
		return
	case err != nil:
		m.err = errors.Join(m.err, err)
		return
	case !asked.After(m.asked):
		return
	case st.gone:
		m.err = fmt.Errorf("the station on %s has ended: %s", m.Name, st.log)
		return
	}
	m.asked, m.heard, m.away = asked, time.Now(), nil
	came := st.next > m.status.next
	m.status = st
	if came {
		m.moved, m.futile = m.heard, 0
		c.judge(m)
		m.At(min(int64(st.next)*chunkSize, c.cargo.Size()))
	}
	if c.full(m) && m.whole == 0 {
		m.whole = time.Since(c.began)
	}
}

// judge compares how long a chunk took to come in with the other nodes. A
// station is sent a chunk only when all of it can come at once, so that is the
// speed of its link alone.
func (c *conductor) judge(m *member) {
	all := make([]int, 0, len(c.members))
	for _, other := range c.members {
		if other != m && other.status.took > 0 {
			all = append(all, other.status.took)
		}
	}
	if len(all) < 2 || m.slow {
		return
	}
	slices.Sort(all)
	common, took := all[len(all)/2], m.status.took
	if took < 4*common || took-common < 20 {
		m.dawdled = 0
		return
	}
	if m.dawdled++; m.dawdled >= c.dawdles && (m.up != nil || c.downstream(m) != nil) {
		m.slow = true
		m.Note("its link is slow (%.1f MB/s, others %.1f), so it is not part of the chain any more", speed(took), speed(common))
	}
}

// speed is that of a chunk, in MB/s.
func speed(took int) float64 { return chunkSize / 1e4 / float64(took) }
