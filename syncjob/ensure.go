package syncjob

import (
	"context"
	"errors"
	"fmt"

	"github.com/rollcall-go/rollcall/store"
)

// Outcome says what Ensure did with the definition.
type Outcome = store.EnsureOutcome

// The outcomes of Ensure.
const (
	Created   = store.EnsureCreated
	Updated   = store.EnsureUpdated
	Unchanged = store.EnsureUnchanged
	Kept      = store.EnsureKept // a higher revision is stored
)

// Ensure declares a standing job, from every replica and at every deploy, and sees to
// it that its run is active. It is absolute: repeats change nothing. A lower
// [Job.Revision] never overwrites a higher. An updated definition holds from the next
// run on; the active one goes on as it began.
//
// A job that was stopped by name stays disabled, and Ensure is no error then: only
// [Manager.Enable] starts it again. [ErrJobExists] when a single-pass job of the name
// is active.
func (m *Manager) Ensure(ctx context.Context, j Job) (Outcome, error) {
	m.configs.fresh(ctx)
	d, err := m.define(j)
	switch {
	case err != nil:
	case !j.Open:
		err = &FieldError{Field: "Open", Reason: "must be set: only standing jobs can be declared"}
	case j.SealAfter > 0:
		err = &FieldError{Field: "SealAfter", Reason: "is set for a standing job, which is never sealed"}
	}
	if err != nil {
		return "", fmt.Errorf("ensure: %w", err)
	}
	if err := m.allow(ctx, j.Name, d); err != nil {
		return "", fmt.Errorf("ensure job %q: %w", j.Name, err)
	}
	body, err := d.encode()
	if err != nil {
		return "", fmt.Errorf("ensure job %q: %w", j.Name, err)
	}
	outcome, err := m.store.EnsureJob(ctx, store.EnsureParams{
		Job: j.Name, Kind: store.JobStanding, Definition: body, Revision: j.Revision,
	})
	if err != nil {
		return "", fmt.Errorf("ensure job %q: %w", j.Name, err)
	}
	err = m.startDeclared(ctx, j.Name)
	if errors.Is(err, ErrJobDisabled) {
		err = nil
	}
	return outcome, err
}

// Enable lets a declared job run again after it was stopped by name, and starts the run
// of a standing one. [ErrJobNotFound].
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
	if rec.Kind != store.JobStanding {
		return nil
	}
	d, err := decodeDefinition(rec.Definition)
	if err != nil {
		return fmt.Errorf("job %q: %w", job, err)
	}
	p := d.start(job, startToken(""))
	p.Declared = true
	_, err = m.startRun(ctx, p)
	if errors.Is(err, ErrJobExists) {
		return nil
	}
	return err
}
