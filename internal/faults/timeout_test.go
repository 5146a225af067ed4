package faults

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/syncjob"
)

// impatient is a client's patience with a server that does not answer, in a row about it.
const impatient = "?write_timeout=200ms"

// timeoutExecutedLater stops the server while calls of every kind are in flight. They run
// into their timeouts, and it executes them when it goes on: after the clients have given
// up, and repeated them.
func timeoutExecutedLater(t *testing.T) {
	moods, random := seed(t)
	server := redistest.Start(t, nil)
	w := newWorldAt(t, longLease, server.URL()+impatient, func() []*redistest.Server { return []*redistest.Server{server} })
	desk := w.atDesk()
	first, second := w.worker(8), w.worker(8)
	outside := node{Path: "outside", Fan: []int{40, 60}, Moods: moods}
	s := w.begin(syncjob.Job{Name: jobName, Set: "tree", Open: true}, outside.childrenGrown())
	single := node{Path: "single", Fan: []int{8}}
	for path := range single.childrenGrown().paths {
		s.want.paths[path] = true
	}
	_, err := s.Enqueue(t.Context(), single.child(0), nil) // the producer's stream is open
	require.NoError(t, err)
	summary, err := s.EnqueueAll(t.Context(), outside.children(), nil)
	require.NoError(t, err)
	require.Equal(t, 40, summary.Enqueued)
	for i := 1; i < 8; i++ {
		w.await("more of it", seen(started, i*200+random.IntN(100)))
		server.Pause()
		enqueued := make(chan error, 1)
		go func() {
			_, err := s.Enqueue(t.Context(), single.child(i), &enqueue.Options{})
			enqueued <- err
		}()
		// Past the timeout, and once more past the one of its repeat.
		select {
		case err := <-enqueued:
			require.NoError(t, err, "an enqueue during the stop") // it slipped through before
		case <-time.After(500 * time.Millisecond):
		}
		server.Resume()
		if len(enqueued) == 0 {
			require.NoError(t, <-enqueued)
		}
	}
	require.NoError(t, s.Seal(t.Context()))
	s.requireGrown(0)
	s.requireOneAttemptEach()
	desk.close()
	first.drain()
	second.drain()
	s.requireNothingLeft()
}
