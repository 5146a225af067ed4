package handlers

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// Counter is a number of a run that its tasks add to. Declare it with [NewCounter].
type Counter struct{ set, name string }

// Name is under which the states of runs show the counter.
func (c Counter) Name() string { return c.name }

// NewCounter declares a counter of the set, to which its tasks add with [Counter.Add]. What they
// add is committed with their success, so the sum over a run is exact though tasks are retried,
// workers are killed and replies are lost. The run keeps it, apart from other runs, as long as its
// summary.
//
// [NewRegistry] checks the name, by the rules of [store.ValidateName], and that there are not more
// than [bounds.MaxCounters]. Declaring a name again returns the same counter.
func NewCounter(s *Set, name string) Counter {
	s.counters[name] = true
	return Counter{set: s.name, name: name}
}

// validateCounters reports every counter that cannot be.
func (s *Set) validateCounters(prefix string) (problems []error) {
	for _, name := range slices.Sorted(maps.Keys(s.counters)) {
		problems = append(problems, store.ValidateName(fmt.Sprintf("%sCounters[%q]", prefix, name), name))
	}
	if len(s.counters) > bounds.MaxCounters {
		problems = append(
			problems,
			&store.FieldError{Field: prefix + "Counters", Reason: fmt.Sprintf("are more than %d", bounds.MaxCounters)},
		)
	}
	return problems
}

// attempting is the try of a task: *[Attempt] and *[Task].
type attempting interface{ attempt() *Attempt }

func (a *Attempt) attempt() *Attempt { return a }

// Add adds a number, which may be negative, to the counter of the run when an attempt succeeds, in
// the same step; also while the run is stopping. t is the [*Task] of the handler, or the
// [*Attempt]. An attempt that ends otherwise adds nothing, and nothing is added after the handler
// has returned. It costs no I/O.
//
// A counter is an int64, but beyond ±2^53 many readers of JSON lose digits, and beyond the range of
// int64 what an attempt adds may be lost: stay within that range. Adding to a counter that the
// task's set did not declare, before the registry was made, fails the attempt for good.
func (c Counter) Add(t attempting, n int64) {
	a := t.attempt()
	a.gather().tally.add(a.set, c, n)
}

// tally gathers what one attempt adds to counters.
type tally struct {
	mu     sync.Mutex
	sums   map[string]int64
	ended  bool
	failed error
}

func (t *tally) add(set *Set, c Counter, n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.ended:
	case c.set != set.name || !set.counters[c.name]:
		t.failed = &store.FieldError{
			Field:  fmt.Sprintf("Counters[%q]", c.name),
			Reason: fmt.Sprintf("is not declared by the set %q", set.name),
		}
	default:
		if t.sums == nil {
			t.sums = make(map[string]int64)
		}
		t.sums[c.name] += n
	}
}

// end lets nothing more be added, and returns the sums, or why they are not valid.
func (t *tally) end() (map[string]int64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	return t.sums, t.failed
}
