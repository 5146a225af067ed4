package syncjob

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/effective"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/recent"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// Manager starts, stops, lists and watches jobs, adds tasks to them, and makes workers. One per
// process is enough. Its methods may be called concurrently.
type Manager struct {
	cfg      Config
	log      *slog.Logger
	journal  journal
	store    store.Store    // repeats calls
	owned    store.Store    // closed by Close; nil if the caller passed it to New
	encoding enqueue.Config // of items
	enqueuer *enqueue.Enqueuer
	values   *values.Client
	hub      *hub

	sets   *effective.Sets
	active *recent.Map[string, *Run] // by job name: the newest known run

	closing sync.Once
	roster  *lifecycle.Roster // what runs until Close: workers, schedulers, Wait and Watch
}

// New returns a manager on a store. It makes no call. [Manager.Close] does not close the store.
func New(s store.Store, cfg Config) (*Manager, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("new manager: %w", err)
	}
	if s == nil {
		return nil, fmt.Errorf("new manager: %w", &FieldError{Field: "Store", Reason: "is nil"})
	}
	log := guard.Logger(cfg.Logger)
	cfg.Observer = guarded(&cfg.Observer, log)
	m := &Manager{
		cfg:    cfg,
		log:    log,
		store:  store.WithRetry(s, cfg.retry()),
		active: recent.New[string, *Run](maxActiveRuns),
		roster: lifecycle.NewRoster(log),
	}
	if tell := cfg.Observer.Enqueued; tell != nil {
		m.store = &enqueuedStore{m.store, tell}
	}
	m.journal = journal{log: m.log, obs: &m.cfg.Observer, told: recent.New[toldRun, struct{}](maxToldRuns)}
	m.hub = newHub(m.store, log)
	m.sets = effective.New(effective.Config{Store: m.store, Registry: cfg.Registry, Signals: m.hub, Logger: log})
	m.encoding = enqueue.Config{
		Store: m.store, Router: m.sets, MaxPayload: cfg.MaxPayload, Propagator: cfg.Propagator, Logger: cfg.Logger,
	}
	enqueuer, err := enqueue.New(m.encoding)
	if err != nil {
		return nil, fmt.Errorf("new manager: %w", err)
	}
	m.enqueuer = enqueuer
	m.values = values.NewClient(m.store)
	return m, nil
}

// Close aborts workers and schedulers that still run, and waits for them. Calls of Wait and Watch
// end with [ErrClosed]. Enqueues and writes in progress may finish. Then Close closes the store, if
// [Open] made it. To let workers finish their tasks, end the context of their Run and wait for it
// before you call Close. Close may be called twice.
//
// Close returns within 5 s, whatever the server does. It takes that long only if the store does not
// answer, or functions ignore their contexts: everything in progress has [store.CloseTime], the
// release of a gate's lease 2 s more, and a store that Open made half a second. Calls that were not
// answered by then fail with [ErrClosed]; they may have taken effect.
func (m *Manager) Close() error {
	var err error
	m.closing.Do(func() {
		end := time.Now().Add(store.CloseTime)
		if m.owned != nil { // calls that still wait then fail at once
			defer time.AfterFunc(closeTime, func() { _ = m.owned.Close() }).Stop()
		}
		m.roster.Close()
		flushing := lifecycle.New(context.Background())
		flushing.Go(func(context.Context) { m.values.CloseBy(end) })
		flushing.Go(func(context.Context) { m.hub.close() })
		m.enqueuer.CloseBy(end)
		flushing.Wait()
		if m.owned != nil {
			err = m.owned.Close()
		}
	})
	return err
}

// closeTime is after how long Close closes a store that Open made, whatever is still in progress.
// It is a little more than the time that calls in progress have.
const closeTime = store.CloseTime + time.Second

// Roster returns the list of everything that runs until the manager is closed. It is for packages
// of this module.
func (m *Manager) Roster() *lifecycle.Roster { return m.roster }

// Ping makes one round trip to every partition of the store. It returns an error if one does not
// answer.
func (m *Manager) Ping(ctx context.Context) error { return m.store.Ping(ctx) }

// Store returns the manager's store, for example for semaphores:
//
//	gate := semaphore.Gate{Semaphores: semaphore.New(m.Store()), Key: "nightly"}
//
// Its calls are repeated as Config.Retry says. It is closed with the manager if [Open] made it.
// Hooks and handlers get the manager from [FromContext].
func (m *Manager) Store() store.Store { return m.store }

// Values returns a client that reads and writes values: counters, lists, maps and others. A value
// belongs to a run, to a job, or to the namespace:
//
//	seen := values.NewMap[time.Time](m.Values(), store.JobScope("import/42"), "seen")
//
// Writes with this client take effect at once. For writes that take effect when a task succeeds,
// see [handlers.NewCounter], [handlers.NewList] and [handlers.NewMap]. The client is closed with
// the manager.
func (m *Manager) Values() *values.Client { return m.values }

// Enqueuer returns the enqueuer with which the manager adds tasks to runs. It uses the
// configuration of a set that the manager read last. [Run.Enqueue] differs: it reads a
// configuration again if it is older than a second, and it logs the added tasks. The enqueuer is
// closed with the manager.
func (m *Manager) Enqueuer() *enqueue.Enqueuer { return m.enqueuer }

// Registry returns the registry from the manager's configuration; nil if there is none.
func (m *Manager) Registry() *handlers.Registry { return m.cfg.Registry }

// Run returns a reference to a run. It makes no call and does not check that the run exists: the
// first method that makes a call does.
func (m *Manager) Run(job string, number int64) *Run {
	return &Run{m: m, id: store.RunID{Job: job, Number: number}}
}

// known returns a reference to a run that the store has just returned.
func (m *Manager) known(id store.RunID, set string) *Run {
	r := m.Run(id.Job, id.Number)
	r.seen.Store(true)
	if set != "" {
		r.set.Store(&set)
	}
	return r
}

// Latest returns the newest run of a job, active or not. Errors: [ErrJobNotFound], or
// [ErrRunNotFound] if it never ran.
func (m *Manager) Latest(ctx context.Context, job string) (*Run, error) {
	rec, err := m.readJob(ctx, job)
	if err != nil {
		return nil, err
	}
	if rec.LastRun == 0 {
		return nil, fmt.Errorf("job %q: %w", job, ErrRunNotFound)
	}
	return m.Run(job, rec.LastRun), nil
}

// readJob checks the name and reads the job, for calls that do nothing else first.
func (m *Manager) readJob(ctx context.Context, job string) (store.JobRecord, error) {
	if err := store.ValidateJobName(job); err != nil {
		return store.JobRecord{}, fmt.Errorf("read job: %w", err)
	}
	return m.job(ctx, job)
}

func (m *Manager) job(ctx context.Context, job string) (store.JobRecord, error) {
	if err := store.ValidateJobName(job); err != nil {
		return store.JobRecord{}, err
	}
	rec, err := m.store.Job(ctx, job)
	if err != nil {
		return rec, fmt.Errorf("read job %q: %w", job, err)
	}
	return rec, nil
}

// State reads a job and its newest run. Error: [ErrJobNotFound].
func (m *Manager) State(ctx context.Context, job string) (states.Job, error) {
	rec, err := m.readJob(ctx, job)
	if err != nil {
		return states.Job{}, err
	}
	entry := store.JobEntry{Job: rec}
	if rec.LastRun != 0 {
		run, err := m.store.Run(ctx, store.RunID{Job: job, Number: rec.LastRun})
		switch {
		case err == nil:
			entry.Run = &run
		case !errors.Is(err, ErrRunNotFound): // the summary may have expired
			return states.Job{}, fmt.Errorf("read the last run of job %q: %w", job, err)
		}
	}
	return jobState(entry, time.Now()), nil
}

// Stop stops the active run of a job; see [Run.Stop]. It also disables a declared job until
// [Manager.Enable]. Stopping a stopped job changes nothing. Errors: [ErrJobNotFound];
// [ErrRunFinished] for a single-pass job if its last run has ended and was not stopped.
func (m *Manager) Stop(ctx context.Context, job string, opts *StopOptions) error {
	rec, err := m.job(ctx, job)
	if err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	p := opts.params(ctx, store.RunID{Job: job})
	if err := p.Validate(); err != nil { // before anything is written
		return fmt.Errorf("stop job %q: %w", job, err)
	}
	declared := rec.Type != statuses.JobSinglePass
	if declared {
		if err := m.store.SetJobDisabled(ctx, job, true); err != nil {
			return fmt.Errorf("disable job %q: %w", job, err)
		}
		// A run may have begun between the two calls. From here on none can begin.
		if rec, err = m.job(ctx, job); err != nil {
			return fmt.Errorf("stop: %w", err)
		}
	}
	if rec.LastRun == 0 {
		if declared {
			return nil
		}
		return fmt.Errorf("stop job %q: %w", job, ErrRunFinished)
	}
	err = m.Run(job, rec.LastRun).Stop(ctx, opts)
	if declared && (errors.Is(err, ErrRunFinished) || errors.Is(err, ErrRunNotFound)) {
		return nil
	}
	return err
}

// PauseJob pauses the newest run of the job; see [Run.Pause]. It does not pause later runs: to keep
// a periodic job from starting them, use [Manager.Stop]. To pause queues, sets or kinds, use
// [Manager.Pause]. Errors: [ErrJobNotFound]; [ErrRunFinished] if the newest run has ended;
// [ErrRunNotFound] if the job never ran, or its last run has expired.
func (m *Manager) PauseJob(ctx context.Context, job string) error {
	r, err := m.Latest(ctx, job)
	if err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	return r.Pause(ctx)
}

// ResumeJob ends a pause of [Manager.PauseJob]. The errors are the same.
func (m *Manager) ResumeJob(ctx context.Context, job string) error {
	r, err := m.Latest(ctx, job)
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	return r.Resume(ctx)
}

// Delete removes a job, its definition and all its runs. Errors: [ErrRunActive] while a run is
// active; [ErrJobNotFound].
func (m *Manager) Delete(ctx context.Context, job string) error {
	if err := store.ValidateJobName(job); err != nil {
		return fmt.Errorf("delete: %w", err)
	}
	if err := m.store.DeleteJob(ctx, job); err != nil {
		return fmt.Errorf("delete job %q: %w", job, err)
	}
	m.active.Forget(job)
	return nil
}

// FromContext returns the manager of the worker that runs the handler or hook. It returns false in
// any other context, for example in a test of one handler. Calls of that manager take effect at
// once; they do not wait for the success of the task.
func FromContext(ctx context.Context) (*Manager, bool) {
	m, ok := execute.Manager(ctx).(*Manager)
	return m, ok
}
