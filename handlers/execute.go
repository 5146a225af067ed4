package handlers

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/store"
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
	// Progress is told of an attempt's first report of progress, and of the first one after each [Meter.Read]: whoever
	// reads about once a second is told as often, however fast reports come. It must not block.
	Progress(lease store.Lease, m *Meter)
}

// EventWatcher is what a [Runtime] implements that wants to hear of events, as test kits do.
type EventWatcher interface {
	// EventDone is told of each [Attempt.Event] that returns, with its error, on the goroutine that called it: so perhaps of
	// several at once. One that panics is not told of.
	EventDone(name string, err error)
}

// ExecuteConfig is what an [Executor] runs deliveries with.
type ExecuteConfig struct {
	// Runtime of the attempts. Required.
	Runtime Runtime
	// Live are the attributes in force. Defaults to those in code.
	Live *Live
	// Encoder of what attempts enqueue. Defaults to one that routes by the registry.
	Encoder *enqueue.Encoder
	// Logger that Log of attempts and hooks derives from. Defaults to [slog.DiscardHandler].
	Logger *slog.Logger
	// Propagator from the headers of tasks, and for hooks of runs, to the contexts of attempts. Defaults to none.
	Propagator enqueue.Propagator
	// Manager is what [ManagerFromContext] returns. Defaults to nil.
	Manager any
}

// Executor runs deliveries. It may be used concurrently.
type Executor struct {
	ExecuteConfig
	registry *Registry
}

// Executor runs deliveries by the registry's handlers. A copy with another Live may be made of it.
func (r *Registry) Executor(cfg ExecuteConfig) *Executor {
	if cfg.Logger == nil {
		cfg.Logger = discard
	}
	if cfg.Encoder == nil {
		cfg.Encoder = &enqueue.Encoder{Router: r}
	}
	if cfg.Live == nil {
		cfg.Live = r.code
	}
	return &Executor{cfg, r}
}

// Execute runs one delivery by an [Executor] of its own.
func (r *Registry) Execute(ctx context.Context, d store.Delivery, cfg ExecuteConfig) store.Outcome {
	return r.Executor(cfg).Execute(ctx, &d)
}

// Execute runs one delivery, of a task or of a hook, and decides its whole outcome.
// It returns when the handler has: the causes of ctx that the package documentation
// names reach the handler by its context. An outcome with verdict 0 says
// that the lease is lost: it is to be settled as given back, in case it is not. Execute settles nothing. The lease in d must not change
// afterwards, as attempts refer to it.
func (x *Executor) Execute(ctx context.Context, d *store.Delivery) store.Outcome {
	var out store.Outcome
	x.ExecuteTimed(ctx, d, &out, nil)
	return out
}

// ExecuteTimed is [Executor.Execute] for who watches the handler, or hook: right before it is called, expires is told when its
// timeout will be over. It is not called where there is no timeout, and may be nil. The outcome stands in out
// when ExecuteTimed returns, and also when the handler ends the goroutine by [runtime.Goexit]: then it is that failure, with [ErrGoexit].
func (x *Executor) ExecuteTimed(ctx context.Context, d *store.Delivery, out *store.Outcome, expires func(at time.Time)) {
	*out = store.Outcome{Lease: d.Lease, Task: d.Task}
	if verdict, over := interrupted(ctx); over {
		out.Verdict = verdict
		return
	}
	if err := unreadable(&d.Task); err != nil {
		fail(out, store.VerdictFail, err)
		return
	}
	route := &d.Lease.Lane.Route
	s, err := x.registry.find(route.Set)
	if err != nil {
		fail(out, store.VerdictFail, err)
		return
	}
	if !route.Counted() {
		s.executeHook(ctx, out, &x.ExecuteConfig, expires)
		return
	}
	k, err := s.find(route.Kind)
	if err != nil {
		fail(out, store.VerdictFail, err)
		return
	}
	k.execute(ctx, d, x, out, expires)
}

// execute runs one delivery of a task.
func (k *boundKind) execute(ctx context.Context, d *store.Delivery, x *Executor, out *store.Outcome, expires func(time.Time)) {
	attrs := x.Live.at(k.index)
	if err := poisoned(&d.Task, attrs); err != nil {
		fail(out, store.VerdictFail, err)
		return
	}
	var a *Attempt // stays nil if decoding panics
	err := guard.Call(func() (err error) {
		if a, err = k.attempt(ctx, d, x, attrs); err != nil {
			return Permanent(err)
		}
		a.ctx.start(a.timeout())
		if expires != nil && a.ctx.limit > 0 {
			expires(a.ctx.deadline)
		}
		return k.invoke(&a.ctx, a)
	}, func() { k.settle(ctx, out, a, attrs, Permanent(ErrGoexit)) })
	k.settle(ctx, out, a, attrs, err)
}

// attempt decodes what the delivery holds.
func (k *boundKind) attempt(ctx context.Context, d *store.Delivery, x *Executor, attrs *Attributes) (*Attempt, error) {
	a, err := k.kind.begin(d.Task.Payload)
	a.fill(enqueue.Extract(ctx, x.Propagator, d.Task.Headers), d, x)
	a.set, a.attrs = k.set, attrs
	if err == nil {
		a.overrides, err = enqueue.DecodeOverrides(d.Task.Attributes)
	}
	return a, err
}

// poisoned says why a task, or hook, is not run at all (promise P15).
func poisoned(t *store.Task, attrs *Attributes) error {
	if t.Crashes < attrs.MaxDeliveries {
		return nil
	}
	return fmt.Errorf("not run again: %d workers died running it", t.Crashes)
}

// unreadable says why the stored form of a task cannot be read, if it cannot. Such a task has
// no ID, which every other one has.
func unreadable(t *store.Task) error {
	if t.ID != "" {
		return nil
	}
	if why, corrupt := t.Headers[store.HeaderCorrupt]; corrupt {
		return errors.New(why)
	}
	return nil
}
