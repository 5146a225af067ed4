package syncjob

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/internal/plural"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// BulkOptions say which jobs a call such as [Manager.StopAll] touches, and how.
type BulkOptions struct {
	// Jobs selects the jobs that [Manager.Jobs] lists with the same options. Details and Limit are
	// not used; ByChange is refused, as a job that is changed would move in that order.
	Jobs JobsOptions
	// All must be set if Jobs selects every job: a filter that was forgotten must not touch everything.
	All bool
	// DryRun changes nothing, and says what the call would do.
	DryRun bool
	// Rate is the largest number of jobs that are changed in a second; of RetryAll and DiscardAll, of
	// tasks that are moved. Defaults to no limit.
	Rate int
	// Progress is called after each job that is selected, and after each step of up to 256 failed
	// tasks, on the goroutine of the call. It must not block for long. Defaults to none.
	Progress func(states.BulkJob, states.BulkResult)
	// Kinds selects failed tasks of these kinds, for RetryAll and DiscardAll. Defaults to all.
	Kinds []string
	// Graceful is that of [StopOptions], for StopAll.
	Graceful bool
}

// maxBulkFailures is how many failures a result keeps.
const maxBulkFailures = 100

func (o *BulkOptions) params() (store.ListParams, error) {
	p, err := o.Jobs.params()
	errs := []error{store.RenameFields(err, func(field string) string { return "Jobs." + field })}
	bad := func(is bool, field, reason string) {
		if is {
			errs = append(errs, &FieldError{Field: field, Reason: reason})
		}
	}
	bad(o.Jobs.ByChange, "Jobs.ByChange", "is set: a call on many jobs takes them in the order of their names")
	bad(o.Rate < 0, "Rate", "is negative")
	bad(!o.All && o.Jobs.everything() && len(o.Kinds) == 0, "All", "is false, and nothing else selects jobs")
	for i, kind := range o.Kinds {
		errs = append(errs, store.ValidateName(fmt.Sprintf("Kinds[%d]", i), kind))
	}
	p.Details = false
	return p, store.JoinFields(errs...)
}

// only refuses options that the call does not use.
func (o *BulkOptions) only(kinds, graceful bool) error {
	var errs []error
	if !kinds && len(o.Kinds) > 0 {
		errs = append(errs, &FieldError{Field: "Kinds", Reason: "is for failed tasks only"})
	}
	if !graceful && o.Graceful {
		errs = append(errs, &FieldError{Field: "Graceful", Reason: "is for stops only"})
	}
	return store.JoinFields(errs...)
}

// bulkCall is what one of the calls does to each job.
type bulkCall struct {
	what            string
	kinds, graceful bool // which options it uses
	// plan says what it would do to a job, as far as its state tells.
	plan func(*BulkOptions, *states.Job) states.BulkOutcome
	// act does it, or with DryRun only counts, and says in j what became of tasks.
	act func(ctx context.Context, o *BulkOptions, s *states.Job, j *states.BulkJob, step func()) error
}

// bulk is one call on many jobs.
type bulk struct {
	m    *Manager
	o    BulkOptions
	call bulkCall
	poll *poll
	sum  states.BulkResult
	errs []error // of sum.Failures
}

// bulk does something to each job that the options select, in the order of their names. Each is read
// again directly before it is changed, as a page of the list may be old by then.
func (m *Manager) bulk(ctx context.Context, opts *BulkOptions, call bulkCall) (states.BulkResult, error) {
	b := &bulk{m: m, call: call, poll: m.poll()}
	if opts != nil {
		b.o = *opts
	}
	p, err := b.o.params()
	if err = store.JoinFields(err, b.o.only(call.kinds, call.graceful)); err != nil {
		return states.BulkResult{}, fmt.Errorf("%s: %w", call.what, err)
	}
	if b.sum.DryRun = b.o.DryRun; !b.o.DryRun {
		ctx = oneOperation(ctx)
		b.sum.Operation = givenActor(ctx).Operation
	}
	for entry, err := range m.entries(ctx, b.poll, b.o.Jobs.Prefix, p) {
		if err == nil {
			err = context.Cause(ctx)
		}
		if err == nil && b.poll.failed[b.partition(entry.Job.Name)] == nil {
			err = b.one(ctx, listedJob(entry, "", time.Now()))
		}
		if err != nil {
			b.errs = append(b.errs, err)
			break
		}
	}
	return b.sum, b.err()
}

// err says why not everything was done; nil if it was.
func (b *bulk) err() error {
	err := store.JoinFields(b.errs...)
	switch {
	case err == nil:
		return nil
	case b.sum.Failed == 0:
		return fmt.Errorf("%s: %w", b.call.what, err)
	}
	return fmt.Errorf("%s: %d of %s failed: %w", b.call.what, b.sum.Failed, plural.Of(b.sum.Matched, "job"), err)
}

func (b *bulk) partition(job string) int { return store.PartitionOf(job, b.poll.of) }

// one does it to one job. It returns an error only if the call is to end.
func (b *bulk) one(ctx context.Context, s states.Job) error {
	if !b.o.Jobs.has(&s) {
		return nil
	}
	did := b.call.plan(&b.o, &s)
	var err error
	if did == states.BulkChanged && !b.o.DryRun {
		var again states.Job
		if again, err = b.m.State(ctx, s.Name); err == nil {
			if s = again; !b.o.Jobs.has(&s) {
				return nil
			}
			did = b.call.plan(&b.o, &s)
		}
	}
	j := states.BulkJob{Job: s.Name, Run: s.LastRun}
	if did == states.BulkChanged && err == nil {
		err = b.call.act(ctx, &b.o, &s, &j, func() { b.progress(j) })
	}
	switch {
	case err == nil && did == states.BulkChanged && j.Did != "":
		did = j.Did // it found nothing to do
	case over(err):
		did, j.Tasks = states.BulkPassed, 0
	case err != nil:
		did = states.BulkFailed
	}
	j.Did = did
	return b.count(ctx, j, err)
}

// over reports whether a job, or its run, ended or was removed before it could be changed.
func over(err error) bool {
	return errors.Is(err, ErrRunFinished) || errors.Is(err, ErrJobStopped) || errors.Is(err, ErrJobNotFound) ||
		errors.Is(err, ErrRunNotFound) && !errors.Is(err, ErrStateLost)
}

// count adds what became of a job to the sum. It returns an error only if the call is to end.
func (b *bulk) count(ctx context.Context, j states.BulkJob, err error) error {
	if j.Did == states.BulkFailed {
		j.Error = err.Error()
	}
	b.sum = b.sum.With(j)
	if j.Did == states.BulkFailed && len(b.errs) < maxBulkFailures {
		b.sum.Failures = append(b.sum.Failures, j)
		b.errs = append(b.errs, err)
	}
	if errors.Is(err, ErrUnavailable) && ctx.Err() == nil {
		b.poll.failed[b.partition(j.Job)] = err // its other jobs are left, and the error names it
	}
	if b.o.Progress != nil {
		b.o.Progress(j, copied(b.sum))
	}
	if j.Did == states.BulkChanged && !b.o.DryRun && !b.call.kinds { // those of failed tasks have their own pace
		return pace(ctx, b.o.Rate, 1)
	}
	return nil
}

// progress tells of a job that is not done yet.
func (b *bulk) progress(j states.BulkJob) {
	if b.o.Progress != nil {
		sum := copied(b.sum)
		sum.Tasks, sum.Left = sum.Tasks+j.Tasks, sum.Left+j.Left
		b.o.Progress(j, sum)
	}
}

// copied is a result that does not change any more.
func copied(r states.BulkResult) states.BulkResult {
	r.Failures = slices.Clone(r.Failures)
	return r
}
