package syncjob

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// EnsureResult says what [Manager.Ensure] did with the definition.
type EnsureResult = verdicts.Ensure

// The results of Ensure.
const (
	EnsureCreated   = verdicts.EnsureCreated
	EnsureUpdated   = verdicts.EnsureUpdated
	EnsureUnchanged = verdicts.EnsureUnchanged
	EnsureKept      = verdicts.EnsureKept // a higher revision is stored
)

// Ensure declares a periodic or standing job. For a standing job it also starts the run, if none is
// active. Every process may call it at every start: a repeat changes nothing. A definition with a
// lower Job.Revision never replaces one with a higher. A changed definition is used from the next
// run on; the active run goes on as it began. Due times change only if Every, Cron or Zone changes.
//
// A job that was stopped with [Manager.Stop] stays disabled: Ensure returns no error, and only
// [Manager.Enable] starts the job again. Any worker can start a run of a periodic job, whatever
// sets and queues it serves. Error: [ErrJobExists] if a single-pass job of that name is active.
func (m *Manager) Ensure(ctx context.Context, j Job) (EnsureResult, error) {
	m.sets.Fresh(ctx, j.Set)
	d, err := m.define(ctx, j)
	if err = store.JoinFields(err, j.undeclarable()); err != nil {
		return "", fmt.Errorf("ensure: %w", err)
	}
	if err := m.allow(ctx, m.params(d, j.Name, "")); err != nil {
		return "", fmt.Errorf("ensure job %q: %w", j.Name, err)
	}
	p := store.EnsureParams{Job: j.Name, Type: states.JobStanding, Revision: j.Revision}
	if p.Definition, err = d.encode(); err == nil && j.Schedule != nil {
		p.Type, p.DueNow = states.JobPeriodic, j.Schedule.FireOnCreate
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

// undeclarable says why the job cannot be declared; nil if it can.
func (j Job) undeclarable() error {
	switch {
	case !j.Open && j.Schedule == nil:
		return &FieldError{
			Field:  "Open",
			Reason: "or Schedule must be set: only standing and periodic jobs can be declared",
		}
	case j.Open && j.Deadline > 0:
		return &FieldError{Field: "Deadline", Reason: "is set for a standing job, which never ends"}
	case j.StopAfter > 0:
		return &FieldError{Field: "StopAfter", Reason: "is set for a declared job"}
	case j.SealAfter > 0:
		return &FieldError{Field: "SealAfter", Reason: "is set for a declared job"}
	}
	return nil
}

// Enable lets a declared job run again after [Manager.Stop]. A standing job gets a new run at once.
// A periodic job is due at the next time of its schedule; due times that passed meanwhile start no
// run. Error: [ErrJobNotFound].
func (m *Manager) Enable(ctx context.Context, job string) error {
	if err := store.ValidateJobName(job); err != nil {
		return fmt.Errorf("enable: %w", err)
	}
	if err := m.store.SetJobDisabled(ctx, job, false); err != nil {
		return fmt.Errorf("enable job %q: %w", job, err)
	}
	return m.startDeclared(ctx, job)
}

// startDeclared starts the run of a standing job unless one is active. It uses the stored
// definition: its revision may be higher than that of the caller's.
func (m *Manager) startDeclared(ctx context.Context, job string) error {
	rec, err := m.store.Job(ctx, job)
	if err != nil {
		return fmt.Errorf("read job %q: %w", job, err)
	}
	if rec.Type != statuses.JobStanding {
		return nil
	}
	if _, err = m.startStored(ctx, rec); errors.Is(err, ErrJobExists) {
		return nil
	}
	return err
}

// startStored starts a run of a declared job from its stored definition. With [ErrJobExists] it
// also returns the active run.
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
