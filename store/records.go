package store

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/internal/printable"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// RunID identifies a run: its job, and a number. Numbers grow and never repeat, even after the data
// of the store was lost, because they come from the store's clock in microseconds. The number is
// the run's fence.
type RunID struct {
	Job    string
	Number int64
}

// Route says which workers can run a task: those that fetch from Queue and have a handler for Kind
// in the handler set Set.
type Route struct {
	Queue, Set, Kind string
}

// Kinds of the tasks that the library adds to a run for its hooks. They are delivered, leased,
// retried and recovered like other tasks. [Counts] does not include them.
const (
	KindPreJob  = "@pre"
	KindPostJob = "@post"
)

// Counted reports whether tasks of the route are part of a run's [Counts]:
// all but hooks.
func (r Route) Counted() bool { return r.Kind != KindPreJob && r.Kind != KindPostJob }

// Lane holds the waiting tasks of one run with the same route.
type Lane struct {
	Run   RunID
	Route Route
}

// Lease identifies one delivery of one task to one session. Settling the delivery ends it; this is
// possible only once. It never matches a later delivery of the same task.
type Lease struct {
	Session string // of the session that holds it; see [SessionID]
	Lane    Lane
	Fetch   int64 // number of the fetch that delivered it
	Index   int   // position in that fetch, from 0
	Tallied bool  // its run counts it by kind until it is settled; see [RunLimit]
}

// HeaderCorrupt is a header of a delivered task whose stored form could not be decoded; its value
// says why. All other fields of the task are zero. The worker fails it, so it is counted and
// reported, and does not block other tasks.
const HeaderCorrupt = "rollcall-corrupt"

// Task is one unit of work, as stored.
type Task struct {
	// ID identifies the task. It is unique in its run, except that a claimed ID may be used again
	// later.
	ID      string
	Payload []byte
	Headers map[string]string
	// Claimed means that the caller chose ID. It is then unique in the run until the task has ended,
	// and for Keep after that.
	Claimed bool
	Keep    time.Duration
	// Attributes are the task's own attributes, encoded by the handlers layer;
	// the store does not read them.
	Attributes []byte
	// Enqueued is when the task was accepted, by the store's clock as far as the client knew it. It is
	// only information: no deadline depends on it.
	Enqueued time.Time
	// Ready is since when the task waits for a worker, if that is not since Enqueued: since it was
	// due, if it waited for a time, or since it came back from an attempt that ended. Stores set it,
	// and [Task.WaitsSince] reads it. It is only information, too.
	Ready time.Time
	// Expires is from when on the task is not begun any more, in whole ms after 1970; zero for never.
	// Stores only keep it: a worker that has fetched the task by then and not begun it ends it.
	Expires   time.Time
	Retry     int  // failed attempts so far
	Snoozes   int  // snoozes so far
	Crashes   int  // sessions that died while this was their only recovered task
	Recovered bool // a session died while it held the task; false again after a retry or snooze
	// Attempts are the last ones that did not succeed, oldest first; see [Task.Tried]. They are
	// informative: a task that is run for the first time has none.
	Attempts []Attempt
}

// WaitsSince is since when the task waits for a worker, or waited for the one that has it.
func (t *Task) WaitsSince() time.Time {
	if t.Ready.After(t.Enqueued) {
		return t.Ready
	}
	return t.Enqueued
}

// Expired reports whether the task is not begun any more.
func (t *Task) Expired(now time.Time) bool { return !t.Expires.IsZero() && !now.Before(t.Expires) }

// Attempt is an attempt of a task that did not succeed, as the task itself carries it.
type Attempt struct {
	Ended  time.Time     `json:"ended"`   // by the clock of the worker; of one that died, by the store's
	Took   time.Duration `json:"took_ns"` // 0 if that is not known
	Worker string        `json:"worker"`  // name of the worker; "" if that is not known
	Error  string        `json:"error"`   // why it did not succeed; may be cut
}

// Item is a task to be added to a run.
type Item struct {
	Route Route
	Task  Task
	Delay time.Duration // wait this long first, by the store's clock; 0 means now
	At    time.Time     // or wait until this time, at least until the next Promote; then Delay must be 0
}

// ReadyAt is the [Task.Ready] of an item that is added now: when it is due, or zero if it does not
// wait. It is for implementers.
func (it *Item) ReadyAt(now time.Time) time.Time {
	if it.Delay > 0 {
		return now.Add(it.Delay)
	}
	return it.At
}

// Delivery is a task leased to a session.
type Delivery struct {
	Lease Lease
	Task  Task
	// Configured identifies the last change of the configuration of the task's run, at the time of
	// this reply to Fetch. It only distinguishes changes. It is 0 if the run has no configuration.
	Configured int64
	// Staged lists what was staged for the delivery. Held sets it; Fetch does not.
	Staged []Staged
}

// Counts is the exact state of a run's tasks. One read always shows
// Total = Pending + Delayed + Running + Succeeded + Failed + Cancelled (P2).
type Counts struct {
	Total     int64 `json:"total"`
	Pending   int64 `json:"pending"` // waiting to be fetched
	Delayed   int64 `json:"delayed"` // waiting for a time: delayed, snoozed, or backing off
	Running   int64 `json:"running"` // leased to a worker
	Succeeded int64 `json:"succeeded"`
	Failed    int64 `json:"failed"`    // used up their retries, or failed for good
	Cancelled int64 `json:"cancelled"` // cancelled, or ended by a stop, without success or failure
}

// Remaining returns how many tasks have not ended: Pending + Delayed + Running.
func (c Counts) Remaining() int64 { return c.Pending + c.Delayed + c.Running }

// Done returns how many tasks have ended: Succeeded + Failed + Cancelled.
func (c Counts) Done() int64 { return c.Succeeded + c.Failed + c.Cancelled }

// Balanced reports whether the equation of promise P2 holds.
func (c Counts) Balanced() bool { return c.Total == c.Remaining()+c.Done() }

// HoldOpen is the name of the hold that keeps an open run from finishing. Sealing the run removes
// it.
const HoldOpen = "open"

// JobRecord is what is stored of a job, without its runs.
type JobRecord struct {
	Name       string
	Type       statuses.JobType
	Definition []byte // of a declared job, encoded by the layer above
	Revision   int64  // of the definition
	Disabled   bool   // stopped by name and not enabled again
	LastRun    int64  // number of the newest run; 0 if there was none
	Created    time.Time
	Changes    int64 // how often the definition was changed
	// Changed is when it was made, declared, defined anew, disabled or enabled last; or, where its
	// newest run has expired since, when that changed last. It is in whole ms.
	Changed  time.Time
	Due      time.Time // of a periodic job: the next due time; zero until a worker has computed it
	Skipped  int64     // due times that were skipped because a run was active
	LastSkip time.Time // the last of them; zero if there was none
	// Problem is why a due periodic job cannot be started. ProblemSince is when this began. They are
	// empty and zero if there is no problem. See [Schedules].PostponeJob.
	Problem      string
	ProblemSince time.Time
}

// RunRecord is what is stored of a run. It is read in one atomic step.
type RunRecord struct {
	ID          RunID
	Set         string
	Root        Route  // of the root task; zero if the run has none
	Args        []byte // arguments of the run; every task can read them
	Headers     map[string]string
	Labels      map[string]string // see [ValidateLabels]
	Status      statuses.Status
	FinalStatus statuses.Status // while finishing: the final status that will be recorded
	Counts      Counts
	Counters    map[string]int64 // by name; nil if there are none: see ValueScope.InRecord
	Retried     int64            // failed attempts that were tried again
	Duplicate   int64            // enqueues of an ID that was in use
	Holds       int64            // named holds that keep the run from finishing; see [HoldOpen]
	Paused      bool
	Weight      float64
	Created     time.Time
	HookPassed  time.Time // when its pre-job hook passed; zero before, and without one
	Started     time.Time // when the first task was fetched; zero before
	StopBegan   time.Time // when it became stopping; zero before
	Ended       time.Time // when the last task ended or the run was stopped; zero before
	// Changed is when its Status changed last, or whether it is paused, in whole ms. Runs are listed
	// by it.
	Changed time.Time
	// Moved is when the run changed so, or its Counts changed. It may be up to 250 ms too early.
	Moved time.Time
	// Error is the newest error of a task that failed for good, or of a pre-job hook that failed for
	// good or aborted the run. Errors of attempts that are tried again are not among them.
	Error string
	// RetryError is the newest error of an attempt, of a task or hook, that is tried again. The retry
	// may have succeeded since. It is empty in every final state.
	RetryError string
	OnFailure  OnFailure
	Reason     string // why it was stopped or skipped
	HookError  string // why the post-job hook failed for good, or "stopped"; it never changes Status
	Graceful   bool   // while stopping: running handlers may finish
	Result     []byte // JSON that the post-job hook set; nil if none
	Retention  time.Duration
	Due        time.Time // the due time of the periodic job that began it; otherwise zero
	Deadline   time.Time // when it is stopped if it is still active; zero for never
	RedriveOf  int64     // number of the run whose failed tasks it runs again; 0 for none
	// Reporting lists running tasks that report progress, as of the last heartbeats of their sessions,
	// sorted by start of the attempt: at most [bounds.MaxReporting]. It is nil if there are none, as
	// in every final state.
	Reporting []RunningTask
}

// Failure is one task that failed for good.
type Failure struct {
	Place  int64 // its number among the failures of its run, from 1; it never changes
	Lane   Lane
	Task   Task
	Error  string
	Stack  string // of a panic; empty otherwise
	Worker string
	At     time.Time
}

// RunningTask is one handler in progress, as its worker last reported it.
type RunningTask struct {
	Run   RunID     `json:"run"`
	ID    string    `json:"id"`
	Kind  string    `json:"kind"`
	Queue string    `json:"queue"`
	Retry int       `json:"retry"`
	Since time.Time `json:"since"` // start of the attempt
	// Progress is the last report of the handler; zero if there was none.
	Progress Progress `json:"progress,omitzero"`
}

// Progress is a handler's report of how far it is, in its own units.
type Progress struct {
	Done    int64  `json:"done"`
	Total   int64  `json:"total,omitempty"` // 0 means unknown
	Message string `json:"message,omitempty"`
}

// String returns a text such as "3 of 10, copying a.bin". It is empty for the zero value.
// Characters of the message that would break the line are escaped.
func (p Progress) String() string {
	var parts []string
	switch {
	case p.Total > 0:
		parts = append(parts, fmt.Sprintf("%d of %d", p.Done, p.Total))
	case p.Done > 0:
		parts = append(parts, strconv.FormatInt(p.Done, 10))
	}
	if p.Message != "" {
		parts = append(parts, printable.Text(p.Message))
	}
	return strings.Join(parts, ", ")
}

// SessionRecord describes a live worker session.
type SessionRecord struct {
	ID        string
	Partition int
	Worker    WorkerInfo
	Expires   time.Time // when it counts as dead, unless a heartbeat comes
	// Overdue means that this time has passed, but no sweep has closed the session yet. Its worker is
	// probably dead, but it may still come back.
	Overdue bool
	Held    int // deliveries that it holds, running and prefetched
	Running []RunningTask
	// Configurations are the versions of the configurations of sets that are in force there, as of the
	// last heartbeat.
	Configurations map[string]int64
}

// WorkerInfo describes a worker when it opens a session.
type WorkerInfo struct {
	Name        string    `json:"name"` // up to [bounds.MaxNoteLen] bytes
	Host        string    `json:"host"` // likewise
	PID         int       `json:"pid"`
	Version     string    `json:"version"` // of the program, up to [bounds.MaxVersionLen] bytes
	Concurrency int       `json:"concurrency"`
	Routes      []Route   `json:"routes"`
	Started     time.Time `json:"started"`
	// Status is the one that the session begins with; in a record of a live session, the one that it
	// has now. See [Sessions.SetWorkerStatus].
	Status statuses.WorkerStatus `json:"status,omitempty"`
}

// LostSession is what a partition keeps of a session that a sweep ended, since its lease had run
// out without a heartbeat. It is written in the step that ends the session, once. A session that
// [Sessions.CloseSession] ends leaves none. A record takes about 300 bytes, or more if the names
// are long, and never more than 16 KiB: [bounds.MaxLost] of them are kept, for [bounds.LostKept].
type LostSession struct {
	ID     string
	Worker WorkerInfo // without Routes and Status
	// Heard is when the session was opened or had its last heartbeat; zero if damage has destroyed
	// that.
	Heard time.Time
	Ended time.Time // when the sweep ended it
	Held  int       // deliveries that it held then
}
