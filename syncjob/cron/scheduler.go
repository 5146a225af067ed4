package cron

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/timetable"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

// ErrRunning is returned by [Scheduler.Run] if the scheduler is already running.
var ErrRunning = errors.New("scheduler is already running")

// DefaultConcurrency is how many runners of a [Scheduler] run at once by default.
const DefaultConcurrency = 10

// Config configures a [Scheduler].
type Config struct {
	// Concurrency is how many runners run at once. Others wait until one returns, in the order in
	// which they became due. Defaults to [DefaultConcurrency].
	Concurrency int
	// Grace is how long runners may take to return after the scheduler is told to stop, which ends
	// their contexts; [syncjob.NoGrace] and values below 2 s mean 2 s. Defaults to
	// [syncjob.DefaultGrace].
	Grace time.Duration
	// OnError is called with the runner's name and the error of each run that failed. The scheduler
	// waits at most a second until it returns. While it blocks, it is not called again. The manager's
	// logger always gets a record, too. Defaults to none.
	OnError func(runner string, err error)
}

func (c *Config) setDefaults() {
	if c.Concurrency == 0 {
		c.Concurrency = DefaultConcurrency
	}
	switch c.Grace {
	case 0:
		c.Grace = syncjob.DefaultGrace
	case syncjob.NoGrace:
		c.Grace = 0
	}
}

func (c *Config) validate() error {
	var errs []error
	if c.Concurrency < 0 || c.Concurrency > syncjob.MaxConcurrency {
		reason := fmt.Sprintf("is not between 1 and %d", syncjob.MaxConcurrency)
		errs = append(errs, &store.FieldError{Field: "Concurrency", Reason: reason})
	}
	if c.Grace < 0 {
		errs = append(errs, &store.FieldError{Field: "Grace", Reason: "is negative and not NoGrace"})
	}
	return store.JoinFields(errs...)
}

// Scheduler calls runners of this process when they are due, from a pool of limited size. One per
// process is enough. Make one with [New]. Its methods may be called concurrently.
//
// A runner never overlaps itself. Times that pass while it runs, or waits for a place in the pool,
// are skipped; it is due next at the first time after it has returned. Times that pass while no
// scheduler runs are skipped, too. When the clocks of a trigger's zone change, a time that does not
// exist is due when the clocks jump over it, and a time that comes twice is due the first time
// only.
type Scheduler struct {
	m       *syncjob.Manager
	cfg     Config
	log     *slog.Logger
	runners []*runner
	places  chan struct{}
	moved   chan struct{} // capacity 1: a visit has changed
	patient guard.Patient // calls OnError

	mu     sync.Mutex
	states map[*runner]*RunnerState
	visits map[*visit]struct{}
	abort  context.CancelFunc // of the Run in progress; nil otherwise
	forget func()             // removes that Run from the manager's roster
	done   chan struct{}      // closed when that Run returns
}

// New returns a scheduler of the given runners. Nothing starts before [Scheduler.Run]. It reports
// all problems at once, as [*store.FieldError]s of the configuration and of Runners[i].
func New(m *syncjob.Manager, cfg Config, runners ...Runner) (*Scheduler, error) {
	cfg.setDefaults()
	s := &Scheduler{m: m, cfg: cfg, log: m.Roster().Log, states: make(map[*runner]*RunnerState, len(runners))}
	s.visits, s.moved = make(map[*visit]struct{}), make(chan struct{}, 1)
	errs := []error{cfg.validate()}
	names := make(map[string]bool, len(runners))
	for i, r := range runners {
		field := fmt.Sprintf("Runners[%d].", i)
		checked, err := r.check(field, cfg.Grace)
		errs = append(errs, err)
		if names[r.Name] {
			errs = append(errs, &store.FieldError{Field: field + "Name", Reason: fmt.Sprintf("repeats %q", r.Name)})
		}
		names[r.Name] = true
		s.runners = append(s.runners, checked)
		s.states[checked] = &RunnerState{Name: r.Name}
	}
	if err := store.JoinFields(errs...); err != nil {
		return nil, fmt.Errorf("new scheduler: %w", err)
	}
	s.places = make(chan struct{}, cfg.Concurrency)
	return s, nil
}

// Run calls runners until ctx ends, even if none will be due again. Then no runner starts, and the
// contexts of those that run end at once; a [syncjob.Worker] in one begins to shut down. Run waits
// for each runner as long as its Runner.Grace says, and then until its gate has released the lease:
// 2 s at most, if the store does not answer.
//
// It returns nil when all runners have returned; [*syncjob.StuckError] if some did not return
// within their grace; [store.ErrClosed] if the manager was closed meanwhile, which gives runners
// [store.CloseTime]; and [ErrRunning], at once, if the scheduler is already running.
func (s *Scheduler) Run(ctx context.Context) error {
	run, stop := context.WithCancel(ctx)
	defer stop()
	if err := s.begin(stop); err != nil {
		return err
	}
	defer s.end()
	group := lifecycle.New(context.WithoutCancel(ctx))
	var left atomic.Int64
	left.Store(int64(len(s.runners)))
	idle := make(chan struct{})
	start := time.Now()
	for _, r := range s.runners {
		group.Go(func(context.Context) {
			s.drive(run, r, start)
			if left.Add(-1) == 0 {
				close(idle)
			}
		})
	}
	<-run.Done()
	var err error
	if len(s.runners) > 0 {
		err = s.shutdown(idle)
	}
	if left.Load() == 0 {
		group.Wait()
	}
	select {
	case <-s.m.Roster().Closed():
		err = errors.Join(store.ErrClosed, err)
	default:
	}
	return err
}

// shutdown waits for runners to return, as long as their visits last.
func (s *Scheduler) shutdown(idle <-chan struct{}) error {
	stopped := time.Now()
	closed := s.m.Roster().Closed()
	for {
		patience, inside := s.patience(stopped)
		late := time.NewTimer(time.Until(patience))
		select {
		case <-idle:
			late.Stop()
			return nil
		case <-s.moved: // one has returned, or brought a grace of its own
		case <-closed:
			closed = nil
			s.hurry(stopped)
		case <-late.C:
			return &syncjob.StuckError{Handlers: inside}
		}
		late.Stop()
	}
}

// drive calls one runner each time it is due.
func (s *Scheduler) drive(run context.Context, r *runner, start time.Time) {
	anchor := r.first(start)
	for due := anchor; !due.IsZero(); due = r.times.Next(anchor, later(due, time.Now())) {
		acts := due.Add(timetable.PutOff(r.Trigger.Jitter))
		s.note(r, func(state *RunnerState) { state.Next = acts })
		lifecycle.Pause(run, time.Until(acts))
		select {
		case <-run.Done():
		case s.places <- struct{}{}:
			if run.Err() == nil { // both may have been possible
				s.work(run, r)
			}
			<-s.places
		}
		if run.Err() != nil {
			return
		}
	}
	s.note(r, func(state *RunnerState) { state.Next = time.Time{} })
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// work runs a runner once. It returns even if a function of the user panics or ends its goroutine.
func (s *Scheduler) work(ctx context.Context, r *runner) {
	v := s.enter(r)
	defer s.leave(v)
	s.note(r, func(state *RunnerState) { state.Next, state.Since = time.Time{}, time.Now() })
	skipped, err := r.call(lifecycle.WithStay(ctx, v.stay), s.m, v)
	s.note(r, func(state *RunnerState) {
		state.Since = time.Time{}
		if skipped {
			state.Skipped++
			return
		}
		state.Runs++
		state.Err = err
		if err != nil {
			state.Failed++
		}
	})
	if err != nil {
		s.failed(ctx, r, err)
	}
}

// failed reports a run that failed.
func (s *Scheduler) failed(ctx context.Context, r *runner, err error) {
	s.log.ErrorContext(ctx, events.RunnerFailed, "runner", r.Name, "error", err)
	if s.cfg.OnError == nil {
		return
	}
	_, broken := s.patient.Apart(func() error {
		s.cfg.OnError(r.Name, err)
		return nil
	})
	if broken != nil {
		s.log.ErrorContext(ctx, events.RunnerFailed, "runner", r.Name, "error", fmt.Errorf("OnError: %w", broken))
	}
}

func (s *Scheduler) note(r *runner, change func(*RunnerState)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s.states[r])
}

// Runners lists the runners in the order in which they were given. It makes no call.
func (s *Scheduler) Runners() []RunnerState {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]RunnerState, len(s.runners))
	for i, r := range s.runners {
		list[i] = *s.states[r]
	}
	return list
}

func (s *Scheduler) begin(stop context.CancelFunc) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.abort != nil {
		return ErrRunning
	}
	leave, ok := s.m.Roster().Enlist(s.quit, s.wait)
	if !ok {
		return store.ErrClosed
	}
	s.abort, s.forget, s.done = stop, leave, make(chan struct{})
	return nil
}

func (s *Scheduler) end() {
	s.forget()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.abort = nil
	close(s.done)
}

// quit makes a Run in progress end, because the manager is closed. It does not wait for the grace
// period.
func (s *Scheduler) quit() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.abort != nil {
		s.abort()
	}
}

// wait returns when no Run is in progress.
func (s *Scheduler) wait() {
	s.mu.Lock()
	done := s.done
	s.mu.Unlock()
	if done != nil {
		<-done
	}
}
