package store

import (
	"context"
	"slices"

	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// Jobs keeps the definitions of declared jobs, and the number of the last run of each job. A job
// that is not declared is made by its first run, and removed with its last run, unless it is
// disabled.
type Jobs interface {
	// EnsureJob declares a periodic or standing job, or updates its definition if p.Revision is at
	// least the stored one and the definition differs. A repeat changes nothing. Error:
	// [ErrJobExists] if a single-pass job of that name has an active run.
	EnsureJob(ctx context.Context, p EnsureParams) (verdicts.Ensure, error)

	// SetJobDisabled sets or clears the flag that keeps a declared job from starting. A repeat
	// changes nothing. A periodic job has no due time while it is disabled, and gets a new one
	// after that; due times that passed meanwhile start no run. Error: [ErrJobNotFound].
	SetJobDisabled(ctx context.Context, job string, disabled bool) error

	// Job reads one job. Error: [ErrJobNotFound].
	Job(ctx context.Context, job string) (JobRecord, error)

	// ListJobs reads a page of the jobs of one partition, with the newest run of each: in the order of
	// their names, or with p.ByChange the one first that changed last. It looks at up to p.Limit jobs,
	// or about [bounds.PageBytes] of them. A job changes with its newest run (see [RunRecord].Changed),
	// and when it is declared, defined anew, disabled or enabled. Jobs that are started, removed or, with
	// p.ByChange, changed meanwhile may be missing. Without p.Details the runs lack what is large.
	ListJobs(ctx context.Context, p ListParams) (JobPage, error)

	// JobRuns returns the numbers of the runs of a job that are still kept, newest first.
	// An unknown job has none.
	JobRuns(ctx context.Context, job string) ([]int64, error)

	// DeleteJob removes a job, its definition and all its runs. Errors: [ErrRunActive] while a run is
	// active; [ErrJobNotFound].
	DeleteJob(ctx context.Context, job string) error
}

// EnsureParams declares a job.
type EnsureParams struct {
	Job        string
	Type       statuses.JobType // statuses.JobStanding or statuses.JobPeriodic
	Definition []byte
	Revision   int64
	// Schedule of a periodic job, encoded by the caller. If it differs from the stored one, the job
	// loses its due time, and a worker computes a new one. With DueNow, a new job is due at once.
	Schedule []byte
	DueNow   bool
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *EnsureParams) Validate() error {
	var f faults
	f.check(ValidateJobName(p.Job), "")
	f.add(p.Type != statuses.JobStanding && p.Type != statuses.JobPeriodic, "Type", "is neither standing nor periodic")
	f.add(len(p.Definition) > bounds.MaxDefinitionLen, "Definition", "is longer than 4 MiB")
	f.add(len(p.Schedule) > bounds.MaxDefinitionLen, "Schedule", "is longer than 4 MiB")
	return f.err()
}

// ListParams asks for a page of jobs.
type ListParams struct {
	Partition int
	After     string // name after which the page begins; empty for the first page
	ByChange  bool   // most recently changed first
	Behind    Place  // with ByChange, in place of After: Behind of the page before; zero for the first page
	// Statuses asks for jobs whose newest run is in one of these; none means all jobs.
	Statuses []statuses.Status
	Periodic bool // only periodic jobs; by name, they are found without reading others
	Details  bool // also Args, Headers, Counters, Result and Reporting of the runs
	Limit    int  // at most this many; 1 to MaxPage
}

// Validate returns a [*FieldError] for each bad field, joined.
func (p *ListParams) Validate() error {
	var f faults
	f.check(validateStatuses(p.Statuses), "")
	f.check(RenameFields(p.Behind.validate(), func(string) string { return "Behind" }), "")
	f.check(within("Limit", p.Limit, 1, bounds.MaxPage), "")
	return f.err()
}

// Match reports whether a job belongs to the listing. It is for implementers.
func (p *ListParams) Match(e *JobEntry) bool {
	return (!p.Periodic || e.Job.Type == statuses.JobPeriodic) &&
		(len(p.Statuses) == 0 || e.Run != nil && slices.Contains(p.Statuses, e.Run.Status))
}

// JobPage is a page of jobs.
type JobPage struct {
	Jobs []JobEntry
	Next string // pass as After for the next page; empty at the end
	// Behind is in place of Next with ByChange; zero at the end.
	Behind Place
}

// JobEntry is one job with its newest run. The run is nil if the job never ran or the summary has
// expired.
type JobEntry struct {
	Job JobRecord
	Run *RunRecord
}

// Place is where the job is in a listing by the last change.
func (e *JobEntry) Place() Place {
	changed := e.Job.Changed
	if e.Run != nil && e.Run.Changed.After(changed) {
		changed = e.Run.Changed
	}
	return Place{Changed: changed.UnixMilli(), Name: e.Job.Name}
}
