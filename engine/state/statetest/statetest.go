// Package statetest is the conformance suite of state.Store: every backend runs it.
package statetest

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/adbsql/antdbctl/engine/state"
)

// Suite runs every test. open gives a Store on the same place each time it is
// called within one test, and on a fresh place in each test.
func Suite(t *testing.T, place func(t *testing.T) (open func() state.Store)) {
	ctx := context.Background()
	record := state.Record{
		Module: "host.file", Target: "here", Status: state.Done, Run: "r1",
		Outputs: json.RawMessage(`{"path":"/x"}`), Checked: time.Unix(1_700_000_000, 0).UTC(),
	}

	t.Run("nothing stored is an empty state", func(t *testing.T) {
		s, err := place(t)().Load(ctx)
		require.NoError(t, err)
		require.Zero(t, s.Serial)
		require.NotNil(t, s.Steps)
	})

	t.Run("what is saved is loaded by another", func(t *testing.T) {
		open := place(t)
		s, err := open().Load(ctx)
		require.NoError(t, err)
		s.Runbook, s.Steps[`f["a"]`] = "hello", record
		require.NoError(t, open().Save(ctx, s))
		require.EqualValues(t, 1, s.Serial)
		require.NoError(t, open().Save(ctx, s))
		got, err := open().Load(ctx)
		require.NoError(t, err)
		require.EqualValues(t, 2, got.Serial)
		require.Equal(t, s.Lineage, got.Lineage)
		require.NotEmpty(t, got.Lineage)
		require.JSONEq(t, `{"path":"/x"}`, string(got.Steps[`f["a"]`].Outputs))
		require.Equal(t, record.Checked, got.Steps[`f["a"]`].Checked)
	})

	t.Run("a moved state is refused and stays as it was", func(t *testing.T) {
		open := place(t)
		mine, err := open().Load(ctx)
		require.NoError(t, err)
		theirs, err := open().Load(ctx)
		require.NoError(t, err)
		theirs.Runbook = "theirs"
		require.NoError(t, open().Save(ctx, theirs))
		require.ErrorIs(t, open().Save(ctx, mine), state.ErrMoved)
		got, err := open().Load(ctx)
		require.NoError(t, err)
		require.Equal(t, "theirs", got.Runbook)
	})

	t.Run("of many at once exactly one saves", func(t *testing.T) {
		open := place(t)
		first, err := open().Load(ctx)
		require.NoError(t, err)
		store, wins := open(), make(chan bool, 16)
		var wg sync.WaitGroup
		for range cap(wins) {
			mine := *first
			wg.Go(func() { wins <- store.Save(ctx, &mine) == nil })
		}
		wg.Wait()
		close(wins)
		won := 0
		for w := range wins {
			if w {
				won++
			}
		}
		require.Equal(t, 1, won)
	})

	t.Run("a lock keeps others out and says who holds it", func(t *testing.T) {
		open := place(t)
		owner := state.Owner{User: "dba", Host: "ops1", PID: 42, Command: "apply", Since: time.Unix(1_700_000_000, 0).UTC()}
		unlock, err := open().Lock(ctx, owner)
		require.NoError(t, err)
		_, err = open().Lock(ctx, state.Owner{User: "other"})
		var locked *state.LockedError
		require.ErrorAs(t, err, &locked)
		require.Equal(t, owner, locked.Owner)
		require.NoError(t, unlock())
		require.NoError(t, unlock(), "unlocking twice is no error")
		again, err := open().Lock(ctx, owner)
		require.NoError(t, err)
		require.NoError(t, again())
	})
}
