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

	// StopRun ends a run (promise P6) in time that does not depend on how many
	// tasks wait: waiting tasks become cancelled at once, none of them is
	// delivered after it returns; once the last running task has settled the
	// run is stopped. While finishing, it gives up the post-job hook instead.
	// Stopping a stopping run changes nothing, except that a stop that is not graceful overrides a
	// graceful one; stopping one that was stopped changes nothing.
	// [ErrRunNotFound], [ErrRunFinished].
	StopRun(ctx context.Context, p StopParams) error

	// SetRunPaused stops or allows deliveries of the run's tasks and hooks; running ones
	// go on. It is absolute. [ErrRunNotFound], [ErrRunFinished].
	SetRunPaused(ctx context.Context, id RunID, paused bool) error

	// Failures reads dead letters of a run with places above after, in the order of their places, in
	// which they failed: up to limit, or about [PageBytes]; none only if there are no more. Of more
	// than the run's FailureCap, the first FailureCap/2 are kept and the newest; the total is exact in [Counts].
	// So pages fit together while tasks fail: none comes twice, and those that are missing between
	// two places are not kept any more. [ErrRunNotFound].
	Failures(ctx context.Context, id RunID, after int64, limit int) ([]Failure, error)

	// Inspect reads what the sets of a run hold, apart from its counters, so
	// that the two can be compared. It is not atomic with respect to a moving run;
	// Inspection.Stable says whether the run's counts stood still meanwhile.
	Inspect(ctx context.Context, id RunID) (Inspection, error)

	// DeleteRun removes a finished run at once: [ErrRunActive] otherwise.
	// Deleting a run that is gone is [ErrRunNotFound].
	DeleteRun(ctx context.Context, id RunID) error
}

// StartParams begins a run.
type StartParams struct {
	Job        string
	Token      string // same token, same run; unguessable unless derived from a caller's key
	Set        string
	Args       []byte
	Headers    map[string]string
	Root       *Item         // nil only with Open
	Open       bool          // put the hold [HoldOpen]
	PreJob     *Item         // the hook's task; its kind is [KindPreJob]; nil if the set has none
	PostJob    *Item         // its kind is [KindPostJob]
	Weight     float64       // share of a queue; positive
	Retention  time.Duration // how long the summary is kept after the end; positive
	FailureCap int           // dead letters kept, see Failures; positive
	SealAfter  time.Duration // an open run is sealed this long after the last enqueue, or since it was opened again; 0 for never
	// StopAfter stops an open run where SealAfter would seal it, not gracefully and with [IdleReason]: its producer broke off. It excludes SealAfter.
	StopAfter time.Duration
	RedriveOf int64 // number of the run of the job whose failed tasks it runs again; 0 for none
	// Configuration becomes version 1 of the run's own configuration, see [Configurations]; nil for none.
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
	Graceful bool // leave running handlers to finish instead of cancelling them
	Reason   string
}

// Inspection has what is stored of a run's tasks, apart from its counters.
type Inspection struct {
	Run    RunRecord
	Stable bool
	Holds  []HoldRecord
	Lanes  []LaneRecord
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
