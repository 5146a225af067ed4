package faults

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

const million = 1_000_000

// amass starts an open run in which a million tasks wait, and no worker is there yet.
func (w *world) amass(leaf string) *subject {
	w.t.Helper()
	crowd := node{Path: "crowd", Fan: []int{million}, Leaf: leaf, Quiet: leaf != waits}
	s := w.begin(syncjob.Job{Name: jobName, Set: "tree", Open: true}, growth{quiet: true})
	begun := time.Now()
	summary, err := s.EnqueueAll(w.t.Context(), crowd.children(), nil)
	require.NoError(w.t, err)
	require.Equal(w.t, million, summary.Enqueued)
	state, err := s.State(w.t.Context())
	require.NoError(w.t, err)
	require.EqualValues(w.t, million, state.Counts.Pending)
	w.t.Logf("%d tasks enqueued in %v", million, time.Since(begun).Round(time.Millisecond))
	return s
}

func TestStopOfAMillionWaitingTasks(t *testing.T) {
	w := newWorld(t, longLease, nil)
	w.proxy.Inject(everyTwentieth)
	s := w.amass(waits)
	require.Greater(t, w.proxy.Injected(), 100)
	w.proxy.Clear()
	// A snapshot lets the same million be stopped twice.
	require.NoError(t, w.server.Do(t.Context(), "SAVE"))
	w.stopTheMillion(s.Run, "all replies arrive")
	w.server.Restart()
	w.stopTheMillion(s.Run, "every 20th reply is lost", everyTwentieth)
	w.requireBalanced()
}

// stopTheMillion stops the run while two workers have their hands full with it. The faults begin
// once they have connected.
func (w *world) stopTheMillion(run *syncjob.Run, how string, faults ...redistest.Fault) {
	t := w.t
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	const concurrency = 8
	before := len(w.all())
	first, second := w.worker(concurrency), w.worker(concurrency)
	for _, f := range faults {
		w.proxy.Inject(f)
	}
	w.await("all hands full", func(events []event) bool {
		return times(events[before:], started) == 2*concurrency
	})
	begun := time.Now()
	require.NoError(t, run.Stop(ctx, nil))
	took := time.Since(begun)
	t.Logf("%s: Stop of %d waiting tasks returned after %v", how, million, took.Round(10*time.Microsecond))
	require.Less(t, took, 5*time.Second)
	state, err := w.oracle.Run(run.Job(), run.Number()).State(ctx)
	require.NoError(t, err)
	require.Zero(t, state.Counts.Pending)
	require.True(t, state.Counts.Balanced())

	final, err := run.Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, states.Stopped, final.Status)
	require.Equal(t, store.Counts{Total: million, Cancelled: million}, final.Counts)
	w.sentinel()
	after := w.all()[before:]
	require.Equal(t, 2*concurrency, times(after, started), "a task of the stopped run has started")
	causes := about(after, cancelled, "")
	require.Len(t, causes, 2*concurrency)
	for _, e := range causes {
		require.Equal(t, store.ErrJobStopped.Error(), e.Text)
	}
	for _, e := range about(after, hookBegan, "") {
		require.NotEqual(t, run.Number(), e.Run, "the hook of a stopped run")
	}
	first.drain()
	second.drain()
}

func TestASmallJobBehindAMillion(t *testing.T) {
	w := newWorld(t, longLease, nil)
	big := w.amass(works)
	workers := []*process{w.worker(8), w.worker(8)}
	w.overtake(big, "all replies arrive")
	w.proxy.Inject(everyTwentieth)
	w.overtake(big, "every 20th reply is lost")
	require.Positive(t, w.proxy.Injected())
	w.proxy.Clear()
	require.NoError(t, big.Stop(t.Context(), nil))
	for _, p := range workers {
		p.drain()
	}
}

// overtaken bounds how many tasks of the big job may end while the small one runs. They
// take a millisecond each, on 16 slots.
const overtaken = 5000

// overtake runs a small job while the workers are busy with the big one.
func (w *world) overtake(big *subject, how string) {
	t := w.t
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	before := big.succeeded(ctx, func(n int64) bool { return n > 0 })
	root := node{Path: "small", Fan: []int{50}, Quiet: true}
	begun := time.Now()
	small, err := w.m.Start(ctx, syncjob.Job{Name: "small", Set: "tree", Root: root}, nil)
	require.NoError(t, err)
	final, err := small.Wait(ctx)
	require.NoError(t, err)
	require.Equal(t, store.Counts{Total: 51, Succeeded: 51}, final.Counts)
	after := big.succeeded(ctx, func(int64) bool { return true })
	t.Logf(
		"%s: the small job took %v; meanwhile %d tasks of the big one succeeded", how,
		time.Since(begun).Round(time.Millisecond), after-before,
	)
	require.Less(t, after-before, int64(overtaken))
	require.NoError(t, small.Delete(ctx))
}

// succeeded reads how many tasks of the run have succeeded, once that is enough.
func (s *subject) succeeded(ctx context.Context, enough func(int64) bool) int64 {
	s.w.t.Helper()
	for state, err := range s.direct.Watch(ctx) {
		require.NoError(s.w.t, err)
		if enough(state.Counts.Succeeded) {
			return state.Counts.Succeeded
		}
	}
	s.w.t.Fatal("the run has ended")
	return 0
}
