package filestore

import (
	"context"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/rules"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// state is everything that is stored. Its exported fields are the file.
type state struct {
	Format         int
	Pauses         store.PauseSet
	LastPauses     int64 // version of the pauses after their last change
	LastNumber     int64 // of any run, lease of a semaphore or place in a line that ever was
	LastSweep      time.Time
	Audit          []store.AuditLine // oldest first
	Jobs           map[string]*job
	Runs           []*run             // oldest first
	Clocks         map[string]float64 // of queues; see fetching.next
	Producers      map[string]*producer
	Sessions       map[string]*session
	Lost           []store.LostSession // sessions that were not heard from, newest first
	Semaphores     map[string]*semaphore
	Limits         map[string]*limit
	Figures        []figure
	Noted          rules.Noted
	Times          []store.RouteTimes // since Noted
	Minutes, Hours []store.HistoryPoint
	Values         values // of the namespace
	Sets           map[string][]byte
	Configurations map[string]*document // of sets

	now   time.Time      // of the call
	hints []store.Signal // of the call, beyond what a comparison shows
}

func newState() *state {
	return &state{
		Jobs:           map[string]*job{},
		Clocks:         map[string]float64{},
		Producers:      map[string]*producer{},
		Sessions:       map[string]*session{},
		Semaphores:     map[string]*semaphore{},
		Limits:         map[string]*limit{},
		Values:         values{},
		Sets:           map[string][]byte{},
		Configurations: map[string]*document{},
	}
}

// place is where a task is.
type place string

const (
	// aside is where the root is until the pre-job hook has passed, and the post-job hook until all
	// else has ended.
	aside     place = "aside"
	waiting   place = "waiting"   // in the order of the list
	recovered place = "recovered" // likewise: its session died
	delayed   place = "delayed"   // until Due
	held      place = "held"      // under Lease
	staged    place = "staged"    // a child of the task that is held under Lease
)

// task is a task of a run that has not ended. One that has ended is gone from the list, and
// counted.
type task struct {
	store.Item
	Place place
	Due   time.Time   `json:",omitzero"`
	Lease store.Lease `json:",omitzero"`
	Asked bool        `json:",omitzero"` // it is to be cancelled
}

// run is a run with its tasks. Of the record it has what cannot be found otherwise: of the counts,
// those of tasks that have ended.
type run struct {
	store.RunRecord
	Token       string
	Noted       noted // after the last call
	Tasks       []*task
	OpenHolds   map[string]store.HoldRecord
	Kept        map[string]time.Time // claimed IDs of tasks that have ended, and until when
	Failures    []store.Failure      // those that are kept
	Buried      int64                // place of the newest failure
	LastFailure time.Time            // when it failed
	FailureCap  int
	IdleAfter   time.Duration // without an enqueue, after which an open run is sealed, or stopped
	StopIdle    bool
	// Cancellations are the last ones.
	Cancellations []rules.Cancellation

	Touched  time.Time          // when it was enqueued into from outside, or opened, last
	Stopped  bool               // it ended by a stop
	Overdue  bool               // it was stopped at its deadline
	Expires  time.Time          // of a run that has ended: when it is forgotten
	Served   map[string]float64 // by queue: its virtual time; see fetching.next
	Values   values
	Numbers  values   // the counters, which have names of their own
	Results  results  // of its tasks
	Document document // its own configuration
}

// noted is what tells whether a run has changed, or moved.
type noted struct {
	Status statuses.Status
	Paused bool
	Hook   string // why the hook gave up
	Counts store.Counts
}

// job is a name with its definition, if it was declared. Its runs are in the list of all.
type job struct {
	store.JobRecord
	Schedule []byte    // of a periodic job; nil for none
	Acts     time.Time // when the due time is acted on: it, and its delay
	Wakes    time.Time // when Promote tells of the job; zero for never
	Values   values
}

// producer is a stream that is registered.
type producer struct {
	Last  int64
	Reply lastReply
	Used  time.Time
}

// session is a worker's registration. What it holds are the tasks that have a lease of it. A
// session past its time is whole until a sweep closes it: a late heartbeat can save it until then.
type session struct {
	Worker         store.WorkerInfo
	Lease          time.Duration
	Expires        time.Time
	Heard          time.Time // when it was opened or had its last heartbeat
	Graced         bool      // its lease was extended since the clock jumped, and it was not heard from since
	Running        []store.RunningTask
	Configurations map[string]int64
	Fetched        int64 // number of the last fetch that delivered something
	Settled        int64
	Reply          lastReply // to the last settlement
}

// lastReply is the reply to the last call of a stream. A repeat gets it again.
type lastReply struct {
	Enqueued store.EnqueueReply
	Written  store.WriteReply
	Redone   store.RedoReply
	Settled  store.SettleReply
}

// semaphore is a key that somebody holds or waits for.
type semaphore struct {
	Leases map[string]*store.SemaphoreHolder // by token
	Line   []*waiter                         // first come, first
}

// waiter is a place in the line.
type waiter struct {
	store.SemaphoreWaiter
	Token string
	Place int64 // its number
	Max   int
}

// limit is who holds what of a limit, and its bucket of tokens.
type limit struct {
	Holders map[string]*holder
	Rate    store.Rate // of the last call that had one
	Level   float64    // tokens that were there at At, without those that were lent and not reported
	At      time.Time  // zero for a bucket that is full
}

// holder is what one holder has drawn.
type holder struct {
	Number int64
	Held   int
	Want   int
	Since  int64     // its place in the line of those who want more than they hold; 0 if it does not
	Ends   time.Time // when it is silent
	Tokens int       // of the last reply
	Until  time.Time // when they are void
	Lent   bool      // they were not reported, and are not void
}

// figure are the figures of a route.
type figure struct {
	Route store.Route
	store.Figures
}

// values are those of a run, a job or the namespace, by name.
type values map[string]*value

// value is one value. Which field it uses depends on its type.
type value struct {
	Type    store.ValueType
	Data    []byte
	Items   [][]byte
	Fields  []field   // of a map, in the order of their names
	Expires time.Time `json:",omitzero"`
}

// field is one of a map. Its name is any bytes, which a key of JSON cannot be.
type field struct{ Name, Bytes []byte }

// document is a configuration with its last changes, newest first.
type document struct {
	Version int64
	Body    []byte // nil for none
	Changes []documentChange
}

type documentChange struct {
	store.ConfigurationChange
	Token string
}

// audits adds a line to the audit.
func (s *state) audits(ctx context.Context, action actions.Action, run store.RunID, subject, reason string) {
	s.Audit = rules.KeepAudit(s.Audit, rules.NewAuditLine(ctx, action, run, subject, reason), s.now)
}
