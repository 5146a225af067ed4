package faults

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/values"
)

// TestEveryFiftiethReplyToAWriteLost adds, appends and swaps from many callers at once, so that
// writes share calls, and from one, so that they do not.
func TestEveryFiftiethReplyToAWriteLost(t *testing.T) {
	const callers, each = 8, 1250 // additions
	w := newWorld(t, longLease, nil)
	scope := store.NamespaceScope(0)
	h := w.m.Values()
	sum, list := values.NewCounter(h, scope, "sum"), values.NewList[string](h, scope, "list")
	steps := values.NewMap[int](h, scope, "steps")
	_, err := sum.Add(t.Context(), 0) // the stream is open, the script is loaded
	require.NoError(t, err)
	w.proxy.Inject(redistest.Fault{Kind: redistest.Swallow, Match: w.script("write_values"), Every: 50})

	var wg sync.WaitGroup
	errs := make([]error, callers)
	for caller := range callers {
		wg.Go(func() {
			own := fmt.Sprint(caller)
			for i := range each {
				if _, errs[caller] = sum.Add(t.Context(), int64(i)); errs[caller] != nil {
					return
				}
				if i%10 != 0 {
					continue
				}
				if errs[caller] = list.Append(t.Context(), fmt.Sprintf("%s/%d", own, i)); errs[caller] != nil {
					return
				}
				var old *int
				if i > 0 {
					before := i - 10
					old = &before
				}
				swapped, err := steps.CompareAndSet(t.Context(), own, old, i)
				if err == nil && !swapped {
					err = fmt.Errorf("step %d of caller %s was not taken", i, own)
				}
				if errs[caller] = err; err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	shared := w.proxy.Injected()
	one := values.NewCounter(h, scope, "one")
	for i := range int64(2000) {
		n, err := one.Add(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, i+1, n)
	}
	w.proxy.Clear()
	t.Logf("%d additions by %d callers with %d replies lost, 2000 by one with %d", callers*each, callers, shared, w.proxy.Injected()-shared)
	require.GreaterOrEqual(t, w.proxy.Injected(), 40)

	direct := w.oracle.Values()
	n, err := values.NewCounter(direct, scope, "sum").Get(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, callers*each*(each-1)/2, n)
	next := make(map[string]int)
	for item, err := range values.NewList[string](direct, scope, "list").Range(t.Context(), 0) {
		require.NoError(t, err)
		var caller, i int
		_, err = fmt.Sscanf(item, "%d/%d", &caller, &i)
		require.NoError(t, err)
		require.Equal(t, next[fmt.Sprint(caller)], i, "items of a caller are in order, each once")
		next[fmt.Sprint(caller)] = i + 10
	}
	require.Len(t, next, callers)
	for _, i := range next {
		require.Equal(t, each, i)
	}
}

// TestWhatTasksWriteIsExactThoughWorkersAreKilled kills workers at random moments, with replies
// lost on top.
func TestWhatTasksWriteIsExactThoughWorkersAreKilled(t *testing.T) {
	moods, rnd := seed(t)
	w := newWorld(t, shortLease, nil)
	workers := []*process{w.worker(4), w.worker(4)}
	lossy := redistest.Fault{Kind: redistest.Swallow, Every: 50}
	w.proxy.Inject(lossy)
	s := w.grow(node{Path: "root", Fan: []int{12, 40}, Leaf: toils, Moods: moods, Write: true})
	kills := 0
	for kills < 6 {
		begun := len(about(s.events(), started, ""))
		more := begun + 10 + rnd.IntN(60)
		if more > len(s.want.paths) {
			break
		}
		w.await("more tasks", seen(started, more))
		i := rnd.IntN(len(workers))
		workers[i].kill()
		w.proxy.Clear() // a worker that connects does not repeat
		workers[i] = w.worker(4)
		w.proxy.Inject(lossy)
		kills++
	}
	final := s.finish()
	w.proxy.Clear()
	t.Logf("%d tasks, %d workers killed, %d replies lost", final.Counts.Total, kills, w.proxy.Injected())
	require.Positive(t, kills)
	require.EqualValues(t, len(s.want.paths), final.Counts.Total)
	require.Zero(t, final.Counts.Failed)
	require.Equal(t, s.want.weights, final.Counters["weights"])

	h := w.oracle.Values()
	var listed []string
	for path, err := range values.NewList[string](h, store.RunScope(store.RunID{Job: jobName, Number: final.Number}), "grown").Range(t.Context(), 0) {
		require.NoError(t, err)
		listed = append(listed, path)
	}
	want := slices.Sorted(maps.Keys(s.want.paths))
	slices.Sort(listed)
	require.Equal(t, want, listed, "each path once")
	var mapped []string
	for f, err := range values.NewMap[int64](h, store.JobScope(jobName), "latest").Range(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, final.Number, f.Value)
		mapped = append(mapped, f.Name)
	}
	slices.Sort(mapped)
	require.Equal(t, want, mapped)
	for _, p := range workers {
		p.drain()
	}
	w.requireBalanced()
}
