package faults

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// slow is a tree whose growth lasts long enough for things to happen to it.
func slow(seed uint64) node { return node{Path: "root", Fan: []int{40, 150}, Moods: seed} }

func serverRestart(t *testing.T) {
	moods, random := seed(t)
	w := newWorld(t, longLease, &redistest.Options{AOF: true})
	desk := w.atDesk()
	first, second := w.worker(8), w.worker(8)
	s := w.grow(slow(moods))
	for i := range 3 {
		w.await("more of it", seen(started, 1+i*1500+random.IntN(500)))
		if i == 1 {
			_ = w.server.Do(t.Context(), "CLIENT", "KILL", "TYPE", "normal") // it may cut off its own reply
			continue
		}
		w.server.Kill()
		w.server.Restart()
	}
	s.requireGrown(0)
	s.requireOneAttemptEach()
	desk.close()
	first.drain()
	second.drain()
	s.requireNothingLeft()
}

func scriptFlush(t *testing.T) {
	moods, _ := seed(t)
	w := newWorld(t, longLease, nil)
	desk := w.atDesk()
	first, second := w.worker(8), w.worker(8)
	s := w.grow(slow(moods))
	for i := range 50 {
		w.await("more of it", seen(started, 100*i))
		require.NoError(t, w.server.Do(t.Context(), "SCRIPT", "FLUSH"))
	}
	s.requireGrown(0)
	s.requireOneAttemptEach()
	desk.close()
	first.drain()
	second.drain()
	s.requireNothingLeft()
}

func flushallInMidRun(t *testing.T) {
	w := newWorld(t, shortLease, nil)
	worker := w.worker(4)
	s := w.grow(node{Path: "root", Fan: []int{100}, Leaf: waits})
	w.await("some of it in hand", seen(started, 5))
	waited, watched := make(chan error, 1), make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	go func() {
		_, err := s.Wait(ctx)
		waited <- err
	}()
	go func() {
		var last error
		for state, err := range s.Watch(ctx) {
			if last = err; err == nil && state.Status.Final() {
				break
			}
		}
		watched <- last
	}()
	require.NoError(t, w.server.Do(t.Context(), "FLUSHALL"))
	require.ErrorIs(t, <-waited, syncjob.ErrStateLost)
	require.ErrorIs(t, <-watched, syncjob.ErrStateLost)
	_, err := s.State(t.Context())
	require.ErrorIs(t, err, syncjob.ErrStateLost)
	require.Equal(t, states.Running, s.lastPoll().Status, "it was never done")
	w.open()

	// Workers begin anew by themselves, and what is started now has nothing to do with
	// what was lost.
	next := w.grow(node{Path: "root", Fan: []int{100}})
	next.requireGrown(0)
	require.Greater(t, next.Number(), s.Number())
	require.Zero(t, times(s.events(), hookBegan))
	worker.drain()
	next.requireNothingLeft()
}
