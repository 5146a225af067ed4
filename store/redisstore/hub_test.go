package redisstore

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
)

// TestAConnectionThatWasGivenUpIsNotHeard has the connection of a subscription speak after it was
// given up, as one does that is left behind: the next subscriber must not be told that it is heard
// already.
func TestAConnectionThatWasGivenUpIsNotHeard(t *testing.T) {
	h := newHub()
	sync := store.Signal{Type: signals.Sync}
	listens := func() (told int) {
		sub := &subscriber{fn: func(store.Signal) { told++ }, failed: make(chan error, 1)}
		h.join(t.Context(), sub, func(ctx context.Context) { <-ctx.Done() })
		h.leave(sub)
		return told
	}
	first := h.listening()
	h.send(first, sync)
	require.Equal(t, 1, listens(), "the subscription stands")
	require.Equal(t, 1, h.synced(0))

	h.down()
	h.send(first, sync)
	require.Zero(t, listens())
	require.Zero(t, h.synced(0))
	h.send(h.listening(), sync)
	require.Equal(t, 1, listens())
}
