package faults

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// sentinelFailover has a sentinel promote the replica twice: once from a master that is well,
// lets nobody write and becomes a replica, so that nothing is lost and clients meet READONLY;
// and once from one that is killed in full flight.
func sentinelFailover(t *testing.T) {
	moods, random := seed(t)
	site := redistest.StartSentinel(t)
	current := site.Master
	w := newWorldAt(t, longLease, site.URL(), func() []*redistest.Server { return []*redistest.Server{current} })
	desk := w.atDesk()
	first, second := w.worker(8), w.worker(8)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()

	s := w.grow(slow(moods))
	w.await("some of it", seen(started, 500+random.IntN(2000)))
	require.NoError(t, site.Failover(ctx))
	current = site.Replica
	s.requireGrown(0)
	s.requireOneAttemptEach()
	desk.close()
	s.requireNothingLeft()

	// Who talks to the replica all the same is refused for now, and nothing else.
	astray := w.manager(site.Master.URL())
	hasty, end := context.WithTimeout(ctx, time.Second)
	defer end()
	_, err := astray.Start(hasty, syncjob.Job{Name: "astray", Set: "tree", Root: node{Path: "astray"}}, nil)
	require.ErrorIs(t, err, syncjob.ErrUnavailable)
	require.Positive(t, w.refusals.count("READONLY"))

	// What the replica lacks is lost, and the rest agrees with itself: the run ends, whatever
	// of it ran twice.
	w.lossy = true
	killed := w.begin(syncjob.Job{Name: jobName, Set: "tree", Root: slow(moods)}, growth{quiet: true})
	w.await("some of it", startedOf(killed, 500+random.IntN(2000)))
	site.Replica.Kill()
	require.NoError(t, site.Master.AwaitMaster(ctx))
	current = site.Master
	final := killed.finish()
	require.Equal(t, states.Succeeded, final.Status)
	require.Equal(t, final.Counts.Total, final.Counts.Succeeded)
	t.Logf("%d tasks, of which %d attempts began, over a master that was killed", final.Counts.Total, killed.starts())
	w.calm, w.lost = false, true
	killed.requireNothingLeft()
	w.lossy = false

	after := w.grow(slow(moods))
	after.requireGrown(0)
	after.requireOneAttemptEach()
	first.drain()
	second.drain()
	after.requireNothingLeft()
}

// startedOf is a condition for await: so many attempts of the run have started.
func startedOf(s *subject, n int) func([]event) bool {
	return func(events []event) bool {
		seen := 0
		for i := range events {
			if events[i].What == started && events[i].Run == s.Number() {
				seen++
			}
		}
		return seen >= n
	}
}
