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
// consumes them. Jobs that are started or removed meanwhile may be missing. An error ends the
// sequence.
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
		for entry, err := range m.entries(ctx, max(o.After, below(o.Prefix))) {
			if err != nil {
				yield(JobState{}, fmt.Errorf("list jobs: %w", err))
				return
			}
			name := entry.Job.Name
			if !strings.HasPrefix(name, o.Prefix) {
				if name > o.Prefix {
					return
				}
				continue
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

// entries merges the lists of all partitions. Each list is sorted.
func (m *Manager) entries(ctx context.Context, after string) iter.Seq2[store.JobEntry, error] {
	return func(yield func(store.JobEntry, error) bool) {
		cursors := make([]*jobCursor, m.store.Partitions())
		for p := range cursors {
			cursors[p] = &jobCursor{partition: p, after: after}
		}
		for {
			var first *jobCursor
			for _, c := range cursors {
				if err := c.fill(ctx, m.store); err != nil {
					yield(store.JobEntry{}, err)
					return
				}
				if len(c.page) > 0 && (first == nil || c.page[0].Job.Name < first.page[0].Job.Name) {
					first = c
				}
			}
			if first == nil || !yield(first.page[0], nil) {
				return
			}
			first.page = first.page[1:]
		}
	}
}

// jobCursor reads the jobs of one partition.
type jobCursor struct {
	partition int
	after     string
	page      []store.JobEntry
	end       bool
}

// fill reads the next page if the last one is used up.
func (c *jobCursor) fill(ctx context.Context, s store.Jobs) error {
	for len(c.page) == 0 && !c.end {
		page, err := s.ListJobs(ctx, store.ListParams{Partition: c.partition, After: c.after, Limit: jobPage})
		if err != nil {
			return err
		}
		c.page, c.after, c.end = page.Jobs, page.Next, page.Next == ""
	}
	return nil
}

// Runs returns references to the runs of a job that have not expired, the newest first. Error:
// [ErrJobNotFound].
func (m *Manager) Runs(ctx context.Context, job string) ([]*Run, error) {
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
