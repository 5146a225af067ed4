package syncjob

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// RedriveOptions select failed tasks of a run to run again. The zero value selects all of them,
// once.
type RedriveOptions struct {
	// Kinds of the tasks. Defaults to all.
	Kinds []string
	// IDs of the tasks; each must be among the failures that are kept. Defaults to all.
	IDs []string
	// AllowPartial redrives the failures that were kept, if more tasks failed than that. Defaults
	// to false: then the call returns a [*FailuresGoneError].
	AllowPartial bool
	// Key identifies this redrive: calls with the same run, selection and Key give the same new
	// run. To redrive the same tasks a second time, choose another Key. Defaults to the empty key.
	Key string
}

func (o *RedriveOptions) validate() error {
	var errs []error
	for i, kind := range o.Kinds {
		errs = append(errs, store.ValidateName(fmt.Sprintf("Kinds[%d]", i), kind))
	}
	if o.Key != "" {
		errs = append(errs, checkText("Key", o.Key))
	}
	return store.JoinFields(errs...)
}

// Redrive runs the failed tasks of a finished run again, in a new run of the same job. The tasks
// keep their IDs, arguments, headers and attributes; their attempts are counted from zero. The new
// run has the arguments, headers and weight of this run, and its hooks run again. Its RedriveOf is
// the number of this run; hooks read it from [handlers.Run], and handlers from
// [handlers.RunRef.RedriveSource]. If a kind was renamed since, the new handler needs an alias of
// the old name.
//
// It returns when every task is enqueued and the new run is sealed. It can be repeated, from any
// process, also after a crash: a repeat continues where the last call ended, returns the same run
// while its summary is kept, and adds no task twice. If the new run was stopped, or its pre-job
// hook ended it, the remaining tasks are not added. If the summary of this run expires before all
// tasks are added, the new run stays open with those it has: stop it, or release its hold, which
// [Run.Explain] names.
//
// Errors: [ErrRunActive] while this run has not ended. [ErrNothingToRedrive]. [*FailuresGoneError]
// if more tasks failed than the run keeps, and the options may select one that was not kept.
// [ErrJobExists], with the active run, while another run of the job is active. [ErrJobDisabled]. An
// error of the set's Validate hook. After other errors the new run, if it was started, is returned
// too; a repeat completes it.
func (r *Run) Redrive(ctx context.Context, opts *RedriveOptions) (*Run, error) {
	var o RedriveOptions
	if opts != nil {
		o = *opts
	}
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("redrive: %w", err)
	}
	source, err := r.record(ctx)
	if err != nil {
		return nil, fmt.Errorf("redrive: %w", err)
	}
	sel := selection{o.Kinds, o.IDs}
	p, err := r.redriveParams(ctx, source, sel, o)
	if err == nil {
		err = r.m.allow(ctx, p)
	}
	if err != nil {
		return nil, fmt.Errorf("redrive run %d of job %q: %w", r.id.Number, r.id.Job, err)
	}
	run, err := r.m.startRun(ctx, p)
	var exists *JobExistsError
	if errors.As(err, &exists) {
		run = r.m.incumbent(exists)
	}
	if err == nil {
		err = newRefill(r, run, sel).complete(ctx)
	}
	if err != nil {
		return run, fmt.Errorf("redrive run %d of job %q: %w", r.id.Number, r.id.Job, err)
	}
	return run, nil
}

// redriveParams reads which tasks to redrive, and makes the parameters of the new run.
func (r *Run) redriveParams(
	ctx context.Context, source store.RunRecord, sel selection, o RedriveOptions,
) (store.StartParams, error) {
	if !source.Status.Final() {
		return store.StartParams{}, ErrRunActive
	}
	job, err := r.m.store.Job(ctx, r.id.Job)
	if err != nil {
		return store.StartParams{}, err
	}
	found, err := r.survey(ctx, sel)
	if err != nil {
		return store.StartParams{}, err
	}
	if err := found.check(source.Counts.Failed, o); err != nil {
		return store.StartParams{}, err
	}
	own, err := r.m.store.Configuration(ctx, store.ConfigurationID{Run: r.id})
	if err != nil && !errors.Is(err, store.ErrCorrupt) {
		return store.StartParams{}, err
	}
	p := store.StartParams{
		Job:        r.id.Job,
		Token:      redriveToken(r.id, sel, o.Key),
		Set:        source.Set,
		Args:       source.Args,
		Headers:    source.Headers,
		Labels:     source.Labels,
		Open:       true, // until the last task is enqueued
		Weight:     source.Weight,
		Retention:  source.Retention,
		FailureCap: max(r.m.cfg.FailureCap, found.tasks),
		Declared:   job.Type != statuses.JobSinglePass,
		RedriveOf:  r.id.Number,
		Deadline:   deadlineOf(&source),

		Configuration: own.Document,
	}
	if source.OnFailure != OnFailureEnd {
		p.OnFailure = OnFailureHold
	}
	r.m.sets.Fresh(ctx, source.Set)
	p.PreJob, p.PostJob = r.m.hooks(source.Set, found.queue)
	return p, nil
}

// deadlineOf is how much time a run had, to the millisecond.
func deadlineOf(r *store.RunRecord) time.Duration {
	if r.Deadline.IsZero() {
		return 0
	}
	return max(r.Deadline.Sub(r.Created).Truncate(time.Millisecond), time.Millisecond)
}

// survey counts the failures that are kept.
type survey struct {
	kept  int             // of all kinds
	tasks int             // of those selected
	ids   map[string]bool // of those selected
	queue string          // of the first one selected
}

func (r *Run) survey(ctx context.Context, sel selection) (survey, error) {
	found := survey{ids: make(map[string]bool)}
	matches := sel.matcher()
	for letter, err := range r.deadLetters(ctx, 0) {
		if err != nil {
			return found, err
		}
		found.kept++
		if !matches(&letter) {
			continue
		}
		if found.tasks++; found.tasks == 1 {
			found.queue = letter.Lane.Route.Queue
		}
		found.ids[letter.Task.ID] = true
	}
	return found, nil
}

// check refuses a selection that is empty, or that may include failures that are no longer kept.
func (s survey) check(failed int64, o RedriveOptions) error {
	var missing []error
	for i, id := range o.IDs {
		if !s.ids[id] {
			missing = append(
				missing,
				&FieldError{
					Field:  fmt.Sprintf("IDs[%d]", i),
					Reason: fmt.Sprintf("%q is not among the failures that are kept", id),
				},
			)
		}
	}
	gone := failed - int64(s.kept)
	switch {
	case gone > 0 && !o.AllowPartial && (len(o.IDs) == 0 || len(missing) > 0):
		return &FailuresGoneError{Kept: int64(s.kept), Gone: gone}
	case len(missing) > 0 && !o.AllowPartial:
		return store.JoinFields(missing...)
	case s.tasks == 0:
		return ErrNothingToRedrive
	}
	return nil
}

// redriveToken returns the same token for every call with the same options.
func redriveToken(source store.RunID, sel selection, key string) string {
	normal := func(list []string) []string { return slices.Compact(slices.Sorted(slices.Values(list))) }
	asked, _ := json.Marshal([]any{normal(sel.kinds), normal(sel.ids), key}) // strings always marshal
	sum := sha256.Sum256(asked)
	return fmt.Sprintf("d/%d/%s", source.Number, hex.EncodeToString(sum[:16]))
}
