package dashboard

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/rollcall-go/rollcall/syncjob"
)

// Actions lists the names of all actions.
func Actions() []string {
	names := make([]string, len(verbs))
	for i, v := range verbs {
		names[i] = v.name
	}
	slices.Sort(names)
	return names
}

// actionsOn lists the names of actions on many jobs, or on one thing.
func actionsOn(many bool) []string {
	return slices.DeleteFunc(Actions(), func(name string) bool { return isOnJobs(name) != many })
}

var verbs = []*verb{
	{
		name: "pause-run", title: "Pause the run", done: "The run is paused.",
		does:    "Waiting tasks of the run do not start until it is resumed. Running tasks go on.",
		touches: touchRun,
		do:      onRun(func(ctx context.Context, r *syncjob.Run, _ string) error { return r.Pause(ctx) }),
	},
	{
		name: "resume-run", title: "Resume the run", done: "The run goes on.",
		does:    "Its waiting tasks start again.",
		touches: touchRun,
		do:      onRun(func(ctx context.Context, r *syncjob.Run, _ string) error { return r.Resume(ctx) }),
	},
	{
		name: "stop-run", title: "Stop the run", done: "The run was stopped.", danger: true,
		does: "No waiting task starts, and the handlers of running tasks are cancelled. " +
			"A periodic job keeps its schedule.",
		touches: touchRun,
		do: onRun(func(ctx context.Context, r *syncjob.Run, reason string) error {
			return r.Stop(ctx, &syncjob.StopOptions{Reason: reason})
		}),
	},
	{
		name: "stop-run-gracefully", title: "Stop the run gracefully", done: "The run is stopping.", danger: true,
		does:    "No waiting task starts. Running tasks go on to their end.",
		touches: touchRun,
		do: onRun(func(ctx context.Context, r *syncjob.Run, reason string) error {
			return r.Stop(ctx, &syncjob.StopOptions{Reason: reason, Graceful: true})
		}),
	},
	{
		name: "seal-run", title: "Seal the run", done: "The run is sealed.", danger: true,
		does:    "The run ends when its last task has ended. Nothing more can be added from outside.",
		touches: touchRun,
		do:      onRun(func(ctx context.Context, r *syncjob.Run, _ string) error { return r.Seal(ctx) }),
	},
	{
		name: "redrive-run", title: "Run its failed tasks again", done: "A new run has its failed tasks.",
		does: "A new run of the job starts with the failed tasks that this run keeps. Its hooks run again. " +
			"If it is called twice, the second call changes nothing.", touches: touchRun,
		do: onRun(func(ctx context.Context, r *syncjob.Run, _ string) error {
			_, err := r.Redrive(ctx, &syncjob.RedriveOptions{AllowPartial: true})
			return err
		}),
	},
	{
		name: "retry-failures", title: "Retry failed tasks", done: "The failed tasks wait again.",
		does: "Failed tasks of the active run wait again, with all their retries, while others are added and run. " +
			"An empty kind means all.",
		touches: touchRun, fields: kindField,
		do: redo((*syncjob.Run).Retry),
	},
	{
		name: "discard-failures", title: "Discard failed tasks", done: "The failed tasks are given up.", danger: true,
		does: "Failed tasks of the active run count as cancelled, and their failures are gone. " +
			"An empty kind means all.",
		touches: touchRun, fields: kindField,
		do: redo((*syncjob.Run).Discard),
	},
	{
		name: "accept-failures", title: "Accept the failures", done: "The failures no longer hold the run.", danger: true,
		does: "The run ends in spite of its failures, those to come too: as failed, after its post-job hook. " +
			"If the hook gave up, the run ends without it.",
		touches: touchRun,
		do:      onRun(func(ctx context.Context, r *syncjob.Run, _ string) error { return r.Accept(ctx) }),
	},
	{
		name: "repeat-post-job", title: "Repeat the post-job hook", done: "The post-job hook waits again.",
		does:    "The post-job hook that gave up, and so holds the run, runs again.",
		touches: touchRun,
		do:      onRun(func(ctx context.Context, r *syncjob.Run, _ string) error { return r.RepeatPostJob(ctx) }),
	},
	{
		name: "delete-run", title: "Delete the run", done: "The run was deleted.", danger: true,
		does:    "What is stored of a finished run is removed: its summary and its failures.",
		touches: touchRun,
		do:      onRun(func(ctx context.Context, r *syncjob.Run, _ string) error { return r.Delete(ctx) }),
	},
	{
		name: "cancel-task", title: "Cancel the task", danger: true,
		done: "The task is cancelled, or ends with its attempt.",
		does: "A task that waits never begins. The handler of a running task is told to stop, and the task is not " +
			"tried again; if the handler succeeds before it hears of this, it has succeeded.",
		touches: touchTask,
		do: onTask(func(ctx context.Context, t *syncjob.TaskRef, _ url.Values) error {
			result, err := t.Cancel(ctx)
			if err == nil && result == syncjob.CancelNotFound {
				return syncjob.ErrTaskNotFound
			}
			return err
		}),
	},
	{
		name: "run-task-now", title: "Run the task now", done: "The task is due now.",
		does:    "A task that waits for a time is due at once. It keeps its attempts.",
		touches: touchTask,
		do:      onTask(func(ctx context.Context, t *syncjob.TaskRef, _ url.Values) error { return t.RunNow(ctx) }),
	},
	{
		name: "reschedule-task", title: "Run the task at another time", done: "The task waits for the new time.",
		does:    "A task that waits for a time waits for another one.",
		touches: touchTask,
		fields:  []field{{Name: "at", Label: "When, for example 2030-01-31T08:00:00Z", value: nextAttempt}},
		do: onTask(func(ctx context.Context, t *syncjob.TaskRef, form url.Values) error {
			at, err := time.Parse(time.RFC3339, form.Get("at"))
			if err != nil {
				return &statusError{http.StatusBadRequest, "The time is not in the form 2030-01-31T08:00:00Z.", err}
			}
			return t.Reschedule(ctx, at)
		}),
	},
	{
		name: "release-hold", title: "Release the hold", done: "The hold was released.", danger: true,
		does: "A hold keeps a run from finishing while its producer adds tasks. " +
			"Release it only if the producer is gone.",
		touches: touchRun,
		do: func(ctx context.Context, d *source, a Action, _ url.Values) error {
			r, err := d.runOf(url.Values{"job": {a.Job}, "run": {strconv.FormatInt(a.Run, 10)}})
			if err != nil {
				return err
			}
			return r.ReleaseHold(ctx, a.Hold)
		},
	},
	{
		name: "quiet-worker", title: "Make the worker quiet", done: "The worker fetches nothing more.",
		does:    "The worker fetches nothing, until it is resumed. What it runs goes on.",
		touches: touchWorker,
		do:      onWorker((*syncjob.WorkerRef).Quiet),
	},
	{
		name: "resume-worker", title: "Resume the worker", done: "The worker fetches again.",
		does:    "The worker fetches again, at once.",
		touches: touchWorker,
		do:      onWorker((*syncjob.WorkerRef).Resume),
	},
	{
		name: "drain-worker", title: "Drain the worker", done: "The worker ends when it runs nothing more.", danger: true,
		does: "The worker fetches nothing, and ends when what it runs has ended. " +
			"Its supervisor can tell this end from others.",
		touches: touchWorker,
		do:      onWorker((*syncjob.WorkerRef).Drain),
	},
	{
		name: "release-semaphores", title: "Release the semaphores", done: "The leases have ended.", danger: true,
		does: "All leases of semaphores whose keys begin so end, and those that wait get their turn. " +
			"Holders that are alive hear that they have lost theirs.",
		touches: touchSemaphores,
		do: func(ctx context.Context, d *source, a Action, form url.Values) error {
			_, err := d.m.ReleaseSemaphores(ctx, a.Prefix, form.Get("reason"), nil)
			return err
		},
	},
	{
		name: "stop-job", title: "Stop the job", done: "The job was stopped.", danger: true,
		does: "Its active run stops, and the handlers of running tasks are cancelled. " +
			"A declared job starts no run until it is enabled.",
		touches: touchJob,
		do: func(ctx context.Context, d *source, a Action, form url.Values) error {
			return d.m.Stop(ctx, a.Job, &syncjob.StopOptions{Reason: form.Get("reason")})
		},
	},
	{
		name: "enable-job", title: "Enable the job", done: "The job is enabled.",
		does:    "A periodic job is due at the next time of its schedule. A standing job gets a run at once.",
		touches: touchJob,
		do:      func(ctx context.Context, d *source, a Action, _ url.Values) error { return d.m.Enable(ctx, a.Job) },
	},
	{
		name: "trigger-job", title: "Start a run now", done: "A run was started.",
		does:    "A run of the periodic job starts now. Its due times stay.",
		touches: touchJob,
		do: func(ctx context.Context, d *source, a Action, _ url.Values) error {
			_, err := d.m.TriggerNow(ctx, a.Job)
			return err
		},
	},
	{
		name: "delete-job", title: "Delete the job", done: "The job was deleted.", danger: true,
		does:    "The job, its definition and all its runs are removed. The job must not be active.",
		touches: touchJob,
		do:      func(ctx context.Context, d *source, a Action, _ url.Values) error { return d.m.Delete(ctx, a.Job) },
	},
	{
		name: "stop-jobs", title: "Stop these jobs", danger: true, many: (*syncjob.Manager).StopAll,
		does: "Their active runs stop, and the handlers of running tasks are cancelled. " +
			"Declared jobs start no run until they are enabled.",
	},
	{
		name: "enable-jobs", title: "Enable these jobs", many: (*syncjob.Manager).EnableAll,
		does: "Periodic jobs are due at the next time of their schedule. Standing jobs get a run at once.",
	},
	{
		name: "pause-jobs", title: "Pause the runs of these jobs", many: (*syncjob.Manager).PauseAll,
		does: "Waiting tasks of their active runs do not start until they are resumed. Running tasks go on.",
	},
	{
		name: "resume-jobs", title: "Resume the runs of these jobs", many: (*syncjob.Manager).ResumeAll,
		does: "Waiting tasks of their active runs start again.",
	},
	{
		name: "retry-jobs", title: "Retry the failed tasks of these jobs", fields: kindField,
		does: "Failed tasks of their active runs wait again, with all their retries. An empty kind means all.",
		many: (*syncjob.Manager).RetryAll,
	},
	{
		name: "discard-jobs", title: "Discard the failed tasks of these jobs",
		does: "Failed tasks of their active runs count as cancelled, and their failures are gone. " +
			"An empty kind means all.",
		danger: true, fields: kindField, many: (*syncjob.Manager).DiscardAll,
	},
	{
		name: "pause", title: "Pause tasks", done: "It is paused.", fields: scopeFields,
		does: "Tasks of this queue, handler set and kind do not start, in all processes, until they are resumed. " +
			"An empty field means any. Running tasks go on.", touches: touchScope,
		do: func(ctx context.Context, d *source, a Action, form url.Values) error {
			return d.m.Pause(ctx, a.Scope, form.Get("reason"))
		},
	},
	{
		name: "resume", title: "Resume tasks", done: "The pause has ended.",
		does:    "Tasks of this scope start again, unless another pause covers them.",
		touches: touchScope,
		do:      func(ctx context.Context, d *source, a Action, _ url.Values) error { return d.m.Resume(ctx, a.Scope) },
	},
	{
		name: "read-only", title: "Make the namespace read-only", done: "The namespace is read-only.", danger: true,
		does: "Only tasks of handler sets that run in read-only mode start. Running tasks go on.",
		do: func(ctx context.Context, d *source, _ Action, _ url.Values) error {
			return d.m.SetMode(ctx, syncjob.ModeReadOnly)
		},
	},
	{
		name: "read-write", title: "End read-only mode", done: "Read-only mode has ended.",
		does: "All tasks start that no pause holds back.",
		do: func(ctx context.Context, d *source, _ Action, _ url.Values) error {
			return d.m.SetMode(ctx, syncjob.ModeReadWrite)
		},
	},
	{
		name: "configure", title: "Configure the handler set",
		done: "The configuration is stored. Attempts that start now use it.",
		does: "Attributes here take precedence over those in code. What is left out stays as it is in code.",
		fields: []field{
			{
				Name:  "document",
				Label: "Configuration (JSON)",
				Long:  true,
				value: func(ctx context.Context, d *source, a Action) (string, error) {
					c, err := d.m.Configuration(ctx, a.Set, nil)
					if err != nil {
						return "", err
					}
					return document(c.Configuration)
				},
			},
			{Name: "version", Hidden: true, value: func(ctx context.Context, d *source, a Action) (string, error) {
				c, err := d.m.Configuration(ctx, a.Set, nil)
				return strconv.FormatInt(c.Version, 10), err
			}},
		},
		do: configure,
	},
	{
		name: "reset-configuration", title: "Reset the configuration",
		done: "The values in code apply again.", danger: true,
		does: "All attributes that were configured for this handler set are removed.",
		do: func(ctx context.Context, d *source, a Action, form url.Values) error {
			return d.m.ResetConfiguration(ctx, a.Set, &syncjob.ConfigureOptions{Reason: form.Get("reason")})
		},
	},
}
