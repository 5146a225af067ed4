package syncjob

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// Only this file converts records of the store to the types of this package.

// maxETA is the largest estimate, for runs with little progress.
const maxETA = 10 * 365 * 24 * time.Hour

// listedJob translates a job of a listing; cursor is where that goes on behind it.
func listedJob(e store.JobEntry, cursor string, now time.Time) states.Job {
	s := jobState(e, now)
	s.Cursor = cursor
	return s
}

func jobState(e store.JobEntry, now time.Time) states.Job {
	s := states.Job{
		Name:       e.Job.Name,
		Type:       e.Job.Type,
		Definition: e.Job.Definition,
		Revision:   e.Job.Revision,
		Disabled:   e.Job.Disabled,
		LastRun:    e.Job.LastRun,
		Created:    e.Job.Created,
		Changes:    e.Job.Changes,
		Changed:    time.UnixMilli(e.Place().Changed),
		NextDue:    e.Job.Due,
		Skipped:    e.Job.Skipped,
		LastSkip:   e.Job.LastSkip,

		Problem:      e.Job.Problem,
		ProblemSince: e.Job.ProblemSince,
	}
	d, err := decodeDefinition(e.Job.Definition)
	if err == nil && d.Schedule != nil {
		s.Schedule = d.Schedule.schedule()
	}
	s.Labels = d.Labels
	if e.Run != nil {
		run := runState(*e.Run, now)
		if s.Run = &run; s.Type == states.JobSinglePass {
			s.Labels = run.Labels
		}
	}
	return s
}

// listedRun translates a run of a listing; cursor is where that goes on behind it.
func listedRun(r store.RunRecord, cursor string, now time.Time) states.Run {
	s := runState(r, now)
	s.Cursor = cursor
	return s
}

func runState(r store.RunRecord, now time.Time) states.Run {
	s := states.Run{
		Job:         r.ID.Job,
		Number:      r.ID.Number,
		Set:         r.Set,
		RootKind:    r.Root.Kind,
		RootQueue:   r.Root.Queue,
		Args:        r.Args,
		Headers:     r.Headers,
		Labels:      r.Labels,
		Changed:     r.Changed,
		Moved:       r.Moved,
		Status:      r.Status,
		FinalStatus: r.FinalStatus,
		Counts:      r.Counts,
		Counters:    r.Counters,
		Retried:     r.Retried,
		Duplicates:  r.Duplicate,
		Holds:       r.Holds,
		OnFailure:   r.OnFailure,
		Held:        r.Held(),
		Paused:      r.Paused,
		Graceful:    r.Graceful,
		Weight:      r.Weight,
		Created:     r.Created,
		Started:     r.Started,
		Ended:       r.Ended,
		LastError:   r.Error,
		RetryError:  r.RetryError,
		Reason:      r.Reason,
		HookErr:     r.HookError,
		Retention:   r.Retention,
		Due:         r.Due,
		Deadline:    r.Deadline,
		Result:      r.Result,
		RedriveOf:   r.RedriveOf,
		Reporting:   r.Reporting,
	}
	if r.Failing() {
		s.Holds++
	}
	if r.Started.IsZero() {
		return s
	}
	end := r.Ended
	if end.IsZero() {
		end = now
	}
	// The local clock may be behind the store's.
	s.Elapsed = max(0, end.Sub(r.Started))
	if worked := r.Counts.Succeeded + r.Counts.Failed; worked > 0 && s.Elapsed > 0 {
		s.Rate = float64(worked) / s.Elapsed.Seconds()
		if !r.Status.Final() {
			eta := float64(r.Counts.Remaining()) / s.Rate * float64(time.Second)
			s.ETA = time.Duration(min(eta, float64(maxETA)))
		}
	}
	return s
}

// failure translates a dead letter; cursor is where a listing goes on behind it.
func failure(f store.Failure, cursor string) states.Failure {
	return states.Failure{
		Job:     f.Lane.Run.Job,
		Number:  f.Lane.Run.Number,
		Place:   f.Place,
		TaskID:  f.Task.ID,
		Kind:    f.Lane.Route.Kind,
		Set:     f.Lane.Route.Set,
		Queue:   f.Lane.Route.Queue,
		Payload: f.Task.Payload,
		Headers: f.Task.Headers,
		Retry:   f.Task.Retry,
		Crashes: f.Task.Crashes,
		Error:   f.Error,
		Stack:   f.Stack,
		Worker:  f.Worker,
		At:      f.At,
		Cursor:  cursor,
	}
}

func taskState(run store.RunID, r *store.TaskRecord) states.Task {
	s := states.Task{
		Job:         run.Job,
		Number:      run.Number,
		ID:          r.Task.ID,
		Kind:        r.Route.Kind,
		Queue:       r.Route.Queue,
		Set:         r.Route.Set,
		State:       r.Status,
		Since:       r.Since,
		NextAttempt: r.Due,
		Attempt:     r.Task.Retry + 1,
		Crashes:     r.Task.Crashes,
		Worker:      r.Worker,
		Progress:    r.Progress,
		Error:       r.Error,
		Attempts:    r.Task.Attempts,
		Enqueued:    r.Task.Enqueued,
		Expires:     r.Task.Expires,
		Headers:     r.Task.Headers,
		Payload:     r.Task.Payload,
		Cursor:      r.Cursor,
	}
	if r.Status != states.TaskRunning && r.Status != states.TaskFailed {
		s.Since = r.Task.Enqueued
		if n := len(r.Task.Attempts); n > 0 {
			s.Since = r.Task.Attempts[n-1].Ended
		}
	}
	return s
}

func taskResult(run store.RunID, r *store.TaskResult) states.TaskResult {
	return states.TaskResult{
		Job: run.Job, Number: run.Number, ID: r.ID, Kind: r.Kind, Set: r.Set, At: r.At, Value: r.Data, Cursor: r.Cursor(),
	}
}
