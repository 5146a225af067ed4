package storetest

import (
	"reflect"
	"slices"

	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/histogram"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// Fetch leases some tasks.
func (m *machine) Fetch(t *rapid.T) {
	w := m.worker(t)
	w.fetches++
	p := w.params(rapid.IntRange(1, 6).Draw(t, "max"))
	p.Recovered = w.mayTakeRecovered()
	if rapid.IntRange(0, 2).Draw(t, "routes") == 0 {
		p.Queues = only(scan)
	}
	m.lease(w, p)
}

// lease fetches twice, and records the deliveries.
func (m *machine) lease(w *modelWorker, p store.FetchParams) store.FetchReply {
	if !slices.EqualFunc(m.perRun, p.PerRun, func(a, b store.RunLimit) bool { return reflect.DeepEqual(a, b) }) {
		w.reconsider()
	}
	m.perRun = p.PerRun
	reply, err := m.s.store.Fetch(m.s.ctx, p)
	m.s.NoError(err)
	m.s.LessOrEqual(len(reply.Deliveries), p.Max)
	m.s.Equal(m.m.pauses.version, reply.Pauses)
	recovered := 0
	for _, d := range reply.Deliveries {
		m.s.True(asked(p, d.Lease.Lane.Route), "nobody asked for %v", d.Lease.Lane.Route)
		m.hold(w, d)
		if d.Task.Recovered {
			recovered++
		}
	}
	m.s.LessOrEqual(recovered, 1, "recovered tasks run alone")
	m.s.False(recovered > 0 && !p.Recovered, "no recovered task was asked for")
	if len(reply.Deliveries) > 0 {
		again, err := m.s.store.Fetch(m.s.ctx, p)
		m.s.NoError(err)
		m.s.Equal(reply.Deliveries, again.Deliveries, "a repeat")
	}
	if reply.Drained {
		next := p
		next.Number, next.Recovered = p.Number+1, p.Recovered && recovered == 0
		none, err := m.s.store.Fetch(m.s.ctx, next)
		m.s.NoError(err)
		m.s.Empty(none.Deliveries, "the reply said that nothing is left")
	}
	return reply
}

// asked reports whether the fetch asks for tasks of the route.
func asked(p store.FetchParams, r store.Route) bool {
	return slices.ContainsFunc(p.Queues, func(q store.FetchQueue) bool { return slices.Contains(q.Routes, r) })
}

// Stage stages children of a held task.
func (m *machine) Stage(t *rapid.T) {
	w := m.holder(t)
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
		if h.run.status == statuses.Stopping {
			m.s.ErrorIs(err, store.ErrJobStopped)
			return
		}
		m.s.NoError(err)
	}
	h.task.staged = append(h.task.staged, chunk...)
}

// Settle reports outcomes of some tasks of a worker, and perhaps a late one.
func (m *machine) Settle(t *rapid.T) {
	w := m.holder(t)
	var outcomes []store.Outcome
	for _, l := range w.order {
		if rapid.IntRange(0, 3).Draw(t, "keep") > 0 {
			outcomes = append(outcomes, m.outcome(t, w.holds[l]))
		}
	}
	if len(w.stale) > 0 && rapid.Bool().Draw(t, "stale") {
		outcomes = append(outcomes, failed(rapid.SampledFrom(w.stale).Draw(t, "late")))
	}
	w.times = m.drawTimes(t)
	m.settle(w, outcomes)
}

// drawTimes makes the histograms of a settlement. There are more waits than runs.
func (m *machine) drawTimes(t *rapid.T) []store.RouteTimes {
	if rapid.Bool().Draw(t, "no histograms") {
		return nil
	}
	route := rapid.SampledFrom([]store.Route{scan, file}).Draw(t, "route")
	bucket, n := rapid.IntRange(0, histogram.Size-1).Draw(t, "bucket"), rapid.Int64Range(1, 5).Draw(t, "durations")
	took := store.Times{Wait: histogram.Histogram{histogram.Of(bucket, n+1)}, Run: histogram.Histogram{histogram.Of(bucket, n)}}
	return []store.RouteTimes{{Route: route, Times: took}}
}

// settle reports outcomes, and applies them to the model in the same order. Delays of zero end at
// the next promotion, which is made here.
func (m *machine) settle(w *modelWorker, outcomes []store.Outcome) {
	reply, err := w.try(outcomes...)
	m.s.NoError(err)
	w.settled, w.reply = outcomes, reply
	for _, came := range w.times {
		m.m.times[came.Route] = m.m.times[came.Route].Plus(came.Times)
	}
	var lost, refused, said []int
	for i, o := range outcomes {
		h := w.holds[o.Lease]
		switch {
		case h == nil:
			lost = append(lost, i)
			continue
		case h.run.status == statuses.Running && o.Verdict == verdicts.Success && !slices.Equal(o.Staged, h.task.stagedCounts()):
			refused = append(refused, i)
			continue
		}
		w.redeem(o.Lease)
		h.run.apply(h.task, o, m.m.now, m.m.write)
	}
	m.s.ElementsMatch(lost, reply.Lost)
	for _, r := range reply.Refused {
		m.s.ErrorIs(r.Err, store.ErrChildrenLost)
		said = append(said, r.Index)
	}
	m.s.ElementsMatch(refused, said, "refused for children that are not there")
	m.promote()
}

// RepeatSettle sends the last settlement again.
func (m *machine) RepeatSettle(t *rapid.T) {
	w := m.worker(t)
	if w.settles == 0 {
		t.Skip("nothing was settled")
	}
	again, err := w.resettle(w.settled...)
	m.s.NoError(err)
	m.s.Equal(w.reply, again)
}

// Zombie lets an ended session settle, stage, fetch and send a heartbeat.
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

// Drain runs everything that may be delivered, and requires that all tasks come.
func (m *machine) Drain(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "now") != 0 {
		t.Skip("not now") // otherwise no run would become old
	}
	m.m.pauses.resumeAll(m.s)
	m.drain(m.worker(t))
}

func (m *machine) drain(w *modelWorker) {
	m.gives(w, statuses.WorkerActive)
	for idle := 0; idle < 4; {
		w.fetches++
		p := w.params(bounds.MaxBatch)
		p.Recovered = w.mayTakeRecovered()
		ds := m.lease(w, p).Deliveries
		if len(ds) == 0 {
			idle++
			continue
		}
		idle = 0
		outcomes := make([]store.Outcome, len(ds))
		for i, d := range ds {
			outcomes[i] = wellDone(d)
		}
		m.settle(w, outcomes)
	}
	for _, r := range m.m.ordered() {
		for _, task := range r.tasks {
			// A recovered task waits while the worker runs another one.
			m.s.False(
				r.deliverable(task) && (!task.recovered || w.mayTakeRecovered()), "%s of %v is not delivered",
				task.item.Task.ID, r.id,
			)
		}
	}
}
