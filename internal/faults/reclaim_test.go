package faults

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

// sweeper sweeps by itself, and is held still where it calls a script.
type sweeper struct {
	group *lifecycle.Group
	at    *redistest.Proxy
	open  chan struct{} // closed to let it go on
	done  chan error
}

// sweepUntil has a sweeper sweep until it comes to call the script for the first time. There it
// stays, and everything that it has read grows old.
func (w *world) sweepUntil(script string) *sweeper {
	w.t.Helper()
	s := &sweeper{
		group: lifecycle.New(w.t.Context()),
		at:    redistest.NewProxy(w.t, w.server.Addr),
		open:  make(chan struct{}),
		done:  make(chan error, 1),
	}
	s.at.Inject(redistest.Fault{Match: w.scripts.learn})
	s.at.Inject(redistest.Fault{Kind: redistest.Hold, Nth: 1, Until: s.open, Match: w.anyCall(script)})
	store, err := redisstore.Open(w.t.Context(), s.at.URL(), redisstore.Config{Namespace: w.namespace, SweepInterval: sweepInterval})
	require.NoError(w.t, err)
	w.t.Cleanup(func() {
		s.group.Stop(errNoMore)
		require.NoError(w.t, store.Close())
	})
	s.group.Go(func(ctx context.Context) {
		for ctx.Err() == nil {
			_, err := store.Sweep(ctx, 0)
			if err != nil || s.at.Injected() > 0 {
				s.done <- err
				return
			}
		}
	})
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	require.NoError(w.t, s.at.AwaitInjected(ctx, 1), "it never came to call %s", script)
	return s
}

// release lets the sweeper go on, and returns when it has ended its sweep.
func (s *sweeper) release(w *world) {
	w.t.Helper()
	close(s.open)
	require.NoError(w.t, <-s.done)
}

// reclaimRacesSettle puts barriers between the reading of what a dead session holds and the
// taking of it.
func reclaimRacesSettle(t *testing.T) {
	t.Run("the session proves alive", func(t *testing.T) {
		w := newWorld(t, shortLease, nil)
		worker := w.worker(4)
		s := w.grow(node{Path: "root", Fan: []int{4}, Leaf: waits})
		w.await("four tasks in hand", seen(started, 5))
		worker.pause()
		sweeper := w.sweepUntil("close_session") // it has found the lease to be over
		worker.resume()
		w.open()
		s.requireGrown(0)
		s.requireOneAttemptEach()
		sweeper.release(w)
		s.requireUnmoved()
		worker.drain()
		s.requireNothingLeft()
	})
	t.Run("others reclaim and settle", func(t *testing.T) {
		w := newWorld(t, shortLease, nil)
		zombie := w.worker(4)
		s := w.grow(node{Path: "root", Fan: []int{4}, Leaf: waits})
		w.await("four tasks in hand", seen(started, 5))
		zombie.pause()
		sweeper := w.sweepUntil("reclaim") // it has closed the session, and listed what that held
		zombie.resume()
		w.open() // the zombie settles, too late
		other := w.worker(4)
		s.requireGrown(0)
		sweeper.release(w)
		s.requireUnmoved()
		zombie.drain()
		other.drain()
		s.requireNothingLeft()
	})
}

// requireUnmoved requires that the run is as the oracle saw it end.
func (s *subject) requireUnmoved() {
	s.w.t.Helper()
	state, err := s.direct.State(s.w.t.Context())
	require.NoError(s.w.t, err)
	require.Equal(s.w.t, s.lastPoll().Counts, state.Counts)
	require.Equal(s.w.t, s.lastPoll().Status, state.Status)
}

// heldWithoutALeaseEntry removes sessions from the list by which the dead are found.
func heldWithoutALeaseEntry(t *testing.T) {
	w := newWorld(t, shortLease, nil)
	dead, alive := w.worker(2), w.worker(2)
	s := w.grow(node{Path: "root", Fan: []int{4}, Leaf: waits})
	w.await("all four in hand", seen(started, 5))
	dead.kill()
	require.NoError(t, w.server.Do(t.Context(), "DEL", w.key("leases")))
	alive.awaitLog(events.TasksReclaimed)
	w.open()
	s.requireGrown(0)
	alive.drain()
	for _, key := range w.keys() {
		require.NotContains(t, key, "}:L:", "a session is left behind: %s", key)
	}
	s.requireNothingLeft()
}

// key is a key of the only partition.
func (w *world) key(name string) string { return "{" + w.namespace + ":0}:" + name }
