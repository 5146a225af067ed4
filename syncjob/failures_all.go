package syncjob

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// AllFailuresOptions select failures of all jobs. The zero value selects all of them.
type AllFailuresOptions struct {
	Prefix string   // of the names of the jobs. Defaults to all.
	Sets   []string // handler sets of the tasks. Defaults to all.
	Kinds  []string // of the tasks. Defaults to all.
	// Since and Until select by when tasks failed: not before Since, and before Until. Both default
	// to any time.
	Since, Until time.Time
	// After is the [states.Failure.Cursor] of the last failure of the page before: the sequence goes
	// on behind it. Defaults to the newest failure.
	After string
	// Limit is the largest number of failures to yield. Defaults to all.
	Limit int
}

func (o *AllFailuresOptions) validate() error {
	var errs []error
	for field, names := range map[string][]string{"Sets": o.Sets, "Kinds": o.Kinds} {
		for i, name := range names {
			errs = append(errs, store.ValidateName(fmt.Sprintf("%s[%d]", field, i), name))
		}
	}
	errs = append(errs, store.ValidateTime("Since", o.Since), store.ValidateTime("Until", o.Until))
	if o.Limit < 0 {
		errs = append(errs, &FieldError{Field: "Limit", Reason: "is negative"})
	}
	return store.JoinFields(errs...)
}

// selects reports whether a failure is selected; its job is already known to be.
func (o *AllFailuresOptions) selects(f *store.Failure) bool {
	r := f.Lane.Route
	return (len(o.Sets) == 0 || slices.Contains(o.Sets, r.Set)) &&
		(len(o.Kinds) == 0 || slices.Contains(o.Kinds, r.Kind)) && (o.Until.IsZero() || f.At.Before(o.Until))
}

// Failures yields the tasks of all jobs that failed for good, run by run: first the run in which a
// task failed last, with its newest failure first, then the run that comes next by that. So the
// first one is the newest of all, and the failures of one run, such as that of a standing job, are
// in order. Nil options mean all. A run keeps a limited number of its failures: see [Run.Failures].
//
// It reads pages of about 1 MiB while the caller consumes them, with the arguments of the tasks.
// Kinds and sets are picked from what was read; runs of other jobs, and those of which no task
// failed since Since, are not read. Each page is read at another moment: of a run in which a task
// fails meanwhile, what was not read yet may be missing, because the run moves to the front. Begin
// again to see it.
//
// An error ends the sequence. The failure that comes with it has only a [states.Failure.Cursor], or
// that is empty if nothing was read: to go on from there, for example after ctx has ended. Errors:
// a [*FieldError]; errors of the store. If some partitions do not answer, a [*PartialError] comes
// behind the failures of the others.
func (m *Manager) Failures(ctx context.Context, opts *AllFailuresOptions) iter.Seq2[states.Failure, error] {
	var o AllFailuresOptions
	if opts != nil {
		o = *opts
	}
	return func(yield func(states.Failure, error) bool) {
		yielded, at := 0, o.After
		for letter, err := range m.allFailures(ctx, &o, &at) {
			if err != nil {
				yield(states.Failure{Cursor: at}, fmt.Errorf("read failures: %w", err))
				return
			}
			if yielded++; !yield(failure(letter, at), nil) || yielded == o.Limit {
				return
			}
		}
	}
}

// allFailures yields the selected failures. at is the cursor behind what was read.
func (m *Manager) allFailures(
	ctx context.Context, o *AllFailuresOptions, at *string,
) iter.Seq2[store.Failure, error] {
	return func(yield func(store.Failure, error) bool) {
		begin, err := parseFailureCursor(o.After)
		if err = store.JoinFields(o.validate(), err); err != nil {
			yield(store.Failure{}, err)
			return
		}
		p := m.poll()
		more := func(run failureCursor) bool {
			for f, err := range m.failuresBehind(ctx, p, run, o.Since) {
				if err != nil {
					yield(store.Failure{}, err)
					return false
				}
				*at = failureCursor{run.FailingRun, f.Place}.String()
				if o.selects(&f) && !yield(f, nil) {
					return false
				}
			}
			return true
		}
		if begin.place > 0 && strings.HasPrefix(begin.Run.Job, o.Prefix) && !more(begin) {
			return
		}
		for run, err := range m.failingRuns(ctx, p, begin.FailingRun, o.Since) {
			switch {
			case err != nil:
				yield(store.Failure{}, err)
				return
			case strings.HasPrefix(run.Run.Job, o.Prefix) && !more(failureCursor{FailingRun: run}):
				return
			}
		}
	}
}

// failuresBehind yields the failures of a run behind a cursor, the newest first, but none before
// since. A run that is gone has none. One in a partition that does not answer has no more: p names
// it.
func (m *Manager) failuresBehind(
	ctx context.Context, p *poll, c failureCursor, since time.Time,
) iter.Seq2[store.Failure, error] {
	return func(yield func(store.Failure, error) bool) {
		in := store.PartitionOf(c.Run.Job, p.of)
		for q := (store.FailuresParams{Run: c.Run, Before: c.place, Newest: true, Limit: failurePage}); ; {
			if p.failed[in] != nil {
				return
			}
			var page []store.Failure
			p.ask(ctx, []int{in}, func(ctx context.Context, _ int) (err error) {
				if page, err = m.store.Failures(ctx, q); errors.Is(err, ErrRunNotFound) {
					return nil
				}
				return err
			})
			if ctx.Err() != nil {
				yield(store.Failure{}, context.Cause(ctx))
				return
			}
			for _, f := range page {
				if f.At.Before(since) || !yield(f, nil) {
					return
				}
				q.Before = f.Place
			}
			if len(page) == 0 || q.Before == 1 {
				return
			}
		}
	}
}

// failingRuns merges the lists of all partitions, from a run on, as far as a task failed since.
func (m *Manager) failingRuns(
	ctx context.Context, p *poll, after store.FailingRun, since time.Time,
) iter.Seq2[store.FailingRun, error] {
	lists := make(map[int]pages[store.FailingRun])
	for i := range p.of {
		l := &failingList{m.store, since, store.FailingRunsParams{Partition: i, After: after, Limit: failurePage}}
		if after.Run.Number > 0 && i > store.PartitionOf(after.Run.Job, p.of) {
			l.p.After.Run.Number++ // of equals, the lower partition comes first
		}
		lists[i] = l
	}
	return merge(ctx, p, lists, func(a, b store.FailingRun) bool { return a.Compare(b) < 0 })
}

// failingList reads the runs of one partition that keep failures.
type failingList struct {
	store store.Runs
	since time.Time
	p     store.FailingRunsParams
}

func (l *failingList) next(ctx context.Context) (runs []store.FailingRun, last bool, err error) {
	page, err := l.store.FailingRuns(ctx, l.p)
	for _, r := range page {
		if l.p.After = r; r.Last.Before(l.since) {
			return runs, true, err
		}
		runs = append(runs, r)
	}
	return runs, len(page) == 0, err
}

// failureCursor stands behind a failure of a run.
type failureCursor struct {
	store.FailingRun       // as it was listed
	place            int64 // of the failure; 0 before the first
}

func (c failureCursor) String() string {
	return fmt.Sprintf("%d.%d.%d.%s", c.Last.UnixNano(), c.Run.Number, c.place, c.Run.Job)
}

// parseFailureCursor reads a cursor; the empty one stands before everything.
func parseFailureCursor(text string) (c failureCursor, err error) {
	if text == "" {
		return c, nil
	}
	bad := &FieldError{Field: "After", Reason: "is no cursor of a failure"}
	parts := strings.SplitN(text, ".", 4)
	if len(parts) < 4 || store.ValidateJobName(parts[3]) != nil {
		return c, bad
	}
	var n [3]int64
	for i := range n {
		if n[i], err = strconv.ParseInt(parts[i], 10, 64); err != nil || n[i] < 1 {
			return c, bad
		}
	}
	c.Last, c.Run, c.place = time.Unix(0, n[0]), store.RunID{Job: parts[3], Number: n[1]}, n[2]
	return c, nil
}
