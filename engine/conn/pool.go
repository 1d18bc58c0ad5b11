package conn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// Opener opens one kind of target, given the settings of its block. It may use
// dial to reach a target that this one lies behind.
type Opener func(ctx context.Context, t Target, s Settings, dial Dialer) (Host, error)

// Pool is a Dialer that opens every target once and shares the Host among all
// callers; their Close does nothing, the pool's own closes all. A failed
// connection is tried again by the next caller.
type Pool struct {
	openers  map[string]Opener
	settings map[string]Settings // by target block

	mu    sync.Mutex
	hosts map[string]*pooled
}

type pooled struct {
	ready  chan struct{} // closed when the rest is set
	host   Host
	err    error
	gaveUp bool // err is the end of the opener's own context
	kept   shelf
}

// NewPool makes a pool that knows how to open each kind of target.
func NewPool(openers map[string]Opener, settings map[string]Settings) *Pool {
	return &Pool{openers: openers, settings: settings, hosts: map[string]*pooled{}}
}

// Dial gives the Host of t, opening it at the first call.
func (p *Pool) Dial(ctx context.Context, t Target) (Host, error) {
	open, ok := p.openers[t.Kind]
	if !ok {
		return nil, fmt.Errorf("no way to reach a target of kind %q", t.Kind)
	}
	for {
		entry, first := p.entry(t.Key())
		if first {
			entry.host, entry.err = open(ctx, t, p.settings[t.Config], p)
			// That somebody's time was up says nothing about the host.
			entry.gaveUp = entry.err != nil && ctx.Err() != nil
			if entry.err != nil {
				p.forget(t.Key())
			}
			close(entry.ready)
		}
		select {
		case <-entry.ready:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		switch {
		case entry.err == nil:
			return shared{entry.host, &entry.kept}, nil
		case first || !entry.gaveUp:
			return nil, entry.err
		}
	}
}

// entry gives the entry of key; first is true for the caller who is to fill it.
func (p *Pool) entry(key string) (entry *pooled, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	entry, ok := p.hosts[key]
	if !ok {
		entry = &pooled{ready: make(chan struct{})}
		p.hosts[key] = entry
	}
	return entry, !ok
}

func (p *Pool) forget(key string) {
	p.mu.Lock()
	delete(p.hosts, key)
	p.mu.Unlock()
}

// Close closes every host that was opened. No Dial may be under way.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var errs []error
	for key, entry := range p.hosts {
		<-entry.ready
		if entry.err == nil {
			errs = append(errs, entry.kept.Close(), entry.host.Close())
		}
		delete(p.hosts, key)
	}
	return errors.Join(errs...)
}

// shared is a pool's host in the hands of one caller.
type shared struct {
	Host
	kept *shelf
}

func (shared) Close() error { return nil }

// Keep makes every pooled host a Keeper.
func (s shared) Keep(key any, start func() io.Closer) io.Closer { return s.kept.keep(key, start) }

// Unwrap gives the kind's own Host, for what only that kind can do.
func (s shared) Unwrap() Host { return s.Host }

// As finds a T among h and the hosts it wraps, as errors.As does for errors.
func As[T any](h Host) (T, bool) {
	for h != nil {
		if t, ok := h.(T); ok {
			return t, true
		}
		u, ok := h.(interface{ Unwrap() Host })
		if !ok {
			break
		}
		h = u.Unwrap()
	}
	var none T
	return none, false
}
