package store

import (
	"context"
	"time"
)

// SessionID names a session of a worker in one partition.
type SessionID struct {
	Partition int
	ID        string // random, never reused
}

// Sessions lets workers lease tasks and report their outcomes.
type Sessions interface {
	// OpenSession registers a session whose lease lasts for the given time unless Heartbeat extends
	// it. Repeating it before the first fetch is harmless, and [ErrStale] after that.
	OpenSession(ctx context.Context, s SessionID, info WorkerInfo, lease time.Duration) error

	// Fetch leases up to p.Max waiting tasks that are not paused (see [Pauses]). It does not wait.
	//
	// Runs share a queue by weight (P11): each has a virtual time there that goes on by 1/weight with
	// each task, and the run that is behind comes next. Nobody saves up turns: a run that had nothing
	// to do goes on from where the run was that was served last. Within a run, the tasks of a route
	// come roughly in the order in which they were added, tried again or promoted. Of the recovered
	// tasks at most one comes in a call, if p.Recovered asks for it, and before the other tasks of its
	// queue.
	//
	// A repeat
	// with the same Number returns the same deliveries, without those settled since. After a reply
	// without deliveries, the same number may be used again, and may then deliver. Error:
	// [ErrLeaseLost] if the session is not, or no longer, registered.
	Fetch(ctx context.Context, p FetchParams) (FetchReply, error)

	// Settle reports outcomes. Each is applied only if its lease is still held (P5); others are listed
	// in Lost. Children become visible with their parent's success, all or none (P4), and its counters
	// are added with it, once. A success whose staged children are not all there is refused with
	// [ErrChildrenLost]. A repeat with the same Number answers as the first time did. [ErrLeaseLost]
	// when the session is gone: then every outcome is lost.
	Settle(ctx context.Context, p SettleParams) (SettleReply, error)

	// Stage stores children of a running task that are too many for its settlement. They are
	// invisible until the task succeeds, and are removed if it does not. Chunks of one route are
	// staged in order. p.Offset is how many were staged before; so a repeat is recognised, and
	// changes nothing if its children are all there. Errors: [ErrChildrenLost] if fewer than
	// p.Offset are there; a [*FieldError] if the chunk overlaps those that are there;
	// [ErrLeaseLost] if the parent's lease or its run is gone; [ErrJobStopped] if the run is
	// stopping. With these errors nothing was written. Other leases of the session do not change.
	Stage(ctx context.Context, p StageParams) error

	// Heartbeat extends the session's lease and reads the states of runs. p.Running replaces that of
	// the heartbeat before, also in the Reporting of runs that are running or stopping; a change of
	// Reporting is signalled with [SignalProgress]. Error: [ErrLeaseLost] if the session is gone.
	Heartbeat(ctx context.Context, p HeartbeatParams) (HeartbeatReply, error)

	// Held lists deliveries that the store holds for the session, each with what it has staged,
	// without those in except: at most MaxBatch, and about [bounds.PageBytes]. To get the next ones,
	// give these back or add them to except. None means that there are no more. Error: [ErrLeaseLost]
	// if the session is gone.
	Held(ctx context.Context, s SessionID, except map[Lease]bool) ([]Delivery, error)

	// CloseSession ends a session. Deliveries it still holds go back to waiting
	// as after a crash. Closing one that is gone changes nothing.
	CloseSession(ctx context.Context, s SessionID) error

	// LiveSessions lists the sessions of a partition.
	LiveSessions(ctx context.Context, partition int) ([]SessionRecord, error)

	// Reconsider makes fetches look again at every run that stands aside under the routes. A run
	// stands aside while a limit of PerRun is used up, or until its pre-job hook has passed:
	// fetches skip it at no cost, until one of the leases that count ends, or the hook passes. Only
	// the caller knows when a limit has changed or is gone; then it calls Reconsider, and also
	// before its first fetch. Work that may start is signalled. While sessions name different
	// limits, the lowest may hold for all. Repeats are harmless.
	Reconsider(ctx context.Context, partition int, routes []Route) error

	// SessionsLeft counts the sessions of a partition whose IDs begin with prefix: those that are
	// registered, and those that ended but of what they held something is still to be given back.
	SessionsLeft(ctx context.Context, partition int, prefix string) (int, error)

	// QueueStats counts the tasks that wait and that are held in a partition, by route. Hooks are
	// none, and tasks that a pause or a pre-job hook keeps may be missing. A route is listed while any
	// waits or is held: nothing keeps the names of queues that were used. It walks the lanes and may
	// miss what moves meanwhile.
	QueueStats(ctx context.Context, partition int) ([]QueueRecord, error)
}

// FetchParams are the parameters of Fetch.
type FetchParams struct {
	Session   SessionID
	Number    int64
	Answered  Answered
	Max       int  // 1 to MaxBatch
	MaxBytes  int  // the most bytes of payloads, unless a single task has more; 0 for 1 MiB
	Recovered bool // the session runs no recovered task now and may get one
	Queues    []FetchQueue

	// Budgets limit what is leased of their scopes. If several cover a route, all of them hold.
	Budgets []Budget
	// PerRun limits what each run has leased of their scopes. If several cover a route, all of them
	// hold.
	PerRun []RunLimit
	// InReadOnly are the sets that read-only mode does not hold back; see [PauseScope].
	InReadOnly []string
}

// Answered says which calls of a session were answered last. A store that does not know these calls
// has lost acknowledged writes in a failover or a restart, so its record of the session differs
// from what the worker knows. It returns [ErrLeaseLost], and the session is over. Zero means none
// yet.
type Answered struct {
	Fetched int64 // number of the last fetch that delivered something
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
	NextDue    time.Time // earliest delayed task of the partition; zero if none
	Short      []int     // indexes of the budgets that are used up while more tasks of their scope wait, as far as the fetch saw
	Pauses     int64     // the version of the pauses; see [PauseSet]
}

// SettleParams is one batch of outcomes.
type SettleParams struct {
	Session  SessionID
	Number   int64
	Answered Answered
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
	VerdictRelease                     // given back untouched, to the front of its lane, in the order of the leases
	VerdictStopRun                     // succeeded or not, it asks for its run to be stopped; itself cancelled
	VerdictBegin                       // pre-job hook passed: the root task becomes visible
	VerdictSkip                        // pre-job hook declined: the run ends as skipped
	VerdictAbort                       // pre-job hook failed for good: the run ends as failed
	VerdictHookDone                    // post-job hook completed, or gave up with Error: the final status is recorded
)

var verdictNames = [...]string{
	"lost", "success", "retry", "snooze", "fail", "cancel", "release", "stop run", "begin", "skip", "abort", "hook done",
}

// String names the verdict in lower case, for example "success". That of zero, which is no verdict,
// is "lost".
func (v Verdict) String() string {
	if int(v) < len(verdictNames) {
		return verdictNames[v]
	}
	return "unknown"
}

// Outcome reports the end of one delivery. While the run is stopping, every verdict except success
// and failure counts as cancelled, and children are dropped.
type Outcome struct {
	Lease   Lease
	Verdict Verdict
	// Task is the delivery's task, which is stored again, or buried, as it is here; for Retry, Snooze
	// and Release with the fields Retry and Snoozes as they shall be stored.
	Task  Task
	Delay time.Duration // Retry and Snooze
	// Error is the text of the failure (Retry, Fail, Abort, HookDone) or the reason (StopRun, Skip).
	Error string
	Stack string // of a panic
	// Children travel with a success, at most MaxBatch in a call of Settle.
	Children []Item
	// Staged says what the delivery has staged, each route once, whatever the verdict: a success
	// makes it visible, and any other verdict removes it. A success is refused with
	// [ErrChildrenLost] unless as many are there as Count says. Children that an outcome does not
	// name stay invisible, and are removed with the run at the latest.
	Staged []Staged
	// Counters are added to those of the run with the success of a task, in the same step, also while
	// the run is stopping; any other verdict drops them. At most [bounds.MaxCounters], named as
	// [ValidateName] allows. A sum that would leave the range of int64 is left as it was.
	Counters map[string]int64
	// Writes are applied with the success of a task, in order and in the same step, also while the run
	// is stopping; any other verdict drops them. They append to lists, and set or remove fields of
	// maps, of the run or of its job: at most [bounds.MaxData] items and fields of
	// [bounds.MaxOutcomeWriteLen] bytes. If one cannot be applied nothing of the outcome is: see
	// Refused of the reply.
	Writes []Write
	// Result becomes that of the run with VerdictHookDone, unless it is nil: JSON of at most
	// [bounds.MaxResultLen] bytes.
	Result []byte
}

// SettleReply lists the outcomes that were not applied since their lease was gone, by index in
// ascending order, and the runs that reached a final or finishing state with this call.
type SettleReply struct {
	// Lost are the outcomes without a lease. When plain successes of one run are among them that
	// were settled before, their number is exact but others of that run may be named.
	Lost  []int
	Ended []RunID
	// Refused are outcomes with a write that cannot be applied, or whose staged children are not all
	// there. Their leases are held as before: they are to be settled otherwise.
	Refused []Refusal
}

// Refusal is an outcome that was not applied, by its index, and why: [ErrChildrenLost], or of a
// write a [*TypeError], [ErrTooManyValues] or [ErrCorrupt].
type Refusal struct {
	Index int
	Err   error
}

// StageParams parks a chunk of children for a running task.
type StageParams struct {
	Session SessionID
	Lease   Lease
	Route   Route
	Offset  int    // how many the lease has staged under Route before
	Items   []Item // all of Route; at most MaxBatch
}

// Staged is how many children a delivery has staged under a route. Where a call of Stage failed, it
// may be fewer than the store has.
type Staged struct {
	Route Route
	Count int
}

// HeartbeatParams are the parameters of Heartbeat.
type HeartbeatParams struct {
	Session  SessionID
	Answered Answered
	Lease    time.Duration
	Runs     []RunID // runs of which the session holds tasks
	Running  []RunningTask
}

// HeartbeatReply is the reply to a heartbeat.
type HeartbeatReply struct {
	Now      time.Time
	NextDue  time.Time   // earliest delayed task of the partition; zero if none
	Held     int         // deliveries the store holds for the session
	Runs     []RunSignal // as asked
	SweepDue bool        // somebody should call Sweep: the last one is some seconds ago
	Pauses   int64       // the version of the pauses; see [PauseSet]
}

// RunSignal tells a worker the state of a run it works for. A run that is gone has status "".
type RunSignal struct {
	Run      RunID
	Status   Status
	Graceful bool // while stopping: let handlers finish
	// Configured marks the last change of the run's own configuration, as [Delivery] does; 0 if it has
	// none.
	Configured int64
}

// QueueRecord counts what waits under a route.
type QueueRecord struct {
	Route   Route
	Waiting int64
	Runs    int64     // runs with work there
	Running int64     // held by sessions
	Oldest  time.Time // enqueue time of the oldest task at the front of a lane; zero if none
}
