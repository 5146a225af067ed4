package storetest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// Harness tells the suite how to make a store and how to let its time pass. Only New is required.
type Harness struct {
	// New returns a store with a fresh, empty namespace. The suite closes it;
	// what the store does not own (a server, a client) is the harness's to clean up, with tb.Cleanup.
	New func(tb testing.TB) store.Store

	// Bubble runs every test in a bubble of testing/synctest, for stores whose
	// clock is the one of package time.
	Bubble bool

	// Advance returns when the store's clock has moved on by at least d.
	// Defaults to waiting for d, which costs nothing in a bubble.
	Advance func(tb testing.TB, d time.Duration)

	// Leftovers lists what the store keeps because of jobs, runs and tasks, one entry for each stored
	// thing: everything but records of the namespace whose number does not grow with use. The suite
	// compares it before and after. Nil leaves those checks out.
	Leftovers func(tb testing.TB, s store.Store) []string

	// SweepInterval is how often the store wants to be swept. Defaults to 5 s.
	SweepInterval time.Duration

	// Wraps says that whole numbers of the store's server wrap at the ends of 64 bits, as those of
	// miniredis do and those of Redis do not: what a sum beyond them leaves is not looked at.
	Wraps bool

	// Waiting is how many tasks wait in the run that is stopped to show that it
	// does not matter how many do. Defaults to 20,000.
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
