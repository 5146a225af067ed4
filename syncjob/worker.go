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

// Worker fetches tasks of its queues, runs their handlers, and reports the outcomes. Make one with
// [Manager.NewWorker]. Its methods may be called concurrently.
type Worker struct {
	m   *Manager
	cfg WorkerConfig

	mu     sync.Mutex
	engine *worker.Engine // of the Run in progress; nil otherwise
	host   *workerHost    // of the last Run
	leave  func()         // removes that Run from the manager's roster
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

// Run runs tasks until ctx ends. Then it shuts down: it stops fetching, gives back tasks that have
// not started (this is not an attempt), lets handlers finish within Grace, cancels the rest with
// the cause [handlers.ErrShutdown], reports every outcome, and closes its sessions. The contexts of
// handlers have the values of ctx, but do not end with it.
//
// If the store does not answer, Run keeps trying; after a lost lease it opens a new session.
//
// After ctx has ended, no task starts, and Run returns within Grace + 3 s, whatever the server
// does. When Grace is over, handlers are cancelled and have 1.5 s to return; outcomes are reported
// until 2 s after Grace, and sessions are closed until 2.5 s after it. Tasks whose outcome it could
// not report run again elsewhere, as after a crash.
//
// It returns nil if all handlers returned; [ErrDrained] if an operator ended it with
// [WorkerRef.Drain]; [*StuckError] if some did not; [ErrClosed] if the
// manager was closed meanwhile; and [ErrWorkerRunning], at once, if the worker is already running.
func (w *Worker) Run(ctx context.Context) error {
	_, err := w.run(ctx, false)
	return err
}

// RunOnce runs tasks until there are none to fetch and all outcomes are reported. Then it shuts
// down as [Worker.Run] does. Delayed tasks that are not due stay. A worker that
// is quiet fetches none. It returns how many tasks, hooks
// included, it ran. It is for programs that have their own loop.
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
	switch {
	case e.Drained() && err == nil:
		err = ErrDrained
	case e.Drained():
		err = errors.Join(ErrDrained, err)
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

// engineConfig returns the configuration of the worker's engine.
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
		CanRun:      c.CanRun,
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

// Abort makes [Worker.Run] skip the rest of Grace, so it returns within 3 s. Call it for a second
// SIGTERM, for example. Abort does not wait until Run has returned.
func (w *Worker) Abort() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.engine != nil {
		w.engine.Abort()
	}
}

// Healthy returns nil while the worker runs and every partition of the store has answered it within
// the last Lease. It makes no call.
func (w *Worker) Healthy() error {
	w.mu.Lock()
	e := w.engine
	w.mu.Unlock()
	if e == nil {
		return errors.New("worker is not running")
	}
	return e.Healthy()
}
