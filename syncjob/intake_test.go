package syncjob

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
)

// granted takes the grant of a source, if there is one.
func granted(src *source) (grant, bool) {
	select {
	case g := <-src.grants:
		return g, true
	default:
		return grant{}, false
	}
}

func finish(in *intake, n int) {
	for range n {
		in.finished()
	}
}

func TestAnIntakeAsksForWhatItHasRoomForAndOnlyWithReason(t *testing.T) {
	in := newIntake(8, 1, false)
	src := in.sources[0]
	in.opened(src)
	g, ok := granted(src)
	require.True(t, ok)
	require.Equal(t, grant{max: 8, suspect: true}, g, "nothing is prefetched before a handler has returned")
	in.fetched(src, g, g, fetched{n: 0, suspects: 0, took: time.Millisecond})
	_, ok = granted(src)
	require.False(t, ok, "an empty source is left alone")
	in.awaken(src)
	g, ok = granted(src)
	require.True(t, ok)
	in.awaken(src)
	in.fetched(src, g, g, fetched{n: 0, suspects: 0, took: time.Millisecond})
	g, ok = granted(src)
	require.True(t, ok, "work that came while a fetch was in flight is not missed")
	in.fetched(src, g, g, fetched{n: 8, suspects: 0, took: time.Millisecond})
	_, ok = granted(src)
	require.False(t, ok, "no room")
	finish(in, 1)
	g, ok = granted(src)
	require.True(t, ok)
	require.Equal(t, 1, g.max)
}

func TestAnIntakePrefetchesForShortTasksAndRefillsByHalves(t *testing.T) {
	in := newIntake(10, 1, false)
	src := in.sources[0]
	for range 100 {
		in.pace.ran(100 * time.Microsecond)
	}
	in.pace.sample(5 * time.Millisecond) // 20 ms ahead are 200 tasks for each slot
	in.opened(src)
	require.Equal(t, maxPrefetch, in.prefetch)
	for {
		g, ok := granted(src)
		if !ok {
			break
		}
		require.LessOrEqual(t, g.max, store.MaxBatch)
		in.fetched(src, g, g, fetched{n: g.max, suspects: 0, took: 5 * time.Millisecond})
	}
	held := in.inHand.Load()
	require.Greater(t, held, int64(10+maxPrefetch/2))
	finish(in, int(held)-(10+maxPrefetch/2)-1)
	_, ok := granted(src)
	require.False(t, ok, "not before half is used")
	finish(in, 1)
	g, ok := granted(src)
	require.True(t, ok)
	require.Equal(t, store.MaxBatch, g.max)
}

func TestPrefetchFollowsTheTimeOfHandlers(t *testing.T) {
	for handler, want := range map[time.Duration]int{
		time.Microsecond:       maxPrefetch,
		time.Millisecond:       256,
		10 * time.Millisecond:  25,
		500 * time.Millisecond: 0,
		time.Minute:            0,
	} {
		var p pace
		require.Zero(t, p.prefetch(64))
		p.ran(handler)
		p.sample(time.Millisecond)
		require.Equal(t, want, p.prefetch(64), "%v", handler)
	}
	var p pace
	p.ran(time.Microsecond)
	p.sample(time.Millisecond)
	p.slow(5 * time.Second)
	require.Zero(t, p.prefetch(64))
}

func TestPartitionsShareTheRoomAndIdlenessSavesNothingUp(t *testing.T) {
	in := newIntake(30, 3, false)
	for _, src := range in.sources[:2] {
		in.opened(src)
	}
	got := make([]int, 3)
	step := func() {
		for i, src := range in.sources {
			if g, ok := granted(src); ok {
				in.fetched(src, g, g, fetched{n: g.max, suspects: 0, took: time.Millisecond})
				got[i] += g.max
				finish(in, g.max)
				in.settled(src, make([]*task, g.max), false)
			}
		}
	}
	for range 100 {
		step()
	}
	require.InDelta(t, got[0], got[1], 60)
	in.opened(in.sources[2])
	clear(got)
	for range 100 {
		step()
	}
	require.InDelta(t, got[0], got[2], store.MaxBatch+30)
}

func TestAPartitionThatDoesNotAnswerKeepsOnlyItsShare(t *testing.T) {
	in := newIntake(30, 2, false)
	a, b := in.sources[0], in.sources[1]
	in.mu.Lock()
	a.open, a.hot, b.open, b.hot = true, true, true, true
	in.decideLocked()
	in.mu.Unlock()
	ga, _ := granted(a)
	gb, _ := granted(b)
	require.Equal(t, 15, ga.max)
	require.Equal(t, 15, gb.max)
	in.giveBack(ga)
	in.fetched(b, gb, gb, fetched{n: gb.max, suspects: 0, took: time.Millisecond})
	g, ok := granted(b)
	require.True(t, ok)
	require.Equal(t, 15, g.max, "what the silent one held is free again")
	in.fetched(a, ga, grant{}, fetched{n: 15, suspects: 1, took: time.Second})
	require.EqualValues(t, 45, in.inHand.Load(), "a late reply is adopted beyond the room")
	require.True(t, in.suspect)
}

func TestOneSuspectIsInHandAtATime(t *testing.T) {
	in := newIntake(4, 2, false)
	a, b := in.sources[0], in.sources[1]
	in.opened(a)
	ga, _ := granted(a)
	require.True(t, ga.suspect)
	in.opened(b)
	in.fetched(a, ga, ga, fetched{n: 1, suspects: 1, took: time.Millisecond})
	gb, ok := granted(b)
	require.True(t, ok)
	require.False(t, gb.suspect)
	in.fetched(b, gb, gb, fetched{n: 0, suspects: 0, took: time.Millisecond})
	ga, _ = granted(a)
	in.fetched(a, ga, ga, fetched{n: 0, suspects: 0, took: time.Millisecond})
	_, ok = granted(b)
	require.False(t, ok)
	in.finished()
	_, oka := granted(a)
	_, okb := granted(b)
	require.False(t, oka || okb, "a suspect that is not settled is still on this worker's hands")
	in.settled(a, make([]*task, 1), true)
	ga, oka = granted(a)
	gb, okb = granted(b)
	require.True(t, oka || okb, "those that were not asked for suspects are asked again")
	require.NotEqual(t, ga.suspect, gb.suspect)
}

func TestALostSessionFreesItsRoom(t *testing.T) {
	in := newIntake(4, 1, false)
	src := in.sources[0]
	in.opened(src)
	in.lost(src)
	require.Zero(t, in.inHand.Load())
	require.False(t, in.suspect)
	in.awaken(src)
	_, ok := granted(src)
	require.False(t, ok)
	in.opened(src)
	_, ok = granted(src)
	require.True(t, ok)
}

func TestOutcomesThatPileUpStopFetching(t *testing.T) {
	in := newIntake(4, 1, false)
	src := in.sources[0]
	in.opened(src)
	delivered := 0
	for {
		g, ok := granted(src)
		if !ok {
			break
		}
		delivered += g.max
		in.fetched(src, g, g, fetched{n: g.max, suspects: 0, took: time.Millisecond})
		finish(in, g.max)
	}
	require.InDelta(t, maxFinished, delivered, 100)
	in.settled(src, make([]*task, store.MaxBatch), false)
	_, ok := granted(src)
	require.True(t, ok)
}

// Tasks that finish while a reply to a fetch is taken in must never leave room that
// nobody fills: the counter and the threshold are not changed in one step.
func TestNoWakeUpIsLostBetweenCounterAndThreshold(t *testing.T) {
	in := newIntake(4, 1, false)
	src := in.sources[0]
	in.opened(src)
	running := 0
	for range 20_000 {
		g, ok := granted(src)
		require.True(t, ok, "in hand %d", in.inHand.Load())
		var wg sync.WaitGroup
		for range running {
			wg.Go(func() { in.finished() })
		}
		in.fetched(src, g, g, fetched{n: g.max, suspects: 0, took: time.Microsecond})
		wg.Wait()
		in.settled(src, make([]*task, running), false)
		if running = g.max; in.inHand.Load() == 4 && len(src.grants) == 0 {
			in.finished() // all slots were filled anew: free one
			in.settled(src, make([]*task, 1), false)
			running--
		}
	}
}

func TestOnceIsQuietOnlyWhenNothingIsLeft(t *testing.T) {
	in := newIntake(4, 1, true)
	src := in.sources[0]
	quiet := func() bool {
		select {
		case <-in.quiet:
			return true
		default:
			return false
		}
	}
	in.opened(src)
	g, _ := granted(src)
	in.fetched(src, g, g, fetched{n: 1, suspects: 0, took: time.Millisecond})
	g, _ = granted(src)
	in.fetched(src, g, g, fetched{n: 0, suspects: 0, took: time.Millisecond})
	in.finished()
	require.False(t, quiet(), "one outcome is not settled")
	in.settled(src, make([]*task, 1), false)
	require.False(t, quiet(), "it may have children")
	g, ok := granted(src)
	require.True(t, ok)
	in.fetched(src, g, g, fetched{n: 0, suspects: 0, took: time.Millisecond})
	require.True(t, quiet())
}

func TestAStriderSharesByWeight(t *testing.T) {
	s := newStrider([]float64{3, 1}, false)
	total := make([]int, 2)
	for range 1000 {
		got := make([]int, 2)
		got[s.order(nil)[0]] = 8
		s.received(got)
		for i, n := range got {
			total[i] += n
		}
	}
	require.InDelta(t, 3, float64(total[0])/float64(total[1]), 0.05)

	for range 1000 { // the first has nothing, so the second gets all
		s.received([]int{0, 8})
	}
	first := 0
	for range 100 {
		i := s.order(nil)[0]
		got := make([]int, 2)
		got[i] = 8
		s.received(got)
		if i == 0 {
			first++
		}
	}
	require.InDelta(t, 75, first, 3, "idleness saves nothing up")

	strict := newStrider([]float64{1, 1}, true)
	strict.received([]int{100, 0})
	require.Equal(t, []int{0, 1}, strict.order(nil))
}
