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

// Attempt is one try of one task. A handler gets it as a part of its [Task]. Middleware gets the
// Attempt itself. Its methods may be called concurrently, until the handler returns.
type Attempt struct {
	ID    string // of the task
	Kind  string // under which it was enqueued, which may be an alias
	Queue string
	Retry int // failed attempts before this one
	// Snoozes is how often the task was snoozed before this attempt, over all its retries: a delay can
	// grow with it. See [Snooze].
	Snoozes int
	Run     RunRef
	// Headers of the task. Do not change them.
	Headers map[string]string

	task      any // *Task[A] of this attempt
	set       *Set
	attrs     *Attributes     // in force when the attempt began
	cfg       *execute.Config // of the worker or test kit that runs it
	delivery  *store.Delivery // that it runs
	overrides encode.Overrides
	ctx       attemptContext                // the handler's
	effects   atomic.Pointer[effects]       // nil until there are any
	meter     atomic.Pointer[execute.Meter] // nil until progress is reported

	logOnce sync.Once
	logger  *slog.Logger
}

// effects are what an attempt writes if it succeeds. Most attempts write nothing, so it is made
// when it is needed.
type effects struct {
	children fanout
	tally    tally
	writes   writes
	result   result
}

// overEffects replaces the effects of every attempt that ended without any.
var overEffects = &effects{
	children: fanout{ended: true}, tally: tally{ended: true}, writes: writes{ended: true}, result: result{ended: true},
}

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
		*raw = bytes.Clone(payload) // it was valid when it was enqueued; a retry stores the original payload
	} else if err = plain.Unmarshal(payload, &f.task.Args); err != nil {
		err = fmt.Errorf("decode arguments: %w", err)
	}
	return &f.attempt, err
}

// fill sets what the delivery and the configuration say.
func (a *Attempt) fill(ctx context.Context, d *store.Delivery, cfg *execute.Config) {
	a.cfg, a.delivery = cfg, d
	run, route := &d.Lease.Lane.Run, &d.Lease.Lane.Route
	a.ID, a.Kind, a.Queue = d.Task.ID, route.Kind, route.Queue
	a.Retry, a.Snoozes = d.Task.Retry, d.Task.Snoozes
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

// DecodeArgs decodes the arguments of the task into v, a pointer. It is for code that does not know
// their type, such as middleware. If they cannot be decoded, the error is permanent.
func (a *Attempt) DecodeArgs(v any) error {
	if err := plain.Unmarshal(a.delivery.Task.Payload, v); err != nil {
		return Permanent(fmt.Errorf("decode arguments: %w", err))
	}
	return nil
}

// Deadline returns the time when the attempt's context ends; false if it has no timeout.
func (a *Attempt) Deadline() (time.Time, bool) { return a.ctx.Deadline() }

// Log returns a logger with the attributes job, run, task, kind, queue and retry.
func (a *Attempt) Log() *slog.Logger {
	a.logOnce.Do(func() {
		a.logger = a.cfg.Logger.With("job", a.Run.Job, "run", a.Run.Number,
			"task", a.ID, "kind", a.Kind, "queue", a.Queue, "retry", a.Retry)
	})
	return a.logger
}

// Enqueue adds a child task to the run. The child becomes visible when this attempt succeeds. If
// the attempt does not succeed, the child is dropped, so a repeated attempt never adds it twice.
// Any number of children can be added: if there are many, they are staged in the store until the
// attempt succeeds. The receipt never says Duplicate: IDs are compared when the attempt succeeds,
// and a child whose ID is in use is then left out.
//
// Errors: [*store.FieldError]s if the item is not valid; [ErrAttemptEnded] if the handler has
// returned; [store.ErrLeaseLost] or [store.ErrJobStopped] if the store reports it;
// [store.ErrChildrenLost] if the store lost staged children of this attempt;
// [store.ErrOutOfMemory]. After the last two errors the task runs again, whatever the handler
// returns, and this is not counted as a retry. After [store.ErrOutOfMemory] it waits a second
// first. After an error of the store the attempt cannot succeed.
func (a *Attempt) Enqueue(ctx context.Context, args enqueue.Args, opts *enqueue.Options) (enqueue.Receipt, error) {
	id, err := a.stage(ctx, enqueue.Task(args, opts))
	if err != nil {
		return enqueue.Receipt{}, fmt.Errorf("enqueue from task %s: %w", a.ID, err)
	}
	return enqueue.Receipt{Run: a.Run.ID(), ID: id}, nil
}

// EnqueueAll adds the items of a sequence, as [Attempt.Enqueue] does. The sequence may have any
// length; memory is bounded. EnqueueAll stops at the first error of the sequence or of Enqueue. The
// summary counts the items that were added before. They become visible if the handler then returns
// nil.
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

// EnqueueNow adds a task to the run at once, even if this attempt fails later. A repeated attempt
// adds the task again; set Options.ID to prevent that. The errors are those of
// [enqueue.Enqueuer.Enqueue].
func (a *Attempt) EnqueueNow(ctx context.Context, args enqueue.Args, opts *enqueue.Options) (enqueue.Receipt, error) {
	return a.cfg.Runtime.EnqueueNow(ctx, a.Run.ID(), a.Run.Set, enqueue.Task(args, opts))
}

// SetResult sets the result of the task: v as JSON, at most [bounds.MaxResultLen] bytes. The store
// keeps it in the same step as the success of the attempt, with its children, counters and writes,
// also while the run is stopping. If the attempt does not succeed, the result is dropped: so it is
// always that of the attempt that succeeded. If it is called more than once, the last call counts.
// SetResult makes no call of the store.
//
// Anybody can read the result by the ID of the task, or all results of the run: see Task and
// Results of a syncjob.Run. How long it is kept says [Attributes].ResultRetention. If that is
// [NoResults], SetResult checks and then drops the result: a change of the configuration must not
// make tasks fail.
//
// Errors: a [*store.FieldError] if v cannot be encoded or is too large; [ErrAttemptEnded] if the
// handler has returned. Then the result does not change, and the attempt can go on.
func (a *Attempt) SetResult(v any) error {
	data, err := encodeResult(v)
	if err != nil {
		return err
	}
	return a.gather().result.set(data)
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
