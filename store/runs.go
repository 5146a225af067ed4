package store

import (
	"context"
	"time"
)

// Runs starts, stops and reads runs.
type Runs interface {
	// StartRun begins a run of p.Job, unless a run with the same p.Token is kept: then that run
	// is returned with Existing set, even if it is finished. That is what makes a repeat harmless.
	// [*JobExistsError] while a run is active, and for a declared job without p.Declared. With
	// p.Declared, [ErrJobNotFound] unless the job is declared, and [ErrJobDisabled] while it is
	// disabled. Nothing is written with an error.
	StartRun(ctx context.Context, p StartParams) (StartReply, error)

	// Run reads one run atomically. [ErrRunNotFound], [ErrCorrupt].
	Run(ctx context.Context, id RunID) (RunRecord, error)

	// StopRun stops a run (promise P6). Its time does not depend on how many tasks wait: they become
	// cancelled at once, and none of them is delivered after it returns. When the last running task
	// has settled, the run is stopped: at once if it was starting, since hooks are not waited for. If
	// the run is finishing, its post-job hook is cancelled: it ends with its FinalStatus, and the
	// HookError "stopped". A hook that is running then stays held until it is settled; its outcome is
	// accepted, and changes nothing. Stopping a stopping run changes nothing, except that a stop that
	// is not graceful overrides a graceful one; stopping one that was stopped changes nothing.
	// [ErrRunNotFound], [ErrRunFinished].
	StopRun(ctx context.Context, p StopParams) error

	// SetRunPaused stops or allows deliveries of the run's tasks and hooks. Running ones go on. A
	// repeat changes nothing. Errors: [ErrRunNotFound]; [ErrRunFinished], also while the run is
	// stopping.
	SetRunPaused(ctx context.Context, id RunID, paused bool) error

	// Failures reads failures of a run with a place above after, sorted by place, which is the order
	// in which they failed: up to limit, or about [bounds.PageBytes]. It returns none only if there
	// are no more. If there are more than the run's FailureCap, the first FailureCap/2 and the newest
	// are kept; [Counts] has the exact total. Pages never repeat a failure, even while more tasks
	// fail; places that are missing in between are no longer kept. Error: [ErrRunNotFound].
	Failures(ctx context.Context, id RunID, after int64, limit int) ([]Failure, error)

	// Inspect counts the stored tasks of a run without its counters, so that the two can be
	// compared. It is not atomic: Inspection.Stable says whether the counters changed meanwhile.
	Inspect(ctx context.Context, id RunID) (Inspection, error)

	// DeleteRun removes a finished run at once: [ErrRunActive] otherwise.
	// Deleting a run that is gone is [ErrRunNotFound].
	DeleteRun(ctx context.Context, id RunID) error
}

// StartParams begins a run.
type StartParams struct {
	Job     string
	Token   string // same token, same run; unguessable unless derived from a caller's key
	Set     string
	Args    []byte
	Headers map[string]string
	Root    *Item // nil only with Open
	Open    bool  // put the hold [HoldOpen]
	// PreJob is the hook's task; its kind is [KindPreJob]; nil if the set has none. Until the hook has
	// passed the root is set aside: it counts as pending, and its Delay begins after that. Other tasks
	// may be added meanwhile, and wait.
	PreJob *Item
	// PostJob is that of the hook that waits when the last task has ended; its kind is [KindPostJob].
	PostJob    *Item
	Weight     float64       // share of a queue; positive
	Retention  time.Duration // how long the summary is kept after the end; positive
	FailureCap int           // dead letters kept, see Failures; positive
	SealAfter  time.Duration // an open run is sealed this long after the last enqueue, or since it was opened again; 0 for never
	// StopAfter stops an open run where SealAfter would seal it, not gracefully and with [IdleReason]:
	// its producer broke off. It excludes SealAfter.
	StopAfter time.Duration
	RedriveOf int64 // number of the run of the job whose failed tasks it runs again; 0 for none
	// Configuration becomes version 1 of the run's own configuration, see [Configurations]; nil for
	// none.
	Configuration []byte
	Declared      bool      // the run begins as its job was declared, which it must be
	Due           time.Time // the due time that begins the run; see [Schedules]
}

// IdleReason is the reason of a run that its StopAfter stopped.
const IdleReason = "it was left open: nothing was enqueued for the time of StopAfter"

// IdleAfter is after how long without an enqueue an open run is sealed or stopped; 0 for never.
func (p *StartParams) IdleAfter() time.Duration { return max(p.SealAfter, p.StopAfter) }

// StartReply names the run.
type StartReply struct {
	Run      RunID
	Existing bool
}

// StopParams ends a run.
type StopParams struct {
	Run      RunID
	Graceful bool   // leave running handlers to finish instead of cancelling them
	Reason   string // why, for people: up to [bounds.MaxNoteLen] bytes
}

// Inspection has what is stored of a run's tasks, apart from its counters.
type Inspection struct {
	Run    RunRecord
	Stable bool
	Holds  []HoldRecord
	Lanes  []LaneRecord // also the root that is set aside; one where nothing waits may be listed
	Held   []HeldRecord
}

// HoldRecord is one named hold on a run.
type HoldRecord struct {
	Name  string
	Since time.Time
	Mark  string // of its last change that set one; see [HoldChange]
}

// LaneRecord counts the tasks of a lane.
type LaneRecord struct {
	Route     Route
	Waiting   int64     // not recovered, in order
	Recovered int64     // to run one at a time per session: the session that had them died
	Staged    int64     // children of a settled parent that do not wait yet
	Delayed   int64     // until a time
	NextDue   time.Time // earliest of Delayed; zero if none
	Oldest    time.Time // when the first waiting task was enqueued; zero if none
}

// HeldRecord counts the tasks of the run that a session holds, by route.
type HeldRecord struct {
	Session string
	Route   Route
	Held    int64
}
