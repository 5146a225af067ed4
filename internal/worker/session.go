package worker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/internal/effective"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/worker/intake"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// session is one lease on tasks of a partition. It has an inventory of the tasks that it holds, and
// four loops: fetch, settle, heartbeat and keep. It ends when the store says that it is lost, or
// when the shutdown closes it.
type session struct {
	e        *Engine
	p        *partition
	id       store.SessionID
	executor execute.Executor

	life  context.Context // ends when the session is lost or closed
	stop  context.CancelCauseFunc
	calls context.Context  // of fetches: ends with life, and when the shutdown begins
	group *lifecycle.Group // all loops but fetching

	beatSoon chan struct{} // capacity 1: a run whose tasks are held has changed
	told     chan struct{} // capacity 1: the session has another status
	sweepDue chan struct{} // capacity 1: the store asks for a sweep
	rearm    chan struct{} // capacity 1: due has changed
	toSettle chan struct{} // capacity 1: an outcome was reported, or there will be no more
	fetched  chan struct{} // closed when the fetch loop has ended
	settled  chan struct{} // closed when the settle loop has ended

	halted atomic.Pointer[map[int64]error]          // numbers of runs whose tasks must not start, and why
	ending atomic.Pointer[map[store.Lease]struct{}] // leases whose tasks are to be cancelled
	busy   atomic.Int64                             // fetches and settlements in flight
	moves  atomic.Int64                             // fetches and settlements begun
	doubt  atomic.Bool                              // a fetch ended without an answer
	debt   intake.Debt
	meters *meters
	timing *timing

	mu      sync.Mutex
	batches map[*batch]struct{} // fetches with tasks that are not settled
	held    map[int64]*heldRun  // runs of the tasks that are not settled, by number
	count   int                 // tasks that are not settled
	known   store.Answered      // the last answered calls
	pending []*chunk            // outcomes in the order in which they were reported
	spare   []*chunk
	closing bool      // no outcome will be reported any more
	due     time.Time // when the next delayed task is due, by the store's clock; zero for never
}

// heldRun is a run whose tasks a session holds.
type heldRun struct {
	effective.Run
	n int
}

// task is a delivery that this process holds.
type task struct {
	intake.Task
	session *session
	batch   *batch
	run     *heldRun
	took    took
	done    bool // it is settled; guarded by the session's mutex
}

// batch is one reply to a fetch.
type batch struct {
	tasks []task
	left  int // not settled
}

// leased yields all its tasks.
func (b *batch) leased(yield func(*intake.Task) bool) {
	for i := range b.tasks {
		if !yield(&b.tasks[i].Task) {
			return
		}
	}
}

func newSession(p *partition, id store.SessionID) *session {
	e := p.e
	s := &session{
		e:        e,
		p:        p,
		id:       id,
		beatSoon: make(chan struct{}, 1),
		told:     make(chan struct{}, 1),
		meters:   newMeters(),
		timing:   newTiming(),
		sweepDue: make(chan struct{}, 1),
		rearm:    make(chan struct{}, 1),
		toSettle: make(chan struct{}, 1),
		fetched:  make(chan struct{}),
		settled:  make(chan struct{}),
		batches:  make(map[*batch]struct{}),
		held:     make(map[int64]*heldRun),
	}
	s.life, s.stop = context.WithCancelCause(e.hard)
	calls, end := context.WithCancel(e.hungUp)
	s.calls = calls
	context.AfterFunc(s.life, end)
	s.group = lifecycle.New(s.life)
	s.executor = e.cfg.Live.Executor(s.executeConfig())
	if len(e.host.Configurations()) > 0 {
		lifecycle.Wake(s.beatSoon) // tell them
	}
	return s
}

// serve starts the loops. If fetching has ended, it returns false; then the shutdown ends the
// session.
func (s *session) serve(ctx context.Context) bool {
	s.group.Go(s.settleLoop)
	s.group.Go(s.heartbeatLoop)
	if s.e.cfg.Once {
		s.tend(ctx)
	}
	s.group.Go(s.keepLoop)
	if !s.e.fetchers.Go(s.fetchLoop) {
		return false
	}
	s.p.source.Opened()
	return true
}

// lose ends the session because the store no longer knows it. It cancels the handlers of its tasks:
// other workers may run them already.
func (s *session) lose(err error) {
	s.stop(err)
	s.e.interrupt(store.ErrLeaseLost, func(t *task) bool { return t.session == s })
	s.p.source.Lost()
}

func (s *session) isLost() bool { return s.life.Err() != nil }

// haltedBy says why tasks of a run must not start; nil if they may.
func (s *session) haltedBy(run int64) error {
	if halted := s.halted.Load(); halted != nil {
		return (*halted)[run]
	}
	return nil
}

// halt records which of the runs are stopped or gone, and why. It cancels their handlers unless the
// stop is graceful.
func (s *session) halt(runs []store.RunSignal) {
	var halted map[int64]error
	var ended []store.RunSignal // not gracefully
	for _, r := range runs {
		if r.Status != statuses.Stopping && r.Status != "" && !r.Status.Final() {
			continue
		}
		if halted == nil {
			halted = make(map[int64]error)
		}
		halted[r.Run.Number] = store.ErrJobStopped
		if r.Overdue {
			halted[r.Run.Number] = store.ErrRunDeadline
		}
		if !r.Graceful || r.Status != statuses.Stopping {
			ended = append(ended, r)
		}
	}
	if halted == nil {
		s.halted.Store(nil)
		return
	}
	s.halted.Store(&halted)
	for _, r := range ended {
		s.e.interrupt(halted[r.Run.Number], func(t *task) bool {
			return t.session == s && t.Delivery.Lease.Lane.Run.Number == r.Run.Number
		})
	}
}

// isCancelled reports whether a task is to be cancelled.
func (s *session) isCancelled(l store.Lease) bool {
	ending := s.ending.Load()
	if ending == nil {
		return false
	}
	_, ok := (*ending)[l]
	return ok
}

// cancel records which tasks are to be cancelled, and cancels the contexts of those that run.
func (s *session) cancel(leases []store.Lease) {
	if len(leases) == 0 {
		s.ending.Store(nil)
		return
	}
	ending := make(map[store.Lease]struct{}, len(leases))
	for _, l := range leases {
		ending[l] = struct{}{}
	}
	s.ending.Store(&ending)
	s.e.interrupt(store.ErrTaskCancelled, func(t *task) bool {
		_, ok := ending[t.Delivery.Lease]
		return ok && t.session == s
	})
}

// executorOf returns the executor for a task, with the configuration of its run.
func (s *session) executorOf(t *task) execute.Executor {
	if live := t.run.Live(); live != nil {
		return live.Executor(s.executeConfig())
	}
	return s.executor
}

// executeConfig returns the configuration of the session's attempts.
func (s *session) executeConfig() execute.Config {
	cfg := s.e.cfg.Execute
	cfg.Runtime = sessionRuntime{s}
	return cfg
}

// take adds deliveries to the inventory, which owns them from now on.
func (s *session) take(ds []store.Delivery) *batch {
	b := &batch{tasks: make([]task, len(ds)), left: len(ds)}
	s.mu.Lock()
	defer s.mu.Unlock()
	var run *heldRun
	for i := range ds {
		lane := &ds[i].Lease.Lane
		if run == nil || run.ID.Number != lane.Run.Number {
			if run = s.held[lane.Run.Number]; run == nil {
				run = &heldRun{Run: effective.Run{ID: lane.Run, Set: lane.Route.Set}}
				s.held[lane.Run.Number] = run
			}
		}
		run.n++
		b.tasks[i] = task{Task: intake.Task{Delivery: &ds[i]}, session: s, batch: b, run: run}
	}
	s.batches[b] = struct{}{}
	s.count += len(ds)
	s.known.Fetched = max(s.known.Fetched, ds[0].Lease.Fetch)
	return b
}

// answered returns the last answered calls. The worker sends them to the store, which can then see
// if it lost one.
func (s *session) answered() store.Answered {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known
}

func (s *session) noteSettled(number int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known.Settled = number
}

// drop removes settled tasks from the inventory, and frees their payloads.
func (s *session) drop(tasks []*task) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range tasks {
		if t.run.n--; t.run.n == 0 {
			delete(s.held, t.run.ID.Number)
		}
		s.meters.forget(t.Delivery.Lease)
		t.done = true
		t.Delivery.Task = store.Task{}
		if t.batch.left--; t.batch.left == 0 {
			delete(s.batches, t.batch)
		}
	}
	s.count -= len(tasks)
}

// leased yields the tasks that are not settled.
func (s *session) leased(yield func(*intake.Task) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for b := range s.batches {
		for i := range b.tasks {
			if t := &b.tasks[i]; !t.done && !yield(&t.Task) {
				return
			}
		}
	}
}

func (s *session) holds(run int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[run] != nil
}

// runs lists the runs whose tasks are held, and counts the tasks.
func (s *session) runs() ([]store.RunID, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]store.RunID, 0, len(s.held))
	for _, run := range s.held {
		ids = append(ids, run.ID)
	}
	return ids, s.count
}

// configure applies the configurations of single runs to their tasks, before any of the tasks
// starts.
func (s *session) configure(ctx context.Context, tasks []task) {
	for i := range tasks {
		s.e.configuredRuns.Obey(ctx, &tasks[i].run.Run, tasks[i].Delivery.Configured)
	}
}

// reconfigure does the same for held tasks after a heartbeat returned changes.
func (s *session) reconfigure(ctx context.Context, runs []store.RunSignal) {
	for _, r := range runs {
		s.mu.Lock()
		held := s.held[r.Run.Number]
		s.mu.Unlock()
		if held != nil {
			s.e.configuredRuns.Obey(ctx, &held.Run, r.Configured)
		}
	}
}
