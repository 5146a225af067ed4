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
	"github.com/rollcall-go/rollcall/store/values"
)

// Manager is the control plane: it starts, stops, lists and watches jobs, adds tasks to
// them, and makes workers. One per process is enough. Its methods may be called
// concurrently.
type Manager struct {
	cfg      Config
	log      *slog.Logger
	journal  journal
	store    store.Store    // repeats calls
	owned    store.Store    // closed by Close; nil if it was handed in
	encoding enqueue.Config // of items
	enqueuer *enqueue.Enqueuer
	values   *values.Client
	hub      *hub

	sets   *effective.Sets
	active *recent.Map[string, *Run] // the newest known run of jobs, by name

	closing sync.Once
	roster  *lifecycle.Roster // workers and schedulers, until Close, which ends waiting and watching, too
}

// New returns a manager on a store, which is not closed with it. It makes no call.
func New(s store.Store, cfg Config) (*Manager, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, fmt.Errorf("new manager: %w", err)
	}
	if s == nil {
		return nil, fmt.Errorf("new manager: %w", &FieldError{Field: "Store", Reason: "is nil"})
	}
	log := guard.Logger(cfg.Logger)
	cfg.Observer = cfg.Observer.guarded(log)
	m := &Manager{
		cfg:    cfg,
		log:    log,
		store:  store.WithRetry(s, cfg.retry()),
		active: recent.New[string, *Run](maxActiveRuns),
		roster: lifecycle.NewRoster(log),
	}
	m.journal = journal{log: m.log, obs: &m.cfg.Observer, told: recent.New[store.RunID, struct{}](maxToldRuns)}
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

// Close aborts workers and schedulers that still run and waits for them, ends everybody's waiting and
// watching with [ErrClosed], lets enqueue calls and writes in flight finish, and closes the store
// if Open made it. Let workers drain before: end the context of their Run, and wait for
// it. It may be called twice.
//
// It takes at most 5 s, and as long only where a store does not answer, or functions ignore their contexts: all that is in progress
// has [store.CloseTime], the release of a gate's lease 2 s more, and a store that Open made half a second. What was not answered by
// then fails with [ErrClosed], and may have been done.
func (m *Manager) Close() error {
	var err error
	m.closing.Do(func() {
		end := time.Now().Add(store.CloseTime)
		if m.owned != nil { // what still waits for it then fails at once
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

// closeTime is when Close closes a store of its own in any case: soon after what was in progress should have ended.
const closeTime = store.CloseTime + time.Second

// Roster is what runs for the manager until it is closed. It is for packages of this module.
func (m *Manager) Roster() *lifecycle.Roster { return m.roster }

// Ping makes one round trip to every partition of the store and fails if one is out of
// reach.
func (m *Manager) Ping(ctx context.Context) error { return m.store.Ping(ctx) }

// Store is the manager's store, for what stands beside jobs, such as semaphores:
//
//	gate := semaphore.Gate{Semaphores: semaphore.New(m.Store()), Key: "nightly"}
//
// Its calls are repeated as all others are. It ends with the manager, if that opened it. Hooks and
// handlers reach the manager by [FromContext].
func (m *Manager) Store() store.Store { return m.store }

// Values is what values are read and written through: counters, lists, maps and others of a run, of a job, or of the
// namespace:
//
//	seen := values.NewMap[time.Time](m.Values(), store.JobScope("import/42"), "seen")
//
// What is written through them is immediate; for writes that join the success of a task see [handlers.Attempt.Append]. They
// end with the manager.
func (m *Manager) Values() *values.Client { return m.values }

// Enqueuer is what the manager adds tasks to runs with. It knows what is configured of a set as of the last call of
// the manager about it; [Run.Enqueue] reads that anew if it is older than a second, and logs what was added. It ends
// with the manager.
func (m *Manager) Enqueuer() *enqueue.Enqueuer { return m.enqueuer }

// Registry is that of the manager's configuration; nil if it has none.
func (m *Manager) Registry() *handlers.Registry { return m.cfg.Registry }

// Run returns a reference to a run. It makes no call, and proves nothing: the first method
// of the reference that does finds out.
func (m *Manager) Run(job string, number int64) *Run {
	return &Run{m: m, id: store.RunID{Job: job, Number: number}}
}

// known is a reference to a run that the store has just named.
func (m *Manager) known(id store.RunID, set string) *Run {
	r := m.Run(id.Job, id.Number)
	r.seen.Store(true)
	if set != "" {
		r.set.Store(&set)
	}
	return r
}

// Latest returns the newest run of a job, active or not. [ErrJobNotFound], or
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

// readJob is job for calls that do nothing else.
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

// State reads a job and its newest run. [ErrJobNotFound].
func (m *Manager) State(ctx context.Context, job string) (JobState, error) {
	rec, err := m.readJob(ctx, job)
	if err != nil {
		return JobState{}, err
	}
	entry := store.JobEntry{Job: rec}
	if rec.LastRun != 0 {
		run, err := m.store.Run(ctx, store.RunID{Job: job, Number: rec.LastRun})
		switch {
		case err == nil:
			entry.Run = &run
		case !errors.Is(err, ErrRunNotFound): // the summary may have expired
			return JobState{}, fmt.Errorf("read the last run of job %q: %w", job, err)
		}
	}
	return jobState(entry, time.Now()), nil
}

// Stop stops the active run of a job, see [Run.Stop], and disables a declared job until
// it is enabled again. Stopping what was stopped changes nothing. [ErrJobNotFound];
// [ErrRunFinished] for a single-pass job whose last run ended by itself.
func (m *Manager) Stop(ctx context.Context, job string, opts *StopOptions) error {
	rec, err := m.job(ctx, job)
	if err != nil {
		return fmt.Errorf("stop: %w", err)
	}
	declared := rec.Type != store.JobSinglePass
	if declared {
		if err := m.store.SetJobDisabled(ctx, job, true); err != nil {
			return fmt.Errorf("disable job %q: %w", job, err)
		}
		// A run may have begun between the two calls; none can begin from here on.
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

// Pause keeps waiting tasks of the job's newest run from starting; see [Run.Pause]. It is about that run alone: between the runs of
// a job, a periodic one too, it is [ErrRunFinished], and [ErrRunNotFound] before the first or once the last is forgotten. What keeps a periodic job from beginning
// further runs is [Manager.Stop]. [ErrJobNotFound].
func (m *Manager) Pause(ctx context.Context, job string) error {
	r, err := m.Latest(ctx, job)
	if err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	return r.Pause(ctx)
}

// Resume ends a pause. Errors are those of Pause.
func (m *Manager) Resume(ctx context.Context, job string) error {
	r, err := m.Latest(ctx, job)
	if err != nil {
		return fmt.Errorf("resume: %w", err)
	}
	return r.Resume(ctx)
}

// Delete removes a job, its definition and all its runs. [ErrRunActive] while a run is
// active, [ErrJobNotFound].
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

// FromContext returns the manager of the worker that runs the handler or hook, and false in any
// other context, as in tests of one handler. What is done through it is immediate, not staged with the task.
func FromContext(ctx context.Context) (*Manager, bool) {
	m, ok := execute.Manager(ctx).(*Manager)
	return m, ok
}
