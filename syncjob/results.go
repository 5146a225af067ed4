package syncjob

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// ResultsOptions select results of a run. The zero value selects all that are kept.
type ResultsOptions struct {
	ID   string // Only that of the task with this ID. Defaults to all.
	Kind string // Defaults to all.
	// After is the [states.TaskResult.Cursor] of the last result of the page before: the sequence goes
	// on behind it. Defaults to the beginning.
	After string
	// Limit is the largest number of results to yield. Defaults to all.
	Limit int
}

// resultPage is how many results are looked at in one call.
const resultPage = 500

func (o *ResultsOptions) params(run store.RunID) (store.ResultsParams, error) {
	p := store.ResultsParams{Run: run, ID: o.ID, Kind: o.Kind, After: o.After, Limit: resultPage}
	if o.Limit > 0 {
		p.Limit = min(p.Limit, o.Limit)
	}
	var bad error
	if o.Limit < 0 {
		bad = &FieldError{Field: "Limit", Reason: "is negative"}
	}
	return p, store.JoinFields(taskFields(p.Validate()), bad)
}

// Results yields the results that tasks of the run have set and that are kept: by set and kind, and
// there in the order in which the tasks succeeded. Nil options mean all. How many are kept, and how
// long, says [handlers.ResultRetention]; they can be read until the run's retention is over, for
// example in its post-job hook.
//
// It reads pages of about 1 MiB while the caller consumes them. A result that is there all the time
// comes once; one that is set or removed meanwhile may be missing. An error ends the sequence.
// Errors: a [*FieldError]; [ErrRunNotFound], [ErrStateLost].
func (r *Run) Results(ctx context.Context, opts *ResultsOptions) iter.Seq2[states.TaskResult, error] {
	var o ResultsOptions
	if opts != nil {
		o = *opts
	}
	return func(yield func(states.TaskResult, error) bool) {
		p, err := o.params(r.id)
		if err != nil {
			yield(states.TaskResult{}, fmt.Errorf("read results: %w", err))
			return
		}
		for yielded := 0; ; {
			page, err := r.results(ctx, p)
			if err != nil {
				yield(states.TaskResult{}, err)
				return
			}
			for i := range page.Results {
				if yielded++; !yield(taskResult(r.id, &page.Results[i]), nil) || yielded == o.Limit {
					return
				}
			}
			if p.After = page.Next; p.After == "" {
				return
			}
		}
	}
}

func (r *Run) results(ctx context.Context, p store.ResultsParams) (page store.ResultsReply, err error) {
	err = r.do("read results of", func() (err error) {
		page, err = r.m.store.Results(ctx, p)
		return taskFields(err)
	})
	return page, r.lost(err)
}

// Result decodes the result of the task from JSON into v, a pointer, or nil to only ask for it. If
// there is none, it looks for the task, as [TaskRef.State] does, to say why.
//
// Errors: [ErrResultPending] if the task waits or runs; [ErrTaskFailed], with the text of the
// failure, if it failed for good and the run keeps the failure; [states.ErrNoResult] if the task
// succeeded without a result, its result is not kept any more, it was cancelled, or there never was
// such a task: these cannot be told apart; a [*FieldError] for an ID that no task can have;
// [ErrRunNotFound], [ErrStateLost].
func (t *TaskRef) Result(ctx context.Context, v any) error {
	if found, err := t.decodeResult(ctx, v); found || err != nil {
		return err
	}
	state, err := t.State(ctx)
	switch {
	case err == nil && state.State == states.TaskFailed:
		return fmt.Errorf("%w: %s", t.about(ErrTaskFailed), state.Error)
	case err == nil:
		return fmt.Errorf("%w: it is %s", t.about(ErrResultPending), state.State)
	case !errors.Is(err, ErrTaskNotFound):
		return err
	}
	// It may have succeeded meanwhile.
	if found, err := t.decodeResult(ctx, v); found || err != nil {
		return err
	}
	return t.about(states.ErrNoResult)
}

// decodeResult reads the result of the task. It reports whether there is one.
func (t *TaskRef) decodeResult(ctx context.Context, v any) (found bool, err error) {
	if err := t.check(); err != nil {
		return false, err
	}
	page, err := t.run.results(ctx, store.ResultsParams{Run: t.run.id, ID: t.id, Limit: 1})
	if err != nil || len(page.Results) == 0 {
		return false, err
	}
	if v == nil {
		return true, nil
	}
	return true, taskResult(t.run.id, &page.Results[0]).Decode(v)
}

const (
	// waitShare is for how many times the length of a search no other search begins: to look for a
	// task among many is expensive.
	waitShare = 10
	// waitAgain is after what time a task that was not found is sought again, since a task that moves
	// can be missed.
	waitAgain = 100 * time.Millisecond
)

// Wait waits until the task has ended, and decodes its result as [TaskRef.Result] does: one service
// enqueues a task and waits for what another computes. It uses the signals of the run, at most
// about four a second; so it takes some milliseconds after a short task, and up to a quarter of a
// second after a long one. While other tasks of the run end, it looks whether the task has failed
// or has no result, which takes longer where many tasks wait.
//
// Errors: those of [TaskRef.Result] except [ErrResultPending]; the error of ctx when ctx ends (the
// task goes on); [ErrClosed]. A task that is not visible yet, since the task that enqueued it still
// runs, has no result.
func (t *TaskRef) Wait(ctx context.Context, v any) error {
	if err := t.check(); err != nil {
		return err
	}
	done := int64(-1) // tasks that had ended when it was sought last
	var next time.Time
	for rec, err := range t.run.follow(ctx) {
		if err != nil {
			return err
		}
		if found, err := t.decodeResult(ctx, v); found || err != nil {
			return err
		}
		if rec.Counts.Done() == done && !rec.Status.Final() {
			continue
		}
		done = rec.Counts.Done()
		for left := time.Until(next); left > 0 && ctx.Err() == nil; left = time.Until(next) {
			lifecycle.Pause(ctx, min(left, watchGap))
			if found, err := t.decodeResult(ctx, v); found || err != nil {
				return err
			}
		}
		began := time.Now()
		err := t.Result(ctx, v)
		if errors.Is(err, states.ErrNoResult) && !rec.Status.Final() {
			lifecycle.Pause(ctx, waitAgain)
			err = t.Result(ctx, v)
		}
		if !errors.Is(err, ErrResultPending) {
			return err
		}
		next = time.Now().Add(min(waitShare*time.Since(began), bounds.SignalEvery*waitShare))
	}
	return t.Result(ctx, v)
}
