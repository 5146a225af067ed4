package worker

import (
	"context"

	"github.com/rollcall-go/rollcall/internal/recent"
	"github.com/rollcall-go/rollcall/store"
)

// maxCachedRuns is the largest size of a run cache.
const maxCachedRuns = 256

// runCache reads each run once for the handlers of a worker. The data that they use never changes.
type runCache struct {
	store store.Runs
	runs  *recent.Map[store.RunID, *cachedRun]
}

// cachedRun is one read. When done is closed, the other fields may be read.
type cachedRun struct {
	done chan struct{}
	rec  store.RunRecord
	err  error
}

func newRunCache(s store.Runs) *runCache {
	return &runCache{store: s, runs: recent.New[store.RunID, *cachedRun](maxCachedRuns)}
}

// find returns the run. The first caller reads it. Others wait for that read; if it fails, each
// makes its own read, because the first one had another context.
func (c *runCache) find(ctx context.Context, id store.RunID) (store.RunRecord, error) {
	for {
		entry, known := c.runs.FindOr(id, func() *cachedRun { return &cachedRun{done: make(chan struct{})} })
		if !known {
			entry.rec, entry.err = c.store.Run(ctx, id)
			if entry.err != nil {
				c.forget(id)
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

// forget makes the next find read the run again.
func (c *runCache) forget(id store.RunID) { c.runs.Forget(id) }
