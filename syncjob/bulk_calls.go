package syncjob

import (
	"context"

	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// StopAll stops every job that the options select, one after another, each as [Manager.Stop] does: a
// declared job is also disabled, until [Manager.EnableAll] or [Manager.Enable]. Of a single-pass job
// it stops the run that it found, and no later one.
//
// With DryRun it changes nothing and answers the same: how many jobs are selected, how many it would
// change, how many are stopped already, and how many have nothing to stop. Progress names each.
//
// Jobs are listed page by page, as by [Manager.Jobs], and each is read again directly before it is
// changed: if the options no longer select it, it is left. So when the call returns nil, every job
// that was selected from the beginning of the call to its end is stopped. A job that begins or ends
// meanwhile may be stopped or not, and one that starts after its turn is not.
//
// The call may be cancelled, and its process may die: each job is stopped or is not, and the same
// call goes on with those that are left, as it finds the others stopped. If two callers do it at the
// same time, both may count a job as changed. A job that cannot be changed does not end the call: it
// is in Failures, and the error at the end matches the errors of all that are there. If partitions
// of the store do not answer, a [*PartialError] names them, and the jobs of the others are done; a
// partition that stops answering meanwhile costs one call the time that calls are repeated.
//
// Each job leaves the audit entries of its own operation, with the actor and the reason of ctx (see
// [WithActor]); [states.BulkResult].Operation tells which belong to the call. Other errors: a [*FieldError]
// for bad options, above all if nothing selects jobs and All is not set; then nothing was changed.
func (m *Manager) StopAll(ctx context.Context, opts *BulkOptions) (states.BulkResult, error) {
	return m.bulk(ctx, opts, bulkCall{
		what: "stop all", graceful: true,
		plan: func(o *BulkOptions, s *states.Job) states.BulkOutcome {
			switch declared := s.Type != states.JobSinglePass; {
			case s.Active() && (s.Run.Status != states.Stopping || s.Run.Graceful && !o.Graceful):
				return states.BulkChanged
			case declared && !s.Disabled:
				return states.BulkChanged
			case declared, s.Run != nil && (s.Run.Status == states.Stopping || s.Run.Status == states.Stopped):
				return states.BulkAlready
			}
			return states.BulkPassed
		},
		act: func(ctx context.Context, o *BulkOptions, s *states.Job, j *states.BulkJob, _ func()) error {
			if s.Active() {
				j.Tasks = s.Run.Counts.Pending + s.Run.Counts.Delayed + s.Run.Counts.Running
			}
			stop := &StopOptions{Graceful: o.Graceful}
			switch {
			case o.DryRun:
				return nil
			case s.Type == states.JobSinglePass:
				return m.Run(s.Name, s.LastRun).Stop(ctx, stop)
			}
			return m.Stop(ctx, s.Name, stop)
		},
	})
}

// EnableAll enables every declared job that the options select and that is disabled, as
// [Manager.Enable] does. All else is as with [Manager.StopAll].
func (m *Manager) EnableAll(ctx context.Context, opts *BulkOptions) (states.BulkResult, error) {
	return m.bulk(ctx, opts, bulkCall{
		what: "enable all",
		plan: func(_ *BulkOptions, s *states.Job) states.BulkOutcome {
			switch {
			case s.Type == states.JobSinglePass:
				return states.BulkPassed
			case s.Disabled:
				return states.BulkChanged
			}
			return states.BulkAlready
		},
		act: func(ctx context.Context, o *BulkOptions, s *states.Job, _ *states.BulkJob, _ func()) error {
			if o.DryRun {
				return nil
			}
			return m.Enable(ctx, s.Name)
		},
	})
}

// PauseAll pauses the newest run of every job that the options select, as [Manager.PauseJob] does,
// but for runs that have ended or are stopping. Later runs are not paused; to pause queues, sets or
// kinds, use [Manager.Pause]. All else is as with [Manager.StopAll].
func (m *Manager) PauseAll(ctx context.Context, opts *BulkOptions) (states.BulkResult, error) {
	return m.pauseAll(ctx, opts, "pause all", true)
}

// ResumeAll ends the pauses of [Manager.PauseAll], [Manager.PauseJob] and [Run.Pause]. All else is
// as with [Manager.StopAll].
func (m *Manager) ResumeAll(ctx context.Context, opts *BulkOptions) (states.BulkResult, error) {
	return m.pauseAll(ctx, opts, "resume all", false)
}

func (m *Manager) pauseAll(ctx context.Context, opts *BulkOptions, what string, paused bool) (states.BulkResult, error) {
	return m.bulk(ctx, opts, bulkCall{
		what: what,
		plan: func(_ *BulkOptions, s *states.Job) states.BulkOutcome {
			switch {
			case !s.Active() || s.Run.Status == states.Stopping:
				return states.BulkPassed
			case s.Run.Paused == paused:
				return states.BulkAlready
			}
			return states.BulkChanged
		},
		act: func(ctx context.Context, o *BulkOptions, s *states.Job, j *states.BulkJob, _ func()) error {
			j.Tasks = s.Run.Counts.Pending + s.Run.Counts.Delayed
			if o.DryRun {
				return nil
			}
			return m.Run(s.Name, s.LastRun).setPaused(ctx, paused)
		},
	})
}

// RetryAll has the failed tasks wait again of every active run that the options select, as
// [Run.Retry] does: those there are when the turn of the run comes. Each failure is moved once,
// although several callers do it at the same time, replies are lost and callers die; so Tasks of all
// callers is exact, but for the last step of one that died. Runs that have ended are passed over:
// [Run.Redrive] runs their failed tasks in a new run. With Rate, it moves as many tasks a second. A
// dry run reads the failures to count them. All else is as with [Manager.StopAll].
func (m *Manager) RetryAll(ctx context.Context, opts *BulkOptions) (states.BulkResult, error) {
	return m.redoAll(ctx, opts, "retry all", actions.RedoRetry)
}

// DiscardAll gives up the failed tasks of every active run that the options select, as [Run.Discard]
// does. All else is as with [Manager.RetryAll].
func (m *Manager) DiscardAll(ctx context.Context, opts *BulkOptions) (states.BulkResult, error) {
	return m.redoAll(ctx, opts, "discard all", actions.RedoDiscard)
}

func (m *Manager) redoAll(
	ctx context.Context, opts *BulkOptions, what string, action actions.Redo,
) (states.BulkResult, error) {
	return m.bulk(ctx, opts, bulkCall{
		what: what, kinds: true,
		plan: func(_ *BulkOptions, s *states.Job) states.BulkOutcome {
			if s.Run == nil || s.Run.Status != states.Starting && s.Run.Status != states.Running ||
				s.Run.Counts.Failed == 0 {
				return states.BulkPassed
			}
			return states.BulkChanged
		},
		act: func(ctx context.Context, o *BulkOptions, s *states.Job, j *states.BulkJob, step func()) error {
			moved := func(r RetryResult) { j.Tasks, j.Left = r.Moved, r.InUse+r.Unreadable+r.Gone }
			retry := &RetryOptions{Kinds: o.Kinds, Rate: o.Rate, DryRun: o.DryRun, step: func(r RetryResult) {
				moved(r)
				step()
			}}
			result, err := m.Run(s.Name, s.LastRun).redo(ctx, what, retry, action)
			if moved(result); err == nil && result.Moved == 0 {
				j.Did = states.BulkPassed
			}
			return err
		},
	})
}
