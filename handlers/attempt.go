package handlers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/internal/execute"
	"github.com/rollcall-go/rollcall/internal/plain"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/values"
)

// Attempt is one try of one task. Handlers get it inside of their [Task];
// middleware gets it as it is. Its methods may be called concurrently, until the handler
// returns.
type Attempt struct {
	ID    string // of the task
	Kind  string // under which it was enqueued, which may be an alias
	Queue string
	Retry int // failed attempts before this one
	Run   RunRef
	// Headers are those of the task. They must not be changed.
	Headers map[string]string

	task      any // *Task[A] of this attempt
	set       *Set
	attrs     *Attributes     // in force when it began
	cfg       *execute.Config // of whoever runs it
	lease     *store.Lease    // of the delivery
	overrides encode.Overrides
	ctx       attemptContext                // the handler's
	effects   atomic.Pointer[effects]       // nil until there are any
	meter     atomic.Pointer[execute.Meter] // nil until progress is reported

	logOnce sync.Once
	logger  *slog.Logger
}

// effects are what an attempt brings if it succeeds. Few do more than succeed.
type effects struct {
	children fanout
	tally    tally
	writes   writes
}

// overEffects are those of every attempt that has ended without any.
var overEffects = &effects{children: fanout{ended: true}, tally: tally{ended: true}, writes: writes{ended: true}}

// gather returns the effects to add to.
func (a *Attempt) gather() *effects {
	e := a.effects.Load()
	if e == nil {
		e = new(effects)
		if !a.effects.CompareAndSwap(nil, e) {
			e = a.effects.Load()
		}
	}
	return e
}

// frame is an attempt and its typed view, in one allocation.
type frame[A any] struct {
	task    Task[A]
	attempt Attempt
}

// begin makes the attempt for a payload.
func begin[A any](payload []byte) (*Attempt, error) {
	f := new(frame[A])
	f.task.Attempt = &f.attempt
	f.attempt.task = &f.task
	var err error
	if raw, ok := any(&f.task.Args).(*json.RawMessage); ok && len(payload) > 0 {
		*raw = bytes.Clone(payload) // it was valid when it was enqueued; a retry stores the task's own
	} else if err = plain.Unmarshal(payload, &f.task.Args); err != nil {
		err = fmt.Errorf("decode arguments: %w", err)
	}
	return &f.attempt, err
}

// fill sets what the delivery and the configuration say.
func (a *Attempt) fill(ctx context.Context, d *store.Delivery, cfg *execute.Config) {
	a.cfg, a.lease = cfg, &d.Lease
	run, route := &a.lease.Lane.Run, &a.lease.Lane.Route
	a.ID, a.Kind, a.Queue, a.Retry = d.Task.ID, route.Kind, route.Queue, d.Task.Retry
	a.Headers = d.Task.Headers
	a.Run = RunRef{Job: run.Job, Number: run.Number, Set: route.Set, source: a}
	a.ctx.parent, a.ctx.attempt = ctx, a
}

// client implements runSource.
func (a *Attempt) client() *values.Client { return a.cfg.Values }

// runRecord implements runSource.
func (a *Attempt) runRecord() (store.RunRecord, error) {
	return a.cfg.Runtime.Run(&a.ctx, a.Run.ID())
}

// Deadline is when the attempt's context ends, and whether it does.
func (a *Attempt) Deadline() (time.Time, bool) { return a.ctx.Deadline() }

// Log is a logger with the attributes job, run, task, kind, queue and retry.
func (a *Attempt) Log() *slog.Logger {
	a.logOnce.Do(func() {
		a.logger = a.cfg.Logger.With("job", a.Run.Job, "run", a.Run.Number,
			"task", a.ID, "kind", a.Kind, "queue", a.Queue, "retry", a.Retry)
	})
	return a.logger
}

// Enqueue adds a task to the run. It becomes visible with the success of this one, and not
// at all if this attempt does not succeed; so a repeated attempt never
// duplicates it. Any number can be added: those that do not fit into the success
// itself are parked in the store meanwhile. The receipt cannot say Duplicate yet: a
// chosen ID is claimed with the success, and a task whose ID is taken is left out.
//
// Errors of the item are [*store.FieldError]s. [ErrAttemptEnded] after the handler has returned;
// [store.ErrLeaseLost] and [store.ErrJobStopped] as the store finds; [store.ErrChildrenLost] when
// the store lost some that this attempt added before: then the task runs again, whatever the
// handler returns, and that counts as no retry. After an error of the store the attempt cannot
// succeed any more.
func (a *Attempt) Enqueue(ctx context.Context, args enqueue.Args, opts *enqueue.Options) (enqueue.Receipt, error) {
	id, err := a.stage(ctx, enqueue.Task(args, opts))
	if err != nil {
		return enqueue.Receipt{}, fmt.Errorf("enqueue from task %s: %w", a.ID, err)
	}
	return enqueue.Receipt{Run: a.Run.ID(), ID: id}, nil
}

// EnqueueAll adds the items of a sequence of any length, as [Attempt.Enqueue] does, in
// bounded memory. It stops at the first error, of the sequence or its own; the
// summary says how many were added before, and they stay added if the handler
// then returns nil all the same.
func (a *Attempt) EnqueueAll(ctx context.Context, items iter.Seq2[enqueue.Item, error]) (enqueue.Summary, error) {
	var sum enqueue.Summary
	if items == nil {
		return sum, fmt.Errorf("enqueue from task %s: %w", a.ID, &store.FieldError{Field: "Items", Reason: "is nil"})
	}
	for it, err := range items {
		if err == nil {
			_, err = a.stage(ctx, it)
		}
		if err != nil {
			return sum, fmt.Errorf("enqueue from task %s: %w", a.ID, err)
		}
		sum.Enqueued++
	}
	return sum, nil
}

// EnqueueNow adds a task to the run at once, whatever becomes of this attempt: a
// repeated attempt adds it again, unless it has a chosen ID. Errors as for
// [enqueue.Enqueuer.Enqueue].
func (a *Attempt) EnqueueNow(ctx context.Context, args enqueue.Args, opts *enqueue.Options) (enqueue.Receipt, error) {
	return a.cfg.Runtime.EnqueueNow(ctx, a.Run.ID(), a.Run.Set, enqueue.Task(args, opts))
}

func (a *Attempt) stage(ctx context.Context, it enqueue.Item) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	item, err := enqueue.Encode(ctx, &a.cfg.Enqueue, a.Run.Set, it)
	if err != nil {
		return "", err
	}
	return item.Task.ID, a.gather().children.add(a, item)
}
