package k8s

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/adbsql/antdbctl/engine/diagnosis/evidence"
)

const (
	crewWidth = 12               // requests at a time
	firstTime = 5 * time.Second  // for a request that others depend on
	lookTime  = 15 * time.Second // for any other
	share     = 4                // of all the time, no request may take more than a part of so many
)

// crew does looks side by side and notes those that come to nothing. When the
// server has gone, or time is over, it says so once and lets the rest be.
type crew struct {
	*pool
	wg sync.WaitGroup
}

// pool is what all of a look share.
type pool struct {
	ctx   context.Context
	stop  context.CancelCauseFunc
	rec   evidence.Recorder
	meet  func(context.Context) error // sees whether the server is still there
	slots chan struct{}
	most  time.Duration // for one look, so that one that hangs leaves time for others

	doubt sync.Mutex // held while the server is asked once more
	mu    sync.Mutex
	lost  []string // what was not looked at any more
	noted map[evidence.Gap]bool
}

func newCrew(ctx context.Context, rec evidence.Recorder, meet func(context.Context) error) *crew {
	most := time.Hour
	if end, ok := ctx.Deadline(); ok {
		most = time.Until(end) / share
	}
	ctx, stop := context.WithCancelCause(ctx)
	return &crew{pool: &pool{ctx: ctx, stop: stop, rec: rec, meet: meet, slots: make(chan struct{}, crewWidth), most: most, noted: map[evidence.Gap]bool{}}}
}

// apart is a crew whose looks nobody waits for who waits for c's.
func (c *crew) apart() *crew { return &crew{pool: c.pool} }

// do begins a look. what names it in a gap.
func (c *crew) do(what string, place evidence.Place, within time.Duration, look func(context.Context) error) {
	c.begin(what, place, min(within, c.most), look)
}

// last begins a look after which nothing comes, so that it may take what time is
// left.
func (c *crew) last(what string, place evidence.Place, within time.Duration, look func(context.Context) error) {
	c.begin(what, place, within, look)
}

func (c *crew) begin(what string, place evidence.Place, within time.Duration, look func(context.Context) error) {
	c.wg.Go(func() {
		select {
		case c.slots <- struct{}{}:
			defer func() { <-c.slots }()
		case <-c.ctx.Done():
		}
		if c.ctx.Err() != nil {
			c.lose(what)
			return
		}
		ctx, cancel := context.WithTimeout(c.ctx, within)
		defer cancel()
		if err := look(ctx); err != nil {
			c.note(what, place, err, within)
		}
	})
}

func (c *pool) note(what string, place evidence.Place, err error, within time.Duration) {
	switch {
	case c.ctx.Err() != nil:
		c.lose(what)
	case errors.Is(err, context.DeadlineExceeded):
		c.gap(what, place, fmt.Errorf("no answer within %s", within.Round(100*time.Millisecond)))
	case c.gone(err):
		c.lose(what)
	default:
		c.gap(what, place, err)
	}
}

// gone reports an error after which there is nobody to ask any more. One broken
// connection does not prove that: the server is asked once more.
func (c *pool) gone(err error) bool {
	if !apierrors.IsUnauthorized(err) && !errors.As(err, new(*url.Error)) {
		return false
	}
	c.doubt.Lock()
	defer c.doubt.Unlock()
	if c.ctx.Err() != nil {
		return true
	}
	ctx, cancel := context.WithTimeout(c.ctx, min(firstTime, c.most))
	defer cancel()
	err = c.meet(ctx)
	if err != nil {
		c.stop(err)
	}
	return err != nil
}

// gap notes the same gap once.
func (c *pool) gap(what string, place evidence.Place, err error) {
	c.mu.Lock()
	gap := evidence.Gap{What: what, Place: place, Reason: err.Error()}
	known := c.noted[gap]
	c.noted[gap] = true
	c.mu.Unlock()
	if !known {
		c.rec.Gap(what, place, err)
	}
}

func (c *pool) lose(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = append(c.lost, what)
}

func (c *crew) wait() { c.wg.Wait() }

// finish says what the end of the time, or of the server, has cost.
func (c *pool) finish() {
	if n := len(c.lost); n > 0 {
		err := context.Cause(c.ctx)
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			err = errors.New("the time was over")
		}
		c.rec.Gap(fmt.Sprintf("%d looks at Kubernetes (%s, …)", n, c.lost[0]), evidence.Place{}, err)
	}
	c.stop(nil)
}
