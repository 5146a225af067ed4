package syncjob

import (
	"context"
	"fmt"
	"strings"

	"github.com/rollcall-go/rollcall/store"
)

// Damage is one inconsistency in the stored data; see [Manager.Repair].
type Damage = store.Damage

// RepairOptions configure a repair.
type RepairOptions struct {
	// DryRun finds inconsistent data, and changes nothing.
	DryRun bool
}

// RepairReport is what a repair found.
type RepairReport struct {
	Damage []Damage `json:"damage"` // in the order in which it was, or would be, fixed
	// Moving has the numbers of runs whose counters could not be checked, because tasks changed
	// them all the time. Pause these runs, and repeat.
	Moving []int64 `json:"moving"`
}

// Sound reports that everything was checked and nothing was found.
func (r RepairReport) Sound() bool { return len(r.Damage)+len(r.Moving) == 0 }

// String returns sentences, one a line, each made [Printable].
func (r RepairReport) String() string {
	if r.Sound() {
		return "nothing is damaged\n"
	}
	var b strings.Builder
	for _, d := range r.Damage {
		done := "found"
		if d.Mended {
			done = "mended"
		}
		b.WriteString(Printable(fmt.Sprintf("%s %s", done, d)) + "\n")
	}
	for _, n := range r.Moving {
		fmt.Fprintf(&b, "run %d changes all the time: pause it, and repeat\n", n)
	}
	return b.String()
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
func (m *Manager) Repair(ctx context.Context, job string, opts *RepairOptions) (RepairReport, error) {
	if err := store.ValidateJobName(job); err != nil {
		return RepairReport{}, fmt.Errorf("repair: %w", err)
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
func (r *Run) Repair(ctx context.Context, opts *RepairOptions) (report RepairReport, err error) {
	err = r.do("repair", func() (err error) {
		report, err = r.m.repair(ctx, store.RepairParams{Job: r.id.Job, Run: r.id.Number}, opts)
		return err
	})
	return report, r.lost(err)
}

func (m *Manager) repair(ctx context.Context, p store.RepairParams, opts *RepairOptions) (RepairReport, error) {
	p.DryRun = opts != nil && opts.DryRun
	found, err := m.store.Repair(ctx, p)
	report := RepairReport{Damage: found.Damage}
	for _, id := range found.Moving {
		report.Moving = append(report.Moving, id.Number)
	}
	return report, err
}
