package faults

import (
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// on are the children of a node that no task is, in a queue.
func (n node) on(queue string) iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		for i := range n.Fan[0] {
			if !yield(enqueue.Task(n.child(i), &enqueue.Options{Queue: queue}), nil) {
				return
			}
		}
	}
}

// queuePausedUnderLoad pauses one of two queues while three workers drain both, kills one of them,
// and resumes the queue.
func queuePausedUnderLoad(t *testing.T) {
	const each = 1000
	w := newWorld(t, shortLease, nil)
	queues := []string{"slow", "fast", "default"}
	workers := make([]*process, 3)
	for i := range workers {
		workers[i] = w.enlist(order{Concurrency: 4, Queues: queues})
	}
	runs := make(map[string]*subject)
	for _, queue := range queues[:2] {
		outside := node{Path: queue, Fan: []int{each}, Leaf: lasts, For: 10 * time.Millisecond}
		s := w.begin(syncjob.Job{Name: jobName + "-" + queue, Set: "tree", Open: true}, outside.childrenGrown())
		_, err := s.EnqueueAll(t.Context(), outside.on(queue), nil)
		require.NoError(t, err)
		require.NoError(t, s.Seal(t.Context()))
		runs[queue] = s
	}
	slow, fast := runs["slow"], runs["fast"]
	begun := func(s *subject, n int) func([]event) bool {
		return func(events []event) bool {
			for _, e := range about(events, started, "") {
				if e.Run == s.Number() {
					n--
				}
			}
			return n < 0
		}
	}
	w.await("one queue at work", begun(slow, 20))
	w.await("the other queue at work", begun(fast, 20))

	scope := syncjob.Scope{Queue: "slow"}
	require.NoError(t, w.m.Pause(t.Context(), scope, "the test"))
	turn := slow.turn("slow") // which each fetch from the queue moves
	workers[0].kill()
	waits := slow.idle().Counts.Pending
	require.Positive(t, waits, "the queue was not paused amid its work")
	before := slow.starts()
	fast.requireGrown(0) // the other queue is drained by the workers that are left
	w.warm()
	require.Equal(t, turn, slow.turn("slow"), "a fetch has leased what is paused")
	require.Equal(t, before, slow.starts(), "a task has begun that was given back")
	why, err := slow.Explain(t.Context())
	require.NoError(t, err)
	require.Contains(t, why.String(), "queue slow is paused since ")

	resumed := time.Now()
	require.NoError(t, w.m.Resume(t.Context(), scope))
	w.await("the queue at work", begun(slow, before))
	t.Logf("%d tasks waited; the first was seen to start %v after the call of Resume", waits, time.Since(resumed))
	slow.requireGrown(0)
	for _, p := range workers[1:] {
		p.drain()
	}
	slow.requireNothingLeft()
	fast.requireNothingLeft()
}

// idle returns when no worker holds anything of the run.
func (s *subject) idle() states.Run {
	s.w.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(pollGap) {
		if state, err := s.direct.State(s.w.t.Context()); err == nil && state.Counts.Running == 0 {
			return state
		}
	}
	s.w.t.Fatalf("tasks of run %d of %q are held: %+v", s.Number(), s.Job(), s.lastPoll().Counts)
	return states.Run{}
}

// turn is the virtual time of the run in a queue.
func (s *subject) turn(queue string) string {
	s.w.t.Helper()
	got := s.w.list("HMGET", s.w.key(fmt.Sprintf("run:%d", s.Number())), "v:"+queue)
	require.Len(s.w.t, got, 1)
	return got[0]
}
