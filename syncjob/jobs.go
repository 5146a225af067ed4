package syncjob

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/store"
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
func (g Group) has(s JobState) bool {
	switch g {
	case GroupSinglePass:
		return s.Type == JobSinglePass
	case GroupPeriodic:
		return s.Type == JobPeriodic
	case GroupStanding:
		return s.Type == JobStanding
	case GroupStopped:
		return s.Disabled || s.Run != nil && s.Run.Status == StatusStopped
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
	Group  Group  // Defaults to [GroupAll]
	Prefix string // of the name; empty for all
	After  string // the last name of the page before: names after it follow
}

// jobPage is how many jobs of a partition are read at a time.
const jobPage = 100

// Jobs yields jobs with their newest runs, sorted by name. It reads page by page while the caller
// consumes them. Jobs that are started or removed meanwhile may be missing. If some partitions do
// not answer, it yields the jobs of the others, then a [*PartialError]. Any error ends the sequence.
func (m *Manager) Jobs(ctx context.Context, opts *JobsOptions) iter.Seq2[JobState, error] {
	return func(yield func(JobState, error) bool) {
		var o JobsOptions
		if opts != nil {
			o = *opts
		}
		if !o.Group.valid() {
			yield(JobState{}, fmt.Errorf("list jobs: %w", &FieldError{Field: "Group", Reason: "is unknown"}))
			return
		}
		for entry, err := range m.entries(ctx, o.Prefix, o.After) {
			if err != nil {
				yield(JobState{}, fmt.Errorf("list jobs: %w", err))
				return
			}
			if s := jobState(entry, time.Now()); o.Group.has(s) && !yield(s, nil) {
				return
			}
		}
	}
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

// entries yields the jobs of all partitions with a prefix, in the order of their names, behind one.
func (m *Manager) entries(ctx context.Context, prefix, after string) iter.Seq2[store.JobEntry, error] {
	lists := make(map[int]pages[store.JobEntry])
	for p := range m.store.Partitions() {
		list := store.ListParams{Partition: p, After: max(after, below(prefix)), Limit: jobPage}
		lists[p] = &jobList{m.store, prefix, list}
	}
	return merge(ctx, m.poll(), lists, func(a, b store.JobEntry) bool { return a.Job.Name < b.Job.Name })
}

// jobList reads the jobs of one partition whose names have a prefix.
type jobList struct {
	store  store.Jobs
	prefix string
	p      store.ListParams
}

func (l *jobList) next(ctx context.Context) (jobs []store.JobEntry, last bool, err error) {
	page, err := l.store.ListJobs(ctx, l.p)
	l.p.After = page.Next
	for _, e := range page.Jobs {
		switch {
		case strings.HasPrefix(e.Job.Name, l.prefix):
			jobs = append(jobs, e)
		case e.Job.Name > l.prefix: // behind all that have it
			last = true
		}
	}
	return jobs, last || page.Next == "", err
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
