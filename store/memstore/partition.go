package memstore

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/actions"
	"github.com/rollcall-go/rollcall/store/rules"
)

// partition holds the jobs that hash to it, with all their data. The caller of a method must hold
// mu; unlock releases it.
type partition struct {
	index         int
	hub           *hub
	log           *slog.Logger
	sweepInterval time.Duration
	clock         func() time.Time

	mu             sync.Mutex
	called         time.Time // when the call that has mu began
	jobs           map[string]*job
	names          []string // job names in order; nil if they must be sorted again
	runs           map[int64]*run
	recent         []*run         // all runs, most recently changed first; nil if they must be sorted again
	active         map[int64]*run // runs that are not final
	aging          map[int64]*run // runs with results that expire
	failing        map[int64]*run // runs that keep failures
	ended          heap[*run]     // final runs, by the time when their summary expires
	lastNumber     int64          // largest number of any run
	laneSeq        int64
	parkSeq        int64
	queues         map[string]*queue
	rings          map[store.Route]*ring
	due            heap[*lane]          // lanes with delayed tasks, by the earliest task
	watched        heap[*run]           // open runs by when they are ended for being idle
	schedules      heap[*job]           // periodic jobs that are not disabled, by when they are checked
	sets           map[string][]byte    // descriptions
	configurations map[string]*document // of sets
	producers      map[string]*producer
	sessions       map[string]*session
	lost           []store.LostSession   // newest first
	semaphores     map[string]*semaphore // semaphores in use
	lastFence      int64                 // largest number of any lease or waiter of a semaphore
	limits         map[string]*limit     // limits that have holders
	ledger         ledger
	history        history
	values         values // values of the namespace
	lastSweep      time.Time
	audit          []store.AuditLine // oldest first
	pauses         store.PauseSet
	pauseVersion   int64          // the last
	outbox         []store.Signal // sent by unlock
}

func newPartition(index int, h *hub, o Options) *partition {
	return &partition{
		index:         index,
		hub:           h,
		log:           o.Logger,
		sweepInterval: o.SweepInterval,
		clock:         time.Now,
		jobs:          map[string]*job{},
		runs:          map[int64]*run{},
		active:        map[int64]*run{},
		aging:         map[int64]*run{},
		failing:       map[int64]*run{},
		ended: heap[*run]{
			less:  func(a, b *run) bool { return a.expires.Before(b.expires) },
			moved: func(r *run, to int) { r.endedAt = to },
		},
		queues: map[string]*queue{},
		rings:  map[store.Route]*ring{},
		due: heap[*lane]{
			less:  func(a, b *lane) bool { return a.delayed.top().before(b.delayed.top()) },
			moved: func(l *lane, to int) { l.dueAt = to },
		},
		watched: heap[*run]{
			less:  func(a, b *run) bool { return a.ends().Before(b.ends()) },
			moved: func(r *run, to int) { r.watchedAt = to },
		},
		schedules: heap[*job]{
			less:  func(a, b *job) bool { return a.schedule.wakes.Before(b.schedule.wakes) },
			moved: func(j *job, to int) { j.schedule.place = to },
		},
		sets:           map[string][]byte{},
		configurations: map[string]*document{},
		producers:      map[string]*producer{},
		sessions:       map[string]*session{},
		semaphores:     map[string]*semaphore{},
		limits:         map[string]*limit{},
		ledger:         ledger{figures: map[store.Route]*figures{}},
	}
}

// now reads the store's clock without the monotonic part, so that stored times compare like times
// that a server returned.
func (p *partition) now() time.Time { return p.clock().UTC().Round(0) }

// unlock sends the signals of the call, then releases the lock.
func (p *partition) unlock() {
	if len(p.outbox) > 0 {
		p.hub.send(p.outbox)
		p.outbox = p.outbox[:0]
	}
	p.mu.Unlock()
}

// note adds a line to the audit.
func (p *partition) note(ctx context.Context, action actions.Action, run store.RunID, subject, reason string) {
	p.audit = rules.KeepAudit(p.audit, rules.NewAuditLine(ctx, action, run, subject, reason), p.now())
}

// run finds a run that is kept.
func (p *partition) run(id store.RunID) (*run, error) {
	r := p.runs[id.Number]
	if r == nil || r.rec.ID.Job != id.Job {
		return nil, store.ErrRunNotFound
	}
	return r, nil
}

// nextTask returns when the earliest delayed task is due; zero if there is none.
func (p *partition) nextTask() time.Time {
	if p.due.len() == 0 {
		return time.Time{}
	}
	return p.due.top().delayed.top().due
}

// nextDue is when the earliest delayed task, periodic job or end of a run is due; zero if
// there is none.
func (p *partition) nextDue() time.Time {
	next := p.nextTask()
	if p.schedules.len() > 0 {
		next = sooner(next, p.schedules.top().schedule.wakes)
	}
	if p.watched.len() > 0 {
		next = sooner(next, p.watched.top().ends())
	}
	return next
}

// sooner is the earlier of two times, of which the first may be zero for none.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || b.Before(a) {
		return b
	}
	return a
}
