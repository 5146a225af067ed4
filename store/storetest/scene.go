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
	// steady is a lease that outlives every test.
	steady = time.Hour
	// brief is a lease that a test waits to run out. Nothing that a test does
	// meanwhile depends on the session being alive for long.
	brief = 200 * time.Millisecond
	// tick is how far the clock moves between two looks: small beside a lease, so that
	// a store that watches for stalls of its sweeps sees none.
	tick = 50 * time.Millisecond
	// patience bounds every wait, in ticks.
	patience = 400
	// never is a delay that no test lives to see the end of.
	never = 24 * time.Hour
)

// scene is what one case plays on: a fresh store, its clock, and assertions that
// lead with the sentence that is being tried.
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

// over returns the same scene with another store in front: a decorator of the first.
func (s *scene) over(decorated store.Store) *scene {
	other := *s
	other.store = store.Checked(decorated)
	return &other
}

// led is a testing.TB whose failures lead with a sentence.
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

// together runs fn for 0 to n-1 at the same moment, as far as the scheduler
// allows, and waits for all. fn must not end the test: it returns what went wrong.
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

// until moves the clock tick by tick until done reports true. It keeps sweeping and promoting the
// partition, as any process may at any time: a store that finds that nobody swept for a while
// grants every lease an extension first, so one late sweep would prove nothing.
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

// sweep sweeps until there is no more to do now.
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

// promote promotes until nothing more is due now, and returns how many it moved.
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

// leftovers lists what is stored, sorted; nothing if the harness cannot tell.
func (s *scene) leftovers() []string {
	if s.h.Leftovers == nil {
		return nil
	}
	return slices.Sorted(slices.Values(s.h.Leftovers(s.tb, s.made)))
}

// nothingBeyond requires that, in the end, only what was there before is stored.
func (s *scene) nothingBeyond(before []string, partition int) {
	s.tb.Helper()
	var extra []string
	s.until(partition, "nothing is left behind", func() bool {
		extra = without(s.leftovers(), before)
		return len(extra) == 0
	})
}

// without returns what list holds beyond known, counting repetitions.
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
