package syncjob

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

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
	Progress func(BulkJob, BulkResult)
	// Kinds selects failed tasks of these kinds, for RetryAll and DiscardAll. Defaults to all.
	Kinds []string
	// Graceful is that of [StopOptions], for StopAll.
	Graceful bool
}

// BulkOutcome says what a call did, or would do, to one job.
type BulkOutcome string

// The outcomes.
const (
	BulkChanged BulkOutcome = "changed"
	BulkAlready BulkOutcome = "already"     // it was so before
	BulkPassed  BulkOutcome = "passed over" // there is nothing to do: for example, its run has ended
	BulkFailed  BulkOutcome = "failed"      // see BulkJob.Error; whether it was changed may be unknown
)

// BulkJob is a job that was selected.
type BulkJob struct {
	Job string      `json:"job"`
	Run int64       `json:"run,omitempty"` // number of its newest run; 0 for none
	Did BulkOutcome `json:"did,omitempty"` // empty while more of its failed tasks are to be moved
	// Tasks is how many tasks are concerned: those that waited or ran when the run was read, or the
	// failed ones that were moved.
	Tasks int64 `json:"tasks"`
	// Left is how many failed tasks could not be moved: see InUse, Unreadable and Gone of [RetryResult].
	Left  int64  `json:"left,omitempty"`
	Error string `json:"error,omitempty"`
}

// BulkResult says what a call did, or would do.
type BulkResult struct {
	DryRun bool `json:"dry_run,omitempty"`
	// Matched is how many jobs were selected: the sum of the four below.
	Matched int `json:"matched"`
	Changed int `json:"changed"`
	Already int `json:"already"`
	Passed  int `json:"passed"`
	Failed  int `json:"failed"`
	// Tasks and Left are the sums of those of all jobs.
	Tasks int64 `json:"tasks"`
	Left  int64 `json:"left"`
	// Failures are the first 100 jobs that failed.
	Failures []BulkJob `json:"failures,omitempty"`
	// Operation is [states.AuditEntry.Operation] of the entries that the call left; empty for a dry run.
	Operation string `json:"operation,omitempty"`
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
	plan func(*BulkOptions, *states.Job) BulkOutcome
	// act does it, or with DryRun only counts, and says in j what became of tasks.
	act func(ctx context.Context, o *BulkOptions, s *states.Job, j *BulkJob, step func()) error
}

// bulk is one call on many jobs.
type bulk struct {
	m    *Manager
	o    BulkOptions
	call bulkCall
	poll *poll
	sum  BulkResult
	errs []error // of sum.Failures
}

// bulk does something to each job that the options select, in the order of their names. Each is read
// again directly before it is changed, as a page of the list may be old by then.
func (m *Manager) bulk(ctx context.Context, opts *BulkOptions, call bulkCall) (BulkResult, error) {
	b := &bulk{m: m, call: call, poll: m.poll()}
	if opts != nil {
		b.o = *opts
	}
	p, err := b.o.params()
	if err = store.JoinFields(err, b.o.only(call.kinds, call.graceful)); err != nil {
		return BulkResult{}, fmt.Errorf("%s: %w", call.what, err)
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
	return fmt.Errorf("%s: %d of %d jobs failed: %w", b.call.what, b.sum.Failed, b.sum.Matched, err)
}

func (b *bulk) partition(job string) int { return store.PartitionOf(job, b.poll.of) }

// one does it to one job. It returns an error only if the call is to end.
func (b *bulk) one(ctx context.Context, s states.Job) error {
	if !b.o.Jobs.has(&s) {
		return nil
	}
	did := b.call.plan(&b.o, &s)
	var err error
	if did == BulkChanged && !b.o.DryRun {
		var again states.Job
		if again, err = b.m.State(ctx, s.Name); err == nil {
			if s = again; !b.o.Jobs.has(&s) {
				return nil
			}
			did = b.call.plan(&b.o, &s)
		}
	}
	j := BulkJob{Job: s.Name, Run: s.LastRun}
	if did == BulkChanged && err == nil {
		err = b.call.act(ctx, &b.o, &s, &j, func() { b.progress(j) })
	}
	switch {
	case err == nil && did == BulkChanged && j.Did != "":
		did = j.Did // it found nothing to do
	case over(err):
		did, j.Tasks = BulkPassed, 0
	case err != nil:
		did = BulkFailed
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
func (b *bulk) count(ctx context.Context, j BulkJob, err error) error {
	if j.Did == BulkFailed {
		j.Error = err.Error()
	}
	b.sum = b.sum.with(j)
	if j.Did == BulkFailed && len(b.errs) < maxBulkFailures {
		b.sum.Failures = append(b.sum.Failures, j)
		b.errs = append(b.errs, err)
	}
	if errors.Is(err, ErrUnavailable) && ctx.Err() == nil {
		b.poll.failed[b.partition(j.Job)] = err // its other jobs are left, and the error names it
	}
	if b.o.Progress != nil {
		b.o.Progress(j, b.sum.copy())
	}
	if j.Did == BulkChanged && !b.o.DryRun && !b.call.kinds { // those of failed tasks have their own pace
		return pace(ctx, b.o.Rate, 1)
	}
	return nil
}

// progress tells of a job that is not done yet.
func (b *bulk) progress(j BulkJob) {
	if b.o.Progress != nil {
		sum := b.sum.copy()
		sum.Tasks, sum.Left = sum.Tasks+j.Tasks, sum.Left+j.Left
		b.o.Progress(j, sum)
	}
}

// with adds a job.
func (r BulkResult) with(j BulkJob) BulkResult {
	r.Matched++
	switch j.Did {
	case BulkChanged:
		r.Changed++
	case BulkAlready:
		r.Already++
	case BulkPassed:
		r.Passed++
	case BulkFailed:
		r.Failed++
	}
	r.Tasks, r.Left = r.Tasks+j.Tasks, r.Left+j.Left
	return r
}

func (r BulkResult) copy() BulkResult {
	r.Failures = slices.Clone(r.Failures)
	return r
}
