// Package intake decides what a worker fetches when. A worker asks it for leave to fetch, a
// [Grant], in each partition of the store, and tells it what came of that: what was delivered, what
// has run, what was settled. From that, and from how long handlers and fetches take, it derives how
// much room there is, which partition and which queues have their turn, and what a fetch may take
// of the limits on kinds and sets, for which the worker draws permits and tokens from the store.
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

// maxFinished is how many outcomes of a partition may wait to be settled before
// fetching from it pauses: a store that is slow to settle must not fill the memory.
const maxFinished = 4 * bounds.MaxBatch

// suspectPatience is after how many deliveries a partition is asked for suspects though
// no slot is free. Otherwise they are not, so that a suspect does not wait in a process
// that some other task may kill; but a worker that is never idle must not starve them.
const suspectPatience = 4 * bounds.MaxBatch

// Config configures an intake.
type Config struct {
	Concurrency int
	Partitions  int
	Once        bool          // tell when there is nothing left to do
	Queues      []Queue       // to fetch from
	Strict      bool          // from a queue only while those before it have nothing
	Holder      string        // who draws on limits
	Place       time.Duration // how long it keeps its place in the line of a limit

	Scopes     map[string]store.Scope // what limits may count together, by their names
	Attributes func(set, kind string) (handlers.Attributes, error)
}

// Intake decides which partition fetches how much, from which queues, and when: as soon as there
// is room and reason to believe that there is work, and never otherwise. It is asked twice per
// fetch, and once per task only by an atomic counter. Everything is under one mutex.
type Intake struct {
	cfg   Config
	quiet chan struct{} // closed, for once, when there is nothing left to do

	// inHand counts tasks that were asked for, or wait in this process, or run.
	inHand atomic.Int64
	// wakeAt is the value of inHand at or below which somebody would fetch.
	wakeAt atomic.Int64
	pace   pace

	mu       sync.Mutex
	limits   *limits
	queues   *queueOrder
	prefetch int
	suspect  bool // one suspect is in hand or was asked for: they run one at a time
	sources  []*Source
	isQuiet  bool
}

// Task is a delivery that is leased, as the intake counts it.
type Task struct {
	Delivery *store.Delivery
	charged  []*Limit // to which it counts as running; guarded by the intake's mutex
}

// Debt is what fetches without an answer may have leased of limits. The zero value is nothing.
type Debt struct{ shares []share } // guarded by the intake's mutex

// New returns an intake of partitions in none of which a session is open.
func New(cfg Config) *Intake {
	in := &Intake{cfg: cfg, quiet: make(chan struct{}), queues: newQueueOrder(cfg.Queues, cfg.Strict)}
	in.limits = newLimits(in)
	in.wakeAt.Store(-1)
	for range cfg.Partitions {
		in.sources = append(in.sources, &Source{
			in:     in,
			grants: make(chan *Grant, 1),
			turn:   turn{weight: 1},
			short:  make(map[*Limit]bool),
			turns:  make(map[*Limit]int64),
		})
	}
	return in
}

// Source is the one of a partition.
func (in *Intake) Source(partition int) *Source { return in.sources[partition] }

// NothingLeft is closed, for once, when there is nothing left to do.
func (in *Intake) NothingLeft() <-chan struct{} { return in.quiet }

// Serves reports whether the worker fetches from a queue.
func (in *Intake) Serves(queue string) bool {
	_, ok := in.queues.index[queue]
	return ok
}

// Ran says how long a handler took.
func (in *Intake) Ran(d time.Duration) { in.pace.ran(d) }

// Finished says that a task has left a handler's slot, or will never enter one.
func (in *Intake) Finished() {
	left := in.inHand.Add(-1)
	if left <= in.wakeAt.Load() || left == 0 && in.cfg.Once {
		in.mu.Lock()
		defer in.mu.Unlock()
		in.decideLocked()
	}
}

// Redeemed takes what a lost session had leased, or may have, out of the count: nothing of it is
// left.
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

// Slowed says that handlers take at least that long, whatever the past was like.
func (in *Intake) Slowed(d time.Duration) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.pace.slow(d)
	in.decideLocked()
}

// appetiteLocked is how many tasks the worker could have in hand.
func (in *Intake) appetiteLocked() int { return in.cfg.Concurrency + in.prefetch }

// decideLocked hands out grants while there is room. Before it returns it publishes at
// which inHand it wants to be called again, and then looks once more: a task that
// finished in between either saw that value or is seen here.
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
	if in.cfg.Once && !in.isQuiet && in.quietLocked() {
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
		slots := int64(in.cfg.Concurrency) - inHand // without anything to run
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
			// A partition that does not answer holds its share of the room, not all of
			// it.
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

// liftLocked has a source be behind the others that have work by one batch at most.
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

// roomLocked is the highest inHand at which fetching is worth it: a slot has nothing to
// run, or half of what is prefetched has been used.
func (in *Intake) roomLocked() int64 {
	full := in.cfg.Concurrency + in.prefetch
	return int64(min(full-1, max(in.cfg.Concurrency-1, full-(in.prefetch+1)/2)))
}

func (in *Intake) wantsLocked(src *Source, slotFree bool) bool {
	if !src.open || src.busy || src.unsettled >= in.cfg.Concurrency+in.prefetch+maxFinished {
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
		if !src.open || src.busy || src.hot || src.unprobed || src.unsettled > 0 {
			return false
		}
	}
	return true
}

// Idle reports whether every partition was asked for all that there was reason to ask for.
func (in *Intake) Idle() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, src := range in.sources {
		if !src.open || src.busy || src.hot && in.inHand.Load() <= in.roomLocked() {
			return false
		}
	}
	return true
}
