package sql

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/secret"
)

const (
	// lentIdle is how long a login waits for the next step. The server itself
	// waits 5 s for sessions to go before it refuses to drop or copy their
	// database, so ours are never in the way.
	lentIdle = 2 * time.Second
	// lentPatience is how long a step waits for another's query before it logs
	// in by itself.
	lentPatience = 5 * time.Second
)

// lent is a login that the steps on one host take turns with.
type lent struct {
	turn chan struct{} // filled by who has it
	line line          // nil for none
	idle *time.Timer
}

// lentKey is the same for logins that one session can serve.
type lentKey struct {
	host, sslmode, user, database string
	port                          int
	password                      secret.Value
	asItIs                        bool
}

// lentBy finds the login that a host keeps for all who log in as l; nil where
// the host keeps nothing.
func lentBy(host conn.Host, l login) *lent {
	keeper, ok := conn.As[conn.Keeper](host)
	if !ok {
		return nil
	}
	key := lentKey{l.host, l.sslmode, l.user, cmp.Or(l.database, "postgres"), l.port, l.password, l.asItIs}
	return keeper.Keep(key, func() io.Closer {
		b := &lent{turn: make(chan struct{}, 1)}
		b.idle = time.AfterFunc(time.Hour, b.rest)
		b.idle.Stop()
		return b
	}).(*lent)
}

func (b *lent) query(ctx context.Context, t tongue, statement string) (*table, error) {
	wait := time.NewTimer(lentPatience)
	defer wait.Stop()
	select {
	case b.turn <- struct{}{}:
	case <-wait.C:
		return t.query(ctx, statement)
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	defer func() { <-b.turn }()
	b.idle.Stop()
	fresh := b.line == nil
	if fresh {
		var err error
		if b.line, err = t.line(ctx); err != nil {
			b.line = nil
			return nil, err
		}
	}
	answer, err := b.ask(ctx, statement)
	if err == nil || ctx.Err() != nil || answered(err) || fresh && errors.As(err, new(*noSession)) {
		return answer, err
	}
	return t.query(ctx, statement)
}

// ask queries the line and keeps it, unless that failed.
func (b *lent) ask(ctx context.Context, statement string) (*table, error) {
	answer, err := b.line.query(ctx, statement)
	if err != nil {
		b.line.close()
		b.line = nil
		return nil, err
	}
	b.idle.Reset(lentIdle)
	return answer, nil
}

// answered reports that the server said no to the statement, and not that the
// session was over: while it was idle the server may have been restarted.
func answered(err error) bool {
	state := stateOf(err)
	return state != "" && !strings.HasPrefix(state, "57P")
}

// rest closes what nobody has used for a while.
func (b *lent) rest() {
	select {
	case b.turn <- struct{}{}:
		b.end()
		<-b.turn
	default: // it is in use again
	}
}

// Close ends the session. No step uses it any more, though it may just be
// ending by itself.
func (b *lent) Close() error {
	b.turn <- struct{}{}
	b.end()
	<-b.turn
	return nil
}

// end is called by who has the turn.
func (b *lent) end() {
	b.idle.Stop()
	if b.line != nil {
		b.line.close()
		b.line = nil
	}
}
