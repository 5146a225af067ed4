package redisstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
)

func TestSubscribingWhileSignalsPourInHoldsUpNothing(t *testing.T) {
	s := newScene(t)
	group := lifecycle.New(t.Context())
	defer group.Stop(context.Canceled)
	listen := func(ctx context.Context) (first <-chan struct{}) {
		heard := make(chan struct{}, 1)
		group.Go(func(context.Context) {
			_ = s.Subscribe(ctx, func(sig store.Signal) {
				if sig.Type == store.SignalSync {
					select {
					case heard <- struct{}{}:
					default:
					}
				}
			})
		})
		return heard
	}
	<-listen(group.Context()) // so that signals come in while the others subscribe
	for range 4 {
		group.Go(func(ctx context.Context) {
			for ctx.Err() == nil {
				_ = s.server.Client.Do(ctx, s.server.Client.B().Publish().Channel("{"+s.namespace+":0}:signals").Message("w:q").Build()).Error()
			}
		})
	}
	for range 300 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		select {
		case <-listen(ctx):
		case <-ctx.Done():
			require.Fail(t, "a subscription is never confirmed")
		}
		require.NoError(t, s.Ping(ctx))
		cancel()
	}
}
