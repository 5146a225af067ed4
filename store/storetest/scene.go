package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

const (
	// steady is a lease that is longer than every test.
	steady = time.Hour
	// brief is a short lease: a test waits for its end. The rest of the test must not need the session
	// for long.
	brief = 200 * time.Millisecond
	// tick is how far the clock moves between two checks. It is short compared with a lease, so that a
	// store does not see a gap between its sweeps.
	tick = 50 * time.Millisecond
	// patience is the longest wait, in ticks.
	patience = 400
	// never is a delay that is longer than every test.
	never = 24 * time.Hour
)

// scene is the environment of one case: a new store, its clock, and assertions that begin with the
// tested sentence.
type scene struct {
	*require.Assertions
	tb    testing.TB
	ctx   context.Context
	h     Harness
	made  store.Store // by the harness
	store store.Store // behind the checks
	names int         // of producers, sessions and tokens given out
}

func newScene(tb testing.TB, h Harness, sentence string) *scene {
	tb = led{tb, sentence}
	made := h.New(tb)
	tb.Cleanup(func() { _ = made.Close() })
	return &scene{Assertions: require.New(tb), tb: tb, ctx: tb.Context(), h: h, made: made, store: store.Checked(made)}
}

// over returns the same scene with another store, which wraps the first.
func (s *scene) over(decorated store.Store) *scene {
	other := *s
	other.store = store.Checked(decorated)
	return &other
}

// led is a testing.TB. Its failures begin with a sentence.
type led struct {
	testing.TB
	sentence string
}

func (l led) Errorf(format string, args ...any) {
	l.Helper()
	l.TB.Errorf("%s\n%s", l.sentence, strings.TrimLeft(fmt.Sprintf(format, args...), "\n"))
}

func (l led) Fatalf(format string, args ...any) {
	l.Helper()
	l.Errorf(format, args...)
	l.FailNow()
}

// name returns a name that was not used before in the scene.
func (s *scene) name(prefix string) string {
	s.names++
	return fmt.Sprintf("%s-%d", prefix, s.names)
}

// together runs fn for 0 to n-1 at the same time, as far as the scheduler allows, and waits for
// all. fn must not end the test: it returns its error.
func (s *scene) together(n int, fn func(i int) error) {
	s.tb.Helper()
	errs := make([]error, n)
	start := make(chan struct{})
	group := lifecycle.New(s.ctx)
	for i := range n {
		group.Go(func(context.Context) {
			<-start
			errs[i] = fn(i)
		})
	}
	close(start)
	group.Wait()
	s.NoError(errors.Join(errs...))
}

// until moves the clock tick by tick until done returns true. Meanwhile it sweeps and promotes the
// partition, as any process may. This is necessary: if no sweep came for a while, a store first
// extends every lease, so one late sweep would prove nothing.
func (s *scene) until(partition int, what string, done func() bool) {
	s.tb.Helper()
	for range patience {
		s.promote(partition)
		s.sweep(partition)
		if done() {
			return
		}
		s.h.Advance(s.tb, tick)
	}
	s.Failf("waited in vain", "until %s", what)
}

// sweep sweeps until no more work is left.
func (s *scene) sweep(partition int) {
	s.tb.Helper()
	for range 10_000 {
		reply, err := s.store.Sweep(s.ctx, partition)
		s.NoError(err)
		if !reply.More {
			return
		}
	}
	s.Fail("Sweep reports More for ever")
}

// promote promotes until no more tasks are due, and returns how many it moved.
func (s *scene) promote(partition int) (promoted int) {
	s.tb.Helper()
	for range 10_000 {
		reply, err := s.store.Promote(s.ctx, partition)
		s.NoError(err)
		promoted += reply.Promoted
		if !reply.More {
			return promoted
		}
	}
	s.Fail("Promote reports More for ever")
	return promoted
}

// leftovers lists what is stored, sorted; nothing if the harness has no Leftovers.
func (s *scene) leftovers() []string {
	if s.h.Leftovers == nil {
		return nil
	}
	return slices.Sorted(slices.Values(s.h.Leftovers(s.tb, s.made)))
}

// nothingBeyond requires that at the end only the records from before are stored.
func (s *scene) nothingBeyond(before []string, partition int) {
	s.tb.Helper()
	var extra []string
	s.until(partition, "nothing is left behind", func() bool {
		extra = without(s.leftovers(), before)
		return len(extra) == 0
	})
}

// without returns the entries of list that are not in known, with repetitions.
func without(list, known []string) (extra []string) {
	count := make(map[string]int)
	for _, k := range known {
		count[k]++
	}
	for _, l := range list {
		if count[l]--; count[l] < 0 {
			extra = append(extra, l)
		}
	}
	return extra
}
