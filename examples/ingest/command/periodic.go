package command

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/examples/ingest/mirror"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// How often to check whether a periodic job has a new run: after it is due, and before, because the
// job may be triggered or stopped.
const (
	dueGap  = 100 * time.Millisecond
	idleGap = time.Second
)

// declare declares a periodic job, also if it was stopped before, and starts a run at once.
func (f *startFlags) declare(ctx context.Context, m *syncjob.Manager, job syncjob.Job) error {
	job.Schedule = &schedule.Schedule{Every: f.interval, FireOnCreate: true}
	result, err := m.Ensure(ctx, job)
	if err != nil {
		return err
	}
	if err := m.Enable(ctx, job.Name); err != nil || result == syncjob.EnsureCreated {
		return err
	}
	if _, err = m.TriggerNow(ctx, job.Name); errors.Is(err, syncjob.ErrJobExists) {
		return nil // a run is active
	}
	return err
}

// followAll follows the runs of the declared job. When ctx ends, it stops the job.
func (f *startFlags) followAll(ctx context.Context, m *syncjob.Manager, io streams) error {
	err := followRuns(ctx, m, f.name, io, f.json)
	if !errors.Is(err, context.Canceled) {
		return err
	}
	// From here on, another signal ends the process.
	say(io.err, "stopping")
	return stopJob(context.WithoutCancel(ctx), m, f.name, "interrupted", io, f.json)
}

// followRuns follows the runs of a periodic job, beginning with the newest, and reports each, until
// the job is disabled. It returns the verdict on the last run, or the error of ctx.
func followRuns(ctx context.Context, m *syncjob.Manager, job string, io streams, asJSON bool) error {
	var last states.Run
	for {
		s, err := m.State(ctx, job)
		switch {
		case err != nil:
			return err
		case s.Run != nil && s.LastRun != last.Number:
			if last, err = show(ctx, m.Run(job, s.LastRun), io.err); err != nil {
				return err
			}
			figures, err := mirror.FiguresOf(ctx, m.Values(), last)
			if err != nil {
				return err
			}
			report(io, last, figures, asJSON)
			continue
		case s.Disabled && last.Number != 0:
			return verdict(last)
		case s.Disabled:
			return nil
		}
		if err := sleep(ctx, min(max(time.Until(s.NextDue), dueGap), idleGap)); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// stopJob stops a job, and its schedule if it is periodic, waits for the end of its run and reports
// it.
func stopJob(ctx context.Context, m *syncjob.Manager, job, reason string, io streams, asJSON bool) error {
	before, err := m.State(ctx, job)
	if err != nil {
		return err
	}
	if err := m.Stop(ctx, job, &syncjob.StopOptions{Graceful: true, Reason: reason}); err != nil {
		return err
	}
	if before.Type == states.JobPeriodic {
		say(io.out, "job %s: no more runs are due", job)
	}
	run, err := m.Latest(ctx, job)
	if errors.Is(err, syncjob.ErrRunNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	final, err := run.Wait(ctx)
	if err != nil {
		return err
	}
	figures, err := mirror.FiguresOf(ctx, m.Values(), final)
	if err != nil {
		return fmt.Errorf("sum up: %w", err)
	}
	report(io, final, figures, asJSON)
	return nil
}
