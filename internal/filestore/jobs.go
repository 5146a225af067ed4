package filestore

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

func (j *job) declared() bool { return j.Type != statuses.JobSinglePass }

// runs are those of a job that are kept, oldest first.
func (s *state) runs(job string) (all []*run) {
	for _, r := range s.Runs {
		if r.ID.Job == job {
			all = append(all, r)
		}
	}
	return all
}

// active is the run of a job that has not ended; nil if there is none.
func (s *state) active(job string) *run {
	for _, r := range s.runs(job) {
		if !r.Status.Final() {
			return r
		}
	}
	return nil
}

// newest is the last run of a job; nil if that is not kept.
func (s *state) newest(j *job) *run {
	r, _ := s.run(store.RunID{Job: j.Name, Number: j.LastRun})
	return r
}

// addJob makes a job of a name that is not known.
func (s *state) addJob(name string) *job {
	j := &job{JobRecord: store.JobRecord{Name: name, Type: statuses.JobSinglePass, Created: s.now, Changed: s.now.Truncate(time.Millisecond)}, Values: values{}}
	s.Jobs[name] = j
	return j
}

// EnsureJob declares a job.
func (b *backend) EnsureJob(ctx context.Context, p store.EnsureParams) (verdicts.Ensure, error) {
	return change(ctx, b, p, func(s *state, p store.EnsureParams) (verdicts.Ensure, error) {
		result, err := s.ensureJob(p)
		if result == verdicts.EnsureCreated || result == verdicts.EnsureUpdated {
			s.audits(ctx, actions.Declare, store.RunID{Job: p.Job}, "", "")
		}
		return result, err
	})
}

func (s *state) ensureJob(p store.EnsureParams) (verdicts.Ensure, error) {
	j, active := s.Jobs[p.Job], s.active(p.Job)
	result := verdicts.EnsureUpdated
	switch {
	case j == nil:
		j, result = s.addJob(p.Job), verdicts.EnsureCreated
	case !j.declared() && active != nil:
		return "", &store.JobExistsError{Active: active.ID}
	case !j.declared():
		result = verdicts.EnsureCreated
	case p.Revision < j.Revision:
		return verdicts.EnsureKept, nil
	case p.Type == j.Type && bytes.Equal(p.Definition, j.Definition):
		j.Revision = p.Revision // or a lower one could overwrite it later
		return verdicts.EnsureUnchanged, nil
	}
	s.define(j, p, p.DueNow && result == verdicts.EnsureCreated)
	return result, nil
}

// define stores a definition. If the schedule is another one, the job loses its due time.
func (s *state) define(j *job, p store.EnsureParams, dueNow bool) {
	solved := j.solved()
	j.Type, j.Definition, j.Revision = p.Type, p.Definition, p.Revision
	j.Changes++
	j.Changed = s.now.Truncate(time.Millisecond)
	switch {
	case p.Type != statuses.JobPeriodic:
		j.Due, j.Schedule, j.Wakes = time.Time{}, nil, time.Time{}
	case j.Schedule != nil && bytes.Equal(j.Schedule, p.Schedule):
		if solved {
			j.Wakes = s.now
		}
	default:
		j.Due, j.Schedule = time.Time{}, append([]byte{}, p.Schedule...)
		switch {
		case j.Disabled:
		case dueNow:
			j.setDue(s.now.Truncate(time.Millisecond), 0)
		default:
			j.Wakes = s.now
		}
	}
}

// SetJobDisabled sets or clears the flag that keeps a declared job from starting.
func (b *backend) SetJobDisabled(ctx context.Context, name string, disabled bool) error {
	return do(ctx, b, name, func(s *state, name string) error {
		j := s.Jobs[name]
		switch {
		case j == nil:
			return store.ErrJobNotFound
		case j.Disabled == disabled:
			return nil
		}
		j.Disabled, j.Changed = disabled, s.now.Truncate(time.Millisecond)
		s.audits(ctx, actions.EnableOrDisable(!disabled), store.RunID{Job: name}, "", "")
		if j.Type == statuses.JobPeriodic {
			j.solved()
			j.Due, j.Wakes = time.Time{}, s.now
			if disabled {
				j.Wakes = time.Time{}
			}
		}
		return nil
	})
}

// Job reads one job.
func (b *backend) Job(ctx context.Context, name string) (store.JobRecord, error) {
	return read(ctx, b, name, func(s *state, name string) (store.JobRecord, error) {
		if j := s.Jobs[name]; j != nil {
			return j.JobRecord, nil
		}
		return store.JobRecord{}, store.ErrJobNotFound
	})
}

// JobRuns returns the numbers of the runs that are kept, newest first.
func (b *backend) JobRuns(ctx context.Context, name string) ([]int64, error) {
	return read(ctx, b, name, func(s *state, name string) (numbers []int64, err error) {
		for _, r := range slices.Backward(s.runs(name)) {
			numbers = append(numbers, r.ID.Number)
		}
		return numbers, nil
	})
}

// DeleteJob removes a job with all its runs.
func (b *backend) DeleteJob(ctx context.Context, name string) error {
	return do(ctx, b, name, func(s *state, name string) error {
		switch {
		case s.Jobs[name] == nil:
			return store.ErrJobNotFound
		case s.active(name) != nil:
			return store.ErrRunActive
		}
		for _, r := range s.runs(name) {
			s.forget(r)
		}
		delete(s.Jobs, name)
		s.audits(ctx, actions.Delete, store.RunID{Job: name}, "", "")
		return nil
	})
}

// forget removes a run, and with the last run a job that was never declared.
func (s *state) forget(r *run) {
	s.Runs = slices.DeleteFunc(s.Runs, func(other *run) bool { return other == r })
	if j := s.Jobs[r.ID.Job]; j.LastRun == r.ID.Number && r.Changed.After(j.Changed) {
		j.Changed = r.Changed
	}
	if j := s.Jobs[r.ID.Job]; !j.declared() && !j.Disabled && len(s.runs(j.Name)) == 0 {
		delete(s.Jobs, j.Name)
	}
}
