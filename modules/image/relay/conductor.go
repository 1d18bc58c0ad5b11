package relay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/adbsql/antdbctl/engine/conn"
)

// conductor decides, for every node and at any time, where its next chunk comes
// from. Everything that takes time runs beside it and reports through news, so
// its own state needs no lock.
type conductor struct {
	cargo   Cargo
	opts    Options
	result  func(*Node, Result)
	began   time.Time
	chunks  int
	owner   string
	members []*member // in the order of the chain
	news    chan func()
	pack    func() *packer
	work    sync.WaitGroup
}

// member is a node and all that is known about it.
type member struct {
	*Node
	place int

	station *station
	status  status
	err     error     // why it gets nothing any more
	ended   bool      // its result was told
	heard   time.Time // when it last answered
	moved   time.Time // when it last got a chunk, or another way to get one
	whole   time.Duration

	up      *member // who passes chunks on to it; nil when this machine feeds it
	feeding context.CancelFunc
	brought int // the chunks before this one were brought to it by this machine
	linking bool
	tried   int
	dawdled int  // chunks in a row that came in much slower than elsewhere
	slow    bool // it is out of the chain for that
}

func (m *member) out() bool              { return m.err != nil || m.ended || m.station == nil }
func (m *member) silent() bool           { return time.Since(m.heard) > 10*time.Second }
func (c *conductor) full(m *member) bool { return m.status.next >= c.chunks }

// run conducts until every node is through.
func (c *conductor) run(ctx context.Context) {
	defer c.work.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	c.open(ctx)
	if err := c.preparePacker(); err != nil {
		for _, m := range c.members {
			m.err = errors.Join(m.err, err)
		}
	}
	for _, m := range c.members {
		if !m.out() {
			c.aside(func() { c.watch(ctx, m) })
		}
	}
	for !c.over() {
		c.arrange(ctx)
		c.finish(ctx)
		if c.over() {
			return
		}
		select {
		case apply := <-c.news:
			apply()
		case <-ctx.Done():
			for _, m := range c.members {
				if !m.ended {
					m.err = context.Cause(ctx)
				}
			}
		}
	}
}

func (c *conductor) over() bool {
	for _, m := range c.members {
		if !m.ended {
			return false
		}
	}
	return true
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

// open starts all stations at once.
func (c *conductor) open(ctx context.Context) {
	var all sync.WaitGroup
	for _, m := range c.members {
		all.Go(func() {
			m.station, m.err = c.openStation(ctx, m.Node)
			if m.err == nil {
				m.status, m.err = m.station.poll(ctx)
			}
			m.heard, m.moved = time.Now(), time.Now()
		})
	}
	all.Wait()
	// Who has more from an earlier run goes before who lacks it.
	slices.SortStableFunc(c.members, func(a, b *member) int { return b.status.next - a.status.next })
	for i, m := range c.members {
		m.place = i
	}
}

// openStation waits a while for another run: one that was killed is known to be
// gone when its stations have not heard of it for some seconds.
func (c *conductor) openStation(ctx context.Context, n *Node) (*station, error) {
	for deadline := time.Now().Add(busy); ; {
		s, err := openStation(ctx, n, c.cargo, c.owner)
		if !errors.Is(err, ErrBusy) || time.Now().After(deadline) {
			return s, err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// preparePacker picks what all nodes can undo.
func (c *conductor) preparePacker() error {
	c.pack = func() *packer { return nil }
	want := c.opts.Compress
	if want == "" || want == "none" {
		return nil
	}
	common := func(codec string) bool {
		for _, m := range c.members {
			if !m.out() && !m.station.has(codec) {
				return false
			}
		}
		return true
	}
	codec := want
	if want == "auto" {
		codec = "zstd"
		if !common(codec) {
			codec = "gzip"
		}
	}
	if !common(codec) {
		return nil // as it is, then
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		return err
	}
	rooms := make(chan struct{}, 4)
	c.pack = func() *packer {
		return &packer{codec: codec, always: want != "auto", rooms: rooms, zstd: encoder}
	}
	return nil
}

// watch polls a station until its node is through.
func (c *conductor) watch(ctx context.Context, m *member) {
	for {
		st, err := m.station.poll(ctx)
		if ctx.Err() != nil {
			return
		}
		more := make(chan bool, 1)
		c.tell(ctx, func() {
			c.see(m, st, err)
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
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			return
		}
	}
}

// see takes in what a poll has brought.
func (c *conductor) see(m *member, st status, err error) {
	switch {
	case m.ended:
		return
	case err != nil && unreachable(err):
		if time.Since(m.heard) > lost {
			m.err = fmt.Errorf("%w; what it has waits there for %s", err, patience)
		}
		return
	case err != nil:
		m.err = errors.Join(m.err, err)
		return
	case st.gone:
		m.err = fmt.Errorf("the station on %s has ended: %s", m.Name, st.log)
		return
	}
	m.heard = time.Now()
	if st.next > m.status.next {
		m.moved = m.heard
		c.time(m, st.took)
		m.At(min(int64(st.next)*chunkSize, c.cargo.Size()))
	}
	m.status = st
	if c.full(m) && m.whole == 0 {
		m.whole = time.Since(c.began)
	}
}

// time judges how long a chunk took to come in. A station is sent a chunk only
// when all of it can come at once, so that is the speed of its link alone.
func (c *conductor) time(m *member, took int) {
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
	usual := all[len(all)/2]
	if took < 4*usual || took-usual < 20 {
		m.dawdled = 0
		return
	}
	if m.dawdled++; m.dawdled == dawdles && m.up != nil {
		m.slow = true
		m.Note("its link is slow (%.1f MB/s, others %.1f), so it is not part of the chain any more", speed(took), speed(usual))
	}
}

// speed is that of a chunk, in MB/s.
func speed(took int) float64 { return chunkSize / 1e4 / float64(took) }

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
		if m.up == nil && m.feeding == nil && !m.silent() {
			if up := c.upstream(m); up != nil {
				c.link(ctx, up, m)
			}
		}
	}
	for _, m := range c.members {
		if c.done(m) || m.silent() {
			continue
		}
		down := c.downstream(m)
		switch {
		case m.feeding != nil:
			if time.Since(m.moved) > stalled {
				m.feeding()
				m.moved = time.Now()
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
	case up.silent():
		return quiet > 10*time.Second
	case up.status.hopped:
		return quiet > time.Second // the last chunks may be on their way
	case c.full(up) && up.status.unmet, up.slow:
		return true
	case c.full(up) || up.status.next > m.status.next:
		return quiet > stalled
	}
	return false
}

// unlink makes m independent of its upstream.
func (c *conductor) unlink(ctx context.Context, m *member) {
	up := m.up
	m.up, m.moved = nil, time.Now()
	if !up.silent() && up.err == nil {
		if !m.slow && !up.slow {
			m.tried++
			m.Note("what %s passes on does not come any more%s", up.Name, because(up.status.hop))
		}
		c.aside(func() { _ = up.station.cut(ctx) })
	}
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
	if !c.opts.Chain || m.Login == nil || m.station.key == nil || m.tried >= tries || m.slow {
		return nil
	}
	for i := m.place - 1; i >= 0; i-- {
		up := c.members[i]
		if up.out() || up.silent() || up.slow || c.full(up) || up.Login == nil || up.status.next < m.status.next {
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
	all := ctx
	ctx, m.feeding = context.WithCancel(ctx)
	f := &frames{ctx: ctx, cargo: c.cargo, next: m.status.next, to: to, pack: c.pack(), sent: func(int64) {}}
	c.aside(func() {
		err := m.station.feed(ctx, f)
		// Without a pause a node that refuses at once would be asked without end.
		if exit := (*conn.ExitError)(nil); errors.As(err, &exit) {
			select {
			case <-time.After(pollEvery):
			case <-ctx.Done():
			}
		}
		st, perr := m.station.poll(ctx)
		c.tell(all, func() {
			m.feeding()
			m.feeding = nil
			if err == nil {
				m.brought, m.moved = to, time.Now()
			}
			if perr == nil {
				c.see(m, st, nil)
			}
		})
	})
}

// finish tells of the nodes that are through, and stops their stations.
func (c *conductor) finish(ctx context.Context) {
	for _, m := range c.members {
		if m.ended {
			continue
		}
		loaded := m.status.loaded
		down := c.downstream(m)
		if m.err == nil && (!loaded || down != nil && !c.full(down) && !down.out() && !down.silent()) {
			continue
		}
		m.ended = true
		r := Result{Err: m.err, Code: m.status.code, Log: m.status.log, Received: m.whole, Loaded: time.Since(c.began)}
		if m.up != nil {
			r.By = m.up.Name
		}
		if m.feeding != nil {
			m.feeding()
		}
		stays := m.station == nil || unreachable(m.err) || ctx.Err() != nil
		c.aside(func() {
			ctx, enough := context.WithTimeout(context.WithoutCancel(ctx), lost)
			defer enough()
			if !stays {
				if err := m.station.stop(ctx); err != nil {
					m.Note("the station stays on %s: %s", m.Name, err)
				}
			}
			c.result(m.Node, r)
		})
	}
}
