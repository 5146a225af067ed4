package memstore_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
)

func TestRunsTakeTurnsWithinOneFetch(t *testing.T) {
	k := newKit(t, nil)
	for _, job := range []string{"a", "b", "c", "d"} {
		k.add(k.start(store.StartParams{Job: job, Open: true}), tasks(100)...)
	}
	require.Equal(t, map[string]int{"a": 2, "b": 2, "c": 2, "d": 2}, tally(k.worker().fetch(8)))
}

func TestASmallRunOvertakesABigOne(t *testing.T) {
	k := newKit(t, nil)
	big := k.start(store.StartParams{Job: "big", Open: true})
	k.add(big, tasks(5000)...)
	w := k.worker()
	w.fetch(1)
	small := k.start(store.StartParams{Job: "small", Open: true})
	k.add(small, tasks(100)...)
	done := map[string]int{}
	for done["small"] < 100 {
		for job, n := range tally(w.fetch(10)) {
			done[job] += n
		}
	}
	require.LessOrEqual(t, done["big"], 110)
}

func TestTurnsFollowTheWeights(t *testing.T) {
	k := newKit(t, nil)
	heavy := k.start(store.StartParams{Job: "heavy", Open: true, Weight: 3})
	light := k.start(store.StartParams{Job: "light", Open: true, Weight: 1})
	k.add(heavy, tasks(1000)...)
	k.add(light, tasks(1000)...)
	w := k.worker()
	got := map[string]int{}
	for range 100 {
		for job, n := range tally(w.fetch(4)) {
			got[job] += n
		}
	}
	require.InDelta(t, 300, got["heavy"], 6)
	require.InDelta(t, 100, got["light"], 6)
}

func TestAnIdleRunSavesUpNoTurns(t *testing.T) {
	k := newKit(t, nil)
	idle := k.start(store.StartParams{Job: "idle", Open: true})
	busy := k.start(store.StartParams{Job: "busy", Open: true})
	k.add(idle, task("t"))
	k.add(busy, tasks(900)...)
	w := k.worker()
	for range 20 {
		w.fetch(20)
	}
	k.add(idle, tasks(200)...)
	got := map[string]int{}
	for range 10 {
		for job, n := range tally(w.fetch(10)) {
			got[job] += n
		}
	}
	require.InDelta(t, 50, got["busy"], 10, "it had run 400 ahead while the other had nothing to do")
}

func TestLanesOfOneRunInAQueueShareItsTurns(t *testing.T) {
	k := newKit(t, nil)
	kinds := make([]store.Route, 4)
	for i := range kinds {
		kinds[i] = store.Route{Queue: "path", Set: "ingest", Kind: fmt.Sprint("kind", i)}
	}
	wide := k.start(store.StartParams{Job: "wide", Open: true})
	slim := k.start(store.StartParams{Job: "slim", Open: true})
	for range 200 {
		for _, r := range kinds {
			k.add(wide, onRoute(r, task("t")))
		}
	}
	for range 200 {
		k.add(slim, onRoute(kinds[0], task("t")))
	}
	w := k.worker()
	got := map[string]int{}
	for range 40 {
		ds := w.ask(store.FetchParams{Max: 5, Queues: []store.FetchQueue{{Queue: "path", Routes: kinds}}})
		for job, n := range tally(ds) {
			got[job] += n
		}
	}
	require.InDelta(t, got["slim"], got["wide"], 10)
}

func TestTurnsOfAKindThatNobodyServesAreNotSavedUp(t *testing.T) {
	k := newKit(t, nil)
	slow := store.Route{Queue: "path", Set: "ingest", Kind: "slow"}
	asking := func(r store.Route) store.FetchParams {
		return store.FetchParams{Max: 10, Queues: []store.FetchQueue{{Queue: "path", Routes: []store.Route{r}}}}
	}
	other := k.start(store.StartParams{Job: "other", Open: true})
	big := k.start(store.StartParams{Job: "big", Open: true})
	k.add(other, tasks(2000)...)
	for range 1000 {
		k.add(big, onRoute(slow, task("t")))
	}
	w := k.worker()
	for range 150 {
		w.ask(asking(path))
	}
	small := k.start(store.StartParams{Job: "small", Open: true})
	for range 10 {
		k.add(small, onRoute(slow, task("t")))
	}
	got := 0
	for range 4 {
		got += tally(w.ask(asking(slow)))["small"]
	}
	require.Equal(t, 10, got, "it does not wait for 1500 turns that big could not take")
}

// tally counts deliveries by job.
func tally(ds []store.Delivery) map[string]int {
	n := map[string]int{}
	for _, d := range ds {
		n[d.Lease.Lane.Run.Job]++
	}
	return n
}
