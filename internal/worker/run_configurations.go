package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/recent"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

// maxConfiguredRuns bounds what a worker remembers of configured runs.
const maxConfiguredRuns = 256

// runConfigurations knows what is in force for runs that have a configuration of their own. Fetches and
// heartbeats tell a worker by a mark when one has changed, and the worker reads it once for each mark,
// so other runs cost nothing.
type runConfigurations struct {
	store store.Configurations
	live  *handlers.Live
	log   *slog.Logger
	known *recent.Map[int64, *runConfiguration] // by number of the run
}

// runConfiguration is what is in force for a run.
type runConfiguration struct {
	latest atomic.Pointer[readConfiguration] // nil until it was read

	reading sync.Mutex // one reads at a time, so that what was read later stands
}

// readConfiguration is what was read after the mark was told. It is of the change that the mark is for, or
// of a later one. Marks are only ever compared for equality: a server that lost writes tells an earlier one again.
type readConfiguration struct {
	mark int64
	live *handlers.Live
}

func newRunConfigurations(s store.Configurations, live *handlers.Live, log *slog.Logger) *runConfigurations {
	return &runConfigurations{store: s, live: live, log: log, known: recent.New[int64, *runConfiguration](maxConfiguredRuns)}
}

func (r *runConfiguration) is(mark int64) bool {
	now := r.latest.Load()
	return now != nil && now.mark == mark
}

// follow reads the configuration of a run unless that was done for the mark. What cannot be read leaves what
// was in force before.
func (c *runConfigurations) follow(ctx context.Context, r *runConfiguration, run store.RunID, set string, mark int64) {
	r.reading.Lock()
	defer r.reading.Unlock()
	if r.is(mark) {
		return
	}
	rec, err := c.store.Configuration(ctx, store.ConfigurationID{Run: run})
	if errors.Is(err, store.ErrRunNotFound) {
		return // what is still held of it can only be cancelled
	}
	if err != nil && !store.Permanent(err) {
		c.log.WarnContext(ctx, "cannot read the configuration of a run; it is read again",
			"job", run.Job, "run", run.Number, "error", err)
		return
	}
	next := &readConfiguration{mark: mark, live: c.live}
	if known := r.latest.Load(); known != nil {
		next.live = known.live
	}
	var configured handlers.Configuration
	if err == nil {
		configured, err = handlers.DecodeConfiguration(rec.Document)
	}
	if err == nil {
		next.live = c.live.ForRun(set, configured)
	} else {
		c.log.ErrorContext(ctx, events.RunConfigurationUnreadable,
			"job", run.Job, "run", run.Number, "version", rec.Version, "error", err)
	}
	r.latest.Store(next)
}

// heldRun is a run of which a session holds tasks.
type heldRun struct {
	id         store.RunID
	set        string
	n          int
	configured atomic.Pointer[runConfiguration] // nil while it obeys its set
}

// obey puts the run's configuration in force for the tasks that are held of it. The mark is 0 of a run that has
// none, also of one whose configuration was lost by the store.
func (r *heldRun) obey(ctx context.Context, c *runConfigurations, mark int64) {
	known := r.configured.Load()
	if known == nil && mark == 0 || known != nil && known.is(mark) {
		return
	}
	if known == nil {
		known, _ = c.known.FindOr(r.id.Number, func() *runConfiguration { return new(runConfiguration) })
	}
	c.follow(ctx, known, r.id, r.set, mark)
	r.configured.Store(known)
}
