package redisstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
)

// clockBack is a scene whose server's clock is set back by an hour after the test has begun
// something.
func clockBack(t *testing.T) (s *scene, back func()) {
	clock := redistest.NewClock(t, 0)
	server := redistest.Start(t, &redistest.Options{Clock: clock})
	return sceneOn(t, server, server.URL(), redistest.Namespace()), func() { clock.Set(-time.Hour) }
}

// soon repeats a call until it gets what is free, which must not take an hour.
func (s *scene) soon(what string, call func(ctx context.Context) (got bool, err error)) {
	s.Helper()
	ctx, cancel := context.WithTimeout(s.Context(), 20*time.Second)
	defer cancel()
	for {
		got, err := call(ctx)
		require.NoError(s, err, what)
		if got {
			return
		}
	}
}

const brief = 300 * time.Millisecond

func briefClaim(token string) store.SemaphoreClaim {
	return store.SemaphoreClaim{Key: "gate", Token: token, Holder: token, Max: 1, TTL: brief, Wait: brief}
}

func TestTheDeadKeepNoPlaceOfASemaphoreForLongerWhenTheClockIsSetBack(t *testing.T) {
	s, back := clockBack(t)
	for _, token := range []string{"dead holder", "dead waiter"} {
		_, err := s.AcquireSemaphore(t.Context(), briefClaim(token))
		require.NoError(t, err)
	}
	back()
	s.soon("a claim", func(ctx context.Context) (bool, error) {
		reply, err := s.AcquireSemaphore(ctx, briefClaim("next"))
		return reply.Granted, err
	})
}

// Who is alive keeps what it has.
func TestALeaseOfASemaphoreLastsAsLongAsEverWhenTheClockIsSetBack(t *testing.T) {
	s, back := clockBack(t)
	claim := briefClaim("holder")
	claim.TTL = time.Minute
	_, err := s.AcquireSemaphore(t.Context(), claim)
	require.NoError(t, err)
	back()
	for range 2 { // it is turned back once
		reply, err := s.AcquireSemaphore(t.Context(), briefClaim("next"))
		require.NoError(t, err)
		require.False(t, reply.Granted)
		require.Len(t, reply.Holders, 1)
		left := reply.Holders[0].Expires.Sub(reply.Now)
		require.Greater(t, left, 30*time.Second)
		require.LessOrEqual(t, left, time.Minute)
	}
	_, err = s.RefreshSemaphore(t.Context(), "gate", "holder", time.Minute)
	require.NoError(t, err)
	require.NoError(t, s.ReleaseSemaphore(t.Context(), "gate", "holder"))
}

func TestTheDeadKeepNothingOfALimitForLongerWhenTheClockIsSetBack(t *testing.T) {
	s, back := clockBack(t)
	draw := func(ctx context.Context, holder string, number int64) (store.DrawReply, error) {
		return s.Draw(ctx, store.DrawParams{
			Limit: "limit", Holder: holder, Number: number, TTL: brief, Max: 1, Want: 1,
			Rate: store.Rate{Events: 1, Per: time.Second, Burst: 1}, Tokens: 1,
		})
	}
	reply, err := draw(t.Context(), "dead", 1)
	require.NoError(t, err)
	require.Equal(t, 1, reply.Held)
	require.Equal(t, 1, reply.Tokens)
	back()
	number := int64(0)
	s.soon("the permit of the dead", func(ctx context.Context) (bool, error) {
		number++
		reply, err := draw(ctx, "alive", number)
		for _, h := range reply.Silent {
			err = s.Forfeit(ctx, "limit", h)
		}
		return reply.Held == 1, err
	})
	s.soon("a token", func(ctx context.Context) (bool, error) {
		number++
		reply, err := draw(ctx, "alive", number)
		return reply.Tokens == 1, err
	})
}
