package storetest

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/statuses"
)

// machine plays random operations against the store and the model. Each exported method except
// Check is one operation. If an operation is not possible, it is skipped.
type machine struct {
	s        *scene
	m        *model
	virtual  bool
	jobs     []string
	producer *producer
	lastSent store.EnqueueReply
	redoer   *producer // of calls that retry or discard failures
	workers  []*modelWorker
	zombies  []*modelWorker // sessions that ended, with what they held
	tasks    int            // names given out
	results  int            // set by tasks
	steps    int            // that were checked
	limits   *modelLimits
	perRun   []store.RunLimit // of the last fetch
	told     map[string]bool  // jobs that were due
	writer   *writer          // of values
	names    []string         // of values
	written  []modelWrite     // of configurations
}

// modelWorker is a session, with the deliveries that it holds in the model.
type modelWorker struct {
	*worker
	status  statuses.WorkerStatus
	brief   bool // its lease runs out unless it is heard from
	holds   map[store.Lease]*holding
	order   []store.Lease // of holds, as fetched
	stale   []store.Delivery
	settled []store.Outcome // of the last settlement
	reply   store.SettleReply
}

// holding is a delivery, with what the model knows about it.
type holding struct {
	store.Delivery
	run  *modelRun
	task *modelTask
}

func newMachine(s *scene, virtual bool) *machine {
	m := &machine{
		s:        s,
		m:        newModel(),
		virtual:  virtual,
		producer: s.producer(0),
		redoer:   s.producer(0),
		limits:   newModelLimits(s),
		told:     make(map[string]bool),
	}
	for len(m.jobs) < 2 {
		if name := s.name("job"); s.partition(name) == 0 {
			m.jobs = append(m.jobs, name)
		}
	}
	for len(m.names) < modelNames {
		if name := s.name("value"); s.partition(name) == 0 {
			m.names = append(m.names, name)
		}
	}
	m.writer = s.writer(store.JobScope(m.jobs[0]), m.names[0])
	for range 3 {
		m.workers = append(m.workers, m.open(false))
	}
	m.watch()
	return m
}

// open opens a session.
func (m *machine) open(mortal bool) *modelWorker {
	lease := steady
	if mortal {
		lease = brief
	}
	return &modelWorker{worker: m.s.worker(0, lease), brief: mortal, holds: make(map[store.Lease]*holding)}
}

// run draws a run; pick tells which will do.
func (m *machine) run(t *rapid.T, pick func(*modelRun) bool) *modelRun {
	var fit []*modelRun
	for _, r := range m.m.ordered() {
		if pick(r) {
			fit = append(fit, r)
		}
	}
	if len(fit) == 0 {
		t.Skip("no such run")
	}
	return fit[rapid.IntRange(0, len(fit)-1).Draw(t, "run")]
}

// worker draws a worker.
func (m *machine) worker(t *rapid.T) *modelWorker {
	return m.workers[rapid.IntRange(0, len(m.workers)-1).Draw(t, "worker")]
}

// holder draws a worker that holds something.
func (m *machine) holder(t *rapid.T) *modelWorker {
	var fit []*modelWorker
	for _, w := range m.workers {
		if len(w.order) > 0 {
			fit = append(fit, w)
		}
	}
	if len(fit) == 0 {
		t.Skip("nothing is held")
	}
	return fit[rapid.IntRange(0, len(fit)-1).Draw(t, "worker")]
}

// expiresLate is when tasks of the model expire: a store keeps it, and workers go by it.
var expiresLate = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// item draws a task, perhaps delayed, perhaps with an ID that is claimed, perhaps one that expires.
func (m *machine) item(t *rapid.T, mayClaim, mayDelay bool) store.Item {
	m.tasks++
	it := task(rapid.SampledFrom([]store.Route{scan, file}).Draw(t, "route"), fmt.Sprintf("task-%d", m.tasks))
	if mayClaim && rapid.IntRange(0, 3).Draw(t, "claim") == 0 {
		it.Task.ID, it.Task.Claimed = rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "id"), true
	}
	if rapid.IntRange(0, 3).Draw(t, "expires") == 0 {
		it.Task.Expires = expiresLate
	}
	if mayDelay && rapid.IntRange(0, 3).Draw(t, "delay") == 0 {
		it.Delay = m.delay(t)
	}
	return it
}

// delay draws how long to wait: soon, where time costs nothing, or never. Soon is
// between two ticks, so that it does not matter how a store rounds.
func (m *machine) delay(t *rapid.T) time.Duration {
	if m.virtual && rapid.Bool().Draw(t, "soon") {
		return 7 * tick / 2
	}
	return never
}

// soon is a time that passes in a sequence, where time costs nothing, and a moment elsewhere.
func (m *machine) soon() time.Duration {
	if m.virtual {
		return 7 * tick / 2
	}
	return 2 * time.Millisecond
}

// soonOr draws a time that passes in a sequence, or more often the other. Where time costs, it is
// the other.
func (m *machine) soonOr(t *rapid.T, label string, other time.Duration) time.Duration {
	if m.virtual && rapid.IntRange(0, 3).Draw(t, label) == 0 {
		return m.soon()
	}
	return other
}

// hold records a delivery. The model must allow it.
func (m *machine) hold(w *modelWorker, d store.Delivery) {
	m.s.tb.Helper()
	s := m.s
	s.Equal(statuses.WorkerActive, w.status, "it may fetch")
	r := m.m.runs[d.Lease.Lane.Run]
	s.NotNil(r, "delivery of an unknown run: %+v", d)
	for _, t := range r.tasks {
		same := t.item.Task.ID == d.Task.ID && t.item.Route == d.Lease.Lane.Route
		if !same || !r.deliverable(t) || m.m.pauses.cover(t.item.Route) {
			continue
		}
		s.Equal(
			[]any{t.retry, t.snoozes, t.crashes, t.recovered},
			[]any{d.Task.Retry, d.Task.Snoozes, d.Task.Crashes, d.Task.Recovered},
			"retry, snoozes, crashes, recovered task of %s", d.Task.ID,
		)
		s.True(t.item.Task.Expires.Equal(d.Task.Expires), "%s expires at %v", d.Task.ID, d.Task.Expires)
		r.document.told(m.s, d.Configured)
		t.place = held
		m.m.ledger.of(t.item.Route).Started++
		w.holds[d.Lease] = &holding{d, r, t}
		w.order = append(w.order, d.Lease)
		return
	}
	s.Failf("this delivery is not allowed", "%+v of a run that is %s, paused %t", d, r.status, r.paused)
}

// release takes a lease from the worker.
func (w *modelWorker) redeem(l store.Lease) {
	w.stale = append(w.stale, w.holds[l].Delivery)
	delete(w.holds, l)
	for i, o := range w.order {
		if o == l {
			w.order = append(w.order[:i:i], w.order[i+1:]...)
			return
		}
	}
}

// mayTakeRecovered reports whether the session runs none now.
func (w *modelWorker) mayTakeRecovered() bool {
	for _, h := range w.holds {
		if h.task.recovered {
			return false
		}
	}
	return true
}

// die gives back everything that the session held.
func (m *machine) die(slot int, mortal bool) {
	w := m.workers[slot]
	for _, l := range w.order {
		h := w.holds[l]
		w.stale = append(w.stale, h.Delivery)
		h.run.die(h.task)
	}
	w.holds, w.order = nil, nil
	m.zombies = append(m.zombies, w)
	m.workers[slot] = m.open(mortal)
}

// wait moves both clocks by n ticks. Sessions with a brief lease are kept alive,
// but for the one that is to die.
func (m *machine) wait(n int, but *modelWorker) {
	for range n {
		m.s.h.Advance(m.s.tb, tick)
		m.m.now += tick
		for _, w := range m.workers {
			if w.brief && w != but {
				_, err := m.s.store.Heartbeat(m.s.ctx, store.HeartbeatParams{Session: w.session, Lease: brief})
				m.s.NoError(err)
			}
		}
		m.promote()
		for _, r := range m.m.runs {
			r.pass(m.m.now)
		}
	}
}
