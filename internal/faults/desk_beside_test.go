package faults

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// Beside each run of a desk there are two more: one whose failures are accepted, and of which a task
// expires while they hold it; and one that its deadline stops while a task of it runs.
func acceptedJob(job string) string { return job + "-accepted" }

func overdueJob(job string) string { return job + "-overdue" }

const deskDeadline = 200 * time.Millisecond

// over reports whether a call came after the end of its run.
func over(err error) bool {
	var e *syncjob.RunOverError
	return errors.As(err, &e) || errors.Is(err, syncjob.ErrRunFinished) || errors.Is(err, syncjob.ErrJobStopped)
}

// note has a ledger count something.
func (d *desk) note(ctx context.Context, what string) error {
	return d.w.witness.server.Do(ctx, "HSET", d.w.witness.namespace+":counts", what, "1")
}

// repeatHook waits for the end of a run, and repeats its post-job hook when that has given up.
func (d *desk) repeatHook(ctx context.Context, run *syncjob.Run) error {
	for state, err := range run.Watch(ctx) {
		if err != nil || state.Status.Final() {
			return err
		}
		if state.HookErr == "" {
			continue
		}
		if err := d.note(ctx, mendedHook(run.Job())); err != nil {
			return err
		}
		if err := run.RepeatPostJob(ctx); err != nil && !over(err) && !errors.Is(err, syncjob.ErrNotHeld) {
			return err
		}
	}
	return ctx.Err()
}

// begin begins or finds a run.
func (d *desk) begin(ctx context.Context, j syncjob.Job) (*syncjob.Run, error) {
	j.Set, j.Open = deskSet, true
	return d.m.Start(ctx, j, &syncjob.StartOptions{Key: j.Name, IfActive: syncjob.IfActiveJoin})
}

// add adds chores under a hold.
func (d *desk) add(ctx context.Context, run *syncjob.Run, hold string, seal bool, all ...chore) error {
	_, err := run.EnqueueAll(ctx, itemsOf(all), &enqueue.AllOptions{Hold: hold, Seal: seal})
	if over(err) {
		return nil
	}
	return err
}

// accept lets two chores fail and a third expire while they hold the run, and accepts the failures.
func (d *desk) accept(ctx context.Context, job string) (*syncjob.Run, error) {
	run, err := d.begin(ctx, syncjob.Job{Name: job, OnFailure: syncjob.OnFailureHold})
	if err == nil {
		err = errors.Join(d.note(ctx, mendedHook(job)), d.add(ctx, run, "failing", false, chore{job, 0, hopeless}, chore{job, 1, hopeless}))
	}
	if err != nil {
		return nil, err
	}
	for state, err := range run.Watch(ctx) {
		if err != nil {
			return nil, err
		}
		if state.Counts.Failed == 2 {
			break
		}
	}
	if err := d.add(ctx, run, "expiring", true, chore{job, 2, stale}); err != nil {
		return nil, err
	}
	for state, err := range run.Watch(ctx) {
		if err != nil {
			return nil, err
		}
		if state.Counts.Cancelled == 1 {
			break
		}
	}
	if err := run.Accept(ctx); err != nil && !over(err) && !errors.Is(err, syncjob.ErrNotHeld) {
		return nil, err
	}
	_, err = run.Wait(ctx)
	return run, err
}

// overdue lets a run come to its deadline.
func (d *desk) overdue(ctx context.Context, job string) (*syncjob.Run, error) {
	run, err := d.begin(ctx, syncjob.Job{Name: job, Deadline: deskDeadline})
	if err == nil {
		err = d.add(ctx, run, "desk", false, chore{job, 0, stuck}, chore{job, 1, later})
	}
	if err != nil {
		return nil, err
	}
	_, err = run.Wait(ctx)
	return run, err
}

// compareBeside compares what became of the runs beside one.
func (d *desk) compareBeside(ctx context.Context, job string) error {
	accepted, err := d.m.Latest(ctx, acceptedJob(job))
	if err != nil {
		return err
	}
	state, err := accepted.State(ctx)
	want := states.Counts{Total: 3, Failed: 2, Cancelled: 1}
	if err != nil || state.Status != states.Failed || state.Counts != want {
		return fmt.Errorf("what was accepted is %s with %+v: %w", state.Status, state.Counts, err)
	}
	lines := 0
	for e, err := range d.m.Audit(ctx, &syncjob.AuditOptions{Job: accepted.Job(), Action: actions.Accept}) {
		if err != nil {
			return err
		}
		if lines++; e.Run != accepted.Number() {
			return fmt.Errorf("the audit tells that run %d was accepted", e.Run)
		}
	}
	if lines != 1 {
		return fmt.Errorf("the audit tells %d times of what was accepted", lines)
	}
	overdue, err := d.m.Latest(ctx, overdueJob(job))
	if err != nil {
		return err
	}
	state, err = overdue.State(ctx)
	if err != nil || state.Status != states.Stopped || state.Reason != states.DeadlineReason ||
		state.Counts != (states.Counts{Total: state.Counts.Total, Cancelled: state.Counts.Total}) {
		return fmt.Errorf("what is overdue is %s (%s) with %+v: %w", state.Status, state.Reason, state.Counts, err)
	}
	return nil
}
