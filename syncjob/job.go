package syncjob

import (
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/encode"
	"github.com/rollcall-go/rollcall/store"
)

// Job says what to run.
type Job struct {
	// Name identifies the job: at most one run of a name is active (P7). It is
	// required: 1 to 200 bytes of UTF-8 without control characters.
	Name string
	// Set is the handler set that runs its tasks. It is required, and must be in the
	// manager's registry if that has one.
	Set string
	// Root is the argument of the first task, and of the run: every task can decode it.
	// It may be nil only with Open.
	Root enqueue.Args
	// RootOptions says how the root task is enqueued. Nil leaves it to the attributes
	// of its kind.
	RootOptions *enqueue.Options
	// Open keeps a run from finishing until it is sealed: it takes tasks from outside.
	// A job declared by Ensure with Open is a standing job.
	Open bool
	// SealAfter seals an open run after this long without an enqueue from outside a
	// handler: what was enqueued is all there is. Zero is never.
	SealAfter time.Duration
	// StopAfter stops an open run after this long without an enqueue from outside a handler, as [Run.Stop] does
	// without Graceful, with a reason that says so: its producer broke off, and part of the work is not
	// the work. A producer that seals the run in time ends it as usual. Zero is never. It excludes SealAfter.
	StopAfter time.Duration
	// Schedule makes it a periodic job, which Ensure declares. It excludes Open.
	Schedule *Schedule
	// Weight is the run's share of a queue against those of other runs, from 0.000001 to 1000000. Defaults to the attribute of its set.
	Weight float64
	// Configuration is what is configured for each run of the job from its start on, on top of what is
	// configured for its set; [ConfigureOptions] with that run change it later. Nil is nothing.
	Configuration *Configuration
	// Headers travel with the run and are readable by its handlers.
	Headers map[string]string
	// Retention is how long the summary of a finished run is kept. Defaults to that of
	// the manager.
	Retention time.Duration
	// Revision of a declared job: a lower one never overwrites a higher.
	Revision int64
}

// validate reports everything that is wrong with the job, joined.
func (j Job) validate() error {
	var errs []error
	bad := func(field, reason string) {
		errs = append(errs, &FieldError{Field: field, Reason: reason})
	}
	errs = append(errs, store.ValidateJobName(j.Name), store.ValidateName("Set", j.Set))
	switch {
	case j.Root == nil && !j.Open:
		bad("Root", "is nil, which only an open job allows")
	case j.Root == nil && j.RootOptions != nil:
		bad("RootOptions", "is set without Root")
	}
	if j.Weight != 0 && store.ValidateWeight(j.Weight) != nil {
		bad("Weight", "is not within 0.000001 to 1000000")
	}
	if j.SealAfter < 0 {
		bad("SealAfter", "is negative")
	}
	if j.StopAfter < 0 {
		bad("StopAfter", "is negative")
	}
	if j.StopAfter > 0 && !j.Open {
		bad("StopAfter", "is set for a job that is not open")
	}
	if j.StopAfter > 0 && j.SealAfter > 0 {
		bad("StopAfter", "excludes SealAfter")
	}
	if j.SealAfter > 0 && !j.Open {
		bad("SealAfter", "is set for a job that is not open")
	}
	if j.Retention < 0 {
		bad("Retention", "is negative")
	}
	if j.Revision < 0 {
		bad("Revision", "is negative")
	}
	if j.Schedule != nil {
		errs = append(errs, j.Schedule.validate())
		if j.Open {
			bad("Schedule", "is set for an open job")
		}
	}
	errs = append(errs, encode.ValidateHeaders(j.Headers))
	if j.Configuration != nil {
		errs = append(errs, store.RenameFields(j.Configuration.ValidateForRun(), func(field string) string { return "Configuration." + field }))
	}
	return store.JoinFields(errs...)
}

// checkText validates a key or a hold's name: the rule of task IDs, under the name of
// the field.
func checkText(field, s string) error {
	return store.RenameFields(store.ValidateTaskID(s), func(string) string { return field })
}
