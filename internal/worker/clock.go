package worker

import (
	"sync/atomic"
	"time"
)

// Clock estimates the clock of a partition of the store from its last replies.
type Clock struct{ ahead atomic.Int64 } // of the local clock, in ns

// Now returns the store's time.
func (c *Clock) Now() time.Time { return c.At(time.Now()) }

// At returns the store's time at a local time.
func (c *Clock) At(local time.Time) time.Time { return local.Add(time.Duration(c.ahead.Load())) }

// Note takes the store's time from a reply.
func (c *Clock) Note(now time.Time) {
	if !now.IsZero() {
		c.ahead.Store(int64(time.Until(now)))
	}
}

// Until returns how long it takes until the store's clock shows a time.
func (c *Clock) Until(t time.Time) time.Duration {
	return time.Until(t) - time.Duration(c.ahead.Load())
}
