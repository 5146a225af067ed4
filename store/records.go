package store

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/rollcall-go/rollcall/internal/printable"
)

// RunID names one run: its job, and a number that never repeats and only grows,
// also after the data of the store was lost (it is derived from the store's
// clock in microseconds). The number is the run's fence.
type RunID struct {
	Job    string
	Number int64
}

// Route says who can run a task: a worker that consumes Queue and has a handler
// for Kind in the handler set Set.
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

// Lane is where the tasks of one run with the same route wait.
type Lane struct {
	Run   RunID
	Route Route
}

// Lease identifies one delivery of one task to one session. It can be redeemed once, by the
// settlement of the delivery. It never matches a later delivery of the same task.
type Lease struct {
	Session string // that holds it; see [SessionID]
	Lane    Lane
	Fetch   int64 // number of the fetch that delivered it
	Index   int   // position in that fetch, from 0
	Tallied bool  // its run counts it by kind until it is redeemed; see [RunLimit]
}

// HeaderCorrupt is a header of a delivered task whose stored form could not be decoded; its value
// says why. All other fields of the task are zero. The worker fails it, so it is counted and
// reported, and does not block other tasks.
const HeaderCorrupt = "rollcall-corrupt"

// Task is one unit of work as it waits in the store.
type Task struct {
	// ID names the task, uniquely in its run unless it is claimed again.
	ID      string
	Payload []byte
	Headers map[string]string
	// Claimed says that ID was chosen by the caller and is unique in the run
	// until the task is settled, and for Keep after that.
	Claimed bool
	Keep    time.Duration
	// Attributes are the task's own attributes, encoded by the handlers layer;
	// the store does not read them.
	Attributes []byte
	// Enqueued is when the task was accepted, by the store's clock as far as
	// the client knew it. It is informative: no deadline depends on it.
	Enqueued  time.Time
	Retry     int  // failed attempts so far
	Snoozes   int  // snoozes so far
	Crashes   int  // deliveries charged: sessions that died while this was the one recovered task that they ran
	Recovered bool // from a session that died while it held the task, until it is tried again or snoozed
}

// Item is a task to be added to a run.
type Item struct {
	Route Route
	Task  Task
	Delay time.Duration // waits this long first, by the store's clock; 0 for now
	At    time.Time     // or until this time, but at least until the next Promote; Delay must be 0
}

// Delivery is a task leased to a session.
type Delivery struct {
	Lease Lease
	Task  Task
	// Configured identifies the last change of the configuration of the task's run, as of this
	// reply to Fetch. It only tells changes apart. 0 if the run has no configuration.
	Configured int64
	// Staged is what was staged for the delivery. Held sets it; Fetch leaves it nil.
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
	Cancelled int64 `json:"cancelled"` // ended by a stop, without success or failure
}

// Remaining is how many tasks have not ended: Pending + Delayed + Running.
func (c Counts) Remaining() int64 { return c.Pending + c.Delayed + c.Running }

// Done is how many tasks have ended: Succeeded + Failed + Cancelled.
func (c Counts) Done() int64 { return c.Succeeded + c.Failed + c.Cancelled }

// Balanced reports whether the equation of promise P2 holds.
func (c Counts) Balanced() bool { return c.Total == c.Remaining()+c.Done() }

// Status is the state of a run. The state machine is drawn in ARCHITECTURE.md.
type Status string

// The states of a run.
const (
	StatusStarting  Status = "starting"  // the pre-job hook has not completed; no task has started
	StatusRunning   Status = "running"   // tasks run, or the run is open, held or paused
	StatusFinishing Status = "finishing" // every task has ended; the post-job hook has not completed
	StatusStopping  Status = "stopping"  // stopped; some handlers still run
	StatusSucceeded Status = "succeeded" // final: every task succeeded
	StatusFailed    Status = "failed"    // final: a task, or the pre-job hook, failed
	StatusStopped   Status = "stopped"   // final: ended by Stop or CancelJob
	StatusSkipped   Status = "skipped"   // final: the pre-job hook declined to start
)

// Final reports whether the status never changes again.
func (s Status) Final() bool {
	switch s {
	case StatusSucceeded, StatusFailed, StatusStopped, StatusSkipped:
		return true
	}
	return false
}

// HoldOpen is the name of the hold that keeps an open run from finishing;
// sealing the run removes it.
const HoldOpen = "open"

// JobType tells how a job comes to run.
type JobType string

// The types of job.
const (
	JobSinglePass JobType = "single-pass" // each run is started by a call of Start
	JobStanding   JobType = "standing"    // declared; has one open run that is never sealed
	JobPeriodic   JobType = "periodic"    // declared; runs are fired by a schedule
)

// JobRecord is what is stored of a job, apart from its runs.
type JobRecord struct {
	Name       string
	Type       JobType
	Definition []byte // of a declared job, encoded by the layer above
	Revision   int64  // of the definition
	Disabled   bool   // stopped by name and not enabled again
	LastRun    int64  // number of the newest run; 0 if there was none
	Created    time.Time
	Changes    int64     // how often the definition was changed
	Due        time.Time // of a periodic job: the next due time; zero until a worker has computed it
	Skipped    int64     // due times that were passed over since a run was active
	LastSkip   time.Time // the last of them; zero if there was none
	// Problem is why a periodic job that is due cannot be started, and ProblemSince when that
	// began. Empty and zero if there is none. See [Schedules].PostponeJob.
	Problem      string
	ProblemSince time.Time
}

// RunRecord is what is stored of a run: one atomic read.
type RunRecord struct {
	ID          RunID
	Set         string
	Root        Route  // of the root task; zero if the run has none
	Args        []byte // arguments of the run, readable by every task
	Headers     map[string]string
	Status      Status
	FinalStatus Status // while finishing: the final status that will be recorded
	Counts      Counts
	Counters    map[string]int64 // by name; nil if there are none: see ValueScope.InRecord
	Retried     int64            // failed attempts that were tried again
	Duplicate   int64            // enqueues that met a claimed ID
	Holds       int64            // named holds that keep the run from finishing; see [HoldOpen]
	Paused      bool
	Weight      float64
	Created     time.Time
	Started     time.Time // when the first task was fetched; zero before
	Ended       time.Time // when the last task ended or the run was stopped; zero before
	// Error is the text of the newest failure that counts: of a task that failed for good, or of the
	// pre-job hook that gave up or aborted the run. An attempt that is tried again is none.
	Error string
	// RetryError is the text of the newest attempt, of a task or hook, that failed and is tried again
	// (later attempts may have passed since). It is empty in every final state.
	RetryError string
	Reason     string // why it was stopped or skipped
	HookError  string // why the post-job hook gave up, or "stopped"; it never alters Status
	Graceful   bool   // while stopping: running handlers are left to finish
	Result     []byte // JSON that the post-job hook left; nil if none
	Retention  time.Duration
	Due        time.Time // which due time of a periodic job began it; zero otherwise
	RedriveOf  int64     // number of the run whose failed tasks it runs again; 0 for none
	// Reporting are running tasks that report progress, as of the last heartbeats of their sessions,
	// by start of the attempt. At most [bounds.MaxReporting]; nil if there are none, as in every final
	// state.
	Reporting []RunningTask
}

// Failure is one task that failed for good.
type Failure struct {
	Place  int64 // which failure of its run it is, from 1; it never changes
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
	// Progress is what the handler reported last; zero if it reported none.
	Progress Progress `json:"progress,omitzero"`
}

// Progress is how far a handler says that it is, in units of its own.
type Progress struct {
	Done    int64  `json:"done"`
	Total   int64  `json:"total,omitempty"` // 0 if it is not known
	Message string `json:"message,omitempty"`
}

// String says it in words: "3 of 10, copying a.bin". It is empty for the zero value, and has
// escapes in place of what in the message would break the line.
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
	Expires   time.Time // when it is taken for dead unless it is heard from
	// Overdue says that this time has passed, and no sweep has closed the session yet: either its
	// worker is dead, or it comes back just in time.
	Overdue bool
	Held    int // deliveries it holds, running and prefetched
	Running []RunningTask
}

// WorkerInfo is what a worker says of itself when it opens a session.
type WorkerInfo struct {
	Name        string    `json:"name"`
	Host        string    `json:"host"`
	PID         int       `json:"pid"`
	Concurrency int       `json:"concurrency"`
	Routes      []Route   `json:"routes"`
	Started     time.Time `json:"started"`
}
