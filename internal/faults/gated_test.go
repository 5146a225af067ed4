package faults

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/cron"
)

const (
	roleGated = "gated"
	gateKey   = "one-worker"
)

// workGated is a worker under a gate that only one process passes at a time, under a scheduler that
// tries again and again.
func workGated(ctx context.Context, o order, l *ledger) error {
	registry, err := (&hands{ledger: l}).registry()
	if err != nil {
		return err
	}
	return withManager(ctx, o, registry, func(m *syncjob.Manager) error {
		gate := &semaphore.Gate{Semaphores: semaphore.New(m.Store()), Key: gateKey, TTL: o.Lease, Holder: o.Name}
		s, err := cron.New(m, cron.Config{}, cron.Runner{
			Name: "work", Trigger: cron.Trigger{Every: 100 * time.Millisecond}, Gate: gate,
			Run: func(ctx context.Context) error {
				lease, _ := semaphore.FromContext(ctx)
				if err := l.note(event{What: entered, Run: lease.Fence}); err != nil {
					return err
				}
				w, err := o.worker(m)
				if err != nil {
					return err
				}
				err = w.Run(ctx)
				return errors.Join(err, l.note(event{What: left, Run: lease.Fence}))
			},
		})
		if err != nil {
			return err
		}
		if err := l.note(event{What: ready, Text: o.Name}); err != nil {
			return err
		}
		return s.Run(ctx)
	})
}

// gatedWorkersGone has three such processes. The one that works is killed, the next is paused past
// its lease, and the third, which works then, is told to stop: each time another takes over, at the
// latest when the lease has ended, and every task is done once.
func gatedWorkersGone(t *testing.T) {
	w := newWorld(t, shortLease, nil)
	crew := make(map[string]*process)
	for range 3 {
		p := w.enlist(order{Role: roleGated, Concurrency: 2})
		crew[p.name] = p
	}
	root := node{Path: "root", Fan: []int{4, 60}, Leaf: toils}
	s := w.begin(syncjob.Job{Name: jobName, Set: "tree", Open: true}, root.childrenGrown())
	turns := 0
	next := func() *process { // who works in the next turn, once it has begun ten tasks
		_, err := s.Enqueue(t.Context(), root.child(turns), nil)
		require.NoError(t, err)
		var at int
		var name string
		w.await("the next turn", func(events []event) bool {
			all := about(events, entered, "")
			if len(all) <= turns {
				return false
			}
			name = all[turns].Worker
			at = slices.Index(events, all[turns])
			return len(slices.DeleteFunc(about(events[at:], started, ""), func(e event) bool { return e.Worker != name })) >= 10
		})
		turns++
		return crew[name]
	}
	victim := next()
	victim.kill()
	zombie := next()
	require.NotEqual(t, victim, zombie)
	zombie.pause()
	third := next()
	require.NotContains(t, []*process{victim, zombie}, third)
	zombie.resume()
	w.await("the end of its turn", func(events []event) bool {
		return slices.ContainsFunc(events, func(e event) bool { return e.What == left && e.Worker == zombie.name })
	})
	third.drain()
	require.Equal(t, zombie, next(), "it tries again")
	require.NoError(t, s.Seal(t.Context()))
	s.requireGrown(0)
	zombie.drain()
	requireOneAtATime(t, w.all())
	s.requireNothingLeft()
}

// requireOneAtATime requires that nobody began a task after the next had entered, but for who was
// paused then: it may begin a few before it hears of the loss, and they count for nothing.
func requireOneAtATime(t *testing.T, events []event) {
	t.Helper()
	var turn event
	late := make(map[string]int)
	for _, e := range events {
		switch {
		case e.What == entered:
			require.Greater(t, e.Run, turn.Run, "fencing numbers grow")
			turn = e
		case e.What == started && e.Worker != turn.Worker:
			late[e.Worker]++
		}
	}
	require.LessOrEqual(t, len(late), 1, "%v", late)
	for _, n := range late {
		require.Less(t, n, 10)
	}
}
