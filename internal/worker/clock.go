package worker

import (
	"sync/atomic"
	"time"
)

// Clock is the clock of a partition of the store, as of its last replies.
type Clock struct{ ahead atomic.Int64 } // of the local clock, in ns

// Now is what it shows.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// Note learns from a reply what it shows now.
func (c *Clock) Note(now time.Time) {
	if !now.IsZero() {
		c.ahead.Store(int64(time.Until(now)))
	}
}

// Until is how long it takes until it shows a time.
func (c *Clock) Until(t time.Time) time.Duration {
	return time.Until(t) - time.Duration(c.ahead.Load())
}
