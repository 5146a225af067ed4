package syncjob_test

import (
	"context"
	"crypto/rand"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
	"github.com/rollcall-go/rollcall/store/values"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/cron"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// onCall are the callbacks that a call of a user leads to, each with how it is made; ctx ends after
// a minute. Those that are told something must not hold the call up.
var onCall = map[string]struct {
	call func(ctx context.Context, m *syncjob.Manager, end func()) error
	told bool
}{
	"Validate": {call: func(ctx context.Context, m *syncjob.Manager, end func()) error {
		_, err := m.Start(context.WithValue(ctx, endKey{}, end), syncjob.Job{Name: "v", Set: "rude", Root: rudeArgs{}},
			&syncjob.StartOptions{IfActive: syncjob.IfActiveReplace})
		return err
	}},
	"Configure": {call: func(ctx context.Context, m *syncjob.Manager, end func()) error {
		_, err := m.Configure(ctx, "rude", nil, func(*syncjob.Configuration) error { end(); return nil })
		return err
	}},
	"Progress": {call: func(ctx context.Context, m *syncjob.Manager, end func()) error {
		_, err := m.PauseAll(ctx, &syncjob.BulkOptions{
			All: true, Progress: func(states.BulkJob, states.BulkResult) { end() },
		})
		return err
	}},
	"MarshalJSON of a task": {call: func(ctx context.Context, m *syncjob.Manager, end func()) error {
		_, err := m.Enqueue(ctx, "open", rudeArgs{end}, nil)
		return err
	}},
	"MarshalJSON of a value": {call: func(ctx context.Context, m *syncjob.Manager, end func()) error {
		return values.NewValue[rudeArgs](m.Values(), store.NamespaceScope(0), "x").Set(ctx, rudeArgs{end})
	}},
	"UnmarshalJSON of a value": {call: func(ctx context.Context, m *syncjob.Manager, end func()) error {
		v := values.NewValue[rudeValue](m.Values(), store.NamespaceScope(0), "y")
		if err := v.Set(ctx, rudeValue{}); err != nil {
			return err
		}
		onValue = end
		_, _, err := v.Get(ctx)
		return err
	}},
	"Inject": {call: func(ctx context.Context, m *syncjob.Manager, end func()) error {
		_, err := m.Enqueue(context.WithValue(ctx, endKey{}, end), "open", rudeArgs{}, nil)
		return err
	}},
	"EnqueueAll": {call: func(ctx context.Context, m *syncjob.Manager, end func()) error {
		_, err := m.EnqueueAll(ctx, "open", func(func(enqueue.Item, error) bool) { end() }, nil)
		return err
	}},
	"Watch": {call: func(ctx context.Context, m *syncjob.Manager, end func()) error {
		run, err := m.Latest(ctx, "open")
		if err != nil {
			return err
		}
		for _, err := range run.Watch(ctx) {
			end()
			return err
		}
		return nil
	}},
	"Subscribe": {call: func(ctx context.Context, m *syncjob.Manager, end func()) error {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		return m.Store().Subscribe(ctx, func(store.Signal) { end(); cancel() })
	}},
	"OnBlocked": {call: func(ctx context.Context, m *syncjob.Manager, end func()) error {
		sems, key := semaphore.New(m.Store()), rand.Text()
		held, err := sems.TryAcquire(ctx, key, &semaphore.Options{Holder: "h", TTL: time.Hour})
		if err != nil {
			return err
		}
		defer func() { _ = held.Release(context.WithoutCancel(ctx)) }() // as its user would
		_, err = sems.Acquire(ctx, key, &semaphore.Options{Holder: "i", OnBlocked: func(*semaphore.NotAcquiredError) {
			end()
			_ = held.Release(ctx)
		}})
		return err
	}},
	"CanRun": {call: gated(func(g *semaphore.Gate, end func()) { g.CanRun = func(context.Context) bool { end(); return true } })},
	"OnHeartbeat": {told: true, call: gated(func(g *semaphore.Gate, end func()) {
		g.OnHeartbeat = func(time.Time) { end() }
	})},
	"OnError": {told: true, call: gated(func(g *semaphore.Gate, end func()) {
		g.OnError = func(error) { end() }
		g.CanRun = func(context.Context) bool { panic("told to OnError") }
	})},
	"OnRetry": {told: true, call: func(ctx context.Context, m *syncjob.Manager, end func()) error {
		tries := 0
		opts := &store.RetryOptions{OnRetry: func(store.RetryEvent) { end() }}
		_, err := store.Repeat(ctx, opts, "Try", func(context.Context) (int, error) {
			if tries++; tries < 5 {
				return 0, store.Transient(errors.New("away"))
			}
			return tries, nil
		})
		return err
	}},
	"OnError of a scheduler": {told: true, call: func(ctx context.Context, m *syncjob.Manager, end func()) error {
		s, err := cron.New(m, cron.Config{OnError: func(string, error) { end() }}, cron.Runner{
			Name: "r", Trigger: cron.Trigger{Every: time.Second}, Run: func(context.Context) error { return errors.New("fails") },
		})
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		return s.Run(ctx)
	}},
}

// gated has a gate hold its lease for some heartbeats, and find it held at the end.
func gated(with func(*semaphore.Gate, func())) func(context.Context, *syncjob.Manager, func()) error {
	return func(ctx context.Context, m *syncjob.Manager, end func()) error {
		g := semaphore.Gate{Semaphores: semaphore.New(m.Store()), Key: "gate", TTL: 3 * time.Second, Holder: "h", Max: 10}
		with(&g, end)
		err := g.Run(ctx, func(ctx context.Context) error {
			time.Sleep(10 * time.Second)
			return context.Cause(ctx)
		})
		if errors.Is(err, store.ErrLeaseLost) {
			return err
		}
		return nil // a callback that ended badly is joined
	}
}

type endKey struct{}

// rudeValue ends as onValue says when it is read.
type rudeValue struct{}

var onValue func()

func (*rudeValue) UnmarshalJSON([]byte) error { onValue(); return nil }

// endOf ends as the caller of a call says.
func endOf(ctx context.Context) {
	if end, ok := ctx.Value(endKey{}).(func()); ok {
		end()
	}
}

type callerPropagator struct{}

func (callerPropagator) Inject(ctx context.Context, _ map[string]string) { endOf(ctx) }

func (callerPropagator) Extract(ctx context.Context, _ map[string]string) context.Context { return ctx }

// TestWhateverACallbackOfACallDoesOthersGoOn has the callback of a call end badly, or block until
// the end of the test. What it does is the caller's affair: the same call of somebody else succeeds
// meanwhile, and the manager is closed in time.
func TestWhateverACallbackOfACallDoesOthersGoOn(t *testing.T) {
	for name, c := range onCall {
		for way, end := range badEnds {
			t.Run(name+"/"+way, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					othersGoOn(t, c.call, end, true)
				})
			})
		}
		t.Run(name+"/block", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				defer func() { close(release); synctest.Wait() }()
				othersGoOn(t, c.call, func() { <-release }, c.told)
			})
		})
	}
}

func othersGoOn(t *testing.T, call func(context.Context, *syncjob.Manager, func()) error, end func(), returns bool) {
	s := handlers.NewSet("rude", handlers.SetConfig{Hooks: handlers.Hooks{Validate: func(ctx context.Context, _ *handlers.Run) error {
		endOf(ctx)
		return nil
	}}})
	handlers.Handle(s, func(context.Context, *handlers.Task[rudeArgs]) error { return nil }, nil)
	reg, err := handlers.NewRegistry(s)
	require.NoError(t, err)
	m, err := syncjob.New(memstore.New(nil), syncjob.Config{Registry: reg, Propagator: callerPropagator{}})
	require.NoError(t, err)
	_, err = m.Start(t.Context(), syncjob.Job{Name: "open", Set: "rude", Open: true}, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	went := make(chan struct{})
	go func() {
		defer close(went)
		defer func() { _ = recover() }() // as net/http does
		_ = call(ctx, m, end)
	}()
	if returns {
		<-went
		require.NoError(t, ctx.Err(), "it is over long before its context")
	} else {
		synctest.Wait()
	}
	require.NoError(t, call(ctx, m, nothing))
	start := time.Now()
	require.NoError(t, m.Close())
	require.LessOrEqual(t, time.Since(start), 5*time.Second)
}
