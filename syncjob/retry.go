package syncjob

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// RetryOptions select failures of a run to retry or discard. The zero value selects all.
type RetryOptions struct {
	Kinds []string // of the tasks. Defaults to all.
	IDs   []string // of the tasks. Defaults to all. Those without a failure are passed over.
	// Rate is the largest number of tasks that are moved in a second. Defaults to no limit.
	Rate int
	// DryRun moves nothing, and counts what the call would move. Which IDs are in use it cannot tell:
	// InUse is 0, and those are in Moved. It reads the failures, with the arguments of the tasks.
	DryRun bool

	step func(RetryResult) // is told of each step; nil for none
}

func (o *RetryOptions) validate() error {
	var errs []error
	for i, kind := range o.Kinds {
		errs = append(errs, store.ValidateName(fmt.Sprintf("Kinds[%d]", i), kind))
	}
	for i, id := range o.IDs {
		if err := store.ValidateTaskID(id); err != nil {
			errs = append(errs, store.RenameFields(err, func(string) string { return fmt.Sprintf("IDs[%d]", i) }))
		}
	}
	if o.Rate < 0 {
		errs = append(errs, &FieldError{Field: "Rate", Reason: "is negative"})
	}
	return store.JoinFields(errs...)
}

// only returns the ID of the only task that is selected; "" if there may be others.
func (o *RetryOptions) only() string {
	if len(o.IDs) == 1 {
		return o.IDs[0]
	}
	return ""
}

// RetryResult says what [Run.Retry] or [Run.Discard] did.
type RetryResult struct {
	// Moved is how many failed tasks this call retried, or discarded.
	Moved int64 `json:"moved"`
	// InUse is how many were not retried because another task has claimed their ID since.
	InUse int64 `json:"in_use"`
	// Unreadable is how many were not retried because what is stored of the task cannot be decoded.
	Unreadable int64 `json:"unreadable"`
	// Gone is how many failed tasks remain of which the run keeps no failure (see Config.FailureCap):
	// nobody can retry or discard them.
	Gone int64 `json:"gone"`
}

// Retry has the failed tasks of an active run wait again, while others are added and run: Failed
// falls, and Pending rises by the same number. Nil options mean all failures there are when the
// call begins; tasks that fail meanwhile are left. A retried task begins anew, with all its
// retries, and keeps its last attempts, which [TaskRef.State] shows. It waits behind the other
// tasks of its kind. states.Run.LastError becomes empty when no failure is left.
//
// It moves up to 256 failures in a step, so it may take as many steps as there are failures. Each
// failure is moved once, whoever else retries or discards it at the same time, and although replies
// are lost. If the call is cancelled or its process dies, each failure is moved or is not; call it
// again for the rest. A call that finds none answers zeros.
//
// The audit has one entry, which is written with the first failures that move.
//
// Errors: a [*RunOverError] if the run has ended, is stopping or runs its post-job hook: then
// [Run.Redrive] runs its failed tasks in a new run. A [*FieldError]; [ErrRunNotFound],
// [ErrStateLost]. The result says what was done before an error, as far as that is known.
func (r *Run) Retry(ctx context.Context, opts *RetryOptions) (RetryResult, error) {
	return r.redo(ctx, "retry failures of", opts, actions.RedoRetry)
}

// Discard gives up failed tasks of an active run: they count as cancelled, no longer as failed, and
// their failures are gone. So a run whose failures were all discarded can succeed; if only they
// held it (see [Job.OnFailure]), it goes on to its end in the step that takes the last. All else is
// as with [Run.Retry]; tasks that cannot be retried can be discarded, except those that are gone.
func (r *Run) Discard(ctx context.Context, opts *RetryOptions) (RetryResult, error) {
	return r.redo(ctx, "discard failures of", opts, actions.RedoDiscard)
}

func (r *Run) redo(
	ctx context.Context,
	what string,
	opts *RetryOptions,
	action actions.Redo,
) (out RetryResult, err error) {
	var o RetryOptions
	if opts != nil {
		o = *opts
	}
	err = r.do(what, func() error {
		if err := o.validate(); err != nil {
			return err
		}
		if o.DryRun {
			return r.countSelected(ctx, &o, action, &out)
		}
		return r.lost(r.redoSelected(ctx, &o, action, &out))
	})
	if action == actions.RedoDiscard && out.Moved > 0 && !o.DryRun {
		r.m.ended(ctx, r.id) // it may have been held for them
	}
	return out, err
}

// redoSelected moves the failures that there are now, step by step. Each call has the next number
// of a stream, so that a repeat after a lost reply gets the reply.
func (r *Run) redoSelected(ctx context.Context, o *RetryOptions, action actions.Redo, out *RetryResult) error {
	s := r.m.store
	newest, err := s.Failures(ctx, store.FailuresParams{Run: r.id, Newest: true, Limit: 1})
	if err != nil {
		return err
	}
	p := store.RedoParams{
		Partition: store.PartitionOf(r.id.Job, s.Partitions()), Stream: rand.Text(), Run: r.id, Action: action,
		IDs: o.IDs, Kinds: o.Kinds, Before: 1, Limit: bounds.MaxBatch,
	}
	line := rules.NewAuditLine(ctx, p.Action.Audited(), r.id, o.only(), "")
	p.Audit = &line
	if len(newest) > 0 {
		p.Before = newest[0].Place + 1
	}
	if o.Rate > 0 {
		p.Limit = min(p.Limit, o.Rate)
	}
	if err := s.OpenProducer(ctx, p.Partition, p.Stream); err != nil {
		return err
	}
	// Otherwise the store keeps the stream for a while.
	defer func() { _ = s.CloseProducer(ctx, p.Partition, p.Stream) }()
	for {
		p.Number++
		reply, err := s.RedoFailures(ctx, p)
		switch {
		case errors.Is(err, ErrRunFinished) && p.Number > 1:
			return nil // only failures held it, and between two steps somebody moved or accepted the last
		case errors.Is(err, ErrRunFinished), errors.Is(err, ErrJobStopped):
			return &RunOverError{Run: r.id, Err: err}
		case err != nil:
			return err
		}
		out.Moved, out.InUse, out.Gone = out.Moved+reply.Moved, out.InUse+reply.InUse, reply.Gone
		out.Unreadable += reply.Unreadable
		if reply.Moved > 0 {
			p.Audit = nil // one line tells of all steps
		}
		if o.step != nil {
			o.step(*out)
		}
		if p.After = reply.Next; p.After == 0 {
			return nil
		}
		if err := pace(ctx, o.Rate, reply.Moved); err != nil || p.After == p.Before-1 {
			return err
		}
	}
}

// countSelected counts the failures that there are now, as redoSelected would find them.
func (r *Run) countSelected(ctx context.Context, o *RetryOptions, action actions.Redo, out *RetryResult) error {
	rec, err := r.record(ctx)
	switch {
	case err != nil:
		return err
	case rec.Status == statuses.Stopping, rec.Status == statuses.Stopped:
		return &RunOverError{Run: r.id, Err: ErrJobStopped}
	case rec.Status.Final(), rec.Status == statuses.Finishing:
		return &RunOverError{Run: r.id, Err: ErrRunFinished}
	}
	matches := selection{o.Kinds, o.IDs}.matcher()
	out.Gone = rec.Counts.Failed
	for f, err := range r.deadLetters(ctx, 0) {
		if err != nil {
			return err
		}
		out.Gone = max(0, out.Gone-1) // a task may have failed since the run was read
		if !matches(&f) {
			continue
		}
		if _, readable := f.Redone(); readable || action == actions.RedoDiscard {
			out.Moved++
		} else {
			out.Unreadable++
		}
	}
	return nil
}

// pace waits for as long as moving n tasks takes at the rate; 0 means no limit.
func pace(ctx context.Context, rate int, n int64) error {
	if rate == 0 || n == 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(time.Duration(n) * time.Second / time.Duration(rate))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// RunOverError is returned by [Run.Retry] and [Run.Discard] for a run that has ended, is stopping
// or runs its post-job hook: its failed tasks no longer change. [Run.Redrive] runs them in a new
// run, once this one has ended. It matches [ErrRunFinished], or [ErrJobStopped] if the run was
// stopped.
type RunOverError struct {
	Run store.RunID
	Err error
}

// Error implements error.
func (e *RunOverError) Error() string {
	return fmt.Sprintf("%v: its failed tasks no longer change; Redrive runs them in a new run", e.Err)
}

func (e *RunOverError) Unwrap() error { return e.Err }
