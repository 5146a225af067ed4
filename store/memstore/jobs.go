package memstore

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

// job is a name with its definition, if it was declared, and its runs.
type job struct {
	rec      store.JobRecord
	schedule schedule
	values   values
	runs     []*run // kept runs, oldest first
	tokens   map[string]*run
	active   *run // nil if none is active
}

func (j *job) declared() bool { return j.rec.Type != statuses.JobSinglePass }

func (j *job) copyRecord() store.JobRecord {
	rec := j.rec
	rec.Definition = bytes.Clone(rec.Definition)
	return rec
}

// dropRun takes a run out of the list of kept runs. Usually it is the oldest.
func (j *job) dropRun(r *run) {
	if j.runs[0] == r {
		j.runs[0] = nil
		j.runs = j.runs[1:]
		return
	}
	i := slices.Index(j.runs, r)
	j.runs = slices.Delete(j.runs, i, i+1)
}

// addJob makes a job with a new name.
func (p *partition) addJob(name string) *job {
	j := &job{
		rec:      store.JobRecord{Name: name, Type: statuses.JobSinglePass, Created: p.now(), Changed: p.called.Truncate(time.Millisecond)},
		tokens:   map[string]*run{},
		schedule: schedule{place: -1},
	}
	p.jobs[name] = j
	p.names = nil
	return j
}

func (p *partition) removeJob(j *job) {
	p.disarm(j)
	p.changed(j)
	delete(p.jobs, j.rec.Name)
	p.names = nil
}

// EnsureJob declares a periodic or standing job, or updates its definition.
func (s *backend) EnsureJob(ctx context.Context, p store.EnsureParams) (verdicts.Ensure, error) {
	part, err := s.of(ctx, p.Job)
	if err != nil {
		return "", err
	}
	defer part.unlock()
	result, err := part.ensure(p)
	if result == verdicts.EnsureCreated || result == verdicts.EnsureUpdated {
		part.note(ctx, actions.Declare, store.RunID{Job: p.Job}, "", "")
	}
	return result, err
}

func (p *partition) ensure(params store.EnsureParams) (verdicts.Ensure, error) {
	j := p.jobs[params.Job]
	switch {
	case j == nil:
		p.define(p.addJob(params.Job), params)
		return verdicts.EnsureCreated, nil
	case !j.declared() && j.active != nil:
		return "", &store.JobExistsError{Active: j.active.rec.ID}
	case !j.declared():
		p.define(j, params)
		return verdicts.EnsureCreated, nil
	case params.Revision < j.rec.Revision:
		return verdicts.EnsureKept, nil
	case params.Type == j.rec.Type && bytes.Equal(params.Definition, j.rec.Definition):
		j.rec.Revision = params.Revision // so a lower revision cannot replace it later
		return verdicts.EnsureUnchanged, nil
	default:
		p.define(j, params)
		return verdicts.EnsureUpdated, nil
	}
}

// define stores a definition. If the schedule changed, the next due time is computed again.
func (p *partition) define(j *job, params store.EnsureParams) {
	created := !j.declared()
	j.rec.Type, j.rec.Definition, j.rec.Revision = params.Type, bytes.Clone(params.Definition), params.Revision
	j.rec.Changes++
	j.rec.Changed = p.called.Truncate(time.Millisecond)
	p.changed(j)
	solved := j.solved()
	switch {
	case params.Type != statuses.JobPeriodic:
		j.rec.Due, j.schedule.spec = time.Time{}, nil
		p.disarm(j)
	case j.schedule.spec != nil && bytes.Equal(j.schedule.spec, params.Schedule):
		if solved {
			p.arm(j, p.now())
		}
	default:
		j.rec.Due, j.schedule.spec = time.Time{}, append([]byte{}, params.Schedule...)
		if j.rec.Disabled {
			return
		}
		if p.arm(j, p.now()); created && params.DueNow {
			p.setDue(j, p.now().Truncate(time.Millisecond), 0)
		}
	}
}

// SetJobDisabled sets or clears the flag that keeps a declared job from starting.
func (s *backend) SetJobDisabled(ctx context.Context, name string, disabled bool) error {
	part, err := s.of(ctx, name)
	if err != nil {
		return err
	}
	defer part.unlock()
	j := part.jobs[name]
	if j == nil {
		return store.ErrJobNotFound
	}
	switch {
	case j.rec.Disabled == disabled || j.rec.Type != statuses.JobPeriodic:
	case disabled:
		j.rec.Due = time.Time{}
		j.solved()
		part.disarm(j)
	default:
		part.arm(j, part.now())
	}
	if j.rec.Disabled != disabled {
		j.rec.Disabled, j.rec.Changed = disabled, part.called.Truncate(time.Millisecond)
		part.changed(j)
		part.note(ctx, actions.EnableOrDisable(!disabled), store.RunID{Job: name}, "", "")
	}
	return nil
}

// Job reads one job.
func (s *backend) Job(ctx context.Context, name string) (store.JobRecord, error) {
	part, err := s.of(ctx, name)
	if err != nil {
		return store.JobRecord{}, err
	}
	defer part.unlock()
	j := part.jobs[name]
	if j == nil {
		return store.JobRecord{}, store.ErrJobNotFound
	}
	return j.copyRecord(), nil
}

// sortedNames sorts only after the set of names changed, because pages are read much more often.
func (p *partition) sortedNames() []string {
	if p.names == nil {
		p.names = make([]string, 0, len(p.jobs))
		for name := range p.jobs {
			p.names = append(p.names, name)
		}
		slices.Sort(p.names)
	}
	return p.names
}

// JobRuns returns the numbers of the runs of a job that are still kept, newest first.
func (s *backend) JobRuns(ctx context.Context, name string) ([]int64, error) {
	part, err := s.of(ctx, name)
	if err != nil {
		return nil, err
	}
	defer part.unlock()
	j := part.jobs[name]
	if j == nil {
		return nil, nil
	}
	numbers := make([]int64, 0, len(j.runs))
	for _, r := range slices.Backward(j.runs) {
		numbers = append(numbers, r.rec.ID.Number)
	}
	return numbers, nil
}

// DeleteJob removes a job, its definition and all its runs.
func (s *backend) DeleteJob(ctx context.Context, name string) error {
	part, err := s.of(ctx, name)
	if err != nil {
		return err
	}
	defer part.unlock()
	j := part.jobs[name]
	switch {
	case j == nil:
		return store.ErrJobNotFound
	case j.active != nil:
		return store.ErrRunActive
	}
	for _, r := range slices.Clone(j.runs) {
		part.forget(r)
	}
	if part.jobs[name] == j { // the last run did not remove the job with it
		part.removeJob(j)
	}
	part.note(ctx, actions.Delete, store.RunID{Job: name}, "", "")
	return nil
}
