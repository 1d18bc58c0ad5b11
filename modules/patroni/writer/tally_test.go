package writer

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func at(ms int) time.Time { return time.UnixMilli(int64(ms)) }

func TestTheGapIsFromTheLastAcknowledgementToTheNext(t *testing.T) {
	l := Log{Acks: []Ack{{Number: 1, At: at(0)}, {Number: 2, At: at(2000)}, {Number: 3, At: at(2050)}, {Number: 9, At: at(11050)}, {Number: 10, At: at(11100)}}}
	gaps := l.Gaps(at(2060), 0)
	require.Len(t, gaps, 2, "what was before the accident does not count")
	require.Equal(t, 9*time.Second, Longest(gaps).Length())
	require.Len(t, l.Gaps(at(2060), time.Second), 1)
	require.Zero(t, Longest(nil).Length())
	require.Equal(t, at(11100), l.Last())
	require.True(t, Log{}.Last().IsZero())
}

func TestOnlyAcknowledgedWritesCanBeLost(t *testing.T) {
	l := Log{Acks: []Ack{{Number: 1}, {Number: 2}, {Number: 5}}, Unsure: []int64{3, 4}}
	require.Equal(t, []int64{2}, l.Lost([]int64{1, 4, 5}))
	require.Equal(t, 1, l.Surfaced([]int64{1, 4, 5}))
	require.Empty(t, l.Lost([]int64{1, 2, 3, 5}))
}

func TestFailuresAreToldOncePerKind(t *testing.T) {
	w := &Writer{Every: time.Millisecond, Patience: time.Second, Open: func(context.Context) (*pgconn.PgConn, error) {
		return nil, &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	}}
	w.failed(context.DeadlineExceeded)
	w.failed(&pgconn.PgError{Severity: "ERROR", Message: "cannot execute INSERT in a read-only transaction"})
	w.Start(t.Context())
	require.Eventually(t, func() bool { return len(w.Log().Faults) == 3 }, 10*time.Second, time.Millisecond)
	log := w.Stop()
	require.Equal(t, "no answer in time", log.Faults[0].Text)
	require.Equal(t, "ERROR: cannot execute INSERT in a read-only transaction", log.Faults[1].Text)
	require.Equal(t, "connection refused", log.Faults[2].Text)
	require.Empty(t, log.Acks)
}
