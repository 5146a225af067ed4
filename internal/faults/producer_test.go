package faults

import (
	"context"
	"errors"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

const roleProducer = "producer"

// produce is a process that enqueues the children of a node into a run, from outside, and
// stands still in the midst of it if its order says so.
func produce(ctx context.Context, o order, l *ledger) error {
	registry, err := (&hands{ledger: l}).registry()
	if err != nil {
		return err
	}
	s, err := redisstore.Open(ctx, o.URL, redisstore.Config{Namespace: o.Namespace, SweepInterval: o.Sweep})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	m, err := syncjob.New(s, syncjob.Config{Registry: registry})
	if err != nil {
		return err
	}
	defer func() { _ = m.Close() }()
	if err := l.note(event{What: ready, Text: o.Name}); err != nil {
		return err
	}
	_, err = m.Run(o.Job, o.Number).EnqueueAll(ctx, o.halting(ctx, l), &enqueue.AllOptions{Hold: o.Hold})
	return errors.Join(err, l.note(event{What: produced, Run: o.Number}))
}

// halting are the children of the order's node, with a halt after as many as it says.
func (o order) halting(ctx context.Context, l *ledger) iter.Seq2[enqueue.Item, error] {
	return func(yield func(enqueue.Item, error) bool) {
		n := 0
		for item, err := range o.Parent.children() {
			if n == o.Halt && o.Halt > 0 {
				if err := errors.Join(l.note(event{What: halted, Run: o.Number}), l.await(ctx, "producer")); err != nil {
					yield(enqueue.Item{}, err)
					return
				}
			}
			if !yield(item, err) {
				return
			}
			n++
		}
	}
}

func producerDiesBetweenChunks(t *testing.T) {
	_, random := seed(t)
	w := newWorld(t, longLease, nil)
	worker := w.worker(8)
	const children, hold = 2000, "upload"
	parent := node{Path: "outside", Fan: []int{children}, Claim: true}
	s := w.begin(syncjob.Job{Name: jobName, Set: "tree", Root: node{Path: "root", Leaf: waits}}, parent.childrenGrown())
	s.want.paths["root"] = true
	o := order{Role: roleProducer, Job: s.Job(), Number: s.Number(), Parent: parent, Hold: hold, Halt: 600 + random.IntN(1000)}

	dying := w.enlist(o)
	w.await("it in the midst", seen(halted, 1))
	dying.kill()
	w.open() // the root ends, and so does all that was stored
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stored := 0
	for state, err := range s.Watch(ctx) {
		require.NoError(t, err)
		require.Equal(t, states.Running, state.Status, "it is not done: its producer died")
		if stored = int(state.Counts.Total) - 1; state.Counts.Remaining() == 0 {
			break
		}
	}
	require.Positive(t, stored)
	require.Less(t, stored, children)
	require.Zero(t, times(s.events(), hookBegan))
	why, err := s.Explain(t.Context())
	require.NoError(t, err)
	require.Len(t, why.Holds, 1)
	require.Equal(t, hold, why.Holds[0].Name, "Explain names what it waits for")
	require.Empty(t, why.Disagreements)

	// The same sequence once more, under the same hold: what is there already is left out.
	s.want.duplicates = int64(stored)
	o.Halt = 0
	again := w.enlist(o)
	again.requireGone(0)
	s.requireGrown(0)
	s.requireOneAttemptEach()
	worker.drain()
	s.requireNothingLeft()
}
