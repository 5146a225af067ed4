package semaphore_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/semaphore"
)

const (
	ttl = 30 * time.Second
	// margin is how long before the end of such a lease its context ends.
	margin = 100 * time.Millisecond
)

// one claims the only place there is.
func one(holder string) *semaphore.Options {
	return &semaphore.Options{TTL: ttl, Holder: holder}
}

// inMemory plays on a store in memory, in virtual time.
func inMemory(t *testing.T, play func(t *testing.T, sems *semaphore.Semaphores, s *flaky)) {
	synctest.Test(t, func(t *testing.T) {
		s := &flaky{Store: memstore.New(nil)}
		play(t, semaphore.New(s), s)
	})
}

// onRedis opens stores of one namespace on a real server, each with a client of its own.
func onRedis(t *testing.T) (newStore func() store.Store) {
	server, namespace := redistest.Shared(t)
	return func() store.Store { return onServer(t, server, namespace) }
}

func onServer(t *testing.T, server *redistest.Server, namespace string) store.Store {
	s, err := redisstore.Open(context.Background(), server.URL(), redisstore.Config{Namespace: namespace})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// flaky is a store whose calls about semaphores can be made to fail, and are counted.
type flaky struct {
	store.Store
	down     atomic.Bool // nothing arrives
	swallows atomic.Bool // every other reply is lost
	acquires atomic.Int64
	calls    atomic.Int64
	deaf     atomic.Bool  // no signal arrives
	lag      atomic.Int64 // how long the answer to an acquisition or a refresh takes, in ns
}

// fails reports whether the call does not arrive, and whether its reply does not.
func (f *flaky) fails() (before, after error) {
	n := f.calls.Add(1)
	if f.down.Load() {
		return store.ErrUnavailable, nil
	}
	if f.swallows.Load() && n%2 == 1 {
		return nil, store.ErrUnavailable
	}
	return nil, nil
}

func (f *flaky) AcquireSemaphore(ctx context.Context, p store.SemaphoreClaim) (store.SemaphoreReply, error) {
	f.acquires.Add(1)
	before, after := f.fails()
	if before != nil {
		return store.SemaphoreReply{}, before
	}
	reply, err := f.Store.AcquireSemaphore(ctx, p)
	time.Sleep(time.Duration(f.lag.Load()))
	if after != nil {
		return store.SemaphoreReply{}, after
	}
	return reply, err
}

func (f *flaky) RefreshSemaphore(ctx context.Context, key, token string, ttl time.Duration) (time.Time, error) {
	before, after := f.fails()
	if before != nil {
		return time.Time{}, before
	}
	at, err := f.Store.RefreshSemaphore(ctx, key, token, ttl)
	time.Sleep(time.Duration(f.lag.Load()))
	if after != nil {
		return time.Time{}, after
	}
	return at, err
}

func (f *flaky) ReleaseSemaphore(ctx context.Context, key, token string) error {
	before, after := f.fails()
	if before != nil {
		return before
	}
	err := f.Store.ReleaseSemaphore(ctx, key, token)
	if after != nil {
		return after
	}
	return err
}

func (f *flaky) Subscribe(ctx context.Context, fn func(store.Signal)) error {
	return f.Store.Subscribe(ctx, func(sig store.Signal) {
		if !f.deaf.Load() {
			fn(sig)
		}
	})
}

// acquired requires a lease.
func acquired(t *testing.T, sems *semaphore.Semaphores, key string, o *semaphore.Options) *semaphore.Lease {
	t.Helper()
	lease, err := sems.TryAcquire(t.Context(), key, o)
	require.NoError(t, err)
	return lease
}

// count is how many hold a semaphore.
func count(t *testing.T, sems *semaphore.Semaphores, key string) int {
	t.Helper()
	n, err := sems.Count(t.Context(), key)
	require.NoError(t, err)
	return n
}
