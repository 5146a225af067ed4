package lifecycle

import (
	"context"
	"math/rand/v2"
	"time"
)

// Helpers for loops that run in a group.

// Jitter changes d by up to ±10 %, so that processes that started together do not act together.
func Jitter(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64()))
}

// Pause waits for d or until ctx ends.
func Pause(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Wake makes a channel of capacity one readable without blocking.
func Wake(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
