package syncjob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rollcall-go/rollcall/store"
)

// EnsureResult says what Ensure did with the definition.
type EnsureResult = store.EnsureResult

// The results of Ensure.
const (
	EnsureCreated   = store.EnsureCreated
	EnsureUpdated   = store.EnsureUpdated
	EnsureUnchanged = store.EnsureUnchanged
	EnsureKept      = store.EnsureKept // a higher revision is stored
)

// Ensure declares a periodic or standing job, from every replica and at every deploy, and sees to
// it that the run of a standing one is active. It is absolute: repeats change nothing. A lower
// [Job.Revision] never overwrites a higher. An updated definition holds from the next
// run on; the active one goes on as it began. Due times change only if Every, Cron or Zone does.
//
// A job that was stopped by name stays disabled, and Ensure is no error then: only
// [Manager.Enable] starts it again. [ErrJobExists] when a single-pass job of the name
// is active. Workers fire periodic jobs, whatever sets and queues they serve.
func (m *Manager) Ensure(ctx context.Context, j Job) (EnsureResult, error) {
	m.sets.Fresh(ctx, j.Set)
	d, err := m.define(ctx, j)
	switch {
	case !j.Open && j.Schedule == nil:
		err = store.JoinFields(err, &FieldError{Field: "Open", Reason: "or Schedule must be set: only standing and periodic jobs can be declared"})
	case j.StopAfter > 0:
		err = store.JoinFields(err, &FieldError{Field: "StopAfter", Reason: "is set for a declared job"})
	case j.SealAfter > 0:
		err = store.JoinFields(err, &FieldError{Field: "SealAfter", Reason: "is set for a declared job"})
	}
	if err != nil {
		return "", fmt.Errorf("ensure: %w", err)
	}
	if err := m.allow(ctx, m.params(d, j.Name, "")); err != nil {
		return "", fmt.Errorf("ensure job %q: %w", j.Name, err)
	}
	p := store.EnsureParams{Job: j.Name, Type: JobStanding, Revision: j.Revision}
	if p.Definition, err = d.encode(); err == nil && j.Schedule != nil {
		p.Type, p.DueNow = JobPeriodic, j.Schedule.FireOnCreate
		p.Schedule, err = json.Marshal(d.Schedule.calendar)
	}
	if err != nil {
		return "", fmt.Errorf("ensure job %q: %w", j.Name, err)
	}
	result, err := m.store.EnsureJob(ctx, p)
	if err != nil {
		return "", fmt.Errorf("ensure job %q: %w", j.Name, err)
	}
	err = m.startDeclared(ctx, j.Name)
	if errors.Is(err, ErrJobDisabled) {
		err = nil
	}
	return result, err
}

// Enable lets a declared job run again after it was stopped by name, and starts the run
// of a standing one. A periodic one is due at the next time of its schedule; what it missed is not made up for. [ErrJobNotFound].
func (m *Manager) Enable(ctx context.Context, job string) error {
	if err := store.ValidateJobName(job); err != nil {
		return fmt.Errorf("enable: %w", err)
	}
	if err := m.store.SetJobDisabled(ctx, job, false); err != nil {
		return fmt.Errorf("enable job %q: %w", job, err)
	}
	return m.startDeclared(ctx, job)
}

// startDeclared starts the run of a standing job from what is stored, which may be of a
// higher revision than the caller's, unless one is active.
func (m *Manager) startDeclared(ctx context.Context, job string) error {
	rec, err := m.store.Job(ctx, job)
	if err != nil {
		return fmt.Errorf("read job %q: %w", job, err)
	}
	if rec.Type != store.JobStanding {
		return nil
	}
	if _, err = m.startStored(ctx, rec); errors.Is(err, ErrJobExists) {
		return nil
	}
	return err
}

// startStored starts a run of a declared job as it is stored. With [ErrJobExists] the active run comes along.
func (m *Manager) startStored(ctx context.Context, rec store.JobRecord) (*Run, error) {
	d, err := decodeDefinition(rec.Definition)
	if err != nil {
		return nil, fmt.Errorf("job %q: %w", rec.Name, err)
	}
	m.sets.Fresh(ctx, d.Set, d.kinds()...)
	p := m.params(d, rec.Name, startToken(""))
	p.Declared = true
	run, err := m.startRun(ctx, p)
	if exists := (*JobExistsError)(nil); errors.As(err, &exists) {
		run = m.incumbent(exists)
	}
	return run, err
}
