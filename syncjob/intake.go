package syncjob

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// maxFinished is how many outcomes of a partition may wait to be settled before
// fetching from it pauses: a store that is slow to settle must not fill the memory.
const maxFinished = 4 * store.MaxBatch

// suspectPatience is after how many deliveries a partition is asked for suspects though
// no slot is free. Otherwise they are not, so that a suspect does not wait in a process
// that some other task may kill; but a worker that is never idle must not starve them.
const suspectPatience = 4 * store.MaxBatch

// intake decides which partition fetches how much and when: as soon as there is room
// and reason to believe that there is work, and never otherwise. It is asked twice per
// fetch, and once per task only by an atomic counter.
type intake struct {
	concurrency int
	once        bool
	quiet       chan struct{} // closed, for once, when there is nothing left to do

	// inHand counts tasks that were asked for, or wait in this process, or run.
	inHand atomic.Int64
	// wakeAt is the value of inHand at or below which somebody would fetch.
	wakeAt atomic.Int64

	limits *limits // nil for none; guarded by mu

	mu       sync.Mutex
	pace     pace
	prefetch int
	suspect  bool // one suspect is in hand or was asked for: they run one at a time
	sources  []*source
	isQuiet  bool
}

// source is a partition as the intake sees it.
type source struct {
	grants chan grant // capacity 1

	// Guarded by intake.mu.
	open      bool    // there is a session to fetch with
	hot       bool    // there may be work that nobody has asked for since
	unprobed  bool    // it was found empty, but was not asked for suspects
	busy      bool    // a grant is out
	pass      float64 // deliveries received, lifted after idleness: the lowest goes first
	unsettled int     // deliveries not yet settled
	suspect   bool    // it delivered a suspect that is not settled yet
	unasked   int     // deliveries since it was last asked for suspects

	short map[*limit]bool  // limits of which nothing was left while more waited
	turns map[*limit]int64 // when it was last given something of a limit
}

// grant is leave to fetch.
type grant struct {
	max     int
	suspect bool
	shares  []share // of limits; reserved until the fetch is answered
	perRun  []store.RunLimit
}

// fetched is the reply to a fetch as the intake sees it.
type fetched struct {
	n, suspects int
	took        time.Duration
	tasks       []task // those delivered
	short       []int  // shares of which nothing was left while more waited
	now         time.Time
}

func newIntake(concurrency, partitions int, once bool) *intake {
	in := &intake{concurrency: concurrency, once: once, quiet: make(chan struct{})}
	in.wakeAt.Store(-1)
	for range partitions {
		in.sources = append(in.sources, &source{grants: make(chan grant, 1), short: make(map[*limit]bool), turns: make(map[*limit]int64)})
	}
	return in
}

// opened says that a session can fetch from the source.
func (in *intake) opened(src *source) {
	in.mu.Lock()
	defer in.mu.Unlock()
	src.open, src.hot, src.unprobed, src.busy, src.unsettled = true, true, false, false, 0
	if in.limits != nil {
		in.limits.epoch++
	}
	in.decideLocked()
}

// lost says that the source's session is gone, and with it what it had not settled.
func (in *intake) lost(src *source) {
	in.mu.Lock()
	defer in.mu.Unlock()
	select {
	case g := <-src.grants:
		in.returnLocked(g)
		returnLocked(g.shares)
	default:
	}
	src.open, src.busy, src.unsettled = false, false, 0
	clear(src.short)
	if src.suspect {
		src.suspect, in.suspect = false, false
	}
	in.decideLocked()
}

// awaken says that the source may have work.
func (in *intake) awaken(src *source) {
	in.mu.Lock()
	defer in.mu.Unlock()
	src.hot = true
	in.decideLocked()
}

// giveBack returns the room of a grant whose fetch has failed so far; the fetch will be
// repeated without a grant, and the source stays busy until it answers.
func (in *intake) giveBack(g grant) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.returnLocked(g)
	in.decideLocked()
}

// owe keeps reserved what a fetch that was given up without an answer may have leased, until it is known
// that nothing of the session is left.
func (in *intake) owe(s *session, asked grant) {
	in.mu.Lock()
	defer in.mu.Unlock()
	s.owed = append(s.owed, asked.shares...)
}

// appetiteLocked is how many tasks the worker could have in hand.
func (in *intake) appetiteLocked() int { return in.concurrency + in.prefetch }

func (in *intake) returnLocked(g grant) {
	in.inHand.Add(-int64(g.max))
	if g.suspect {
		in.suspect = false
	}
}

// fetched reports the reply to a fetch. g is the zero grant if it was given back.
func (in *intake) fetched(src *source, asked, g grant, f fetched) {
	in.mu.Lock()
	defer in.mu.Unlock()
	got, suspects := f.n, f.suspects
	if in.limits != nil {
		in.limits.fetchedLocked(src, asked.shares, f)
	}
	in.pace.sample(f.took)
	in.returnLocked(g)
	in.inHand.Add(int64(got))
	in.suspect = in.suspect || suspects > 0
	src.suspect = src.suspect || suspects > 0
	src.busy = false
	src.unsettled += got
	src.pass += float64(got)
	if src.unasked += got; asked.suspect {
		src.unasked = 0
	}
	switch {
	case got > 0:
		src.hot = true // a fetch that found something never proves that it was all
	case !asked.suspect:
		src.unprobed = true
	}
	in.decideLocked()
}

// finished says that a task has left a handler's slot, or will never enter one.
func (in *intake) finished() {
	left := in.inHand.Add(-1)
	if left <= in.wakeAt.Load() || left == 0 && in.once {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.decideLocked()
	}
}

// settled says that deliveries of the source are done with. Only then is a suspect off this
// worker's hands: if the process died before, it would be charged, and so would the next.
func (in *intake) settled(src *source, tasks []*task, suspect bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	n := len(tasks)
	if in.limits != nil && in.limits.counting {
		for _, t := range tasks {
			in.limits.dischargeLocked(t)
		}
	}
	if suspect {
		src.suspect, in.suspect = false, false
	}
	src.unsettled -= n
	// What was settled may have children. Their signal will say so, but once must know
	// now.
	src.hot = src.hot || in.once
	in.decideLocked()
}

// adopted says that n deliveries were found that will be settled but never run.
func (in *intake) adopted(src *source, n int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	src.unsettled += n
}

// slowed says that handlers take at least that long, whatever the past was like.
func (in *intake) slowed(d time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.pace.slow(d)
	in.decideLocked()
}

// decideLocked hands out grants while there is room. Before it returns it publishes at
// which inHand it wants to be called again, and then looks once more: a task that
// finished in between either saw that value or is seen here.
func (in *intake) decideLocked() {
	for {
		in.grantLocked()
		at := in.thresholdLocked()
		in.wakeAt.Store(at)
		if in.inHand.Load() > at {
			break
		}
	}
	if in.limits != nil {
		in.limits.kickLocked()
	}
	if in.once && !in.isQuiet && in.quietLocked() {
		in.isQuiet = true
		close(in.quiet)
	}
}

func (in *intake) grantLocked() {
	in.prefetch = in.pace.prefetch(in.concurrency)
	for {
		inHand := in.inHand.Load()
		if inHand > in.roomLocked() {
			return
		}
		slots := int64(in.concurrency) - inHand // without anything to run
		var next *source
		rivals := 0
		for _, src := range in.sources {
			if !in.wantsLocked(src, slots > 0) {
				continue
			}
			if rivals++; next == nil || src.pass < next.pass {
				next = src
			}
		}
		if next == nil {
			return
		}
		free := int64(in.concurrency+in.prefetch) - inHand
		g := grant{
			// A partition that does not answer holds its share of the room, not all of
			// it.
			max:     int(min(store.MaxBatch, (free+int64(rivals)-1)/int64(rivals))),
			suspect: !in.suspect && (slots > 0 || next.unasked >= suspectPatience),
		}
		if in.limits != nil {
			g.shares, g.perRun = in.limits.shareLocked(next, g.max), in.limits.perRun
		}
		in.inHand.Add(int64(g.max))
		in.suspect = in.suspect || g.suspect
		in.liftLocked(next)
		next.busy, next.hot, next.unprobed = true, false, false
		next.grants <- g
	}
}

// liftLocked takes from a source the right to a burst that it saved up while it was
// idle: it may be behind the others that have work by one batch at most.
func (in *intake) liftLocked(src *source) {
	floor, rivals := 0.0, false
	for _, other := range in.sources {
		if other != src && (other.busy || other.hot) && (!rivals || other.pass < floor) {
			floor, rivals = other.pass, true
		}
	}
	if rivals {
		src.pass = max(src.pass, floor-store.MaxBatch)
	}
}

// roomLocked is the highest inHand at which fetching is worth it: a slot has nothing to
// run, or half of what is prefetched has been used.
func (in *intake) roomLocked() int64 {
	full := in.concurrency + in.prefetch
	return int64(min(full-1, max(in.concurrency-1, full-(in.prefetch+1)/2)))
}

func (in *intake) wantsLocked(src *source, slotFree bool) bool {
	if !src.open || src.busy || src.unsettled >= in.concurrency+in.prefetch+maxFinished {
		return false
	}
	return src.hot || src.unprobed && slotFree && !in.suspect || in.limits != nil && in.limits.wantsLocked(src)
}

func (in *intake) thresholdLocked() int64 {
	at := int64(-1)
	for _, src := range in.sources {
		switch {
		case in.wantsLocked(src, false):
			return in.roomLocked()
		case in.wantsLocked(src, true):
			at = int64(in.concurrency - 1)
		}
	}
	return at
}

func (in *intake) quietLocked() bool {
	if in.inHand.Load() != 0 {
		return false
	}
	if in.limits != nil && in.limits.unansweredLocked() {
		return false
	}
	for _, src := range in.sources {
		if !src.open || src.busy || src.hot || src.unprobed || src.unsettled > 0 {
			return false
		}
	}
	return true
}
