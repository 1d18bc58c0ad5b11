package engine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/event"
)

func TestTransfersAddUpByVerb(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	moved := &transfers{clock: func() time.Time { return now }}
	at := func(second int, do func()) {
		now = time.Unix(1_700_000_000+int64(second), 0)
		do()
	}
	at(0, func() { moved.phase("save") })
	at(2, func() { moved.progress(100, "B") })
	at(3, func() { moved.phase("send layer 1 of 2") }) // the last second was the disk's
	at(5, func() { moved.progress(40, "B") })
	at(6, func() { moved.phase("send layer 2 of 2") })
	at(7, func() { moved.progress(30, "B") })
	at(9, func() { moved.progress(50, "B") })
	at(9, func() { moved.progress(3, "steps") })
	at(10, func() { moved.phase("load") })
	require.Equal(t, []event.Transfer{{Verb: "save", Bytes: 100, Seconds: 3}, {Verb: "send", Bytes: 90, Seconds: 7}}, moved.list())
}

func TestATransferThatGoesOnCountsOnlyWhatItMoved(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	moved := &transfers{clock: func() time.Time { return now }}
	moved.phase("send")
	moved.progress(500<<20, "B")
	now = now.Add(10 * time.Second)
	moved.progress(600<<20, "B")
	require.Equal(t, []event.Transfer{{Verb: "send", Bytes: 100 << 20, Seconds: 10}}, moved.list())
}

func TestATransferThatBeginsAnewAddsToTheFirst(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	moved := &transfers{clock: func() time.Time { return now }}
	moved.progress(10, "B")
	now = now.Add(time.Second)
	moved.progress(20, "B")
	now = now.Add(time.Second)
	moved.progress(5, "B")
	require.Equal(t, []event.Transfer{{Bytes: 25, Seconds: 2}}, moved.list())
}
