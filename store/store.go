// Package store is the contract between Rollcall and what keeps its state, and
// the records that pass through it.
//
// Users of the library hold the concrete types of package syncjob; the [Store]
// interface is for implementers. Policy (validation, attributes, backoff,
// hooks) lives above it, atomic state changes below it: every mutating method
// is one atomic step in one partition of the store.
//
// # Repeats
//
// Every mutation may be repeated after an unknown outcome (a lost reply, a
// timeout, a cut connection) with the same parameters, and then changes
// nothing more and answers as the first time did (promise P10). What makes it
// so is said at each method. The three that matter for speed, Enqueue, Fetch and
// Settle, belong to serial streams: the caller numbers its calls 1, 2, 3 … and
// has at most one in flight per stream; the store keeps the last number and its
// reply. [WithRetry] does the repeating.
//
// # Rules for implementers
//
// All methods may be called concurrently, except that one stream (a producer,
// the fetches of a session, the settlements of a session) is serial. Methods
// block until the outcome is known or ctx ends; an error that matches
// [ErrUnavailable] means that the outcome is unknown or was refused for now.
// Parameters and the slices in them belong to the caller and must not be kept
// or changed after the method returns; what a method returns belongs to the
// caller. All deadlines are decided by the store's own clock (P14).
// Package storetest holds the conformance suite that any Store must pass.
package store

import (
	"context"
	"time"
)

// Store is everything Rollcall needs of a backend. It is composed of roles so
// that each can be read, wrapped and faked by itself.
type Store interface {
	Jobs
	Runs
	Producers
	Sessions
	Keeper
	Signals

	// Partitions is the number of partitions, fixed for a namespace's life.
	// Everything of one job lives in the partition that [PartitionOf] gives.
	Partitions() int

	// Ping makes one round trip to every partition and fails if one is out of
	// reach.
	Ping(ctx context.Context) error

	// Close releases what the store opened itself, and nothing that was handed
	// to it. Calls in flight fail with [ErrClosed] or finish. It may be called
	// twice.
	Close() error
}

// Jobs keeps the names: definitions of declared jobs, and which run is the last.
type Jobs interface {
	// EnsureJob declares a periodic or standing job, or updates its definition
	// if p.Revision is at least the stored one and the definition differs.
	// A single-pass job of that name with an active run is [ErrJobExists].
	// Repeats are absolute and harmless.
	EnsureJob(ctx context.Context, p EnsureParams) (EnsureOutcome, error)

	// SetJobDisabled sets or clears the flag that keeps a declared job from
	// starting. It is absolute. [ErrJobNotFound].
	SetJobDisabled(ctx context.Context, job string, disabled bool) error

	// Job reads one job. [ErrJobNotFound].
	Job(ctx context.Context, job string) (JobRecord, error)

	// ListJobs reads a page of the jobs of one partition in the order of their
	// names, with the newest run of each. Jobs started or removed meanwhile may
	// or may not be in it.
	ListJobs(ctx context.Context, p ListParams) (JobPage, error)

	// JobRuns returns the numbers of the runs of a job that are still kept, newest first.
	// An unknown job has none.
	JobRuns(ctx context.Context, job string) ([]int64, error)

	// DeleteJob removes a job, its definition and all its runs. While a run is
	// active it fails with [ErrRunActive]. An unknown name is [ErrJobNotFound].
	DeleteJob(ctx context.Context, job string) error
}

// EnsureParams declares a job.
type EnsureParams struct {
	Job        string
	Kind       JobKind // JobStanding or JobPeriodic
	Definition []byte
	Revision   int64
}

// EnsureOutcome says what EnsureJob did.
type EnsureOutcome string

// The outcomes of EnsureJob.
const (
	EnsureCreated   EnsureOutcome = "created"
	EnsureUpdated   EnsureOutcome = "updated"
	EnsureUnchanged EnsureOutcome = "unchanged"
	EnsureKept      EnsureOutcome = "kept" // a higher revision is stored
)

// ListParams asks for a page of jobs.
type ListParams struct {
	Partition int
	After     string // name after which the page begins; "" for the first
	Limit     int    // at most this many; 1 to 1000
}

// JobPage is a page of jobs.
type JobPage struct {
	Jobs []JobEntry
	Next string // pass as After for the next page; "" at the end
}

// JobEntry is one job with its newest run, which is nil if it never ran or the
// summary has expired.
type JobEntry struct {
	Job JobRecord
	Run *RunRecord
}

// Runs starts, stops and reads runs.
type Runs interface {
	// StartRun begins a run of p.Job, unless one is active ([*JobExistsError]) or a run
	// with the same p.Token is kept: then that run is returned with Existing
	// set, even if it is finished. That is what makes a repeat harmless.
	StartRun(ctx context.Context, p StartParams) (StartReply, error)

	// Run reads one run atomically. [ErrRunNotFound], [ErrCorrupt].
	Run(ctx context.Context, id RunID) (RunRecord, error)

	// StopRun ends a run (promise P6) in time that does not depend on how many
	// tasks wait: waiting tasks become cancelled at once, none of them is
	// delivered after it returns; once the last running task has settled the
	// run is stopped. While finishing, it gives up the post-job hook instead.
	// Stopping a stopping run changes nothing, except that a stop that is not graceful overrides a graceful one.
	// [ErrRunNotFound], [ErrRunFinished].
	StopRun(ctx context.Context, p StopParams) error

	// SetRunPaused stops or allows deliveries of the run's tasks; running ones
	// go on. It is absolute. [ErrRunNotFound], [ErrRunFinished].
	SetRunPaused(ctx context.Context, id RunID, paused bool) error

	// Failures reads dead letters of a run, oldest first, from offset on. The
	// sample is capped; the total is exact in [Counts].
	Failures(ctx context.Context, id RunID, offset, limit int) ([]Failure, error)

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
	FailureCap int           // dead letters kept; positive
	SealAfter  time.Duration // an open run is sealed after this long without an enqueue; 0 for never
	Declared   bool          // started for a declared job: refused with [ErrJobDisabled] while disabled
}

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

// Inspection is what the sets of a run hold.
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
}

// LaneRecord counts what a lane holds.
type LaneRecord struct {
	Route    Route
	Waiting  int64     // plain, in order
	Suspects int64     // to be run alone, after a session died with them
	Staged   int64     // children of a settled parent, not yet moved up
	Delayed  int64     // until a time
	NextDue  time.Time // earliest of Delayed; zero if none
	Oldest   time.Time // when the first waiting task was enqueued; zero if none
}

// HeldRecord counts the tasks of the run that a session holds, by route.
type HeldRecord struct {
	Session string
	Route   Route
	Held    int64
}

// Producers adds tasks to runs.
type Producers interface {
	// OpenProducer registers a stream. Opening a stream that exists changes
	// nothing. A stream is forgotten when it was not used for a day.
	OpenProducer(ctx context.Context, partition int, stream string) error

	// Enqueue applies the hold openings, adds the entries, then applies the hold
	// closings, in one step. Entries are judged one by one: a refused one does not keep
	// others out. Repeats with the same Number answer as the first time did.
	// [ErrOutcomeUnknown] if the stream is not registered (any more): nothing
	// was written by this call. [ErrStale], [ErrOutOfMemory].
	Enqueue(ctx context.Context, p EnqueueParams) (EnqueueReply, error)
}

// EnqueueParams is one batch of a producer stream. All runs are of the partition.
type EnqueueParams struct {
	Partition int
	Stream    string
	Number    int64
	Holds     []HoldChange
	Entries   []Entry // at most MaxBatch
}

// Entry is one task for one run.
type Entry struct {
	Run  RunID
	Item Item
}

// HoldChange opens or closes a named hold. Opening one that is open and closing
// one that is not change nothing. Closing the last one of a run without unfinished tasks finishes it.
type HoldChange struct {
	Run   RunID
	Name  string
	Close bool
}

// EnqueueReply answers entry by entry, and hold change by hold change.
type EnqueueReply struct {
	Entries []EnqueueResult
	Holds   []error // nil, ErrRunNotFound, ErrRunFinished or ErrJobStopped
}

// EnqueueResult is what became of one entry. Err is nil, [ErrRunNotFound], [ErrJobStopped] or [ErrRunFinished].
type EnqueueResult struct {
	Duplicate bool // the run holds an unsettled task of that claimed ID; nothing was added
	Err       error
}

// SessionID names a session of a worker in one partition.
type SessionID struct {
	Partition int
	ID        string // random, never reused
}

// Sessions lets workers lease tasks and report their outcomes.
type Sessions interface {
	// OpenSession registers a session whose lease lasts for the given time
	// unless Heartbeat extends it. Repeating it before the first fetch is harmless.
	OpenSession(ctx context.Context, s SessionID, info WorkerInfo, lease time.Duration) error

	// Fetch leases up to p.Max waiting tasks, fairly between runs (P11). It
	// does not wait. A repeat with the same Number returns the same deliveries,
	// less those settled since; a number that delivered nothing is not used up,
	// so that its repeat may deliver. [ErrLeaseLost] when the session is not (or no longer) registered.
	Fetch(ctx context.Context, p FetchParams) (FetchReply, error)

	// Settle reports outcomes. Each is applied only if its lease is still held
	// (P5); others are listed in Lost. Children become visible with their parent's success, all
	// or none (P4). A repeat with the same Number answers as the first time did.
	// [ErrLeaseLost] when the session is gone: then every outcome is lost.
	Settle(ctx context.Context, p SettleParams) (SettleReply, error)

	// Stage parks children of a running task that are too many to travel with its
	// settlement. They are invisible until it succeeds and vanish if it does
	// not. Chunks of one lane are staged in order; p.Offset is how many were
	// staged before, so that a repeat is recognised. [ErrLeaseLost] when the
	// parent's lease is gone, [ErrJobStopped] when its run is stopping.
	Stage(ctx context.Context, p StageParams) error

	// Heartbeat extends the session's lease and reads the states of runs.
	// [ErrLeaseLost] when the session is gone.
	Heartbeat(ctx context.Context, p HeartbeatParams) (HeartbeatReply, error)

	// Held lists every delivery that the store holds for the session.
	// [ErrLeaseLost] when it is gone.
	Held(ctx context.Context, s SessionID) ([]Delivery, error)

	// CloseSession ends a session. Deliveries it still holds go back to waiting
	// as after a crash. Closing one that is gone changes nothing.
	CloseSession(ctx context.Context, s SessionID) error

	// LiveSessions lists the sessions of a partition.
	LiveSessions(ctx context.Context, partition int) ([]SessionRecord, error)

	// QueueStats counts what waits in a partition, by route. It walks the lanes
	// and may miss what moves meanwhile.
	QueueStats(ctx context.Context, partition int) ([]QueueRecord, error)
}

// FetchParams asks for work.
type FetchParams struct {
	Session  SessionID
	Number   int64
	Max      int  // 1 to MaxBatch
	MaxBytes int  // stop before the payloads exceed this, but return at least one; 0 for 1 MiB
	Suspect  bool // the session runs no suspect now and may be given one
	Queues   []FetchQueue
}

// FetchQueue asks for tasks of some routes of one queue. Queues are tried in
// the order given; within a queue, runs take turns by virtual time.
type FetchQueue struct {
	Queue  string
	Routes []Route
}

// FetchReply is what was leased.
type FetchReply struct {
	Deliveries []Delivery
	Now        time.Time // the store's clock
	NextDue    time.Time // earliest delayed task of the partition; zero if none
}

// SettleParams is one batch of outcomes.
type SettleParams struct {
	Session  SessionID
	Number   int64
	Worker   string    // for failure records
	Outcomes []Outcome // at most MaxBatch
}

// Verdict is what became of a delivery.
type Verdict uint8

// The verdicts. Those from VerdictBegin on are for deliveries of hooks.
const (
	VerdictSuccess  Verdict = iota + 1 // succeeded; its children, if any, become visible
	VerdictRetry                       // failed, to be tried again after Delay; counts as retried
	VerdictSnooze                      // to be tried again after Delay; costs nothing
	VerdictFail                        // failed for good
	VerdictCancel                      // ended by a stop
	VerdictRelease                     // given back untouched, to the front of its lane
	VerdictStopRun                     // succeeded or not, it asks for its run to be stopped; itself cancelled
	VerdictBegin                       // pre-job hook passed: the root task becomes visible
	VerdictSkip                        // pre-job hook declined: the run ends as skipped
	VerdictAbort                       // pre-job hook failed for good: the run ends as failed
	VerdictHookDone                    // post-job hook completed, or gave up with Error: the final status is recorded
)

// Outcome reports one delivery. While the run is stopping, every verdict but
// success and failure counts as cancelled, and children are dropped.
type Outcome struct {
	Lease   Lease
	Verdict Verdict
	// Task is the delivery's task; for Retry, Snooze and Release with the fields Retry and Snoozes as they shall be stored.
	Task  Task
	Delay time.Duration // Retry and Snooze
	// Error is the text of the failure (Retry, Fail, Abort, HookDone) or the reason (StopRun, Skip).
	Error string
	Stack string // of a panic
	// Children travel with a success, at most MaxBatch in a call of Settle. Staged lists the
	// routes under which more were staged.
	Children []Item
	Staged   []Route
}

// SettleReply lists the outcomes that were not applied since their lease was
// gone, by index in ascending order, and the runs that reached a final or finishing state with this call.
type SettleReply struct {
	// Lost are the outcomes without a lease. When plain successes of one run are among them that
	// were settled before, their number is exact but others of that run may be named.
	Lost  []int
	Ended []RunID
}

// StageParams parks a chunk of children for a running task.
type StageParams struct {
	Session SessionID
	Lease   Lease
	Route   Route
	Offset  int
	Items   []Item // all of Route; at most MaxBatch
}

// HeartbeatParams extends a session.
type HeartbeatParams struct {
	Session SessionID
	Lease   time.Duration
	Runs    []RunID // runs of which the session holds tasks
	Running []RunningTask
}

// HeartbeatReply is what a worker must know.
type HeartbeatReply struct {
	Now      time.Time
	NextDue  time.Time   // earliest delayed task of the partition; zero if none
	Held     int         // deliveries the store holds for the session
	Runs     []RunSignal // as asked
	SweepDue bool        // somebody should call Sweep
}

// RunSignal tells a worker the state of a run it works for. A run that is gone has status "".
type RunSignal struct {
	Run      RunID
	Status   Status
	Graceful bool // while stopping: let handlers finish
}

// QueueRecord counts what waits under a route.
type QueueRecord struct {
	Route   Route
	Waiting int64
	Runs    int64     // runs with work there
	Running int64     // held by sessions
	Oldest  time.Time // enqueue time of the oldest task at the front of a lane; zero if none
}

// Keeper does what no single caller waits for. Any process may call it at any
// time; concurrent calls share the work and repeats are harmless.
type Keeper interface {
	// Promote moves delayed tasks that are due to waiting, up to a bound.
	Promote(ctx context.Context, partition int) (PromoteReply, error)

	// Sweep closes dead sessions and gives back what they held as suspects,
	// removes what stopped and finished runs left behind, seals idle runs and expires summaries: a
	// bounded slice of it. If the store's clock jumped, or nobody swept for a
	// while, it first extends every lease once.
	Sweep(ctx context.Context, partition int) (SweepReply, error)
}

// PromoteReply says what was moved and when the next is due.
type PromoteReply struct {
	Promoted int
	Next     time.Time // zero if none is delayed
	More     bool      // more are due now
}

// SweepReply says what was done.
type SweepReply struct {
	Sessions  int  // dead sessions closed
	Reclaimed int  // deliveries given back
	Purged    int  // runs whose leftovers or summary were removed
	More      bool // there is more to do now
}

// SignalKind tells what a signal is about.
type SignalKind uint8

// The kinds of signal.
const (
	SignalWork SignalKind = iota + 1 // a lane of Queue got work
	SignalRun                        // the state or counts of Run moved
	SignalDue                        // the earliest delayed task moved forward
	SignalSync                       // signals may have been missed: look at everything
)

// Signal is a hint that something moved. Signals may be lost, late or repeated: they
// make things fast, never right.
type Signal struct {
	Kind      SignalKind
	Partition int
	Queue     string // SignalWork
	Run       int64  // SignalRun
}

// Signals tells when to look.
type Signals interface {
	// Subscribe calls fn for every signal of every partition until ctx ends,
	// then returns nil. It calls fn with [SignalSync] once it listens, and again
	// whenever it may have missed some. fn must not block. It reconnects by itself; an error
	// means that it gave up.
	Subscribe(ctx context.Context, fn func(Signal)) error
}
