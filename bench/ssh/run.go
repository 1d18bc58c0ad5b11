package main

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// run is the conntest.TB of a program: a failure ends it, after cleaning up.
type run struct {
	failed   bool
	cleanups []func()
}

func (r *run) Helper() {}

func (r *run) Logf(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func (r *run) Errorf(format string, args ...any) {
	r.failed = true
	r.Logf(format, args...)
}

func (r *run) Failed() bool     { return r.failed }
func (r *run) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }

func (r *run) FailNow() {
	r.failed = true
	r.cleanup()
	os.Exit(1)
}

func (r *run) cleanup() {
	for _, f := range slices.Backward(r.cleanups) {
		f()
	}
	r.cleanups = nil
}

// measure gives the time that f takes, which must succeed.
func (r *run) measure(f func() error) time.Duration {
	start := time.Now()
	if err := f(); err != nil {
		r.Errorf("%v", err)
		r.FailNow()
	}
	return time.Since(start)
}
