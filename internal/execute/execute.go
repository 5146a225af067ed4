// Package execute holds what package handlers shares with those that run its handlers: workers and
// test kits. It knows nothing of handlers, so that these can keep it out of their public surface.
package execute

import (
	"context"
	"log/slog"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/values"
)

// Runtime is what an attempt needs of whoever runs it. Its methods may be called
// concurrently.
type Runtime interface {
	// Run reads the run of a task. For tasks it may be answered from a cache: only
	// what never changes is used. For hooks it must be read anew.
	Run(ctx context.Context, id store.RunID) (store.RunRecord, error)
	// Stage parks children of a running task: see [store.Sessions]. The items are
	// the caller's again when it returns.
	Stage(ctx context.Context, lease store.Lease, route store.Route, offset int, items []store.Item) error
	// EnqueueNow adds a task at once: see [enqueue.Enqueuer.Enqueue].
	EnqueueNow(ctx context.Context, run store.RunID, set string, it enqueue.Item) (enqueue.Receipt, error)
	// Progress is told of an attempt's first report of progress, and of the first one after each
	// [Meter.Read]: whoever reads about once a second is told as often, however fast reports come. It
	// must not block.
	Progress(lease store.Lease, m *Meter)
}

// EventWatcher is what a [Runtime] implements that wants to hear of events, as test kits do.
type EventWatcher interface {
	// EventDone is told of each Event of an attempt that returns, with its error, on the goroutine
	// that called it: so perhaps of several at once. One that panics is not told of.
	EventDone(name string, err error)
}

// Config is what an [Executor] runs deliveries with.
type Config struct {
	// Runtime of the attempts. Required.
	Runtime Runtime
	// Enqueue says how what attempts enqueue is encoded; Store and Logger are not used. Its Router
	// defaults to the registry, with the queues in force. Its Propagator takes headers of tasks, and
	// for hooks of runs, to the contexts of attempts.
	Enqueue enqueue.Config
	// Values is what values of runs are read and written through. Defaults to nil: there are none.
	Values *values.Client
	// Logger that Log of attempts and hooks derives from. Defaults to [slog.DiscardHandler].
	Logger *slog.Logger
	// Manager is what [Manager] returns. Defaults to nil.
	Manager any
}

// Executor runs deliveries by the handlers of a registry. It may be used concurrently.
type Executor interface {
	// Execute runs one delivery, of a task or of a hook, and decides its whole outcome. It returns
	// when the handler has: the causes of ctx that the documentation of package handlers names reach
	// the handler by its context. An outcome with verdict 0 says that the lease is lost: it is to be
	// settled as given back, in case it is not. Execute settles nothing. The lease in d must not
	// change afterwards, as attempts refer to it.
	Execute(ctx context.Context, d *store.Delivery) store.Outcome
	// ExecuteTimed is Execute for who watches the handler, or hook: right before it is called, expires
	// is told when its timeout will be over. It is not called where there is no timeout, and may be
	// nil. The outcome stands in out when ExecuteTimed returns, and also when the handler ends the
	// goroutine by [runtime.Goexit]: then it is that failure.
	ExecuteTimed(ctx context.Context, d *store.Delivery, out *store.Outcome, expires func(at time.Time))
}

// ManagerKey is under which the contexts of handlers and hooks have [Config].Manager.
type ManagerKey struct{}

// Manager returns Config.Manager of the handler or hook that the context belongs to; nil outside of
// one.
func Manager(ctx context.Context) any { return ctx.Value(ManagerKey{}) }
