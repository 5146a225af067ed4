// Package intake decides what a worker fetches when. The worker asks it for a [Grant] to fetch in a
// partition of the store. It reports to it what was delivered, what has run and what was settled.
// From this, and from the times of handlers and fetches, intake computes how much room there is,
// which partition and which queues are next, and how much of each limit a fetch may use. For limits
// on kinds and sets, the worker draws permits and tokens from the store.
//
// It makes no call, starts no goroutine, and has one mutex.
package intake

import (
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
)

// maxFinished limits how many outcomes of a partition wait to be settled. When there are more,
// fetching from it pauses, so that a slow store does not fill the memory.
const maxFinished = 4 * bounds.MaxBatch

// suspectPatience is after how many deliveries a worker fetches suspects even if no slot is free.
// Usually it waits for a free slot: a suspect should not wait in a process that another task may
// kill. But a worker that is always busy must not starve suspects.
const suspectPatience = 4 * bounds.MaxBatch

// Config configures an intake.
type Config struct {
	Concurrency int
	Partitions  int
	Once        bool          // report when there is nothing left to do
	Queues      []Queue       // to fetch from
	Strict      bool          // from a queue only while the queues before it are empty
	Holder      string        // the worker that draws on limits
	Place       time.Duration // how long it keeps its place among those that wait for a limit

	Scopes     map[string]store.Scope // the groups of kinds that limits count together, by name
	Attributes func(set, kind string) (handlers.Attributes, error)
}

// Intake decides when to fetch, from which partition and queues, and how much. It fetches when
// there is room and a reason to expect work, and never otherwise. It is called twice for each
// fetch; for each task only an atomic counter changes. One mutex guards everything.
type Intake struct {
	cfg   Config
	quiet chan struct{} // closed when there is nothing left to do, if it is to end

	// inHand counts tasks that are being fetched, wait in this process, or run.
	inHand atomic.Int64
	ending atomic.Bool // it is to end when there is nothing left to do; with Once, always
	// wakeAt: when inHand falls to this value, a fetch is worth it.
	wakeAt atomic.Int64
	pace   pace

	mu       sync.Mutex
	limits   *limits
	queues   *queueOrder
	prefetch int
	suspect  bool // a suspect is in hand or is being fetched: they run one at a time
	sources  []*Source
	isQuiet  bool
	shut     bool // the worker must not fetch now
}

// Task is a leased delivery, as the intake counts it.
type Task struct {
	Delivery *store.Delivery
	charged  []*Limit // limits for which it counts as running; guarded by the intake's mutex
}

// Debt holds the shares of limits that fetches without an answer may have used. The zero value is
// empty.
type Debt struct{ shares []share } // guarded by the intake's mutex

// New returns an intake. No partition has a session yet.
func New(cfg Config) *Intake {
	in := &Intake{cfg: cfg, quiet: make(chan struct{}), queues: newQueueOrder(cfg.Queues, cfg.Strict)}
	in.limits = newLimits(in)
	in.wakeAt.Store(-1)
	in.ending.Store(cfg.Once)
	for range cfg.Partitions {
		in.sources = append(in.sources, &Source{
			in:     in,
			grants: make(chan *Grant, 1),
			turn:   turn{weight: 1},
			short:  make(map[*Limit]bool),
			lacks:  make(map[*Limit]bool),
			turns:  make(map[*Limit]int64),
		})
	}
	return in
}

// Source returns the source of a partition.
func (in *Intake) Source(partition int) *Source { return in.sources[partition] }

// End says whether the intake is to end when there is nothing left to do, although Config.Once is
// not set.
func (in *Intake) End(ending bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.ending.Store(ending || in.cfg.Once)
	in.decideLocked()
}

// NothingLeft is closed when there is nothing left to do, if Config.Once is set, or after End.
func (in *Intake) NothingLeft() <-chan struct{} { return in.quiet }

// Serves reports whether the worker fetches from a queue.
func (in *Intake) Serves(queue string) bool {
	_, ok := in.queues.index[queue]
	return ok
}

// Ran reports how long a handler took.
func (in *Intake) Ran(d time.Duration) { in.pace.ran(d) }

// Finished reports that a task has left its slot, or will never have one.
func (in *Intake) Finished() {
	left := in.inHand.Add(-1)
	if left <= in.wakeAt.Load() || left == 0 && in.ending.Load() {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.decideLocked()
	}
}

// Redeemed takes the tasks of a lost session, and its debt, out of the count: the store has nothing
// of the session any more.
func (in *Intake) Redeemed(d *Debt, tasks iter.Seq[*Task]) {
	in.mu.Lock()
	defer in.mu.Unlock()
	returnLocked(d.shares)
	d.shares = nil
	for t := range tasks {
		t.dischargeLocked()
	}
	in.decideLocked()
}

// Slowed reports that handlers now take at least this long.
func (in *Intake) Slowed(d time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.pace.slow(d)
	in.decideLocked()
}

// appetiteLocked returns how many tasks the worker could have in hand.
func (in *Intake) appetiteLocked() int { return in.cfg.Concurrency + in.prefetch }

// decideLocked gives grants while there is room. At the end it publishes the value of inHand at
// which it must be called again, and then checks once more. So it misses no task that finishes in
// between: that task sees the value, or this check sees the task.
func (in *Intake) decideLocked() {
	for {
		in.grantLocked()
		at := in.thresholdLocked()
		in.wakeAt.Store(at)
		if in.inHand.Load() > at {
			break
		}
	}
	in.limits.kickLocked()
	if in.ending.Load() && !in.isQuiet && in.quietLocked() {
		in.isQuiet = true
		close(in.quiet)
	}
}

func (in *Intake) grantLocked() {
	in.prefetch = in.pace.prefetch(in.cfg.Concurrency)
	for {
		inHand := in.inHand.Load()
		if inHand > in.roomLocked() {
			return
		}
		slots := int64(in.cfg.Concurrency) - inHand // with nothing to run
		var next *Source
		rivals := 0
		for _, src := range in.sources {
			if !in.wantsLocked(src, slots > 0) {
				continue
			}
			if rivals++; next == nil || src.turn.pass < next.turn.pass {
				next = src
			}
		}
		if next == nil {
			return
		}
		free := int64(in.cfg.Concurrency+in.prefetch) - inHand
		next.asked = in.queues.nextLocked(next.asked[:0])
		g := &Grant{
			// A partition that does not answer keeps only its share of the room.
			Max:     int(min(bounds.MaxBatch, (free+int64(rivals)-1)/int64(rivals))),
			Suspect: !in.suspect && (slots > 0 || next.unasked >= suspectPatience),
			Queues:  next.asked,
			PerRun:  in.limits.perRun,
			src:     next,
		}
		g.shares = in.limits.shareLocked(next, g.Max)
		in.inHand.Add(int64(g.Max))
		in.suspect = in.suspect || g.Suspect
		in.liftLocked(next)
		next.busy, next.hot, next.unprobed = true, false, false
		next.grants <- g
	}
}

// liftLocked limits how far a source is behind the others that have work: to one batch.
func (in *Intake) liftLocked(src *Source) {
	floor, rivals := 0.0, false
	for _, other := range in.sources {
		if other != src && (other.busy || other.hot) && (!rivals || other.turn.pass < floor) {
			floor, rivals = other.turn.pass, true
		}
	}
	if rivals {
		src.turn.lift(floor - bounds.MaxBatch)
	}
}

// roomLocked returns the highest inHand at which a fetch is worth it: a slot has nothing to run, or
// half of the prefetched tasks are used up.
func (in *Intake) roomLocked() int64 {
	full := in.cfg.Concurrency + in.prefetch
	return int64(min(full-1, max(in.cfg.Concurrency-1, full-(in.prefetch+1)/2)))
}

func (in *Intake) wantsLocked(src *Source, slotFree bool) bool {
	if in.shut || src.held || !src.open || src.busy || src.unsettled >= in.cfg.Concurrency+in.prefetch+maxFinished {
		return false
	}
	return src.hot || src.unprobed && slotFree && !in.suspect || in.limits.wantsLocked(src)
}

func (in *Intake) thresholdLocked() int64 {
	at := int64(-1)
	for _, src := range in.sources {
		switch {
		case in.wantsLocked(src, false):
			return in.roomLocked()
		case in.wantsLocked(src, true):
			at = int64(in.cfg.Concurrency - 1)
		}
	}
	return at
}

func (in *Intake) quietLocked() bool {
	if in.inHand.Load() != 0 {
		return false
	}
	if in.limits.unansweredLocked() {
		return false
	}
	for _, src := range in.sources {
		if !src.open || src.busy || !src.held && (src.hot || src.unprobed) || src.unsettled > 0 {
			return false
		}
	}
	return true
}

// Idle reports whether no partition is left to ask for work.
func (in *Intake) Idle() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, src := range in.sources {
		if !src.open || src.busy || src.hot && !in.shut && !src.held && in.inHand.Load() <= in.roomLocked() {
			return false
		}
	}
	return true
}
