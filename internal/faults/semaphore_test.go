package faults

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
)

const (
	roleHolder = "holder"
	slotKey    = "the-slots"
	slots      = 2
)

// hold is a process that tries to run gated work, which lasts for ever, until it is its turn.
func hold(ctx context.Context, o order, l *ledger) error {
	s, err := redisstore.Open(ctx, o.URL, redisstore.Config{Namespace: o.Namespace, SweepInterval: o.Sweep})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	if err := l.note(event{What: ready, Text: o.Name}); err != nil {
		return err
	}
	gate := semaphore.Gate{Semaphores: semaphore.New(s), Key: slotKey, Max: slots, TTL: o.Lease, Holder: o.Name}
	for err = semaphore.ErrSkipped; errors.Is(err, semaphore.ErrSkipped) && ctx.Err() == nil; {
		err = gate.Run(ctx, func(ctx context.Context) error {
			if err := l.note(event{What: started, Path: o.Name}); err != nil {
				return err
			}
			<-ctx.Done()
			return l.note(event{What: cancelled, Path: o.Name, Text: context.Cause(ctx).Error()})
		})
	}
	if errors.Is(err, store.ErrLeaseLost) {
		return l.note(event{What: ended, Path: o.Name, Text: err.Error()})
	}
	return err
}

// semaphoreHolderGone kills a holder and pauses another. A process that waits gets the place
// of each when its time is over, and nobody loses what it holds.
func semaphoreHolderGone(t *testing.T) {
	w := newWorld(t, shortLease, nil)
	sems := semaphore.New(w.oracle.Store())
	watched := w.watchSlots(sems)
	victim, zombie := w.enlist(order{Role: roleHolder}), w.enlist(order{Role: roleHolder})
	w.await("both places taken", seen(started, slots))
	first, second := w.enlist(order{Role: roleHolder}), w.enlist(order{Role: roleHolder})
	_, err := sems.TryAcquire(t.Context(), slotKey, &semaphore.Options{Max: slots, Holder: "the row"})
	require.ErrorIs(t, err, semaphore.ErrNotAcquired)
	before := holders(t, sems)
	stale := w.list("HKEYS", w.key("sem:facts:"+slotKey))

	victim.kill()
	w.await("its place taken", seen(started, slots+1))
	zombie.pause()
	events := w.await("that one's place taken, too", seen(started, slots+2))
	after := holders(t, sems)
	require.Len(t, after, slots)
	for _, h := range after {
		require.Contains(t, []string{first.name, second.name}, h.Holder)
		for _, old := range before {
			require.Greater(t, h.Fence, old.Fence, "fencing numbers grow")
		}
	}
	require.Empty(t, about(events, cancelled, ""))

	zombie.resume()
	w.await("its end", func(events []event) bool { return len(about(events, ended, zombie.name)) == 1 })
	lost := about(w.all(), cancelled, zombie.name)
	require.Len(t, lost, 1)
	require.Equal(t, store.ErrLeaseLost.Error(), lost[0].Text)
	zombie.requireGone(0)
	refused := 0
	for _, field := range stale {
		token, isLease := strings.CutPrefix(field, "l:")
		if !isLease {
			continue
		}
		require.ErrorIs(t, w.oracle.Store().ReleaseSemaphore(t.Context(), slotKey, token), store.ErrLeaseLost)
		_, err := w.oracle.Store().RefreshSemaphore(t.Context(), slotKey, token, time.Minute)
		require.ErrorIs(t, err, store.ErrLeaseLost)
		refused++
	}
	require.Equal(t, slots, refused)
	require.Equal(t, fences(after), fences(holders(t, sems)), "stale tokens touch nobody's lease")
	first.drain()
	second.drain()
	require.Empty(t, holders(t, sems))
	require.NoError(t, watched())
	for _, key := range w.keys() {
		require.NotContains(t, key, slotKey, "a key of the semaphore is left behind")
	}
}

func holders(t *testing.T, sems *semaphore.Semaphores) []semaphore.Holder {
	t.Helper()
	list, err := sems.Holders(t.Context(), slotKey)
	require.NoError(t, err)
	return list
}

func fences(list []semaphore.Holder) map[int64]string {
	m := make(map[int64]string)
	for _, h := range list {
		m[h.Fence] = h.Holder
	}
	return m
}

// watchSlots counts the holders as fast as it can until the returned function is called, which
// tells whether there ever were too many.
func (w *world) watchSlots(sems *semaphore.Semaphores) func() error {
	ctx, cancel := context.WithCancel(w.t.Context())
	verdict := make(chan error, 1)
	go func() {
		for ctx.Err() == nil {
			n, err := sems.Count(ctx, slotKey)
			if err == nil && n > slots {
				verdict <- fmt.Errorf("%d hold the semaphore", n)
				return
			}
		}
		verdict <- nil
	}()
	return func() error {
		cancel()
		return <-verdict
	}
}
