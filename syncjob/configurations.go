package syncjob

import (
	"bytes"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

const (
	// watchInterval is how often a worker asks for the configuration of its sets, unless the store tells of each
	// change. The store mostly answers from memory.
	watchInterval = 250 * time.Millisecond
	// freshFor is how long a process without a worker goes by what it has read.
	freshFor = time.Second
)

// configurations keeps what is in force for the sets of a registry up to what is stored.
type configurations struct {
	store store.Configurations
	live  *handlers.Live
	log   *slog.Logger
	sets  []string
	hub   *hub

	looked   atomic.Int64 // when it was last tried, in ns since 1970
	told     atomic.Int64 // how often a change was signalled to watchers
	heeded   atomic.Int64 // told, as it was before the last try
	changes  atomic.Int64 // how often what is in force has changed
	watchers atomic.Int64

	mu   sync.Mutex
	read time.Time                   // when it last succeeded
	seen []store.ConfigurationRecord // by set, as they were last read
}

func newConfigurations(s store.Configurations, reg *handlers.Registry, live *handlers.Live, h *hub, log *slog.Logger) *configurations {
	sets := reg.Sets()
	return &configurations{store: s, live: live, log: log, sets: sets, hub: h, seen: make([]store.ConfigurationRecord, len(sets))}
}

// watch refreshes until ctx ends: when a change is signalled, and every [watchInterval], or rarely where every
// change is. It calls changed after the first time that needs no repeat, and whenever what is in force has changed.
func (c *configurations) watch(ctx context.Context, changed func()) {
	signalled := make(chan struct{}, 1)
	leave := c.hub.listen(func(s store.Signal) {
		if s.Type == store.SignalConfiguration || s.Type == store.SignalSync {
			c.told.Add(1)
			lifecycle.Wake(signalled)
		}
	})
	defer leave()
	c.told.Add(1) // what changed before nobody has told
	c.watchers.Add(1)
	defer c.watchers.Add(-1)
	for known, failing := int64(-1), false; ctx.Err() == nil; {
		err := c.refresh(ctx)
		if now := c.changes.Load(); now != known && (err == nil || store.Permanent(err)) {
			known = now
			changed()
		}
		if err != nil && !failing && ctx.Err() == nil {
			c.log.WarnContext(ctx, "cannot read configuration; what is in force stays", "error", err)
		}
		next := watchInterval
		if failing = err != nil; !failing {
			next = c.hub.every(watchInterval)
		}
		select {
		case <-ctx.Done():
		case <-signalled:
		case <-time.After(lifecycle.Jitter(next)):
		}
	}
}

// refresh reads what is stored, and puts in force what has changed, unless another worker of the process just did
// and nothing was signalled since.
func (c *configurations) refresh(ctx context.Context) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.told.Load() == c.heeded.Load() && time.Since(c.read) < watchInterval*3/4 {
		return nil
	}
	return c.refreshLocked(ctx)
}

func (c *configurations) refreshLocked(ctx context.Context) error {
	told := c.told.Load()
	defer func() {
		c.heeded.Store(told)
		c.looked.Store(time.Now().UnixNano())
	}()
	records, err := c.store.WatchConfigurations(ctx, c.sets)
	if err != nil {
		return err
	}
	for i, set := range c.sets {
		if i < len(records) && !same(c.seen[i], records[i]) {
			c.seen[i] = records[i]
			c.apply(ctx, set, records[i])
		}
	}
	c.read = time.Now()
	return nil
}

func same(a, b store.ConfigurationRecord) bool {
	if a.Err != nil || b.Err != nil {
		return a.Err != nil && b.Err != nil && a.Err.Error() == b.Err.Error()
	}
	return a.Version == b.Version && bytes.Equal(a.Document, b.Document)
}

// apply puts a configuration in force, unless it cannot be read: then the last good one stays, and that is logged once.
func (c *configurations) apply(ctx context.Context, set string, r store.ConfigurationRecord) {
	err := r.Err
	var configured Configuration
	if err == nil {
		configured, err = handlers.DecodeConfiguration(r.Document)
	}
	if err == nil {
		err = c.live.Configure(set, configured)
	}
	if err != nil {
		c.log.ErrorContext(ctx, events.ConfigurationUnreadable, "set", set, "version", r.Version, "error", err)
		return
	}
	c.changes.Add(1)
	c.log.InfoContext(ctx, events.Configured, "set", set, "version", r.Version)
}

// current reports whether what is in force may be gone by: it was just read, or a worker of the process watches,
// would be told of any change, and was told of none.
func (c *configurations) current() bool {
	if c.watchers.Load() > 0 && c.hub.tellsAll() {
		return c.told.Load() == c.heeded.Load()
	}
	return time.Now().UnixNano()-c.looked.Load() < int64(freshFor)
}

// fresh makes what is in force no older than freshFor, for callers that enqueue or start something: where a worker
// watches, it reads nothing. A store that does not answer soon is not waited for.
func (c *configurations) fresh(ctx context.Context) {
	if c == nil || c.current() {
		return
	}
	looked := c.looked.Load()
	if looked == 0 {
		c.mu.Lock() // nobody goes by code alone while the first reading is on its way
	} else if !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	if c.looked.Load() != looked {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, freshFor)
	defer cancel()
	if err := c.refreshLocked(ctx); err != nil {
		c.log.DebugContext(ctx, "cannot read configuration; what is in force stays", "error", err)
	}
}
