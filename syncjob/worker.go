package syncjob

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/worker"
	"github.com/rollcall-go/rollcall/internal/worker/intake"
	"github.com/rollcall-go/rollcall/store"
)

// Worker fetches tasks of its queues, runs their handlers, and reports what became of
// them. Make one with [Manager.NewWorker]. Its methods may be called concurrently.
type Worker struct {
	m   *Manager
	cfg WorkerConfig

	mu     sync.Mutex
	engine *worker.Engine // of the Run in progress; nil otherwise
	host   *workerHost    // of the last Run
	leave  func()         // has the manager forget that Run
	done   chan struct{}  // closed when that Run returns
}

// NewWorker returns a worker for the manager's registry. It makes no call. Nothing starts before
// [Worker.Run].
func (m *Manager) NewWorker(cfg WorkerConfig) (*Worker, error) {
	cfg.setDefaults(m.cfg.Registry)
	if err := cfg.validate(m.cfg.Registry); err != nil {
		return nil, fmt.Errorf("new worker: %w", err)
	}
	return &Worker{m: m, cfg: cfg}, nil
}

// Run works until ctx ends, then drains: it stops fetching, gives tasks that have not
// started back at no cost, lets handlers finish within Grace, cancels the rest with
// cause [handlers.ErrShutdown], reports every outcome and leaves. Handlers see ctx's
// values, but not its end.
//
// It needs no store that answers: through outages it keeps trying, and after a lost
// lease it begins anew. Once ctx has ended no task begins any more, and Run returns within Grace and 3 s, whatever the store does: once
// Grace is over handlers are cancelled and have 1.5 s to return, outcomes are reported until 2 s, and the farewell ends at 2.5 s.
// It returns nil after a clean drain, [*StuckError] when handlers
// did not return, [ErrClosed] when the manager was closed meanwhile, and
// [ErrWorkerRunning] at once if the worker runs already. What it could not report runs
// again elsewhere, as after a crash.
func (w *Worker) Run(ctx context.Context) error {
	_, err := w.run(ctx, false)
	return err
}

// RunOnce works until nothing is left to fetch, and everything fetched is reported,
// then leaves as Run does. Tasks that are delayed and not due stay. It is for hosts
// that own their loop, and returns how many tasks, hooks included, it ran.
func (w *Worker) RunOnce(ctx context.Context) (int, error) {
	n, err := w.run(ctx, true)
	if err == nil {
		err = ctx.Err()
	}
	return n, err
}

func (w *Worker) run(ctx context.Context, once bool) (int, error) {
	e, err := w.begin(ctx, once)
	if err != nil {
		return 0, err
	}
	defer w.end()
	lifecycle.Stay(ctx, w.cfg.Grace+worker.EndTime)
	stuck, err := e.Run(ctx)
	if stuck > 0 {
		err = errors.Join(err, &StuckError{Handlers: stuck})
	}
	select {
	case <-w.m.roster.Closed():
		err = errors.Join(ErrClosed, err)
	default:
	}
	return e.Executed(), err
}

func (w *Worker) begin(ctx context.Context, once bool) (*worker.Engine, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.engine != nil {
		return nil, ErrWorkerRunning
	}
	leave, ok := w.m.roster.Enlist(w.Abort, w.wait)
	if !ok {
		return nil, ErrClosed
	}
	w.leave = leave
	cfg := w.engineConfig(once)
	w.host = &workerHost{m: w.m, journal: w.m.journal.on(cfg.Logger, cfg.Name)}
	cfg.Host = w.host
	w.engine = worker.New(ctx, cfg)
	w.done = make(chan struct{})
	return w.engine, nil
}

// engineConfig is what an engine of the worker runs with.
func (w *Worker) engineConfig(once bool) worker.Config {
	m, c := w.m, &w.cfg
	cfg := worker.Config{
		Name:        c.Name,
		Concurrency: c.Concurrency,
		StrictOrder: c.StrictOrder,
		Once:        once,
		Grace:       c.Grace,
		Lease:       c.Lease,
		Poll:        c.poll,
		Store:       m.store,
		Registry:    m.cfg.Registry,
		Live:        m.sets.Live(),
		Execute:     execute.Config{Enqueue: m.encoding, Values: m.values, Logger: m.cfg.Logger, Manager: m},
		Logger:      m.log.With("worker", c.Name),
	}
	var routes []store.Route
	for _, q := range c.Queues {
		served := store.FetchQueue{Queue: q.Name, Routes: m.cfg.Registry.Routes(q.Name)}
		cfg.Queues = append(cfg.Queues, intake.Queue{FetchQueue: served, Weight: q.Weight})
		routes = append(routes, served.Routes...)
	}
	cfg.Info = c.info(routes)
	return cfg
}

func (w *Worker) end() {
	w.leave()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.engine = nil
	close(w.done)
}

// wait returns when no Run is in progress.
func (w *Worker) wait() {
	w.mu.Lock()
	done := w.done
	w.mu.Unlock()
	if done != nil {
		<-done
	}
}

// Abort makes a Run in progress shut down at once: it does not wait for what is left of Grace, and so takes 3 s at most. It is
// for a second signal. It does not wait for Run to return.
func (w *Worker) Abort() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.engine != nil {
		w.engine.Abort()
	}
}

// Healthy returns nil while the worker runs and the store has answered it in every
// partition within a lease. It makes no call.
func (w *Worker) Healthy() error {
	w.mu.Lock()
	e := w.engine
	w.mu.Unlock()
	if e == nil {
		return errors.New("worker is not running")
	}
	return e.Healthy()
}
