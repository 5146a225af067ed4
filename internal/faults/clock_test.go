package faults

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/syncjob"
)

// clocksOff moves the server's clock, which is the one that decides, by hours against that of every
// worker: seen from there, the workers' clocks are off.
func clocksOff(t *testing.T) {
	for name, offset := range map[string]time.Duration{"workers behind": 7 * time.Hour, "workers ahead": -7 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			moods, _ := seed(t)
			w := newWorld(t, shortLease, &redistest.Options{Clock: redistest.NewClock(t, offset)})
			victim := w.worker(4)
			s := w.begin(syncjob.Job{Name: jobName, Set: "tree", Root: node{Path: "root", Fan: []int{4}, Leaf: waits}, Open: true},
				node{Path: "root", Fan: []int{4}}.grown())
			w.await("four tasks in hand", seen(started, 5))
			victim.kill()
			killed := time.Now()
			other := w.worker(8)
			w.await("a task elsewhere", seen(started, 6))
			require.Less(t, time.Since(killed), reclaimBound, "a lease is as long as ever")

			// What is delayed, retried, snoozed and claimed is due after as long as ever, too.
			later, outside := node{Path: "later", Fan: []int{3}}, moody(moods)
			outside.Path = "outside"
			for i := range 3 {
				_, err := s.Enqueue(t.Context(), later.child(i), &enqueue.Options{Delay: 200 * time.Millisecond})
				require.NoError(t, err)
				s.want.paths[later.child(i).Path] = true
			}
			_, err := s.EnqueueAll(t.Context(), outside.children(), nil)
			require.NoError(t, err)
			more := outside.childrenGrown()
			for path := range more.paths {
				s.want.paths[path] = true
			}
			s.want.retried, s.want.duplicates, s.want.snoozes = more.retried, more.duplicates, more.snoozes
			w.open()
			require.NoError(t, s.Seal(t.Context()))
			final := s.requireGrown(0)
			require.WithinDuration(t, time.Now().Add(offset), final.Ended, time.Minute, "the times are the server's")
			other.drain()
			s.requireNothingLeft()
		})
	}
	t.Run("it jumps", func(t *testing.T) {
		moods, random := seed(t)
		clock := redistest.NewClock(t, 0)
		w := newWorld(t, longLease, &redistest.Options{Clock: clock})
		first, second := w.worker(8), w.worker(8)
		s := w.grow(slow(moods))
		// It ends at its furthest: what is delayed waits for its time, however the clock came there.
		for i, offset := range []time.Duration{-2 * time.Hour, 0, 3 * time.Hour} {
			w.await("more of it", seen(started, 500+i*1500+random.IntN(500)))
			w.awaitHeard()
			clock.Set(offset)
		}
		s.requireGrown(0)
		s.requireOneAttemptEach()
		first.drain()
		second.drain()
		s.requireNothingLeft()
	})
}

// awaitHeard waits until every session was heard from since the clock has jumped last: a sweep
// extends a lease once until then.
func (w *world) awaitHeard() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	extended := func(term string) bool { return strings.Contains(term, " ") }
	for {
		terms, err := w.server.Client.Do(ctx, w.server.Client.B().Hvals().Key(w.key("terms")).Build()).AsStrSlice()
		require.NoError(w.t, err)
		if !slices.ContainsFunc(terms, extended) {
			return
		}
	}
}
