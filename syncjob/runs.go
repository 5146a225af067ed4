package syncjob

import (
	"context"
	"sync"

	"github.com/rollcall-go/rollcall/store"
)

// maxCachedRuns bounds each of the two generations of a run cache.
const maxCachedRuns = 256

// runCache reads each run once for the handlers of a worker: what they use of it never
// changes. Of two generations the older is dropped when the younger is full, and what
// is used moves to the younger.
type runCache struct {
	store store.Runs

	mu    sync.Mutex
	young map[store.RunID]*cachedRun
	old   map[store.RunID]*cachedRun
}

// cachedRun is one read; its other fields may be read once done is closed.
type cachedRun struct {
	done chan struct{}
	rec  store.RunRecord
	err  error
}

func newRunCache(s store.Runs) *runCache {
	return &runCache{store: s, young: make(map[store.RunID]*cachedRun)}
}

// find returns the run, reading it if nobody has. Callers that come meanwhile wait for
// the same read, and make their own if it failed: its context was not theirs.
func (c *runCache) find(ctx context.Context, id store.RunID) (store.RunRecord, error) {
	for {
		entry, mine := c.entry(id)
		if mine {
			entry.rec, entry.err = c.store.Run(ctx, id)
			if entry.err != nil {
				c.drop(id, entry)
			}
			close(entry.done)
			return entry.rec, entry.err
		}
		select {
		case <-entry.done:
		case <-ctx.Done():
			return store.RunRecord{}, ctx.Err()
		}
		if entry.err == nil {
			return entry.rec, nil
		}
	}
}

func (c *runCache) entry(id store.RunID) (entry *cachedRun, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if entry := c.young[id]; entry != nil {
		return entry, false
	}
	if len(c.young) >= maxCachedRuns {
		c.old, c.young = c.young, make(map[store.RunID]*cachedRun)
	}
	entry = c.old[id]
	if mine = entry == nil; mine {
		entry = &cachedRun{done: make(chan struct{})}
	}
	c.young[id] = entry
	return entry, mine
}

func (c *runCache) drop(id store.RunID, entry *cachedRun) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.young[id] == entry {
		delete(c.young, id)
	}
	if c.old[id] == entry {
		delete(c.old, id)
	}
}

// forget makes the next find read the run anew.
func (c *runCache) forget(id store.RunID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.young, id)
	delete(c.old, id)
}
