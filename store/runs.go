package store

import (
	"context"
	"time"
)

// Runs starts, stops and reads runs.
type Runs interface {
	// StartRun begins a run of p.Job. If a run with the same p.Token is kept, even a finished one, it
	// returns that run with Existing set; so a repeat is harmless. Errors: [*JobExistsError] while a
	// run is active, and for a declared job without p.Declared; with p.Declared, [ErrJobNotFound] if
	// the job is not declared, and [ErrJobDisabled] while it is disabled. With an error nothing is
	// written.
	StartRun(ctx context.Context, p StartParams) (StartReply, error)

	// Run reads one run in one atomic step. Errors: [ErrRunNotFound], [ErrCorrupt].
	Run(ctx context.Context, id RunID) (RunRecord, error)

	// StopRun stops a run (promise P6). Waiting tasks become cancelled at once, and none of them is
	// delivered after it returns; its time does not depend on their number. When the last running task
	// has settled, the run is stopped. A run that is starting is stopped at once, because hooks are
	// not waited for. If the run is finishing, its post-job hook is cancelled: the run ends with its
	// FinalStatus, and the HookError "stopped". A hook that is running stays held until it is settled;
	// its outcome is accepted, but changes nothing. Stopping a run again changes nothing, except that
	// a stop that is not graceful replaces a graceful one while the run is stopping. Errors:
	// [ErrRunNotFound], [ErrRunFinished].
	StopRun(ctx context.Context, p StopParams) error

	// SetRunPaused stops or allows deliveries of the run's tasks and hooks. Running ones go on. A
	// repeat changes nothing. Errors: [ErrRunNotFound]; [ErrRunFinished], also while the run is
	// stopping.
	SetRunPaused(ctx context.Context, id RunID, paused bool) error

	// Failures reads failures of a run by their places, which are the order in which they failed: up
	// to p.Limit, or about [bounds.PageBytes]. It returns none only if there are no more. A place is
	// the number of the failure among all of its run, from 1; it belongs to this failure for ever. If
	// there are more than the run's FailureCap, the first FailureCap/2 and the newest are kept;
	// [Counts] has the exact total. Pages never repeat a failure, even while more tasks fail; places
	// that are missing in between are no longer kept. Error: [ErrRunNotFound].
	Failures(ctx context.Context, p FailuresParams) ([]Failure, error)

	// FailingRuns lists the runs of a partition that keep failures: those of which a task failed last
	// come first; of several with the same time, those with higher numbers. It returns none only if
	// there are no more. A run in which a task fails meanwhile moves to the front: pages do not repeat
	// any other, and pass over none that stays. A run is listed until its summary is removed.
	FailingRuns(ctx context.Context, p FailingRunsParams) ([]FailingRun, error)

	// Tasks reads a page of the tasks of a run that p selects. It looks at up to p.Limit tasks, or at
	// about [bounds.PageBytes] of them, so a page may be short, or have none, and not be the last.
	//
	// First come those that sessions hold, by session and fetch; then those that wait for a time, the
	// recovered and the waiting ones, each by route and with the last to run first; then the failures
	// that are kept, by place. What succeeded or was cancelled is gone. Hooks are not listed, nor are
	// children that are staged for a task that still runs. Pages are no snapshot: a task that moves
	// meanwhile may be missing, or be there twice; one that does not move is there. Errors:
	// [ErrRunNotFound]; a [*FieldError] for a cursor that no page gave.
	Tasks(ctx context.Context, p TasksParams) (TasksReply, error)

	// Results reads a page of the results that tasks of a run set with their success, as far as they
	// are kept: with p.ID the one of that task, if there is one. They come by set and kind, and there
	// in the order in which the tasks succeeded. A later result of the same ID replaces the one before.
	// It looks at up to p.Limit results, or at about [bounds.PageBytes] of them, so a page may be
	// short, or have none, and not be the last. A result that is there from the first page to the last
	// comes once.
	//
	// A result that is older than the Age with which it was set is never returned. When a result is
	// set, those that are beyond its Number go, and then the oldest of the run, until all take at most
	// [bounds.MaxResults]. Results that are too old may count until a store removes them. The rest goes
	// with the run's summary. Error: [ErrRunNotFound].
	Results(ctx context.Context, p ResultsParams) (ResultsReply, error)

	// ListRuns reads a page of the runs of a partition that p selects, most recently changed first: by
	// [RunRecord].Changed, then by number. It looks at up to p.Limit runs, or at about
	// [bounds.PageBytes] of them, so a page may be short, or have none, and not be the last. It costs
	// the same whatever the number of runs; but with p.Job, all numbers of the job's runs are read.
	//
	// Each record is read in one step, but without p.Details, which would make it large. Pages are no
	// snapshot: a run that changes while the listing goes on is in another place then, so it may be
	// missing, or with p.Oldest be there twice. One that does not change is there once.
	ListRuns(ctx context.Context, p RunsParams) (RunPage, error)

	// Inspect counts the stored tasks of a run without its counters, so that the two can be
	// compared. It is not atomic: Inspection.Stable says whether the counters changed meanwhile.
	Inspect(ctx context.Context, id RunID) (Inspection, error)

	// DeleteRun removes a finished run at once. Errors: [ErrRunActive] while the run is active;
	// [ErrRunNotFound].
	DeleteRun(ctx context.Context, id RunID) error
}

// StartParams begins a run.
type StartParams struct {
	Job     string
	Token   string // the same token gives the same run; random, or derived from a caller's key
	Set     string
	Args    []byte
	Headers map[string]string
	Labels  map[string]string // see [ValidateLabels]
	Root    *Item             // nil only with Open
	Open    bool              // open the hold [HoldOpen]
	// PreJob is the task of the pre-job hook, of the kind [KindPreJob]; nil if the set has none. Until
	// the hook has passed, the root task is set aside: it counts as pending, and its Delay begins
	// after that. Other tasks may be added meanwhile; they wait.
	PreJob *Item
	// PostJob is the task of the post-job hook, of the kind [KindPostJob]. It waits when the last task
	// has ended.
	PostJob    *Item
	Weight     float64       // share of a queue; positive
	Retention  time.Duration // how long the summary is kept after the end; positive
	FailureCap int           // how many failures are kept, see Failures; positive
	OnFailure  OnFailure     // [OnFailureEnd] or [OnFailureHold]
	SealAfter  time.Duration // an open run is sealed this long after its last enqueue or opening; 0 means never
	// StopAfter is like SealAfter, but stops the run, not gracefully and with [IdleReason], because
	// its producer has probably crashed. It cannot be set together with SealAfter.
	StopAfter time.Duration
	// Deadline is how long after its start the run is stopped, if it is still active then; 0 means
	// never. The stop is that of StopRun, not gracefully and with [DeadlineReason]; see
	// RunSignal.Overdue. It is due also while the run is paused, or a stop is graceful.
	Deadline  time.Duration
	RedriveOf int64 // number of the run whose failed tasks it runs again; 0 for none
	// Configuration becomes version 1 of the run's own configuration, see [Configurations]; nil for
	// none.
	Configuration []byte
	Declared      bool      // start the run of a declared job; the job must be declared
	Due           time.Time // the due time that begins the run; see [Schedules]
}

// IdleReason is the reason of a run that was stopped by its StopAfter.
const IdleReason = "it was left open: nothing was enqueued for the time of StopAfter"

// DeadlineReason is the reason of a run that was stopped at its deadline. It is the HookError of
// one whose post-job hook was given up then.
const DeadlineReason = "its deadline has passed"

// IdleAfter returns after how long without an enqueue an open run is sealed or stopped; 0 means
// never.
func (p *StartParams) IdleAfter() time.Duration { return max(p.SealAfter, p.StopAfter) }

// StartReply names the run.
type StartReply struct {
	Run      RunID
	Existing bool
}

// StopParams ends a run.
type StopParams struct {
	Run      RunID
	Graceful bool   // let running handlers finish instead of cancelling them
	Reason   string // why, for people: up to [bounds.MaxNoteLen] bytes
}

// Inspection has the stored tasks of a run, counted without its counters.
type Inspection struct {
	Run    RunRecord
	Stable bool
	Holds  []HoldRecord
	Lanes  []LaneRecord // also with the root task that is set aside; empty lanes may be listed
	Held   []HeldRecord
}

// HoldRecord is one named hold on a run.
type HoldRecord struct {
	Name  string
	Since time.Time
	Mark  string // from the last change that set one; see [HoldChange]
}

// LaneRecord counts the tasks of a lane.
type LaneRecord struct {
	Route     Route
	Waiting   int64     // not recovered, in order
	Recovered int64     // recovered, to run one at a time per session: the session that had them died
	Staged    int64     // children of a settled parent that are not in the lane yet
	Delayed   int64     // until a time
	NextDue   time.Time // earliest of Delayed; zero if none
	Oldest    time.Time // since when the first waiting task waits; zero if none
}

// HeldRecord counts the tasks of the run that a session holds, by route.
type HeldRecord struct {
	Session string
	Route   Route
	Held    int64
}
