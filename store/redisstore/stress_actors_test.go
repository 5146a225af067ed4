package redisstore_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/bounds"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// actor is one goroutine of the stress test: a worker, a producer, or an operator who also keeps
// house.
type actor struct {
	*stress
	store store.Store // of several; it hides the scene's
	rand  *rand.Rand
}

func (s *stress) actor(through store.Store, number uint64) *actor {
	return &actor{stress: s, store: through, rand: rand.New(rand.NewPCG(s.seed, number))}
}

func (a *actor) oneIn(n int) bool { return a.rand.IntN(n) == 0 }

func (a *actor) kind() string { return stressKinds[a.rand.IntN(3)] }

// rest lets others at the server.
func (a *actor) rest() {
	select {
	case <-a.over.Done():
	case <-time.After(time.Duration(1+a.rand.IntN(2)) * time.Millisecond):
	}
}

// item is a task that may be delayed, or claim an ID that others claim, too.
func (a *actor) item(kind string) store.Item {
	item := itemOf(kind, fmt.Sprint(a.ids.Add(1)))
	switch a.rand.IntN(6) {
	case 0:
		item.Delay = time.Duration(1+a.rand.IntN(20)) * time.Millisecond
	case 1:
		item.Task.ID, item.Task.Claimed = fmt.Sprint("claimed-", a.rand.IntN(30)), true
		if a.oneIn(2) {
			item.Task.Keep = 30 * time.Millisecond
		}
	}
	return item
}

// some is any run.
func (a *actor) some() (id store.RunID, ok bool) {
	n := a.rand.IntN(stressRuns)
	a.runs.Range(func(key, _ any) bool {
		id, ok = key.(store.RunID), true
		n--
		return n > 0
	})
	return id, ok
}

// work lives session after session, each until it dies, is lost, or has made 40 fetches.
func (a *actor) work(name string) {
	for life := 0; a.over.Err() == nil; life++ {
		id := store.SessionID{ID: fmt.Sprintf("%s-%d", name, life)}
		a.check("open session", a.store.OpenSession(a.Context(), id, store.WorkerInfo{Name: name}, stressLease))
		w := &worker{scene: a.scene, id: id}
		for range 40 {
			if a.over.Err() != nil || !a.round(w) {
				break
			}
		}
	}
}

// round fetches and settles once. It reports whether the session goes on.
func (a *actor) round(w *worker) bool {
	ask := w.ask(1+a.rand.IntN(20), stressKinds...)
	ask.Recovered = a.oneIn(2)
	got, err := a.store.Fetch(a.Context(), ask)
	if errors.Is(err, store.ErrLeaseLost) {
		return false
	}
	a.check("fetch", err)
	if len(got.Deliveries) == 0 {
		a.rest()
		_, err := a.store.Heartbeat(a.Context(), store.HeartbeatParams{Session: w.id, Lease: stressLease})
		return err == nil
	}
	w.fetched++
	if a.oneIn(4) { // the reply was lost
		again, err := a.store.Fetch(a.Context(), ask)
		if errors.Is(err, store.ErrLeaseLost) {
			return false
		}
		a.check("repeat a fetch", err)
		assert.Len(a, again.Deliveries, len(got.Deliveries), "a repeated fetch")
	}
	p := store.SettleParams{Session: w.id, Number: w.settled + 1}
	children := 0
	for _, d := range got.Deliveries {
		o := a.outcome(w, d)
		if children += len(o.Children); children > bounds.MaxBatch {
			o.Children = nil
		}
		p.Outcomes = append(p.Outcomes, o)
	}
	if a.oneIn(30) { // it dies, silently or not
		if a.oneIn(2) {
			a.check("close session", a.store.CloseSession(a.Context(), w.id))
		}
		return false
	}
	first, err := a.store.Settle(a.Context(), p)
	if errors.Is(err, store.ErrLeaseLost) {
		return false
	}
	a.check("settle", err)
	w.settled++
	if a.oneIn(4) {
		again, err := a.store.Settle(a.Context(), p)
		if errors.Is(err, store.ErrLeaseLost) {
			return false
		}
		a.check("repeat a settlement", err)
		assert.Equal(a, first, again, "a repeated settlement")
	}
	return true
}

// outcome is what became of a delivery; children may be staged on the way.
func (a *actor) outcome(w *worker, d store.Delivery) store.Outcome {
	o := outcomeOf(d, verdicts.Success)
	if !d.Lease.Lane.Route.Counted() {
		o.Verdict = a.hookVerdict(d.Lease.Lane.Route.Kind)
		o.Delay = time.Millisecond
		return o
	}
	switch x := a.rand.IntN(100); {
	case x < 5:
		o.Verdict = verdicts.Fail
	case x < 15:
		o.Verdict, o.Delay = verdicts.Retry, time.Duration(a.rand.IntN(10))*time.Millisecond
		o.Task.Retry++
	case x < 20:
		o.Verdict = verdicts.Snooze
		o.Task.Snoozes++
	case x < 25:
		o.Verdict = verdicts.Release
	case x < 26:
		o.Verdict = verdicts.StopRun
	case x < 27:
		o.Verdict = verdicts.Cancel
	case x < 45:
		for range a.rand.IntN(4) {
			o.Children = append(o.Children, a.item(a.kind()))
		}
	case x < 52:
		if kind := a.kind(); true {
			o.Staged = []store.Staged{{Route: routeOf(kind), Count: a.stageSome(w, d, kind)}}
		}
	}
	return o
}

func (a *actor) hookVerdict(kind string) verdicts.Verdict {
	switch a.rand.IntN(8) {
	case 0:
		return verdicts.Retry
	case 1:
		return verdicts.Release
	case 2:
		return verdicts.Cancel
	case 3:
		if kind == store.KindPreJob {
			return verdicts.Skip
		}
	}
	if kind == store.KindPreJob {
		return verdicts.Begin
	}
	return verdicts.HookDone
}

// stageSome returns how many children it staged.
func (a *actor) stageSome(w *worker, d store.Delivery, kind string) int {
	n := 0
	for range a.rand.IntN(3) {
		var chunk []store.Item
		for range 1 + a.rand.IntN(5) {
			chunk = append(chunk, a.item(kind))
		}
		err := a.store.Stage(a.Context(), store.StageParams{Session: w.id, Lease: d.Lease, Route: routeOf(kind), Offset: n, Items: chunk})
		if err != nil {
			if !errors.Is(err, store.ErrLeaseLost) && !errors.Is(err, store.ErrJobStopped) {
				a.check("stage", err)
			}
			break
		}
		n += len(chunk)
	}
	return n
}

// produce adds tasks and opens and closes holds.
func (a *actor) produce(stream string) {
	a.check("open producer", a.store.OpenProducer(a.Context(), 0, stream))
	for n := int64(1); a.over.Err() == nil; n++ {
		p := store.EnqueueParams{Stream: stream, Number: n}
		for range 1 + a.rand.IntN(20) {
			if run, ok := a.some(); ok {
				p.Entries = append(p.Entries, store.Entry{Run: run, Item: a.item(a.kind())})
			}
		}
		if run, ok := a.some(); ok {
			p.Holds = []store.HoldChange{
				{Run: run, Name: fmt.Sprint("h", a.rand.IntN(3)), Close: a.oneIn(2)},
				{Run: run, Name: fmt.Sprint("h", a.rand.IntN(3)), Close: true},
			}
		}
		first, err := a.store.Enqueue(a.Context(), p)
		a.check("enqueue", err)
		if a.oneIn(4) {
			again, err := a.store.Enqueue(a.Context(), p)
			a.check("repeat an enqueue", err)
			assert.Equal(a, first, again, "a repeated enqueue")
		}
		a.rest()
	}
}
