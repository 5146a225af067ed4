package storetest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// Harness tells the suite how to make a store and how to let time pass. Only New is required.
type Harness struct {
	// New returns a store with a new, empty namespace. The suite closes the store. The harness must
	// clean up everything that the store does not own (a server, a client), with tb.Cleanup.
	New func(tb testing.TB) store.Store

	// Bubble runs every test in a bubble of testing/synctest. It is for stores that use the clock of
	// package time.
	Bubble bool

	// Advance returns when the store's clock has advanced by at least d. Defaults to waiting for d,
	// which costs nothing in a bubble.
	Advance func(tb testing.TB, d time.Duration)

	// Leftovers lists what the store keeps because of jobs, runs and tasks, one entry for each record.
	// It leaves out records of the namespace if their number does not grow with use. The suite
	// compares the lists before and after. Nil leaves these checks out.
	Leftovers func(tb testing.TB, s store.Store) []string

	// SweepInterval is how often the store asks for a sweep. Defaults to 5 s.
	SweepInterval time.Duration

	// Wraps says that integers of the store's server wrap around at 64 bits, as in miniredis; those of
	// Redis do not. Then the suite does not check the result of a sum out of range.
	Wraps bool

	// Waiting is how many tasks wait in the run whose stop is timed. Defaults to 20,000.
	Waiting int
}

func (h Harness) withDefaults() Harness {
	if h.Waiting == 0 {
		h.Waiting = 20_000
	}
	if h.SweepInterval == 0 {
		h.SweepInterval = 5 * time.Second
	}
	if h.Advance == nil {
		h.Advance = func(_ testing.TB, d time.Duration) { <-time.After(d) }
	}
	return h
}

// play runs one test, in a bubble if the harness asks for it.
func (h Harness) play(t *testing.T, test func(t *testing.T)) {
	if h.Bubble {
		synctest.Test(t, test)
		return
	}
	test(t)
}
