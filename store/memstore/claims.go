package memstore

import (
	"time"

	"github.com/rollcall-go/rollcall/store"
)

// claims holds the task IDs of a run that callers chose. An ID is in use until its task has ended,
// and for the task's Keep after that.
type claims struct {
	ids  map[string]time.Time // until when the ID is kept; zero while the task has not ended
	kept heap[keptID]
}

type keptID struct {
	id    string
	until time.Time
}

// take claims the ID of a task and reports whether it was free. An ID that was not chosen by a
// caller is always free.
func (c *claims) take(t store.Task, now time.Time) bool {
	if !t.Claimed {
		return true
	}
	// Each new ID removes up to two expired ones. So memory stays bounded even without sweeps.
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

// retake claims the ID of a task again that had it before, also while it is kept. It reports
// whether no other task has it.
func (c *claims) retake(t store.Task) bool {
	if !t.Claimed {
		return true
	}
	if until, ok := c.ids[t.ID]; ok && until.IsZero() {
		return false
	}
	if c.ids == nil {
		c.ids = map[string]time.Time{}
	}
	c.ids[t.ID] = time.Time{}
	return true
}

// settle frees the ID of a task, at once or after its Keep.
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

// expire frees up to limit expired IDs, and returns how many entries it checked.
func (c *claims) expire(now time.Time, limit int) int {
	n := 0
	for ; n < limit && c.kept.len() > 0 && !now.Before(c.kept.top().until); n++ {
		k := c.kept.pop()
		// The ID may have been claimed again since. Then it does not belong to this entry.
		if until, ok := c.ids[k.id]; ok && until.Equal(k.until) {
			delete(c.ids, k.id)
		}
	}
	return n
}
