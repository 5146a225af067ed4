package memstore_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/verdicts"
)

// life plays random operations against one store. It keeps no model: it
// requires after each step that the counts of every run agree with its sets,
// and in the end that every run ends and nothing is left.
type life struct {
	*kit
	now     time.Time
	jobs    int
	runs    []store.RunID
	workers map[string]*worker
	held    map[string][]store.Delivery
}

func TestCountsAgreeWithTheSetsAfterAnySequenceOfOperations(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		k := newKit(t, nil)
		k.tb = rt // so that a failure is shrunk
		l := &life{kit: k, now: time.Unix(1e9, 0), workers: map[string]*worker{}, held: map[string][]store.Delivery{}}
		k.inside.SetClock(func() time.Time { return l.now })
		rt.Repeat(map[string]func(*rapid.T){
			"start":   l.startRun,
			"enqueue": l.enqueueSome,
			"hold":    l.changeHold,
			"fetch":   l.fetchSome,
			"settle":  l.settleSome,
			"stage":   l.stageSome,
			"stop":    l.stopRun,
			"pause":   l.pauseRun,
			"crash":   l.crash,
			"pass": func(t *rapid.T) {
				l.now = l.now.Add(time.Duration(rapid.IntRange(1, 20).Draw(t, "seconds")) * time.Second)
				k.promote()
				k.sweep()
				l.forgetSwept()
			},
			"": func(*rapid.T) { l.check() },
		})
		l.end()
	})
}

func (l *life) check() {
	require.Empty(l.tb, l.inside.Disagreement())
	for _, run := range l.runs {
		if _, err := l.Run(l.ctx, run); !errors.Is(err, store.ErrRunNotFound) {
			l.record(run)
		}
	}
}

func (l *life) someRun(t *rapid.T) store.RunID {
	if len(l.runs) == 0 {
		t.Skip("no run")
	}
	return rapid.SampledFrom(l.runs).Draw(t, "run")
}

func someItem(t *rapid.T) store.Item {
	it := task(fmt.Sprint("id", rapid.IntRange(0, 5).Draw(t, "id")))
	it.Route = rapid.SampledFrom([]store.Route{path, file}).Draw(t, "route")
	it.Delay = time.Duration(rapid.SampledFrom([]int{0, 0, 3}).Draw(t, "delay")) * time.Second
	if rapid.Bool().Draw(t, "claimed") {
		it.Task.Claimed, it.Task.Keep = true, time.Duration(rapid.IntRange(0, 9).Draw(t, "keep"))*time.Second
	}
	return it
}

func (l *life) startRun(t *rapid.T) {
	l.jobs++
	p := store.StartParams{Job: fmt.Sprint("job", l.jobs), Retention: 30 * time.Second, Open: rapid.Bool().Draw(t, "open")}
	if root := someItem(t); !p.Open || rapid.Bool().Draw(t, "root") {
		root.Task.Claimed, root.Task.Keep = false, 0
		p.Root = &root
	}
	if rapid.Bool().Draw(t, "pre") {
		p.PreJob = hook(preJob)
	}
	if rapid.Bool().Draw(t, "post") {
		p.PostJob = hook(postJob)
	}
	p.SealAfter = time.Duration(rapid.IntRange(0, 1).Draw(t, "seal after")) * time.Minute
	p.Weight = rapid.SampledFrom([]float64{0.5, 1, 3}).Draw(t, "weight")
	l.runs = append(l.runs, l.start(p))
}

func (l *life) enqueueSome(t *rapid.T) {
	run := l.someRun(t)
	for range rapid.IntRange(1, 5).Draw(t, "n") {
		l.enqueue(store.Entry{Run: run, Item: someItem(t)})
	}
}

func (l *life) changeHold(t *rapid.T) {
	name := rapid.SampledFrom([]string{store.HoldOpen, "upload"}).Draw(t, "hold")
	_ = l.hold(l.someRun(t), name, rapid.Bool().Draw(t, "close"))
}

func (l *life) fetchSome(t *rapid.T) {
	id := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "worker")
	if l.workers[id] == nil {
		l.workers[id] = l.workerFor(15 * time.Second)
	}
	p := store.FetchParams{Max: rapid.IntRange(1, 6).Draw(t, "max"), Recovered: rapid.Bool().Draw(t, "recovered"), Queues: everything}
	l.held[id] = append(l.held[id], l.workers[id].ask(p)...)
}

// someHeld takes a delivery that a worker holds.
func (l *life) someHeld(t *rapid.T) (id string, d store.Delivery, drop func()) {
	id = rapid.SampledFrom([]string{"a", "b"}).Draw(t, "worker")
	if len(l.held[id]) == 0 {
		t.Skip("holds nothing")
	}
	i := rapid.IntRange(0, len(l.held[id])-1).Draw(t, "delivery")
	return id, l.held[id][i], func() { l.held[id] = append(l.held[id][:i:i], l.held[id][i+1:]...) }
}

func (l *life) settleSome(t *rapid.T) {
	id, d, drop := l.someHeld(t)
	last := verdicts.StopRun
	if !d.Lease.Lane.Route.Counted() {
		last = verdicts.HookDone
	}
	o := with(d, verdicts.Verdict(rapid.IntRange(int(verdicts.Success), int(last)).Draw(t, "verdict")))
	o.Delay = time.Duration(rapid.IntRange(0, 5).Draw(t, "delay")) * time.Second
	o.Staged = l.stagedFor(id, d)
	for range rapid.IntRange(0, 2).Draw(t, "children") {
		o.Children = append(o.Children, someItem(t))
	}
	require.Empty(l.tb, l.workers[id].settle(o).Lost)
	require.Equal(l.tb, []int{0}, l.workers[id].settle(o).Lost)
	drop()
}

// stagedFor is what the store says is staged for a delivery.
func (l *life) stagedFor(id string, d store.Delivery) []store.Staged {
	held, err := l.Held(l.ctx, l.workers[id].session, nil)
	require.NoError(l.tb, err)
	for _, h := range held {
		if h.Lease == d.Lease {
			return h.Staged
		}
	}
	return nil
}

func (l *life) stageSome(t *rapid.T) {
	id, d, _ := l.someHeld(t)
	it := someItem(t)
	// A repeat if something is staged there already, refused if the run stops.
	err := l.Stage(l.ctx, store.StageParams{Session: l.workers[id].session, Lease: d.Lease, Route: it.Route, Items: []store.Item{it}})
	if err != nil {
		require.ErrorIs(l.tb, err, store.ErrJobStopped)
	}
}

func (l *life) stopRun(t *rapid.T) {
	if rapid.IntRange(0, 4).Draw(t, "seldom") == 0 {
		_ = l.StopRun(l.ctx, store.StopParams{Run: l.someRun(t)})
	}
}

func (l *life) pauseRun(t *rapid.T) {
	_ = l.SetRunPaused(l.ctx, l.someRun(t), rapid.Bool().Draw(t, "paused"))
}

func (l *life) crash(t *rapid.T) {
	id := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "worker")
	if w := l.workers[id]; w != nil {
		require.NoError(l.tb, l.CloseSession(l.ctx, w.session))
		l.forget(id)
	}
}

func (l *life) forget(id string) {
	delete(l.workers, id)
	delete(l.held, id)
}

func (l *life) forgetSwept() {
	for id, w := range l.workers {
		if _, err := l.Held(l.ctx, w.session, nil); err != nil {
			require.ErrorIs(l.tb, err, store.ErrLeaseLost)
			l.forget(id)
		}
	}
}

// end lets every run come to its end: resumed, sealed, worked off.
func (l *life) end() {
	for id, w := range l.workers {
		require.NoError(l.tb, l.CloseSession(l.ctx, w.session))
		l.forget(id)
	}
	for _, run := range l.runs {
		_ = l.SetRunPaused(l.ctx, run, false)
		_ = l.hold(run, "upload", true)
		_ = l.hold(run, store.HoldOpen, true)
	}
	w := l.workerFor(time.Hour)
	for idle := 0; idle < 3; idle++ {
		l.now = l.now.Add(10 * time.Second)
		l.promote()
		for ds := w.fetch(50); len(ds) > 0; ds = w.fetch(50) {
			w.settleAll(ds, verdicts.Success)
			idle = 0
		}
	}
	l.check()
	for _, run := range l.runs {
		if rec, err := l.Run(l.ctx, run); err == nil {
			require.True(l.tb, rec.Status.Final(), "%+v", rec)
			require.Zero(l.tb, rec.Counts.Remaining())
		}
	}
	l.now = l.now.Add(30 * time.Second)
	l.sweep()
	require.Empty(l.tb, l.inside.Leftovers())
}
