package faults

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func outOfMemory(t *testing.T) {
	w := newWorld(t, shortLease, nil)
	desk := w.atDesk()
	first, second := w.worker(8), w.worker(8)
	root := node{Path: "root", Fan: []int{100}, Leaf: waits, Light: true}
	s := w.begin(syncjob.Job{Name: jobName, Set: "tree", Root: root}, root.grown())
	doomed := w.begin(syncjob.Job{Name: "doomed", Set: "tree", Open: true}, growth{quiet: true})
	branch := node{Path: "branch", Fan: []int{5, 30}} // its children fan out, for which there is no memory
	standing := w.begin(syncjob.Job{Name: "standing", Set: "tree", Open: true}, branch.childrenGrown())
	w.await("every hand full", seen(started, 17))
	_, err := standing.EnqueueAll(t.Context(), branch.children(), nil)
	require.NoError(t, err)
	require.NoError(t, doomed.Pause(t.Context()))
	crowd := node{Path: "crowd", Fan: []int{50}}
	_, err = doomed.EnqueueAll(t.Context(), crowd.children(), nil)
	require.NoError(t, err)

	require.NoError(t, w.server.Do(t.Context(), "CONFIG", "SET", "maxmemory", "1"))
	_, err = s.Enqueue(t.Context(), node{Path: "more"}, nil)
	require.ErrorIs(t, err, syncjob.ErrOutOfMemory)
	_, err = s.EnqueueAll(t.Context(), crowd.children(), nil)
	require.ErrorIs(t, err, syncjob.ErrOutOfMemory)
	_, err = w.m.Start(t.Context(), syncjob.Job{Name: "more", Set: "tree", Root: node{Path: "more"}}, nil)
	require.ErrorIs(t, err, syncjob.ErrOutOfMemory)
	w.open()
	s.requireGrown(0) // what was there is fetched and settled, hook included
	require.NoError(t, doomed.Stop(t.Context(), nil))
	final := doomed.finish()
	require.Equal(t, states.Stopped, final.Status)
	require.Equal(t, store.Counts{Total: 50, Cancelled: 50}, final.Counts)
	w.await("the branches, that wait with their children", func(events []event) bool {
		n := 0
		for _, e := range about(events, started, "") {
			if strings.HasPrefix(e.Path, "branch/") {
				n++
			}
		}
		return n == 5
	})
	// Leases are renewed all the while: nobody has to start again.
	w.awaitLeases(3 * w.lease)

	require.NoError(t, w.server.Do(t.Context(), "CONFIG", "SET", "maxmemory", "0"))
	_, err = standing.Enqueue(t.Context(), node{Path: "late"}, nil)
	require.NoError(t, err)
	standing.want.paths["late"] = true
	require.NoError(t, standing.Seal(t.Context()))
	standing.requireGrown(0)
	for _, run := range []*subject{s, standing} {
		run.requireOneAttemptEach()
	}
	desk.close()
	first.drain()
	second.drain()
	for _, run := range []*subject{s, standing, doomed} {
		run.requireNothingLeft()
	}
}

// awaitLeases returns when every session's lease reaches that far beyond this moment, by the
// server's clock.
func (w *world) awaitLeases(d time.Duration) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	until := time.Now().Add(d).UnixMilli()
	for {
		behind, err := w.server.Client.Do(ctx, w.server.Client.B().Zcount().Key(w.key("leases")).Min("-inf").Max(fmt.Sprint(until)).Build()).
			AsInt64()
		require.NoError(w.t, err)
		if behind == 0 {
			return
		}
	}
}

// busyScript has somebody else's script hold the server up for longer than it bears.
func busyScript(t *testing.T) {
	moods, random := seed(t)
	w := newWorld(t, longLease, &redistest.Options{Args: []string{"--busy-reply-threshold", "20"}})
	desk := w.atDesk()
	first, second := w.worker(8), w.worker(8)
	outside, late := moody(moods), node{Path: "late", Fan: []int{5}}
	s := w.begin(syncjob.Job{Name: jobName, Set: "tree", Open: true}, outside.childrenGrown())
	_, err := s.EnqueueAll(t.Context(), outside.children(), nil)
	require.NoError(t, err)
	bystander, err := openLedger(w.server.Addr, "", "") // a connection that no script of the library is on
	require.NoError(t, err)
	defer bystander.close()
	for i := range 5 {
		w.await("more of it", seen(started, 1+i*100+random.IntN(50)))
		looping := make(chan error, 1)
		go func() {
			looping <- w.server.Do(context.WithoutCancel(t.Context()), "EVAL", "while true do end", "0")
		}()
		for err = nil; err == nil || !strings.Contains(err.Error(), "BUSY"); {
			_, err = bystander.do("PING")
		}
		refused := w.refusals.count("BUSY")
		enqueued := make(chan error, 1)
		go func() {
			_, err := s.Enqueue(t.Context(), late.child(i), nil)
			enqueued <- err
		}()
		w.refusals.await(t, "BUSY", refused+3)
		_, err := bystander.do("SCRIPT", "KILL")
		require.NoError(t, err)
		require.ErrorContains(t, <-looping, "killed")
		require.NoError(t, <-enqueued)
		s.want.paths[late.child(i).Path] = true
	}
	require.NoError(t, s.Seal(t.Context()))
	s.requireGrown(0)
	s.requireOneAttemptEach()
	desk.close()
	first.drain()
	second.drain()
	s.requireNothingLeft()
}
