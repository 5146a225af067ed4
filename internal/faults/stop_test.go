package faults

import (
	"context"
	"fmt"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// endless are the children of a node that a producer never stops to enqueue.
func endless() iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		for i := 0; yield(enqueue.Task(node{Path: fmt.Sprint("endless/", i)}, nil), nil); i++ {
		}
	}
}

func stopAtAnyMoment(t *testing.T) {
	moods, random := seed(t)
	w := newWorld(t, longLease, nil)
	first, second := w.worker(8), w.worker(8)
	w.warm()
	for round := range 8 {
		s := w.grow(node{Path: "root", Fan: []int{4, 300}, Moods: moods})
		produced := make(chan error, 1)
		go func() {
			_, err := s.EnqueueAll(t.Context(), endless(), nil)
			produced <- err
		}()
		enough, graceful := random.IntN(1500), random.IntN(2) == 0
		if round%2 == 0 {
			enough = random.IntN(8) // while it begins
		}
		w.await("some of it", func([]event) bool { return s.startsSoFar() >= enough })
		err := s.Stop(t.Context(), &syncjob.StopOptions{Graceful: graceful, Reason: "the row says so"})
		require.NoError(t, err)

		_, err = s.Enqueue(t.Context(), node{Path: "late"}, nil)
		require.ErrorIs(t, err, syncjob.ErrJobStopped)
		require.ErrorIs(t, <-produced, syncjob.ErrJobStopped)
		final := s.finish()
		require.Equal(t, states.Stopped, final.Status)
		require.Equal(t, "the row says so", final.Reason)
		require.Zero(t, final.Counts.Failed)
		before := s.starts()
		w.sentinel()
		require.Equal(t, before, s.starts(), "a task of a stopped run has started")
		require.Zero(t, times(s.events(), hookBegan), "the hook of a stopped run")
		t.Logf("stopped after %d starts, graceful %v: %+v", enough, graceful, final.Counts)
		s.requireNothingLeft()
		moods++
	}
	first.drain()
	second.drain()
}

// startsSoFar counts attempts of the run that were read from the ledger already.
func (s *subject) startsSoFar() int {
	n := 0
	for _, e := range s.w.witness.events {
		if e.Run == s.Number() && e.What == started {
			n++
		}
	}
	return n
}

// sentinel runs a small job in the same queue and waits for its end: had anything else
// been waiting there, it would have been given to the workers by then.
func (w *world) sentinel() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	root := node{Path: "sentinel", Fan: []int{200}, Quiet: true}
	run, err := w.m.Start(ctx, syncjob.Job{Name: "sentinel", Set: "tree", Root: root}, nil)
	require.NoError(w.t, err)
	final, err := run.Wait(ctx)
	require.NoError(w.t, err)
	require.EqualValues(w.t, 201, final.Counts.Succeeded)
}
