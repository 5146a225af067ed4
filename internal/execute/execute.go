// Package execute has types that package handlers shares with workers and test kits. It does not
// know package handlers, so users of that package do not see these types.
package execute

import (
	"context"
	"log/slog"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/values"
)

// Runtime is what an attempt needs from the worker or test kit that runs it. Its methods may be
// called concurrently.
type Runtime interface {
	// Run reads the run of a task. For tasks it may answer from a cache, because they use only data
	// that never change. For hooks it must read the run again.
	Run(ctx context.Context, id store.RunID) (store.RunRecord, error)
	// Stage stores children of a running task: see [store.Sessions]. After it returns, the caller may
	// change the items.
	Stage(ctx context.Context, lease store.Lease, route store.Route, offset int, items []store.Item) error
	// EnqueueNow adds a task at once: see [enqueue.Enqueuer.Enqueue].
	EnqueueNow(ctx context.Context, run store.RunID, set string, it enqueue.Item) (enqueue.Receipt, error)
	// Progress is called for an attempt's first report of progress, and for the first one after each
	// [Meter.Read]. So if the meter is read once a second, Progress is called at most once a second.
	// It must not block.
	Progress(lease store.Lease, m *Meter)
}

// EventWatcher is implemented by a [Runtime] that wants to see events, such as a test kit.
type EventWatcher interface {
	// EventDone is called with the result of each Event of an attempt, on the goroutine that called
	// Event. It may be called concurrently. It is not called if the event panicked.
	EventDone(name string, err error)
}

// Config configures an [Executor].
type Config struct {
	// Runtime of the attempts. Required.
	Runtime Runtime
	// Enqueue says how children are encoded. Its Store and Logger are not used. Its Router defaults to
	// the registry, with the queues in force. Its Propagator puts the headers of tasks, and of runs
	// for hooks, into the contexts of attempts.
	Enqueue enqueue.Config
	// Values reads and writes values of runs. Defaults to nil: there are no values.
	Values *values.Client
	// Logger for the method Log of attempts and hooks. Defaults to [slog.DiscardHandler].
	Logger *slog.Logger
	// Manager is the result of the function [Manager]. Defaults to nil.
	Manager any
}

// Executor runs deliveries with the handlers of a registry. It may be used concurrently.
type Executor interface {
	// Execute runs one delivery of a task or hook, and decides its outcome. It returns when the
	// handler has returned. The handler's context ends with ctx and its cause; package handlers
	// documents the causes. Verdict 0 means that the lease is lost; settle it as given back, because
	// the lease may still be held. Execute settles nothing. The delivery must not change later,
	// because attempts refer to it.
	Execute(ctx context.Context, d *store.Delivery) store.Outcome
	// ExecuteTimed is Execute for callers that watch the handler or hook. Directly before the handler,
	// it calls expires with the time when the timeout will be over. expires may be nil; it is not
	// called if there is no timeout. The outcome is in out when ExecuteTimed returns. It is also there
	// if the handler ends the goroutine with [runtime.Goexit]; then it says so.
	ExecuteTimed(ctx context.Context, d *store.Delivery, out *store.Outcome, expires func(at time.Time))
}

// ManagerKey is the key of [Config].Manager in the contexts of handlers and hooks.
type ManagerKey struct{}

// Manager returns Config.Manager from the context of a handler or hook. For any other context it
// returns nil.
func Manager(ctx context.Context) any { return ctx.Value(ManagerKey{}) }
