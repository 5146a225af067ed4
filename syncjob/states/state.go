package states

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/rollcall-go/rollcall/internal/plain"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
)

// Status is the state of a run; see the constants.
type Status = statuses.Status

// The states of a run. The last four are final.
const (
	Starting  = statuses.Starting  // the pre-job hook has not completed; no task has started
	Running   = statuses.Running   // tasks run, or the run is open, held or paused
	Finishing = statuses.Finishing // all tasks have ended; the post-job hook has not completed
	Stopping  = statuses.Stopping  // stopped; some handlers still run
	Succeeded = statuses.Succeeded // every task succeeded
	Failed    = statuses.Failed    // a task, or the pre-job hook, failed
	Stopped   = statuses.Stopped   // ended by Stop or by a task that cancelled the job
	Skipped   = statuses.Skipped   // the pre-job hook skipped the run
)

// JobType says what starts the runs of a job.
type JobType = statuses.JobType

// The types of job.
const (
	JobSinglePass = statuses.JobSinglePass // each run is started by a call of Start
	JobStanding   = statuses.JobStanding   // declared by Ensure; one open run that is never sealed
	JobPeriodic   = statuses.JobPeriodic   // declared by Ensure; a schedule starts its runs
)

// Counts is the exact state of a run's tasks at one moment: Total = Pending + Delayed +
// Running + Succeeded + Failed + Cancelled.
type Counts = store.Counts

// RunningTask is one handler in progress, as its worker last reported it.
type RunningTask = store.RunningTask

// Progress is what a running task reported about how far it is.
type Progress = store.Progress

// Job is the state of a job and of its newest run.
type Job struct {
	Name     string    `json:"name"`
	Type     JobType   `json:"type"`
	Revision int64     `json:"revision,omitempty"` // of a declared job's definition
	Disabled bool      `json:"disabled,omitempty"` // stopped by name and not enabled again
	Created  time.Time `json:"created,omitzero"`
	// Changed is when it was declared, defined anew, disabled or enabled last, or its newest run
	// changed: see [Run.Changed].
	Changed time.Time `json:"changed,omitzero"`
	// Labels are those of its definition; of a single-pass job, those of its newest run.
	Labels map[string]string `json:"labels,omitempty"`
	// Definition is what Ensure stored, as JSON; nil for a single-pass job.
	Definition json.RawMessage `json:"definition,omitempty"`
	// schedule.Schedule of a periodic job, without FireOnCreate; nil if a newer version declared it.
	Schedule *schedule.Schedule `json:"schedule,omitempty"`
	Changes  int64              `json:"changes,omitempty"`  // how often the definition was changed
	LastRun  int64              `json:"last_run,omitempty"` // number of the newest run; 0 if there was none
	// NextDue is when a periodic job is due next. It is zero while the job is disabled, and until a
	// worker has read its definition. It is in the past while the run waits: for the end of the run
	// before, for the end of read-only mode (see syncjob.Manager.Mode), or for a worker.
	NextDue  time.Time `json:"next_due,omitzero"`
	Skipped  int64     `json:"skipped,omitempty"`  // due times without a run, because one was active
	LastSkip time.Time `json:"last_skip,omitzero"` // the last of them
	// Problem is why a worker could not start the job when it was due: its time zone is not in the
	// machine's database, or a newer version wrote the definition. ProblemSince is when that began.
	// Workers try again, first after 1 s, later each minute. Both are zero after a run was started,
	// or the job was declared again.
	Problem      string    `json:"problem,omitempty"`
	ProblemSince time.Time `json:"problem_since,omitzero"`
	// Run is the newest run; nil if there was none or its summary has expired.
	Run *Run `json:"run,omitempty"`
	// Cursor is where syncjob.Manager.Jobs goes on behind this job; empty in states from other calls.
	Cursor string `json:"cursor,omitempty"`
}

// Active reports whether the job has a run that has not ended.
func (s Job) Active() bool { return s.Run != nil && !s.Run.Status.Final() }

// DeadlineReason is the Reason of a run that was stopped at its deadline.
const DeadlineReason = store.DeadlineReason

// Run is the state of one run. All stored fields were read in one atomic step. Elapsed, Rate
// and ETA are computed from them and, while the run is active, from the local clock.
type Run struct {
	Job         string            `json:"job"`
	Number      int64             `json:"number"`
	Set         string            `json:"set"`
	RootKind    string            `json:"root_kind,omitempty"`  // empty if the run has no root task
	RootQueue   string            `json:"root_queue,omitempty"` // empty if the run has no root task
	Args        json.RawMessage   `json:"-"`                    // of the root task; may be large or private
	Headers     map[string]string `json:"headers,omitempty"`
	Labels      map[string]string `json:"labels,omitempty"` // see syncjob.Job.Labels
	Status      Status            `json:"status"`
	FinalStatus Status            `json:"final_status,omitempty"` // while finishing: the status it will end with
	Counts      Counts            `json:"counts"`
	Counters    map[string]int64  `json:"counters,omitempty"` // sums that its tasks added when they succeeded, by name
	Retried     int64             `json:"retried"`            // failed attempts that were tried again
	Duplicates  int64             `json:"duplicates"`         // enqueues of an ID that was in use
	Holds       int64             `json:"holds"`              // how many keep it from finishing when no task is left
	OnFailure   store.OnFailure   `json:"on_failure,omitempty"`
	Paused      bool              `json:"paused"`
	// Held is true if nothing is left of the run but what failed, and so it waits for somebody: see
	// syncjob.Job.OnFailure. While it is running, those are failed tasks; while it is finishing, its
	// post-job hook, and HookErr says why.
	Held     bool      `json:"held"`
	Graceful bool      `json:"graceful,omitempty"` // while stopping: running handlers may finish
	Weight   float64   `json:"weight"`
	Created  time.Time `json:"created,omitzero"`
	Started  time.Time `json:"started,omitzero"` // when the first task was fetched
	Ended    time.Time `json:"ended,omitzero"`   // when the last task ended or the run was stopped
	// Changed is when its status changed last, or whether it is paused, by the store's clock.
	Changed time.Time `json:"changed,omitzero"`
	// Moved is when it changed so, or its counts changed. It may be up to 250 ms too early. For how
	// long it stands still tells whether something holds it up.
	Moved   time.Time     `json:"moved,omitzero"`
	Elapsed time.Duration `json:"elapsed_ns"` // from Started to Ended, or to now
	Rate    float64       `json:"rate"`       // tasks that succeeded or failed, per second of Elapsed
	// ETA is how long the remaining tasks will take at Rate; zero if there are none, or if Rate is
	// not known.
	ETA time.Duration `json:"eta_ns"`
	// LastError is the newest error of a task that failed for good, or of a pre-job hook that
	// failed for good or aborted the run. It is empty for a run that succeeded.
	LastError string `json:"last_error,omitempty"`
	// RetryError is the newest error of an attempt, of a task or hook, that is tried again; the
	// retry may have succeeded since. It is empty when the run has ended.
	RetryError string        `json:"retry_error,omitempty"`
	Reason     string        `json:"reason,omitempty"`   // why it was stopped or skipped
	HookErr    string        `json:"hook_err,omitempty"` // why the post-job hook failed for good
	Retention  time.Duration `json:"retention_ns"`       // how long the summary is kept after the end
	Due        time.Time     `json:"due,omitzero"`       // the due time of the schedule that started it; zero if none did
	// Deadline is when the run is stopped if it is still active; zero for never.
	Deadline time.Time `json:"deadline,omitzero"`
	// RedriveOf is the number of the run whose failed tasks this one runs again; 0 for none. See
	// syncjob.Run.Redrive.
	RedriveOf int64 `json:"redrive_of,omitempty"`
	// Result was set by the post-job hook with [handlers.Run.SetResult]; nil if none was. See
	// DecodeResult.
	Result json.RawMessage `json:"result,omitempty"`
	// Reporting has running tasks that report progress, as of their workers' last heartbeats,
	// sorted by start; at most the first [bounds.MaxReporting].
	Reporting []RunningTask `json:"reporting,omitempty"`
	// Cursor is where syncjob.Manager.Runs goes on behind this run; empty in states from other calls.
	Cursor string `json:"cursor,omitempty"`
}

// DecodeResult decodes the result that the run's post-job hook set from JSON into v, a pointer.
// Error: [ErrNoResult] if the hook set none, or has not completed.
func (s Run) DecodeResult(v any) error {
	if s.Result == nil {
		return fmt.Errorf("run %d of job %q: %w", s.Number, s.Job, ErrNoResult)
	}
	if err := plain.Unmarshal(s.Result, v); err != nil {
		return fmt.Errorf("decode the result of run %d of job %q: %w", s.Number, s.Job, err)
	}
	return nil
}

// Failure is one task that failed for good. A run keeps a limited number of them.
type Failure struct {
	Job     string            `json:"job"`
	Number  int64             `json:"number"`
	Place   int64             `json:"place"` // its number among the failures of the run, from 1; it never changes
	TaskID  string            `json:"task_id"`
	Kind    string            `json:"kind"`
	Set     string            `json:"set"`
	Queue   string            `json:"queue"`
	Payload json.RawMessage   `json:"-"` // the task's arguments; may be large or private
	Headers map[string]string `json:"headers,omitempty"`
	Retry   int               `json:"retry"`   // failed attempts before the last
	Crashes int               `json:"crashes"` // how often a worker died while it ran this task after a recovery
	Error   string            `json:"error"`
	Stack   string            `json:"stack,omitempty"` // of a panic
	Worker  string            `json:"worker"`
	At      time.Time         `json:"at"`
	// Cursor is where syncjob.Manager.Failures goes on behind this one; other calls leave it empty.
	Cursor string `json:"cursor,omitempty"`
}
