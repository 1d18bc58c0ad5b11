package engine

import (
	"maps"
	"slices"
	"sync"
)

// keeper collects values under names from many goroutines and gives them back
// in the order of the names. The zero value is empty and ready.
type keeper[T any] struct {
	mu   sync.Mutex
	kept map[string]T
}

func (k *keeper[T]) keep(name string, v T) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil {
		k.kept = map[string]T{}
	}
	k.kept[name] = v
}

// first keeps v unless something is kept under name, and says whether it did.
func (k *keeper[T]) first(name string, v T) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, kept := k.kept[name]; kept {
		return false
	}
	if k.kept == nil {
		k.kept = map[string]T{}
	}
	k.kept[name] = v
	return true
}

func (k *keeper[T]) sorted() []T {
	k.mu.Lock()
	defer k.mu.Unlock()
	out := make([]T, 0, len(k.kept))
	for _, name := range slices.Sorted(maps.Keys(k.kept)) {
		out = append(out, k.kept[name])
	}
	return out
}
