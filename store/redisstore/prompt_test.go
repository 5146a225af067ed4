package redisstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/rueidis"
	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/redisstore"
)

// TestACallEndsWithItsContextWhateverItWaitsFor has clients that give up a connection after an
// hour.
func TestACallEndsWithItsContextWhateverItWaitsFor(t *testing.T) {
	t.Parallel()
	ping := func(ctx context.Context, s store.Store) error { return s.Ping(ctx) }
	for name, calls := range map[string][]func(context.Context, store.Store) error{
		"one call":       {ping},
		"several calls":  {ping, ping, ping},
		"a subscription": {ping, func(ctx context.Context, s store.Store) error { return s.Subscribe(ctx, func(store.Signal) {}) }},
		"a repair": {func(ctx context.Context, s store.Store) error {
			_, err := s.Repair(ctx, store.RepairParams{Job: "a"})
			return err
		}},
		"reading documents": {func(ctx context.Context, s store.Store) error {
			_, err := s.WatchConfigurations(ctx, []string{"a"})
			return err
		}},
	} {
		for state, silence := range map[string]func(*redistest.Proxy){
			"silent":    func(*redistest.Proxy) {},
			"reconnect": func(p *redistest.Proxy) { p.CutAll() },
		} {
			for owner, connect := range map[string]func(testing.TB, *redistest.Proxy) store.Store{"its own": ownClient, "handed in": handedClient} {
				t.Run(name+"/"+state+"/"+owner, func(t *testing.T) {
					t.Parallel()
					server, _ := redistest.Shared(t)
					proxy := redistest.NewProxy(t, server.Addr)
					s := connect(t, proxy)
					proxy.Inject(redistest.Fault{Kind: redistest.BlackHole, Match: func(redistest.Command) bool { return true }})
					silence(proxy)
					endsWith(t, s, proxy, calls)
				})
			}
		}
	}
}

// endsWith makes the calls, each with a deadline that is far away and repeated until then, and
// cancels the last one first.
func endsWith(t *testing.T, s store.Store, proxy *redistest.Proxy, calls []func(context.Context, store.Store) error) {
	errOver := errors.New("over")
	type call struct {
		cancel context.CancelCauseFunc
		ended  chan error
	}
	repeats := store.WithRetry(s, &store.RetryOptions{MaxElapsed: time.Hour})
	started := make([]call, len(calls))
	for i, do := range calls {
		ctx, cancel := context.WithCancelCause(t.Context())
		started[i] = call{cancel, make(chan error, 1)}
		go func() { started[i].ended <- do(ctx, repeats) }()
		if i == 0 {
			require.NoError(t, proxy.AwaitInjected(t.Context(), 1))
		}
	}
	for i := len(started) - 1; i >= 0; i-- {
		started[i].cancel(errOver)
		if err := <-started[i].ended; err != nil { // a subscription ends without one
			require.ErrorIs(t, err, errOver)
		}
	}

	last := make(chan error, 1)
	go func() { last <- s.Ping(context.Background()) }()
	require.NoError(t, s.Close())
	require.ErrorIs(t, <-last, store.ErrClosed)
}

const inAnHour = "?write_timeout=1h&dial_timeout=1h"

func ownClient(tb testing.TB, proxy *redistest.Proxy) store.Store {
	s, err := redisstore.Open(tb.Context(), proxy.URL()+inAnHour, redisstore.Config{Namespace: redistest.Namespace()})
	require.NoError(tb, err)
	return s
}

func handedClient(tb testing.TB, proxy *redistest.Proxy) store.Store {
	option, err := redisstore.ParseURL(proxy.URL() + inAnHour)
	require.NoError(tb, err)
	client, err := rueidis.NewClient(option)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		proxy.CutAll()
		client.Close()
	})
	s, err := redisstore.New(tb.Context(), client, redisstore.Config{Namespace: redistest.Namespace()})
	require.NoError(tb, err)
	return s
}
