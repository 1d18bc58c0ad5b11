package conn

import (
	"errors"
	"io"
	"sync"
)

// Keeper is a Host on which callers leave what the next ones can use, such as
// a login at something that runs there. Hosts of a Pool are; find it with As.
type Keeper interface {
	// Keep gives the thing of that key, which the first call starts. It is
	// closed before the host is, and must not wait for anything then: nobody
	// uses it any more. Keys are values of types that only their package has.
	Keep(key any, start func() io.Closer) io.Closer
}

// shelf is where a pooled host keeps such things.
type shelf struct {
	mu    sync.Mutex
	items map[any]io.Closer
}

func (s *shelf) keep(key any, start func() io.Closer) io.Closer {
	s.mu.Lock()
	defer s.mu.Unlock()
	item, ok := s.items[key]
	if !ok {
		if s.items == nil {
			s.items = map[any]io.Closer{}
		}
		item = start()
		s.items[key] = item
	}
	return item
}

// Close closes all that is kept.
func (s *shelf) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for key, item := range s.items {
		errs = append(errs, item.Close())
		delete(s.items, key)
	}
	return errors.Join(errs...)
}
