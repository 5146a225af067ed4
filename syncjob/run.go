package syncjob

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// Run is a reference to one run of a job. Making one makes no call: see [Manager.Run]. Its methods
// act on this run only, never on a later one of the same job. Its methods may be called
// concurrently.
type Run struct {
	m        *Manager
	id       store.RunID
	existing bool

	set   atomic.Pointer[string] // handler set, once known; it never changes
	seen  atomic.Bool            // the run is known to have existed
	ended atomic.Bool            // and to have reached a final state
}

// StopOptions says how to stop.
type StopOptions struct {
	// Graceful lets running handlers finish, instead of cancelling their contexts. In both cases no
	// waiting task starts. A task that a worker has already fetched counts as running: it can still
	// start until the worker hears of the stop, by a signal within milliseconds, at the latest with
	// its next heartbeat.
	Graceful bool
	// Reason is kept with the run and in the audit; up to 1 KiB. Defaults to that of [WithReason], or
	// else to "stopped".
	Reason string
}

func (o *StopOptions) params(ctx context.Context, id store.RunID) store.StopParams {
	p := store.StopParams{Run: id, Reason: cmp.Or(givenActor(ctx).Reason, "stopped")}
	if o != nil {
		p.Graceful = o.Graceful
		if o.Reason != "" {
			p.Reason = o.Reason
		}
	}
	return p
}

// ID identifies the run in the store, and the scope of its values: see store.RunScope.
func (r *Run) ID() store.RunID { return r.id }

// Values returns the manager's client of values. [handlers.List.Of] uses it to read and write
// values of the run and of its job.
func (r *Run) Values() *values.Client { return r.m.values }

// Job returns the name of the job.
func (r *Run) Job() string { return r.id.Job }

// Number identifies the run among the runs of its job. Numbers grow and never repeat.
func (r *Run) Number() int64 { return r.id.Number }

// Existing reports whether the call that returned the run found it instead of starting it: the run
// had the same key, or was active.
func (r *Run) Existing() bool { return r.existing }

// State reads the run in one atomic step. Errors: [ErrRunNotFound], or [ErrStateLost] if the run is
// known to have existed, had not ended, and is gone.
func (r *Run) State(ctx context.Context) (states.Run, error) {
	rec, err := r.record(ctx)
	if err != nil {
		return states.Run{}, err
	}
	return runState(rec, time.Now()), nil
}

// Enqueue adds one task to the run from outside of its handlers. It returns when the task is
// stored. If ctx ends first, the task may be stored or not; with Options.ID it is safe to repeat.
// Errors: [ErrJobStopped] if the run was stopped; [ErrRunFinished] if it has ended otherwise.
func (r *Run) Enqueue(ctx context.Context, args enqueue.Args, opts *enqueue.Options) (enqueue.Receipt, error) {
	set, err := r.handlerSet(ctx)
	if err != nil {
		return enqueue.Receipt{}, err
	}
	r.m.sets.Fresh(ctx, set)
	receipt, err := r.m.enqueuer.Enqueue(ctx, r.id, set, enqueue.Task(args, opts))
	if err == nil {
		r.m.journal.enqueued(ctx, r.id, receipt.ID, args.Kind(), receipt.Duplicate)
	}
	return receipt, err
}

// EnqueueAll adds all tasks of the sequence to the run. Memory is bounded for any number of tasks.
// The run cannot finish between the first task and the last. The summary says what was stored, also
// after an error. See [enqueue.Enqueuer.EnqueueAll].
func (r *Run) EnqueueAll(
	ctx context.Context, items iter.Seq2[enqueue.Item, error], opts *enqueue.AllOptions,
) (enqueue.Summary, error) {
	set, err := r.handlerSet(ctx)
	if err != nil {
		return enqueue.Summary{}, err
	}
	r.m.sets.Fresh(ctx, set)
	sum, err := r.m.enqueuer.EnqueueAll(ctx, r.id, set, items, opts)
	r.m.journal.enqueuedAll(ctx, r.id, sum.Enqueued, sum.Duplicates)
	return sum, err
}

func (r *Run) handlerSet(ctx context.Context) (string, error) {
	if set := r.set.Load(); set != nil {
		return *set, nil
	}
	rec, err := r.record(ctx)
	if err != nil {
		return "", err
	}
	r.set.Store(&rec.Set)
	return rec.Set, nil
}

// Stop stops the run. After it returns, no waiting task starts, however many there are. The
// contexts of running handlers end with the cause [ErrJobStopped] when their workers hear of the
// stop: by a signal within milliseconds, at the latest with their next heartbeat. When all handlers
// have returned, the run has the status stopped. Errors: [ErrRunFinished], [ErrRunNotFound].
func (r *Run) Stop(ctx context.Context, opts *StopOptions) error {
	p := opts.params(ctx, r.id)
	err := r.do("stop", func() error { return r.m.store.StopRun(ctx, p) })
	if err == nil {
		r.m.journal.runStopping(ctx, p)
		r.m.ended(ctx, r.id)
	}
	return err
}

// Pause keeps waiting tasks of the run from starting. Running handlers go on. It lasts until
// [Run.Resume]; a repeat changes nothing. Errors: [ErrRunFinished], [ErrRunNotFound].
func (r *Run) Pause(ctx context.Context) error { return r.setPaused(ctx, true) }

// Resume ends a pause.
func (r *Run) Resume(ctx context.Context) error { return r.setPaused(ctx, false) }

func (r *Run) setPaused(ctx context.Context, paused bool) error {
	return r.do("pause or resume", func() error { return r.m.store.SetRunPaused(ctx, r.id, paused) })
}

// Delete removes a finished run with its summary and failures at once, before its retention is
// over. Errors: [ErrRunActive], [ErrRunNotFound].
func (r *Run) Delete(ctx context.Context) error {
	return r.do("delete", func() error { return r.m.store.DeleteRun(ctx, r.id) })
}

// do checks the reference, makes one call about the run, and adds to the error what was attempted.
func (r *Run) do(what string, call func() error) error {
	err := store.ValidateJobName(r.id.Job)
	if r.id.Number <= 0 {
		err = store.JoinFields(err, &FieldError{Field: "Number", Reason: "is not the number of a run"})
	}
	if err == nil {
		err = call()
	}
	if err != nil {
		return fmt.Errorf("%s run %d of job %.200q: %w", what, r.id.Number, r.id.Job, err)
	}
	return nil
}
