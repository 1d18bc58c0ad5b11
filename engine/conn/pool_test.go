package conn_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/adbsql/antdbctl/engine/conn"
	"github.com/adbsql/antdbctl/engine/conn/conntest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is a host that counts how often it is closed.
type place struct {
	*conntest.Script
	closed atomic.Int32
}

func (p *place) Close() error {
	p.closed.Add(1)
	return nil
}

func poolOf(open conn.Opener) *conn.Pool {
	return conn.NewPool(map[string]conn.Opener{conn.SSH: open}, map[string]conn.Settings{"nodes": {Jump: "bastion"}})
}

func TestPoolOpensOnceForAll(t *testing.T) {
	var opened atomic.Int32
	p := &place{Script: conntest.NewScript(t)}
	pool := poolOf(func(_ context.Context, _ conn.Target, s conn.Settings, _ conn.Dialer) (conn.Host, error) {
		require.Equal(t, "bastion", s.Jump, "the settings of its block")
		opened.Add(1)
		return p, nil
	})
	target := conn.Target{Kind: conn.SSH, Config: "nodes", Address: "a"}
	var wg sync.WaitGroup
	errs := make([]error, 20)
	for i := range errs {
		wg.Go(func() {
			h, err := pool.Dial(t.Context(), target)
			if err == nil {
				err = h.Close()
			}
			errs[i] = err
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.EqualValues(t, 1, opened.Load())
	require.Zero(t, p.closed.Load(), "a caller's Close does nothing")

	h, err := pool.Dial(t.Context(), target)
	require.NoError(t, err)
	own, ok := conn.As[*place](h)
	require.True(t, ok)
	require.Same(t, p, own)
	_, ok = conn.As[interface{ Missing() }](h)
	require.False(t, ok)
	require.NoError(t, pool.Close())
	require.EqualValues(t, 1, p.closed.Load())
}

func TestPoolTriesAgainAfterAFailure(t *testing.T) {
	down := errors.New("down")
	calls := 0
	pool := poolOf(func(context.Context, conn.Target, conn.Settings, conn.Dialer) (conn.Host, error) {
		if calls++; calls == 1 {
			return nil, down
		}
		return &place{Script: conntest.NewScript(t)}, nil
	})
	target := conn.Target{Kind: conn.SSH, Config: "nodes"}
	_, err := pool.Dial(t.Context(), target)
	require.ErrorIs(t, err, down)
	_, err = pool.Dial(t.Context(), target)
	require.NoError(t, err)
	_, err = pool.Dial(t.Context(), conn.Target{Kind: "pigeon"})
	require.ErrorContains(t, err, `"pigeon"`)
}

func TestPoolWaitersOutliveTheOneWhoGaveUp(t *testing.T) {
	opening := make(chan struct{})
	pool := poolOf(func(ctx context.Context, _ conn.Target, _ conn.Settings, _ conn.Dialer) (conn.Host, error) {
		if ctx.Value(patient{}) != nil {
			return &place{Script: conntest.NewScript(t)}, nil
		}
		close(opening)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	target := conn.Target{Kind: conn.SSH, Config: "nodes"}
	impatient, giveUp := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := pool.Dial(impatient, target)
		first <- err
	}()
	<-opening
	go func() {
		_, err := pool.Dial(context.WithValue(t.Context(), patient{}, true), target)
		second <- err
	}()
	giveUp()
	require.ErrorIs(t, <-first, context.Canceled)
	require.NoError(t, <-second)
}

type patient struct{}
