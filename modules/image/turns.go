package image

import (
	"context"
	"sync"
)

// turns hands out one turn at a time for each key.
type turns struct {
	mu   sync.Mutex
	busy map[string]chan struct{}
}

// take waits for the turn; done gives it on.
func (t *turns) take(ctx context.Context, key string) (done func(), err error) {
	for {
		t.mu.Lock()
		wait, busy := t.busy[key]
		if !busy {
			mine := make(chan struct{})
			t.busy[key] = mine
			t.mu.Unlock()
			return func() {
				t.mu.Lock()
				delete(t.busy, key)
				t.mu.Unlock()
				close(mine)
			}, nil
		}
		t.mu.Unlock()
		select {
		case <-wait:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
