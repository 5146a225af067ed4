package intake

import (
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// granted takes the grant of a source, if there is one.
func granted(src *Source) (*Grant, bool) {
	select {
	case g := <-src.Granted():
		return g, true
	default:
		return &Grant{}, false
	}
}

// give answers a grant with so many deliveries, of which the first are suspects.
func give(g *Grant, n, suspects int, took time.Duration) {
	r := &store.FetchReply{Deliveries: make([]store.Delivery, n)}
	for i := range suspects {
		r.Deliveries[i].Task.Recovered = true
	}
	g.Answered(r, took, none)
}

func none(func(*Task) bool) {}

func intakeOf(concurrency, partitions int, once bool) *Intake {
	return New(Config{Concurrency: concurrency, Partitions: partitions, Once: once})
}

func finish(in *Intake, n int) {
	for range n {
		in.Finished()
	}
}

func TestAnIntakeAsksForWhatItHasRoomForAndOnlyWithReason(t *testing.T) {
	in := intakeOf(8, 1, false)
	src := in.sources[0]
	src.Opened()
	g, ok := granted(src)
	require.True(t, ok)
	require.Equal(t, 8, g.Max, "nothing is prefetched before a handler has returned")
	require.True(t, g.Suspect)
	give(g, 0, 0, time.Millisecond)
	_, ok = granted(src)
	require.False(t, ok, "an empty source is left alone")
	src.Awaken()
	g, ok = granted(src)
	require.True(t, ok)
	src.Awaken()
	give(g, 0, 0, time.Millisecond)
	g, ok = granted(src)
	require.True(t, ok, "work that came while a fetch was in flight is not missed")
	give(g, 8, 0, time.Millisecond)
	_, ok = granted(src)
	require.False(t, ok, "no room")
	finish(in, 1)
	g, ok = granted(src)
	require.True(t, ok)
	require.Equal(t, 1, g.Max)
}

func TestAnIntakeDoesNotAskASourceThatSaysThatNothingIsLeft(t *testing.T) {
	in := intakeOf(8, 1, false)
	src := in.sources[0]
	src.Opened()
	drained := &store.FetchReply{Deliveries: make([]store.Delivery, 2), Drained: true}
	g, ok := granted(src)
	require.True(t, ok)
	g.Answered(drained, time.Millisecond, none)
	_, ok = granted(src)
	require.False(t, ok, "nothing is left")
	src.Awaken()
	g, ok = granted(src)
	require.True(t, ok)
	src.Awaken()
	g.Answered(drained, time.Millisecond, none)
	g, ok = granted(src)
	require.True(t, ok, "work that came while the fetch was in flight is not missed")
	give(g, 2, 0, time.Millisecond)
	_, ok = granted(src)
	require.True(t, ok, "a fetch that found tasks does not prove that there are no more")
}

func TestAnIntakePrefetchesForShortTasksAndRefillsByHalves(t *testing.T) {
	in := intakeOf(10, 1, false)
	src := in.sources[0]
	for range 100 {
		in.pace.ran(100 * time.Microsecond)
	}
	in.pace.sample(5 * time.Millisecond) // 20 ms ahead are 200 tasks for each slot
	src.Opened()
	require.Equal(t, maxPrefetch, in.prefetch)
	for {
		g, ok := granted(src)
		if !ok {
			break
		}
		require.LessOrEqual(t, g.Max, bounds.MaxBatch)
		give(g, g.Max, 0, 5*time.Millisecond)
	}
	held := in.inHand.Load()
	require.Greater(t, held, int64(10+maxPrefetch/2))
	finish(in, int(held)-(10+maxPrefetch/2)-1)
	_, ok := granted(src)
	require.False(t, ok, "not before half is used")
	finish(in, 1)
	g, ok := granted(src)
	require.True(t, ok)
	require.Equal(t, bounds.MaxBatch, g.Max)
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
	in := intakeOf(30, 3, false)
	for _, src := range in.sources[:2] {
		src.Opened()
	}
	got := make([]int, 3)
	step := func() {
		for i, src := range in.sources {
			if g, ok := granted(src); ok {
				give(g, g.Max, 0, time.Millisecond)
				got[i] += g.Max
				finish(in, g.Max)
				src.Settled(none, g.Max, false)
			}
		}
	}
	for range 100 {
		step()
	}
	require.InDelta(t, got[0], got[1], 60)
	in.sources[2].Opened()
	clear(got)
	for range 100 {
		step()
	}
	require.InDelta(t, got[0], got[2], bounds.MaxBatch+30)
}

func TestAPartitionThatDoesNotAnswerKeepsOnlyItsShare(t *testing.T) {
	in := intakeOf(30, 2, false)
	a, b := in.sources[0], in.sources[1]
	in.mu.Lock()
	a.open, a.hot, b.open, b.hot = true, true, true, true
	in.decideLocked()
	in.mu.Unlock()
	ga, _ := granted(a)
	gb, _ := granted(b)
	require.Equal(t, 15, ga.Max)
	require.Equal(t, 15, gb.Max)
	ga.GiveBack()
	give(gb, gb.Max, 0, time.Millisecond)
	g, ok := granted(b)
	require.True(t, ok)
	require.Equal(t, 15, g.Max, "what the silent one held is free again")
	give(ga, 15, 1, time.Second)
	require.EqualValues(t, 45, in.inHand.Load(), "a late reply is adopted beyond the room")
	require.True(t, in.suspect)
}

func TestOneSuspectIsInHandAtATime(t *testing.T) {
	in := intakeOf(4, 2, false)
	a, b := in.sources[0], in.sources[1]
	a.Opened()
	ga, _ := granted(a)
	require.True(t, ga.Suspect)
	b.Opened()
	give(ga, 1, 1, time.Millisecond)
	gb, ok := granted(b)
	require.True(t, ok)
	require.False(t, gb.Suspect)
	give(gb, 0, 0, time.Millisecond)
	ga, _ = granted(a)
	give(ga, 0, 0, time.Millisecond)
	_, ok = granted(b)
	require.False(t, ok)
	in.Finished()
	_, oka := granted(a)
	_, okb := granted(b)
	require.False(t, oka || okb, "a suspect that is not settled is still on this worker's hands")
	a.Settled(none, 1, true)
	ga, oka = granted(a)
	gb, okb = granted(b)
	require.True(t, oka || okb, "those that were not asked for suspects are asked again")
	require.NotEqual(t, ga.Suspect, gb.Suspect)
}

func TestALostSessionFreesItsRoom(t *testing.T) {
	in := intakeOf(4, 1, false)
	src := in.sources[0]
	src.Opened()
	src.Lost()
	require.Zero(t, in.inHand.Load())
	require.False(t, in.suspect)
	src.Awaken()
	_, ok := granted(src)
	require.False(t, ok)
	src.Opened()
	_, ok = granted(src)
	require.True(t, ok)
}

func TestOutcomesThatPileUpStopFetching(t *testing.T) {
	in := intakeOf(4, 1, false)
	src := in.sources[0]
	src.Opened()
	delivered := 0
	for {
		g, ok := granted(src)
		if !ok {
			break
		}
		delivered += g.Max
		give(g, g.Max, 0, time.Millisecond)
		finish(in, g.Max)
	}
	require.InDelta(t, maxFinished, delivered, 100)
	src.Settled(none, bounds.MaxBatch, false)
	_, ok := granted(src)
	require.True(t, ok)
}

// Tasks that finish while a reply to a fetch is taken in must never leave room that
// nobody fills: the counter and the threshold are not changed in one step.
func TestNoWakeUpIsLostBetweenCounterAndThreshold(t *testing.T) {
	in := intakeOf(4, 1, false)
	src := in.sources[0]
	src.Opened()
	running := 0
	for range 20_000 {
		g, ok := granted(src)
		require.True(t, ok, "in hand %d", in.inHand.Load())
		var wg sync.WaitGroup
		for range running {
			wg.Go(func() { in.Finished() })
		}
		give(g, g.Max, 0, time.Microsecond)
		wg.Wait()
		src.Settled(none, running, false)
		if running = g.Max; in.inHand.Load() == 4 && len(src.grants) == 0 {
			in.Finished() // all slots were filled anew: free one
			src.Settled(none, 1, false)
			running--
		}
	}
}

func TestOnceIsQuietOnlyWhenNothingIsLeft(t *testing.T) {
	in := intakeOf(4, 1, true)
	src := in.sources[0]
	quiet := func() bool {
		select {
		case <-in.quiet:
			return true
		default:
			return false
		}
	}
	src.Opened()
	g, _ := granted(src)
	give(g, 1, 0, time.Millisecond)
	g, _ = granted(src)
	give(g, 0, 0, time.Millisecond)
	in.Finished()
	require.False(t, quiet(), "one outcome is not settled")
	src.Settled(none, 1, false)
	require.False(t, quiet(), "it may have children")
	g, ok := granted(src)
	require.True(t, ok)
	give(g, 0, 0, time.Millisecond)
	require.True(t, quiet())
}

func orderOf(strict bool, weights ...float64) *queueOrder {
	var queues []Queue
	for i, w := range weights {
		queues = append(queues, Queue{FetchQueue: store.FetchQueue{Queue: strconv.Itoa(i)}, Weight: w})
	}
	return newQueueOrder(queues, strict)
}

// first is the queue that is asked first.
func (o *queueOrder) first() int { return o.index[o.nextLocked(nil)[0].Queue] }

// deliver charges so many deliveries of each queue.
func (o *queueOrder) deliver(got ...int) {
	var ds []store.Delivery
	for q, n := range got {
		for range n {
			ds = append(ds, store.Delivery{Lease: store.Lease{Lane: store.Lane{Route: store.Route{Queue: strconv.Itoa(q)}}}})
		}
	}
	o.receivedLocked(ds)
}

func TestQueuesShareByWeight(t *testing.T) {
	o := orderOf(false, 3, 1)
	total := make([]int, 2)
	for range 1000 {
		got := make([]int, 2)
		got[o.first()] = 8
		o.deliver(got...)
		for i, n := range got {
			total[i] += n
		}
	}
	require.InDelta(t, 3, float64(total[0])/float64(total[1]), 0.05)

	for range 1000 { // the first has nothing, so the second gets all
		o.deliver(0, 8)
	}
	first := 0
	for range 100 {
		i := o.first()
		got := make([]int, 2)
		got[i] = 8
		o.deliver(got...)
		if i == 0 {
			first++
		}
	}
	require.InDelta(t, 75, first, 3, "idleness saves nothing up")

	strict := orderOf(true, 1, 1)
	strict.deliver(100, 0)
	require.Equal(t, 0, strict.first())
}
