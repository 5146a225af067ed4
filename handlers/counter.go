package handlers

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/values"
)

// Counter is a number of a run. The tasks of the run add to it. Declare it with [NewCounter].
type Counter struct{ set, name string }

// Name returns the name of the counter, in the states of runs and in package values.
func (c Counter) Name() string { return c.name }

// Of returns the counter of a run, for reading, and for writes that take effect at once: run is a
// *syncjob.Run or the [*Run] of a hook. Any code may call it. It makes no call of the store.
func (c Counter) Of(run runOfValues) *values.Counter {
	return values.NewCounter(run.Values(), store.RunScope(run.ID()), c.name)
}

// NewCounter declares a counter of the set. Tasks of the set add to it with [Counter.Add]. The
// store applies the additions of a task in the same step as its success. So the sum is exact, even
// if tasks are retried, workers are killed or replies are lost. Each run has its own sum, and keeps
// it as long as its summary. [Counter.Of] is the same number in package values.
//
// [NewRegistry] checks the name by the rules of [store.ValidateName], and that the set has at most
// [bounds.MaxCounters] counters. Declaring a name again returns the same counter.
func NewCounter(s *Set, name string) Counter {
	s.counters[name] = true
	return Counter{set: s.name, name: name}
}

// validateCounters reports every counter that is not valid.
func (s *Set) validateCounters(prefix string) (problems []error) {
	for _, name := range slices.Sorted(maps.Keys(s.counters)) {
		problems = append(problems, store.ValidateName(fmt.Sprintf("%sCounters[%.80q]", prefix, name), name))
	}
	if len(s.counters) > bounds.MaxCounters {
		problems = append(
			problems,
			&store.FieldError{Field: prefix + "Counters", Reason: fmt.Sprintf("are more than %d", bounds.MaxCounters)},
		)
	}
	return problems
}

// attempting is an attempt: an *[Attempt] or a *[Task].
type attempting interface{ attempt() *Attempt }

func (a *Attempt) attempt() *Attempt { return a }

// Add adds n, which may be negative, to the counter of the run when the attempt succeeds, in the
// same step. It does so also while the run is stopping. t is the [*Task] of the handler, or the
// [*Attempt]. If the attempt does not succeed, nothing is added. A call after the handler has
// returned has no effect. Add makes no call of the store.
//
// A counter is an int64. Sums outside that range may lose additions. Many readers of JSON lose
// digits of numbers beyond ±2^53. The task fails for good if its set did not declare the counter
// before the registry was made.
func (c Counter) Add(t attempting, n int64) {
	a := t.attempt()
	a.gather().tally.add(a.set, c, n)
}

// tally collects what one attempt adds to counters.
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
			Field:  fmt.Sprintf("Counters[%.80q]", c.name),
			Reason: fmt.Sprintf("is not declared by the set %q", set.name),
		}
	default:
		if t.sums == nil {
			t.sums = make(map[string]int64)
		}
		t.sums[c.name] += n
	}
}

// end refuses later additions. It returns the sums, or why they are not valid.
func (t *tally) end() (map[string]int64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.ended = true
	return t.sums, t.failed
}
