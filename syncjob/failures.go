package syncjob

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// failurePage is how many dead letters are read at a time.
const failurePage = 100

// FailuresOptions select failures of a run. The zero value selects all of them.
type FailuresOptions struct {
	// Kinds of the tasks. Defaults to all.
	Kinds []string
	// IDs of the tasks. Defaults to all.
	IDs []string
	// After is the [states.Failure.Place] of the last failure of the page before: the sequence begins
	// after it. Defaults to zero: from the first failure.
	After int64
	// Limit is the largest number of failures to yield. Defaults to all.
	Limit int
}

func (o *FailuresOptions) validate() error {
	var errs []error
	if o.After < 0 {
		errs = append(errs, &FieldError{Field: "After", Reason: "is negative"})
	}
	if o.Limit < 0 {
		errs = append(errs, &FieldError{Field: "Limit", Reason: "is negative"})
	}
	return store.JoinFields(errs...)
}

// Failures yields the tasks that failed for good, in the order in which they failed. Nil options
// mean all. If more than Config.FailureCap failed, half of those kept are the first, and half the
// newest; the exact number is in the run's Counts. Each failure has a [states.Failure.Place] that
// never changes. So pages by After and Limit never repeat one, even while more tasks fail; a gap
// between two places means failures that are no longer kept. An error ends the sequence.
func (r *Run) Failures(ctx context.Context, opts *FailuresOptions) iter.Seq2[states.Failure, error] {
	var o FailuresOptions
	if opts != nil {
		o = *opts
	}
	return func(yield func(states.Failure, error) bool) {
		if err := o.validate(); err != nil {
			yield(states.Failure{}, fmt.Errorf("read failures: %w", err))
			return
		}
		matches := selection{o.Kinds, o.IDs}.matcher()
		yielded := 0
		for letter, err := range r.deadLetters(ctx, o.After) {
			switch {
			case err != nil:
				yield(states.Failure{}, err)
				return
			case !matches(&letter):
				continue
			}
			if yielded++; !yield(failure(letter, ""), nil) || yielded == o.Limit {
				return
			}
		}
	}
}

// deadLetters yields what is kept of the failures of a run with places above after, in order.
func (r *Run) deadLetters(ctx context.Context, after int64) iter.Seq2[store.Failure, error] {
	return func(yield func(store.Failure, error) bool) {
		for {
			var page []store.Failure
			err := r.do("read failures of", func() (err error) {
				page, err = r.m.store.Failures(ctx, store.FailuresParams{Run: r.id, After: after, Limit: failurePage})
				return err
			})
			if err != nil {
				yield(store.Failure{}, err)
				return
			}
			for _, f := range page {
				if !yield(f, nil) {
					return
				}
				after = f.Place
			}
			if len(page) == 0 {
				return
			}
		}
	}
}

// selection picks failures. Empty fields pick all.
type selection struct{ kinds, ids []string }

// matcher reports whether a failure is picked.
func (s selection) matcher() func(*store.Failure) bool {
	ids := make(map[string]bool, len(s.ids))
	for _, id := range s.ids {
		ids[id] = true
	}
	return func(f *store.Failure) bool {
		return (len(s.kinds) == 0 || slices.Contains(s.kinds, f.Lane.Route.Kind)) && (len(ids) == 0 || ids[f.Task.ID])
	}
}
