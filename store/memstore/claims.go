package memstore

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// claims are the task IDs of a run that callers chose. An ID is taken until its
// task has settled for good, and for the task's Keep after that.
type claims struct {
	ids  map[string]time.Time // zero while unsettled, else until when the ID is kept
	kept heap[keptID]
}

type keptID struct {
	id    string
	until time.Time
}

// take claims the ID of a task and reports whether it was free. IDs that the
// store's users did not choose are always free.
func (c *claims) take(t store.Task, now time.Time) bool {
	if !t.Claimed {
		return true
	}
	// Two go for each that comes, so that memory stays bounded by what is kept
	// even if nobody sweeps.
	c.expire(now, 2)
	if until, ok := c.ids[t.ID]; ok && (until.IsZero() || now.Before(until)) {
		return false
	}
	if c.ids == nil {
		c.ids = map[string]time.Time{}
	}
	c.ids[t.ID] = time.Time{}
	return true
}

// settle gives the ID of a task back, at once or after its Keep.
func (c *claims) settle(t store.Task, now time.Time) {
	switch {
	case !t.Claimed || c.ids == nil:
	case t.Keep <= 0:
		delete(c.ids, t.ID)
	default:
		until := now.Add(t.Keep)
		c.ids[t.ID] = until
		if c.kept.less == nil {
			c.kept.less = func(a, b keptID) bool { return a.until.Before(b.until) }
		}
		c.kept.push(keptID{t.ID, until})
	}
}

// expire frees up to limit IDs whose time has passed, and returns how many entries it
// looked at.
func (c *claims) expire(now time.Time, limit int) int {
	n := 0
	for ; n < limit && c.kept.len() > 0 && !now.Before(c.kept.top().until); n++ {
		k := c.kept.pop()
		// The ID may have been claimed again since: then it is not this entry's.
		if until, ok := c.ids[k.id]; ok && until.Equal(k.until) {
			delete(c.ids, k.id)
		}
	}
	return n
}
