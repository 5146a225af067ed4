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
)

// session is one lease on tasks of a partition: four loops (fetch, settle, heartbeat,
// keep) around an inventory of what it holds. It ends by being lost, when the store
// says so, or by being closed at shutdown.
type session struct {
	e        *Engine
	p        *partition
	id       store.SessionID
	executor execute.Executor

	life  context.Context // ends when the session is lost or closed
	stop  context.CancelCauseFunc
	calls context.Context  // of fetches: ends with life, and at shutdown
	group *lifecycle.Group // all loops but fetching

	beatSoon chan struct{} // capacity 1: a run of which tasks are held has moved
	sweepDue chan struct{} // capacity 1: the store wants to be swept
	rearm    chan struct{} // capacity 1: due has changed
	toSettle chan struct{} // capacity 1: an outcome was reported, or no more will be
	fetched  chan struct{} // closed when the fetch loop has ended
	settled  chan struct{} // closed when the settle loop has ended

	halted atomic.Pointer[map[int64]struct{}] // numbers of runs whose tasks must not start
	busy   atomic.Int64                       // fetches and settlements in flight
	moves  atomic.Int64                       // fetches and settlements begun
	doubt  atomic.Bool                        // a fetch was given up without an answer
	debt   intake.Debt
	meters *meters

	mu      sync.Mutex
	batches map[*batch]struct{} // fetches of which something is not settled
	held    map[int64]*heldRun  // the runs of what is not settled, by number
	count   int                 // of what is not settled
	known   store.Answered      // the calls that were answered last
	pending []*chunk            // outcomes in the order they were reported
	spare   []*chunk
	closing bool      // no outcome will be reported any more
	due     time.Time // when the next delayed task is due, by the store's clock; zero for never
}

// heldRun is a run of which a session holds tasks.
type heldRun struct {
	effective.Run
	n int
}

// batch is one reply to a fetch.
type batch struct {
	tasks []task
	left  int // not settled
}

// leased yields all of it.
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
		meters:   newMeters(),
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
	return s
}

// serve starts the loops. It reports false, and leaves the session to the shutdown,
// when fetching has ended.
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

// lose ends the session since the store does not know it any more, and cancels the
// handlers of its tasks: others may run them already.
func (s *session) lose(err error) {
	s.stop(err)
	s.e.interrupt(store.ErrLeaseLost, func(t *task) bool { return t.session == s })
	s.p.source.Lost()
}

func (s *session) isLost() bool { return s.life.Err() != nil }

// isHalted reports whether tasks of a run must not start.
func (s *session) isHalted(run int64) bool {
	halted := s.halted.Load()
	if halted == nil {
		return false
	}
	_, ok := (*halted)[run]
	return ok
}

// halt notes which of the runs are stopped or gone, and cancels their handlers unless
// they may finish.
func (s *session) halt(runs []store.RunSignal) {
	var halted map[int64]struct{}
	graceful := make(map[int64]bool)
	for _, r := range runs {
		if r.Status == store.StatusStopping || r.Status == "" || r.Status.Final() {
			if halted == nil {
				halted = make(map[int64]struct{})
			}
			halted[r.Run.Number] = struct{}{}
			graceful[r.Run.Number] = r.Graceful && r.Status == store.StatusStopping
		}
	}
	if halted == nil {
		s.halted.Store(nil)
		return
	}
	s.halted.Store(&halted)
	s.e.interrupt(store.ErrJobStopped, func(t *task) bool {
		if t.session != s {
			return false
		}
		soft, ok := graceful[t.Delivery.Lease.Lane.Run.Number]
		return ok && !soft
	})
}

// executorOf runs a task as its run is configured.
func (s *session) executorOf(t *task) execute.Executor {
	if live := t.run.Live(); live != nil {
		return live.Executor(s.executeConfig())
	}
	return s.executor
}

// executeConfig is what attempts of the session run with.
func (s *session) executeConfig() execute.Config {
	cfg := s.e.cfg.Execute
	cfg.Runtime = sessionRuntime{s}
	return cfg
}

// take enters deliveries in the inventory, which owns them from here on.
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

// answered tells the store what it answered last, so that it notices if it has lost some of that.
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

// drop takes what was settled out of the inventory, and frees its payload.
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

// leased yields what is not settled.
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

// runs lists the runs of which tasks are held, and counts those.
func (s *session) runs() ([]store.RunID, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := make([]store.RunID, 0, len(s.held))
	for _, run := range s.held {
		ids = append(ids, run.ID)
	}
	return ids, s.count
}

// configure has the tasks of runs obey the runs' own configurations, before any of them starts.
func (s *session) configure(ctx context.Context, tasks []task) {
	for i := range tasks {
		s.e.configuredRuns.Obey(ctx, &tasks[i].run.Run, tasks[i].Delivery.Configured)
	}
}

// reconfigure does the same for what is held when a heartbeat tells of changes.
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
