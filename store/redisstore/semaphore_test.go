package redisstore_test

import (
	"math"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
)

func claimOf(token string) store.SemaphoreClaim {
	return store.SemaphoreClaim{Key: "gate", Token: token, Holder: "holder of " + token, Max: 2, TTL: time.Hour}
}

func TestOutOfMemoryLeasesOfSemaphoresAreGrantedKeptAndReleased(t *testing.T) {
	s := ownScene(t)
	for _, token := range []string{"a", "b"} {
		s.fill()
		reply, err := s.AcquireSemaphore(t.Context(), claimOf(token))
		require.NoError(t, err)
		require.True(t, reply.Granted)
		_, err = s.RefreshSemaphore(t.Context(), "gate", token, time.Hour)
		require.NoError(t, err)
	}
	waiter := claimOf("c")
	waiter.Wait = time.Hour
	_, err := s.AcquireSemaphore(t.Context(), waiter)
	require.ErrorIs(t, err, store.ErrOutOfMemory)
	require.NoError(t, s.ReleaseSemaphore(t.Context(), "gate", "a"))
	n, err := s.ForceReleaseSemaphore(t.Context(), "gate", 1, math.MaxInt64)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestFencingNumbersGrowThoughTheServersClockGoesBack(t *testing.T) {
	server := miniredis.RunT(t)
	s := open(t, "redis://"+server.Addr()+"?protocol=2", redisstore.Config{Namespace: redistest.Namespace()})
	now, last := time.Now(), int64(0)
	for range 5 {
		server.SetTime(now)
		reply, err := s.AcquireSemaphore(t.Context(), claimOf("t"))
		require.NoError(t, err)
		require.Greater(t, reply.Lease.Fence, last)
		last = reply.Lease.Fence
		require.NoError(t, s.ReleaseSemaphore(t.Context(), "gate", "t"))
		now = now.Add(-time.Hour)
	}
}

func TestADamagedLeaseOfASemaphoreHarmsNoOther(t *testing.T) {
	s := newScene(t)
	for _, token := range []string{"sound", "damaged"} {
		_, err := s.AcquireSemaphore(t.Context(), claimOf(token))
		require.NoError(t, err)
	}
	facts := "{" + s.namespace + ":0}:sem:facts:gate"
	require.NoError(t, s.server.Do(t.Context(), "HSET", facts, "l:damaged", "?"))
	reply, err := s.AcquireSemaphore(t.Context(), claimOf("other"))
	require.NoError(t, err)
	require.False(t, reply.Granted, "it counts until it ends")
	require.Len(t, reply.Holders, 1)
	rec, err := s.Semaphore(t.Context(), "gate")
	require.NoError(t, err)
	require.Equal(t, reply.Holders, rec.Holders)
	require.NoError(t, s.ReleaseSemaphore(t.Context(), "gate", "damaged"))
	reply, err = s.AcquireSemaphore(t.Context(), claimOf("other"))
	require.NoError(t, err)
	require.True(t, reply.Granted)
}

func TestLostRepliesAboutASemaphoreChangeNothingMore(t *testing.T) {
	s, proxy := proxiedScene(t)
	retrying := store.WithRetry(s.Store, nil)
	life := func(token string, before func()) {
		before()
		reply, err := retrying.AcquireSemaphore(t.Context(), claimOf(token))
		require.NoError(t, err)
		rec, err := s.Semaphore(t.Context(), "gate")
		require.NoError(t, err)
		require.Equal(t, []store.SemaphoreHolder{reply.Lease}, rec.Holders)
		before()
		_, err = retrying.RefreshSemaphore(t.Context(), "gate", token, time.Hour)
		require.NoError(t, err)
		before()
		require.NoError(t, retrying.ReleaseSemaphore(t.Context(), "gate", token))
		require.NotContains(t, leftovers(t, s.Store), "sem:held:gate")
	}
	life("first", func() {}) // the server knows the scripts now, so that it is their replies that are lost
	for range 3 {
		life("a", func() { proxy.Inject(redistest.Fault{Kind: redistest.Swallow, Nth: 1}) })
	}
	require.Equal(t, 9, proxy.Injected())
}
