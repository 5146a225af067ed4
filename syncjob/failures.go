package syncjob

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/rollcall-go/rollcall/internal/plain"
	"github.com/rollcall-go/rollcall/store"
)

// failurePage is how many dead letters are read at a time.
const failurePage = 100

// FailuresOptions say which failures of a run to read. The zero value is all of them.
type FailuresOptions struct {
	// Kinds of the tasks. Defaults to all.
	Kinds []string
	// IDs of the tasks. Defaults to all.
	IDs []string
	// Offset is how many of those that match to pass over, as earlier pages showed them. Defaults to none.
	Offset int
	// Limit is how many to yield at most. Defaults to all.
	Limit int
}

func (o *FailuresOptions) validate() error {
	var errs []error
	if o.Offset < 0 {
		errs = append(errs, &FieldError{Field: "Offset", Reason: "is negative"})
	}
	if o.Limit < 0 {
		errs = append(errs, &FieldError{Field: "Limit", Reason: "is negative"})
	}
	return errors.Join(errs...)
}

// Failures yields the tasks that failed for good, oldest first; nil options mean all. Those kept are the first ones, up
// to [Config.FailureCap]; the exact number is in the run's Counts. They never change their order, so pages by Offset
// and Limit fit together also while more tasks fail. An error ends the sequence.
func (r *Run) Failures(ctx context.Context, opts *FailuresOptions) iter.Seq2[Failure, error] {
	var o FailuresOptions
	if opts != nil {
		o = *opts
	}
	return func(yield func(Failure, error) bool) {
		if err := o.validate(); err != nil {
			yield(Failure{}, fmt.Errorf("read failures: %w", err))
			return
		}
		matches := selection{o.Kinds, o.IDs}.matcher()
		passed, yielded := 0, 0
		for letter, err := range r.deadLetters(ctx, 0) {
			switch {
			case err != nil:
				yield(Failure{}, err)
				return
			case !matches(&letter.Failure):
				continue
			case passed < o.Offset:
				passed++
				continue
			}
			if yielded++; !yield(failure(letter.Failure), nil) || yielded == o.Limit {
				return
			}
		}
	}
}

// DecodeArgs decodes the arguments of the task into v, a pointer.
func (f Failure) DecodeArgs(v any) error {
	if err := plain.Unmarshal(f.Payload, v); err != nil {
		return fmt.Errorf("decode arguments of task %s: %w", f.TaskID, err)
	}
	return nil
}

// deadLetter is a failure with its place among those of its run, from 0.
type deadLetter struct {
	store.Failure
	place int
}

// deadLetters yields what is kept of the failures of a run from a place on, in order.
func (r *Run) deadLetters(ctx context.Context, from int) iter.Seq2[deadLetter, error] {
	return func(yield func(deadLetter, error) bool) {
		for {
			var page []store.Failure
			err := r.do("read failures of", func() (err error) {
				page, err = r.m.store.Failures(ctx, r.id, from, failurePage)
				return err
			})
			if err != nil {
				yield(deadLetter{}, err)
				return
			}
			for i, f := range page {
				if !yield(deadLetter{f, from + i}, nil) {
					return
				}
			}
			if len(page) == 0 {
				return
			}
			from += len(page)
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
