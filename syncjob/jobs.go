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

// Group selects jobs.
type Group string

// The groups of jobs. A job may be in several.
const (
	GroupAll        Group = ""            // every job
	GroupSinglePass Group = "single-pass" // jobs begun by Start
	GroupPeriodic   Group = "periodic"    // jobs with a schedule
	GroupStanding   Group = "standing"    // jobs declared as open
	GroupStopped    Group = "stopped"     // disabled, or the newest run was stopped
	GroupFinished   Group = "finished"    // the newest run has ended, with any status
	GroupActive     Group = "active"      // the newest run has not ended
)

// has reports whether the job belongs to the group.
func (g Group) has(s states.Job) bool {
	switch g {
	case GroupSinglePass:
		return s.Type == states.JobSinglePass
	case GroupPeriodic:
		return s.Type == states.JobPeriodic
	case GroupStanding:
		return s.Type == states.JobStanding
	case GroupStopped:
		return s.Disabled || s.Run != nil && s.Run.Status == states.Stopped
	case GroupFinished:
		return s.Run != nil && s.Run.Status.Final()
	case GroupActive:
		return s.Active()
	}
	return true
}

func (g Group) valid() bool {
	switch g {
	case GroupAll, GroupSinglePass, GroupPeriodic, GroupStanding, GroupStopped, GroupFinished, GroupActive:
		return true
	}
	return false
}

// JobsOptions select jobs to list.
type JobsOptions struct {
	Group  Group  // Defaults to [GroupAll].
	Prefix string // of the name; empty for all
	// Statuses selects jobs whose newest run is in one of these. Defaults to all jobs.
	Statuses []states.Status
	// Labels selects jobs that have all of these: see [states.Job.Labels].
	Labels map[string]string
	Set    string // selects jobs whose newest run is of this handler set
	Held   bool   // selects jobs whose newest run is held: see [states.Run.Held]
	// ByChange lists those first that changed last: see [states.Job.Changed]. Defaults to the order of
	// the names.
	ByChange bool
	// Details asks for Args, Headers, Counters, Result and Reporting of the newest runs. Defaults to
	// leaving them out.
	Details bool
	// After is the [states.Job.Cursor] of the last job of the page before: the sequence goes on behind
	// it. Use the same options. In the order of names it may be any name.
	After string
}

// jobPage is how many jobs of a partition are read at a time.
const jobPage = 100

// statuses are those that the newest runs of a group's jobs can be in; nil for any, or none.
func (g Group) statuses() []states.Status {
	switch g {
	case GroupActive:
		return ActiveStatuses
	case GroupFinished:
		return FinalStatuses
	}
	return nil
}

// params are what to ask of each partition.
func (o *JobsOptions) params() (store.ListParams, error) {
	p := store.ListParams{
		Statuses: o.Statuses, ByChange: o.ByChange, Details: o.Details, After: max(o.After, below(o.Prefix)), Limit: jobPage,
		Periodic: o.Group == GroupPeriodic,
	}
	if len(o.Statuses) == 0 {
		p.Statuses = o.Group.statuses()
	}
	var bad error
	if !o.Group.valid() {
		bad = &FieldError{Field: "Group", Reason: "is unknown"}
	}
	if o.Set != "" {
		bad = store.JoinFields(bad, store.ValidateName("Set", o.Set))
	}
	if o.ByChange && o.After != "" {
		ms, name, _ := strings.Cut(o.After, ".")
		changed, err := strconv.ParseInt(ms, 10, 64)
		p.Behind = store.Place{Changed: changed, Name: name}
		if err != nil || changed < 1 || jobCursor(p.Behind) != o.After {
			bad = store.JoinFields(bad, &FieldError{Field: "After", Reason: "is no cursor of a job"})
		}
	}
	return p, store.JoinFields(bad, store.ValidateLabels(o.Labels), store.RenameFields(p.Validate(), func(field string) string {
		if field == "Behind" {
			return "After"
		}
		return field
	}))
}

// jobCursor is the cursor of a job in the order of changes.
func jobCursor(p store.Place) string { return strconv.FormatInt(p.Changed, 10) + "." + p.Name }

// Jobs yields jobs with their newest runs, sorted by name, or with ByChange the one first that
// changed last. It reads page by page while the caller consumes them, up to 100 of each partition.
// A page costs the same, whatever the number of jobs and tasks; where Group, Prefix, Labels, Set or
// Held select few, many are read, except that names with a Prefix, and periodic jobs, are found at
// once in their order, and with ByChange so are active and finished jobs, and those of Statuses. It
// is no snapshot: jobs that are started or removed meanwhile may be missing, and so may one with
// ByChange that changes.
//
// If some partitions do not answer, it yields the jobs of the others, then a [*PartialError]. Any
// error ends the sequence. Other errors: a [*FieldError], before any job.
func (m *Manager) Jobs(ctx context.Context, opts *JobsOptions) iter.Seq2[states.Job, error] {
	return func(yield func(states.Job, error) bool) {
		var o JobsOptions
		if opts != nil {
			o = *opts
		}
		p, err := o.params()
		if err != nil {
			yield(states.Job{}, fmt.Errorf("list jobs: %w", err))
			return
		}
		for entry, err := range m.entries(ctx, m.poll(), o.Prefix, p) {
			if err != nil {
				yield(states.Job{}, fmt.Errorf("list jobs: %w", err))
				return
			}
			cursor := entry.Job.Name
			if o.ByChange {
				cursor = jobCursor(entry.Place())
			}
			if s := listedJob(entry, cursor, time.Now()); o.has(&s) && !yield(s, nil) {
				return
			}
		}
	}
}

// has reports whether the options select a job, wherever it is in the list.
func (o *JobsOptions) has(s *states.Job) bool {
	return strings.HasPrefix(s.Name, o.Prefix) && o.Group.has(*s) && hasLabels(s.Labels, o.Labels) &&
		(len(o.Statuses) == 0 || s.Run != nil && slices.Contains(o.Statuses, s.Run.Status)) &&
		(o.Set == "" || s.Run != nil && s.Run.Set == o.Set) && (!o.Held || s.Run != nil && s.Run.Held)
}

// everything reports whether the options select every job.
func (o *JobsOptions) everything() bool {
	return o.Group == GroupAll && o.Prefix == "" && len(o.Statuses)+len(o.Labels) == 0 && o.Set == "" && !o.Held
}

// hasLabels reports whether all wanted labels are there.
func hasLabels(labels, wanted map[string]string) bool {
	for key, value := range wanted {
		if has, ok := labels[key]; !ok || has != value {
			return false
		}
	}
	return true
}

// below returns a string that comes directly before the names with the prefix: after all smaller
// names. It uses the byte 0xff, which valid UTF-8 does not have.
func below(prefix string) string {
	last := len(prefix) - 1
	if last < 0 || prefix[last] == 0 {
		return ""
	}
	return prefix[:last] + string([]byte{prefix[last] - 1, 0xff})
}

// entries yields the jobs of all partitions with a prefix, in the order that p asks for.
func (m *Manager) entries(
	ctx context.Context, poll *poll, prefix string, p store.ListParams,
) iter.Seq2[store.JobEntry, error] {
	lists := make(map[int]pages[store.JobEntry])
	for p.Partition = range m.store.Partitions() {
		lists[p.Partition] = &jobList{m.store, prefix, p}
	}
	return merge(ctx, poll, lists, func(a, b store.JobEntry) bool {
		if p.ByChange {
			return a.Place().Compare(b.Place(), false) < 0
		}
		return a.Job.Name < b.Job.Name
	})
}

// jobList reads the jobs of one partition whose names have a prefix.
type jobList struct {
	store  store.Jobs
	prefix string
	p      store.ListParams
}

func (l *jobList) next(ctx context.Context) (jobs []store.JobEntry, last bool, err error) {
	page, err := l.store.ListJobs(ctx, l.p)
	l.p.After, l.p.Behind = page.Next, page.Behind
	for _, e := range page.Jobs {
		switch {
		case strings.HasPrefix(e.Job.Name, l.prefix):
			jobs = append(jobs, e)
		case e.Job.Name > l.prefix && !l.p.ByChange: // behind all that have it
			last = true
		}
	}
	return jobs, last || page.Next == "" && page.Behind == (store.Place{}), err
}

// JobRuns returns references to the runs of a job that have not expired, the newest first. Error:
// [ErrJobNotFound].
func (m *Manager) JobRuns(ctx context.Context, job string) ([]*Run, error) {
	if _, err := m.readJob(ctx, job); err != nil {
		return nil, err
	}
	numbers, err := m.store.JobRuns(ctx, job)
	if err != nil && !errors.Is(err, ErrJobNotFound) {
		return nil, fmt.Errorf("list runs of job %q: %w", job, err)
	}
	runs := make([]*Run, len(numbers))
	for i, n := range numbers {
		runs[i] = m.known(store.RunID{Job: job, Number: n}, "")
	}
	return runs, nil
}
