package storetest

import (
	"slices"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
)

// StartRun starts a run of a job, which is refused while one is active.
func (m *machine) StartRun(t *rapid.T) {
	s := m.s
	p := store.StartParams{Job: rapid.SampledFrom(m.jobs).Draw(t, "job"), Open: rapid.Bool().Draw(t, "open")}
	if rapid.IntRange(0, 3).Draw(t, "pre") == 0 {
		p.PreJob = hook(preJob)
	}
	if rapid.IntRange(0, 2).Draw(t, "post") == 0 {
		p.PostJob = hook(postJob)
	}
	p = s.params(p)
	reply, err := s.store.StartRun(s.ctx, p)
	if m.m.active(p.Job) != nil {
		s.ErrorIs(err, store.ErrJobExists)
		return
	}
	s.NoError(err)
	s.False(reply.Existing)
	m.m.runs[reply.Run] = newModelRun(reply.Run, p)
	again, err := s.store.StartRun(s.ctx, p)
	s.NoError(err)
	s.Equal(store.StartReply{Run: reply.Run, Existing: true}, again)
}

// Enqueue adds some tasks to a run, whatever its state.
func (m *machine) Enqueue(t *rapid.T) {
	r := m.run(t, func(*modelRun) bool { return true })
	var batch store.EnqueueParams
	for range rapid.IntRange(1, 5).Draw(t, "tasks") {
		batch.Entries = append(batch.Entries, store.Entry{Run: r.id, Item: m.item(t, true, true)})
	}
	m.lastSent = m.producer.send(batch)
	for i, e := range batch.Entries {
		got := m.lastSent.Entries[i]
		if want := r.refusal(); want != nil {
			m.s.ErrorIs(got.Err, want)
			continue
		}
		m.s.NoError(got.Err)
		m.s.Equal(r.offer(e.Item, m.m.now), got.Duplicate, "duplicate of %s", e.Item.Task.ID)
	}
}

// RepeatEnqueue sends the last batch again.
func (m *machine) RepeatEnqueue(t *rapid.T) {
	if m.producer.number == 0 {
		t.Skip("nothing was sent")
	}
	again, err := m.producer.repeat()
	m.s.NoError(err)
	m.s.Equal(m.lastSent, again)
}

// ChangeHold opens or closes a hold.
func (m *machine) ChangeHold(t *rapid.T) {
	r := m.run(t, func(*modelRun) bool { return true })
	change := store.HoldChange{
		Run: r.id, Name: rapid.SampledFrom([]string{store.HoldOpen, "h"}).Draw(t, "hold"), Close: rapid.Bool().Draw(t, "close"),
	}
	m.lastSent = m.producer.send(store.EnqueueParams{Holds: []store.HoldChange{change}})
	switch err := m.lastSent.Holds[0]; {
	case r.refusal() != nil && change.Close:
		// Closing a hold of a run that has ended may say so or not: it is closed.
	case r.refusal() != nil:
		m.s.ErrorIs(err, r.refusal())
	case change.Close:
		m.s.NoError(err)
		delete(r.holds, change.Name)
		r.settle()
	default:
		m.s.NoError(err)
		r.holds[change.Name] = true
	}
}

// Fetch leases some tasks.
func (m *machine) Fetch(t *rapid.T) {
	w := m.worker(t)
	w.fetches++
	p := w.params(rapid.IntRange(1, 6).Draw(t, "max"))
	p.Suspect = w.mayTakeSuspect()
	if rapid.IntRange(0, 2).Draw(t, "routes") == 0 {
		p.Queues = only(scan)
	}
	m.lease(w, p)
}

// lease fetches, twice, and records what came.
func (m *machine) lease(w *modelWorker, p store.FetchParams) (leased []store.Delivery) {
	reply, err := m.s.store.Fetch(m.s.ctx, p)
	m.s.NoError(err)
	m.s.LessOrEqual(len(reply.Deliveries), p.Max)
	suspects := 0
	for _, d := range reply.Deliveries {
		m.s.Contains(p.Queues, store.FetchQueue{Queue: d.Lease.Lane.Route.Queue, Routes: routesOf(p.Queues, d.Lease.Lane.Route.Queue)})
		m.hold(w, d)
		if d.Task.Suspect {
			suspects++
		}
	}
	m.s.LessOrEqual(suspects, 1, "suspects run alone")
	m.s.False(suspects > 0 && !p.Suspect, "no suspect was asked for")
	if len(reply.Deliveries) > 0 {
		again, err := m.s.store.Fetch(m.s.ctx, p)
		m.s.NoError(err)
		m.s.Equal(reply.Deliveries, again.Deliveries, "a repeat")
	}
	return reply.Deliveries
}

// routesOf are the routes asked for in a queue.
func routesOf(queues []store.FetchQueue, queue string) []store.Route {
	for _, q := range queues {
		if q.Queue == queue {
			return q.Routes
		}
	}
	return nil
}

// Stage parks children under a task that is held.
func (m *machine) Stage(t *rapid.T) {
	w := m.worker(t)
	if len(w.order) == 0 {
		t.Skip("nothing is held")
	}
	h := w.holds[rapid.SampledFrom(w.order).Draw(t, "lease")]
	if !h.task.item.Route.Counted() {
		t.Skip("hooks have no children")
	}
	route := rapid.SampledFrom([]store.Route{scan, file}).Draw(t, "route")
	offset := 0
	for _, it := range h.task.staged {
		if it.Route == route {
			offset++
		}
	}
	var chunk []store.Item
	for range rapid.IntRange(1, 4).Draw(t, "children") {
		it := m.item(t, false, false)
		it.Route = route
		chunk = append(chunk, it)
	}
	for range 2 {
		err := w.stage(h.Delivery, route, offset, chunk...)
		if h.run.status == store.StatusStopping {
			m.s.ErrorIs(err, store.ErrJobStopped)
			return
		}
		m.s.NoError(err)
	}
	h.task.staged = append(h.task.staged, chunk...)
}

// Settle reports outcomes of some of what a worker holds, and some that are stale.
func (m *machine) Settle(t *rapid.T) {
	w := m.worker(t)
	var outcomes []store.Outcome
	var lost []int
	var settling []*holding
	for _, l := range slices.Clone(w.order) {
		if rapid.IntRange(0, 3).Draw(t, "keep") == 0 {
			continue
		}
		h := w.holds[l]
		o := m.outcome(t, h)
		outcomes = append(outcomes, o)
		settling = append(settling, h)
	}
	if len(w.stale) > 0 && rapid.Bool().Draw(t, "stale") {
		lost = append(lost, len(outcomes))
		outcomes = append(outcomes, failed(rapid.SampledFrom(w.stale).Draw(t, "late")))
	}
	w.reply = m.settle(w, outcomes)
	m.s.Equal(lost, w.reply.Lost)
	m.applied(w, settling, outcomes)
}

// settle reports outcomes, each of which is repeated by RepeatSettle.
func (m *machine) settle(w *modelWorker, outcomes []store.Outcome) store.SettleReply {
	reply, err := w.try(outcomes...)
	m.s.NoError(err)
	w.settled = outcomes
	if len(reply.Lost) == 0 {
		reply.Lost = nil
	}
	return reply
}

// applied does in the model what the outcomes did in the store, in order.
// Delays of zero are over at the next promotion, which is made here.
func (m *machine) applied(w *modelWorker, settling []*holding, outcomes []store.Outcome) {
	for i, h := range settling {
		w.redeem(h.Lease)
		h.run.apply(h.task, outcomes[i], m.m.now)
	}
	m.s.promote(0)
}

// RepeatSettle sends the last settlement again.
func (m *machine) RepeatSettle(t *rapid.T) {
	w := m.worker(t)
	if w.settles == 0 {
		t.Skip("nothing was settled")
	}
	again, err := w.resettle(w.settled...)
	m.s.NoError(err)
	m.s.Len(again.Lost, len(w.reply.Lost))
	m.s.ElementsMatch(w.reply.Ended, again.Ended)
}

// Zombie has a session that ended settle, stage, fetch and send a heartbeat.
func (m *machine) Zombie(t *rapid.T) {
	if len(m.zombies) == 0 {
		t.Skip("nobody died")
	}
	w := rapid.SampledFrom(m.zombies).Draw(t, "zombie")
	_, err := w.tryFetch(3)
	m.s.ErrorIs(err, store.ErrLeaseLost)
	_, err = w.heartbeat()
	m.s.ErrorIs(err, store.ErrLeaseLost)
	if len(w.stale) > 0 {
		d := rapid.SampledFrom(w.stale).Draw(t, "late")
		_, err = w.try(success(d, task(file, "child of a zombie")))
		m.s.ErrorIs(err, store.ErrLeaseLost)
		m.s.ErrorIs(w.stage(d, file, 0, task(file, "child of a zombie")), store.ErrLeaseLost)
	}
}

// CloseSession ends a session with all that it holds.
func (m *machine) CloseSession(t *rapid.T) {
	slot := rapid.IntRange(0, len(m.workers)-1).Draw(t, "slot")
	m.workers[slot].close()
	m.die(slot, m.virtual && rapid.Bool().Draw(t, "mortal"))
}

// LeaseRunsOut lets the lease of a session run out and sweeps until it is gone.
func (m *machine) LeaseRunsOut(t *rapid.T) {
	slot := rapid.IntRange(0, len(m.workers)-1).Draw(t, "slot")
	w := m.workers[slot]
	if !w.brief {
		t.Skip("its lease lasts")
	}
	for range patience {
		m.wait(1, w)
		m.s.sweep(0)
		if !slices.ContainsFunc(m.s.live(0), func(rec store.SessionRecord) bool { return rec.ID == w.session.ID }) {
			m.die(slot, rapid.Bool().Draw(t, "mortal"))
			return
		}
	}
	m.s.Fail("the session is never swept")
}

// TimePasses lets what is delayed for a short time fall due.
func (m *machine) TimePasses(t *rapid.T) {
	if !m.virtual {
		t.Skip("time costs time")
	}
	m.wait(rapid.IntRange(1, 5).Draw(t, "ticks"), nil)
}

// Stop stops a run. A run whose hook is running is left alone: what its hook may still do is the store's choice.
func (m *machine) Stop(t *rapid.T) {
	r := m.run(t, func(r *modelRun) bool {
		return !r.status.Final() && !slices.ContainsFunc(r.tasks, func(t *modelTask) bool { return t.place == held && !t.item.Route.Counted() })
	})
	graceful := rapid.Bool().Draw(t, "graceful")
	m.s.NoError(m.s.store.StopRun(m.s.ctx, store.StopParams{Run: r.id, Graceful: graceful, Reason: "enough"}))
	r.stop(graceful)
}

// Pause pauses or resumes a run.
func (m *machine) Pause(t *rapid.T) {
	r := m.run(t, func(r *modelRun) bool { return !r.status.Final() })
	r.paused = rapid.Bool().Draw(t, "paused")
	m.s.NoError(m.s.store.SetRunPaused(m.s.ctx, r.id, r.paused))
}

// Drain runs everything that may be delivered, and requires that all of it comes.
func (m *machine) Drain(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "now") != 0 {
		t.Skip("not now") // or no run would grow old
	}
	m.drain(m.worker(t))
}

func (m *machine) drain(w *modelWorker) {
	for idle := 0; idle < 4; {
		w.fetches++
		p := w.params(store.MaxBatch)
		p.Suspect = w.mayTakeSuspect()
		ds := m.lease(w, p)
		if len(ds) == 0 {
			idle++
			continue
		}
		idle = 0
		var outcomes []store.Outcome
		var settling []*holding
		for _, d := range ds {
			outcomes = append(outcomes, wellDone(d))
			settling = append(settling, w.holds[d.Lease])
		}
		for i, h := range settling {
			if routes := stagedRoutes(h.task); outcomes[i].Verdict == store.VerdictSuccess {
				outcomes[i].Staged = routes
			}
		}
		w.reply = m.settle(w, outcomes)
		m.s.Empty(w.reply.Lost)
		m.applied(w, settling, outcomes)
	}
	for _, r := range m.m.ordered() {
		for _, task := range r.tasks {
			// A suspect waits while the worker runs another one.
			m.s.False(r.deliverable(task) && (!task.suspect || w.mayTakeSuspect()), "%s of %v is not delivered", task.item.Task.ID, r.id)
		}
	}
}

// Sweep and promote have nothing to do here, and must do nothing.
func (m *machine) Sweep(*rapid.T) {
	m.s.sweep(0)
	m.s.promote(0)
}

// DeleteRun removes a finished run, and is refused for an active one.
func (m *machine) DeleteRun(t *rapid.T) {
	r := m.run(t, func(*modelRun) bool { return true })
	err := m.s.store.DeleteRun(m.s.ctx, r.id)
	if !r.status.Final() {
		m.s.ErrorIs(err, store.ErrRunActive)
		return
	}
	m.s.NoError(err)
	delete(m.m.runs, r.id)
	_, err = m.s.store.Run(m.s.ctx, r.id)
	m.s.ErrorIs(err, store.ErrRunNotFound)
}
