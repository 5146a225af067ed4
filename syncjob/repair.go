package syncjob

import (
	"context"
	"fmt"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// RepairOptions configure a repair.
type RepairOptions struct {
	// DryRun finds inconsistent data, and changes nothing.
	DryRun bool
}

// Repair finds and fixes inconsistent data of a job: counters that disagree with the tasks, tasks
// that are in no queue, sessions without a lease, records that cannot be read, hooks that were
// lost. The library itself leaves no such damage; a server that lost writes, or a manual change,
// can.
//
// A lost task counts as failed, so no run succeeds without it. A run whose record is lost is
// deleted: references that knew it return [ErrStateLost].
//
// Repair may be called while jobs run, and may be repeated after any error. It reads everything in
// the job's partition, so its time grows with that. If an index that several jobs share was lost,
// it is rebuilt for this job only: repair the other jobs, too. Nil opts means all defaults. Error:
// [ErrJobNotFound] if nothing is stored of the job.
func (m *Manager) Repair(ctx context.Context, job string, opts *RepairOptions) (states.RepairReport, error) {
	if err := store.ValidateJobName(job); err != nil {
		return states.RepairReport{}, fmt.Errorf("repair: %w", err)
	}
	report, err := m.repair(ctx, store.RepairParams{Job: job}, opts)
	if err != nil {
		err = fmt.Errorf("repair job %q: %w", job, err)
	}
	return report, err
}

// Repair is [Manager.Repair] for one run and the sessions of its partition. Errors:
// [ErrRunNotFound], or [ErrStateLost] if the run is known to have existed, had not ended, and is
// gone.
func (r *Run) Repair(ctx context.Context, opts *RepairOptions) (report states.RepairReport, err error) {
	err = r.do("repair", func() (err error) {
		report, err = r.m.repair(ctx, store.RepairParams{Job: r.id.Job, Run: r.id.Number}, opts)
		return err
	})
	return report, r.lost(err)
}

func (m *Manager) repair(ctx context.Context, p store.RepairParams, opts *RepairOptions) (states.RepairReport, error) {
	p.DryRun = opts != nil && opts.DryRun
	found, err := m.store.Repair(oneOperation(ctx), p)
	report := states.RepairReport{Damage: found.Damage}
	for _, id := range found.Moving {
		report.Moving = append(report.Moving, id.Number)
	}
	return report, err
}
