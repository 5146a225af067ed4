package store

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/store/histogram"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// SessionID names a session of a worker in one partition.
type SessionID struct {
	Partition int
	ID        string // random, never reused
}

// Sessions lets workers lease tasks and report their outcomes.
type Sessions interface {
	// OpenSession registers a session. Its lease lasts for the given time, unless Heartbeat extends
	// it. A repeat before the first fetch is harmless, and leaves the status as it is; after that it
	// returns [ErrStale].
	OpenSession(ctx context.Context, s SessionID, info WorkerInfo, lease time.Duration) error

	// Fetch leases up to p.Max waiting tasks that are not paused (see [Pauses]). It does not wait.
	//
	// Runs share a queue by weight (P11). Each run has a virtual time in the queue, which grows by
	// 1/weight with each task; the run with the lowest one is next. A run cannot save up turns: after
	// a time without work, it continues from the virtual time of the run that was served last. Within
	// a run, the tasks of a route come roughly in the order in which they were added, tried again or
	// promoted. A call returns at most one recovered task, only with p.Recovered, and before the other
	// tasks of its queue.
	//
	// A repeat with the same Number returns the same deliveries, without those settled since. After a
	// reply without deliveries, the same number may be used again, and may then deliver tasks. Error:
	// [ErrLeaseLost] if the session is not registered, or no longer.
	Fetch(ctx context.Context, p FetchParams) (FetchReply, error)

	// Settle reports outcomes. Each is applied only if its lease is still held (P5); others are listed
	// in Lost. Children become visible with their parent's success, all or none (P4), and its counters
	// are added with it, once. If staged children of a success are missing, it is refused with
	// [ErrChildrenLost]. A repeat with the same Number returns the same reply. Error: [ErrLeaseLost]
	// if the session is gone; then every outcome is lost.
	Settle(ctx context.Context, p SettleParams) (SettleReply, error)

	// Stage stores children of a running task, if they are too many for its settlement. They are
	// invisible until the task succeeds, and are removed if it does not. Chunks of one route are
	// staged in order. p.Offset is how many were staged before. So the store recognises a repeat,
	// which changes nothing if its children are all there. Errors: [ErrChildrenLost] if fewer than
	// p.Offset are there; a [*FieldError] if the chunk overlaps those that are there; [ErrLeaseLost]
	// if the parent's lease or its run is gone; [ErrJobStopped] if the run is stopping. With these
	// errors nothing was written. Other leases of the session do not change.
	Stage(ctx context.Context, p StageParams) error

	// Heartbeat extends the session's lease and reads the states of runs. p.Running replaces the
	// running tasks of the heartbeat before, also in Reporting of runs that are running or stopping. A
	// change of Reporting is signalled with [signals.Progress]. Error: [ErrLeaseLost] if the session is
	// gone.
	Heartbeat(ctx context.Context, p HeartbeatParams) (HeartbeatReply, error)

	// Held lists deliveries that the store holds for the session, without those in except, each with
	// what it has staged: at most MaxBatch, and about [bounds.PageBytes]. To get the next ones, give
	// these back or add them to except. If it returns none, there are no more. Error: [ErrLeaseLost]
	// if the session is gone.
	Held(ctx context.Context, s SessionID, except map[Lease]bool) ([]Delivery, error)

	// SetWorkerStatus gives a session a status, in place of [WorkerInfo].Status. While it is not
	// [statuses.WorkerActive], a fetch of the session leases no task; a repeat of an earlier fetch still
	// returns what that one leased. Heartbeats return it, and [signals.Worker] says that it was given.
	// It ends with the session. Repeats are harmless. Error: [ErrLeaseLost] if the session is gone.
	SetWorkerStatus(ctx context.Context, p WorkerStatusParams) error

	// CloseSession ends a session. Deliveries that it still holds wait again, as after a crash. If the
	// session is gone, nothing changes. It leaves no [LostSession].
	CloseSession(ctx context.Context, s SessionID) error

	// LiveSessions lists the sessions of a partition.
	LiveSessions(ctx context.Context, partition int) ([]SessionRecord, error)

	// LostSessions lists the records of lost sessions of a partition that ended within the last
	// [bounds.LostKept]: the newest [bounds.MaxLost], newest first. See [LostSession].
	LostSessions(ctx context.Context, partition int) ([]LostSession, error)

	// Reconsider makes fetches look again at every run that stands aside under the routes. A run
	// stands aside while a limit of PerRun is used up, or until its pre-job hook has passed: fetches
	// skip it at no cost, until one of the counted leases ends, or the hook passes. Only the caller
	// knows when a limit has changed or was removed. Then it calls Reconsider; it also does so before
	// its first fetch. Work that may now start is signalled. While sessions have different limits, the
	// lowest may hold for all. Repeats are harmless.
	Reconsider(ctx context.Context, partition int, routes []Route) error

	// SessionsLeft counts the sessions of a partition with IDs that begin with prefix: registered
	// sessions, and ended ones with deliveries that were not given back yet.
	SessionsLeft(ctx context.Context, partition int, prefix string) (int, error)
}

// FetchParams are the parameters of Fetch.
type FetchParams struct {
	Session   SessionID
	Number    int64
	Answered  Answered
	Max       int  // 1 to MaxBatch
	MaxBytes  int  // the largest size of all payloads, unless a single task has more; 0 means 1 MiB
	Recovered bool // the session runs no recovered task now, so it may get one
	Queues    []FetchQueue

	// Budgets limit how many tasks of their scopes are leased. If several cover a route, all of them
	// hold.
	Budgets []Budget
	// PerRun limits how many tasks of their scopes each run has leased. If several cover a route, all
	// of them hold.
	PerRun []RunLimit
	// InReadOnly are the sets that read-only mode does not hold back; see [PauseScope].
	InReadOnly []string
}

// Answered says which calls of a session were answered last. A store that does not know these calls
// has lost acknowledged writes in a failover or a restart, so its record of the session differs
// from what the worker knows. It returns [ErrLeaseLost], and the session is over. Zero means none
// yet.
type Answered struct {
	Fetched int64 // number of the last fetch that delivered tasks
	Settled int64 // number of the last settlement
}

// FetchQueue asks for tasks of some routes of one queue. Queues are tried in the order given.
// Within a queue, runs share by virtual time.
type FetchQueue struct {
	Queue  string
	Routes []Route
}

// FetchReply has the leased tasks.
type FetchReply struct {
	Deliveries []Delivery
	Now        time.Time // the store's clock
	NextDue    time.Time // when the earliest delayed task is due; zero if none
	Short      []int     // indexes of the budgets that are used up while more tasks of their scope wait, as far as the fetch saw
	Pauses     int64     // the version of the pauses; see [PauseSet]
	// Drained says that after this fetch another one with the same routes would deliver nothing, until
	// a signal says otherwise. So a worker need not ask. A store that does not know leaves it false.
	Drained bool
}

// SettleParams is one batch of outcomes.
type SettleParams struct {
	Session  SessionID
	Number   int64
	Answered Answered
	Worker   string    // for failure records
	Outcomes []Outcome // at most MaxBatch
	// Times are histograms of attempts that ended, of at most [bounds.MaxRouteTimes] routes, and of no
	// hooks. They are added in the same step, whatever becomes of the outcomes, and come into the next
	// points of [History]. A settlement may bring nothing else.
	Times []RouteTimes
}

// Times are histograms of attempts that ended.
type Times struct {
	// Wait says how long their tasks were ready before they started; see [Task.WaitsSince].
	Wait histogram.Histogram `json:",omitempty"`
	// Run says how long they took.
	Run histogram.Histogram `json:",omitempty"`
}

// RouteTimes are the histograms of a route.
type RouteTimes struct {
	Route Route
	Times
}

// Plus returns the sum of two pairs. They do not change.
func (t Times) Plus(o Times) Times { return Times{t.Wait.Plus(o.Wait), t.Run.Plus(o.Run)} }

// Empty reports whether nothing was counted.
func (t Times) Empty() bool { return len(t.Wait)+len(t.Run) == 0 }

// Outcome reports the end of one delivery. While the run is stopping, every verdict except success
// and failure counts as cancelled, and children are dropped. After a request to cancel the task,
// Retry, Snooze and Release count as cancelled; see [TaskChanges].
type Outcome struct {
	Lease   Lease
	Verdict verdicts.Verdict
	// Task is the delivery's task, in the form in which it is stored again or kept as a failure. For
	// Retry, Snooze and Release, the fields Retry, Snoozes and Attempts have their new
	// values.
	Task  Task
	Delay time.Duration // Retry and Snooze
	// Error is the text of the failure (Retry, Fail, Abort, HookDone) or the reason (StopRun, Skip).
	Error string
	Stack string // of a panic
	// Children are added with a success, at most MaxBatch in a call of Settle.
	Children []Item
	// Staged says what the delivery has staged, each route once, with every verdict. A success makes
	// these children visible; any other verdict removes them. If there are not as many as Count says,
	// a success is refused with [ErrChildrenLost]. Children that an outcome does not name stay
	// invisible, and are removed with the run at the latest.
	Staged []Staged
	// Counters are added to those of the run with the success of a task, in the same step, also while
	// the run is stopping. Any other verdict drops them. They are at most [bounds.MaxCounters], with
	// names that [ValidateName] allows. If a sum would leave the range of int64, it does not change.
	Counters map[string]int64
	// Writes are applied with the success of a task, in order and in the same step, also while the run
	// is stopping. Any other verdict drops them. They append to lists, and set or remove fields of
	// maps, of the run or of its job: at most [bounds.MaxData] items and fields, and
	// [bounds.MaxOutcomeWriteLen] bytes. If one cannot be applied, nothing of the outcome is applied:
	// see Refused of the reply.
	Writes []Write
	// Result is JSON of at most [bounds.MaxResultLen] bytes, or nil for none. With the success of a
	// task it becomes the result of that task, in the same step, also while the run is stopping; see
	// [Runs].Results. With verdicts.HookDone it becomes the result of the run. Any other verdict drops
	// it.
	Result []byte
	// Keep says how long and how many results of tasks are kept.
	Keep ResultRetention
}

// ResultRetention says which results of tasks a run keeps, beside [bounds.MaxResults]. The run
// removes all of them with its summary at the latest. The zero value is no other limit.
type ResultRetention struct {
	// Age is after what time the result is removed, by the store's clock: at least a millisecond. 0
	// means with the run.
	Age time.Duration
	// Number is how many results of the same set and kind the run keeps: this one and those before it.
	// 0 means any number.
	Number int
}

// SettleReply lists the outcomes that were not applied, by index in ascending order, and the runs
// that reached a final or finishing state with this call, or are held since: see [RunRecord.Held].
type SettleReply struct {
	// Lost are the outcomes without a lease. If they include plain successes of one run that were
	// settled before, their number is exact, but other successes of that run may be named.
	Lost  []int
	Ended []RunID
	// Refused are outcomes with a write that cannot be applied, or with missing staged children. Their
	// leases are still held: settle them with another verdict.
	Refused []Refusal
}

// Refusal has the index of an outcome that was not applied, and why: [ErrChildrenLost], or for a
// write a [*TypeError], [ErrTooManyValues] or [ErrCorrupt].
type Refusal struct {
	Index int
	Err   error
}

// StageParams is a chunk of children to stage for a running task.
type StageParams struct {
	Session SessionID
	Lease   Lease
	Route   Route
	Offset  int    // how many the lease has staged under Route before
	Items   []Item // all of Route; at most MaxBatch
}

// Staged is how many children a delivery has staged under a route. If a call of Stage failed, the
// store may have more.
type Staged struct {
	Route Route
	Count int
}

// HeartbeatParams are the parameters of Heartbeat.
type HeartbeatParams struct {
	Session  SessionID
	Answered Answered
	Lease    time.Duration
	Runs     []RunID // runs with tasks that the session holds
	Running  []RunningTask
	// Configurations are the versions of the configurations that are in force, by set. Sets without
	// one may be left out. They replace those of the heartbeat before.
	Configurations map[string]int64
}

// HeartbeatReply is the reply to a heartbeat.
type HeartbeatReply struct {
	Now     time.Time
	NextDue time.Time   // when the earliest delayed task is due; zero if none
	Held    int         // deliveries that the store holds for the session
	Runs    []RunSignal // the states of Runs
	// Cancelled are the leases of the session with a request to cancel the task; see [TaskChanges].
	Cancelled []Lease
	SweepDue  bool                  // the worker should call Sweep: the last one is some seconds ago
	Pauses    int64                 // the version of the pauses; see [PauseSet]
	Status    statuses.WorkerStatus // of the session: see SetWorkerStatus
}

// WorkerStatusParams give the session of a worker a status.
type WorkerStatusParams struct {
	Session SessionID
	Status  statuses.WorkerStatus
	Worker  string // for the audit: up to [bounds.MaxNoteLen] bytes
}

// RunSignal tells a worker the state of a run whose tasks it holds. For a run that is gone, the
// status is empty.
type RunSignal struct {
	Run      RunID
	Status   statuses.Status
	Graceful bool // while stopping: handlers may finish
	Overdue  bool // it was stopped at its deadline
	// Configured identifies the last change of the run's own configuration, as in [Delivery]; 0 if it
	// has none.
	Configured int64
}
