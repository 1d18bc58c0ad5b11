// Package writer writes numbered rows at a steady pace and keeps a log of what
// was acknowledged when, so that after an accident it can be told how long
// nothing was acknowledged and what of the acknowledged is gone.
package writer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// Writer is a client that never gives up. Start it once.
type Writer struct {
	// Open connects the way that clients do, anew after every failure.
	Open func(ctx context.Context) (*pgconn.PgConn, error)
	// Table is where the numbers go, quoted; its column is n.
	Table string
	// Every is the pause between two writes.
	Every time.Duration
	// Patience is how long one write, or one connection, may take.
	Patience time.Duration

	mu     sync.Mutex
	log    Log
	cancel context.CancelFunc
	ended  chan struct{}
}

// Ack is one acknowledged write.
type Ack struct {
	Number   int64
	Sent, At time.Time
}

// Log is what the writer saw.
type Log struct {
	Acks   []Ack   // in the order of time
	Unsure []int64 // numbers that were sent and not answered: there or not
	Faults []Fault // the first of each kind
}

// Fault is a failure.
type Fault struct {
	At   time.Time
	Text string
}

// Start begins to write.
func (w *Writer) Start(ctx context.Context) {
	ctx, w.cancel = context.WithCancel(ctx)
	w.ended = make(chan struct{})
	go func() {
		defer close(w.ended)
		w.run(ctx)
	}()
}

// Stop ends the writing and gives the whole log.
func (w *Writer) Stop() Log {
	w.cancel()
	<-w.ended
	return w.Log()
}

// Log is what has been seen so far.
func (w *Writer) Log() Log {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.log
	l.Acks = l.Acks[:len(l.Acks):len(l.Acks)]
	return l
}

func (w *Writer) run(ctx context.Context) {
	var c *pgconn.PgConn
	defer func() { hangUp(c) }()
	tick := time.NewTicker(w.Every)
	defer tick.Stop()
	for n := int64(1); ; {
		if c == nil {
			c = w.connect(ctx)
		}
		if c != nil {
			if !w.write(ctx, c, n) {
				hangUp(c)
				c = nil
			}
			n++ // a number is sent once, so that a row is proof of its own write
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (w *Writer) connect(ctx context.Context) *pgconn.PgConn {
	limit, cancel := context.WithTimeout(ctx, w.Patience)
	defer cancel()
	c, err := w.Open(limit)
	if err != nil {
		w.failed(err)
		return nil
	}
	return c
}

func (w *Writer) write(ctx context.Context, c *pgconn.PgConn, n int64) bool {
	limit, cancel := context.WithTimeout(ctx, w.Patience)
	defer cancel()
	sent := time.Now()
	_, err := c.Exec(limit, fmt.Sprintf("insert into %s (n) values (%d)", w.Table, n)).ReadAll()
	at := time.Now()
	w.mu.Lock()
	if err == nil {
		w.log.Acks = append(w.log.Acks, Ack{n, sent, at})
	} else {
		w.log.Unsure = append(w.log.Unsure, n)
	}
	w.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		w.failed(err)
	}
	return err == nil
}

func (w *Writer) failed(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := brief(err)
	for _, f := range w.log.Faults {
		if f.Text == text {
			return
		}
	}
	w.log.Faults = append(w.log.Faults, Fault{time.Now(), text})
}

// brief is what an error comes down to: the server's own words, or the kind of
// failure. An outage brings hundreds, each with addresses of its own.
func brief(err error) string {
	var pg *pgconn.PgError
	var wire *net.OpError
	switch {
	case errors.As(err, &pg):
		return pg.Severity + ": " + pg.Message
	case errors.Is(err, context.DeadlineExceeded), pgconn.Timeout(err):
		return "no answer in time"
	case errors.As(err, &wire):
		return wire.Err.Error()
	}
	text := err.Error()
	for _, kind := range [][2]string{{"refused", "connection refused"}, {"reset", "connection reset"}, {"is ready", "no pod behind the service is ready"},
		{"no such pod", "there is no such pod"}} {
		if strings.Contains(text, kind[0]) {
			return kind[1]
		}
	}
	return "the connection was lost"
}

// hangUp does not wait for a server that may be gone.
func hangUp(c *pgconn.PgConn) {
	if c == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_ = c.Close(ctx)
}
