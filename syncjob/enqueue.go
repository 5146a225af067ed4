package syncjob

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
)

// Enqueue adds one task to the active run of a job, usually a standing one; see [Run.Enqueue]. The
// manager remembers that run, so a task needs no look-up. Errors: [ErrJobNotFound]; [ErrJobStopped]
// if the job was stopped; [ErrRunFinished] if the run has ended otherwise.
func (m *Manager) Enqueue(
	ctx context.Context, job string, args enqueue.Args, opts *enqueue.Options,
) (enqueue.Receipt, error) {
	run, cached, err := m.activeRun(ctx, job, true)
	if err != nil {
		return enqueue.Receipt{}, fmt.Errorf("enqueue: %w", err)
	}
	receipt, err := run.Enqueue(ctx, args, opts)
	if !cached || !errors.Is(err, ErrRunFinished) && !errors.Is(err, ErrRunNotFound) && !errors.Is(err, ErrJobStopped) {
		return receipt, err
	}
	// Another run may have begun since the look-up. Nothing was added to the old run: it refused the
	// call.
	next, _, lookErr := m.activeRun(ctx, job, false)
	if lookErr != nil || next.id == run.id {
		return receipt, err
	}
	return next.Enqueue(ctx, args, opts)
}

// EnqueueAll adds all tasks of the sequence to the run of the job that is active when it is called;
// see [Run.EnqueueAll].
func (m *Manager) EnqueueAll(
	ctx context.Context, job string, items iter.Seq2[enqueue.Item, error], opts *enqueue.AllOptions,
) (enqueue.Summary, error) {
	run, _, err := m.activeRun(ctx, job, false)
	if err != nil {
		return enqueue.Summary{}, fmt.Errorf("enqueue: %w", err)
	}
	return run.EnqueueAll(ctx, items, opts)
}

// activeRun returns the newest run of a job. It may answer from memory.
func (m *Manager) activeRun(ctx context.Context, job string, useCache bool) (run *Run, cached bool, err error) {
	if useCache {
		if run, ok := m.active.Find(job); ok {
			return run, true, nil
		}
	}
	rec, err := m.job(ctx, job)
	if err != nil {
		return nil, false, err
	}
	if rec.LastRun == 0 {
		return nil, false, fmt.Errorf("job %q has no run: %w", job, ErrRunFinished)
	}
	run = m.known(store.RunID{Job: job, Number: rec.LastRun}, "")
	m.active.Put(job, run)
	return run, false, nil
}

// maxActiveRuns is for how many jobs the manager remembers the active run.
const maxActiveRuns = 4096
