package effective

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/recent"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

// maxRuns bounds what a worker remembers of configured runs.
const maxRuns = 256

// Runs knows what is in force for runs that have a configuration of their own. Fetches and
// heartbeats tell a worker by a mark when one has changed, and the worker reads it once for each
// mark, so other runs cost nothing. Marks are only ever compared for equality: a server that lost
// writes tells an earlier one again.
type Runs struct {
	store store.Configurations
	live  *handlers.Live
	log   *slog.Logger
	known *recent.Map[int64, *configuredRun] // by number of the run
}

// NewRuns returns what knows of no run yet. live is what is in force for all runs.
func NewRuns(s store.Configurations, live *handlers.Live, log *slog.Logger) *Runs {
	return &Runs{store: s, live: live, log: log, known: recent.New[int64, *configuredRun](maxRuns)}
}

// Run is a run of which a worker holds tasks.
type Run struct {
	ID  store.RunID
	Set string

	own atomic.Pointer[configuredRun] // nil while it obeys its set
}

// configuredRun is what is in force for a run. All who hold tasks of it share it.
type configuredRun struct {
	latest  atomic.Pointer[readRun] // nil until it was read
	reading turn                    // so that what was read later stands
}

// readRun is what was read after the mark was told. It is of the change that the mark is for, or of
// a later one.
type readRun struct {
	mark int64
	live *handlers.Live
}

func (c *configuredRun) is(mark int64) bool {
	now := c.latest.Load()
	return now != nil && now.mark == mark
}

// Live is what is in force for the run alone; nil while that is what is in force for all runs of
// its set.
func (r *Run) Live() *handlers.Live {
	if own := r.own.Load(); own != nil {
		if latest := own.latest.Load(); latest != nil {
			return latest.live
		}
	}
	return nil
}

// Obey puts the configuration of a run in force for the tasks that are held of it, as of the mark.
// That is 0 for a run that has none, also for one whose configuration was lost by the store. What
// cannot be read, or not before ctx ends, leaves what was in force before.
func (c *Runs) Obey(ctx context.Context, r *Run, mark int64) {
	own := r.own.Load()
	if own == nil && mark == 0 || own != nil && own.is(mark) {
		return
	}
	if own == nil {
		own, _ = c.known.FindOr(r.ID.Number, func() *configuredRun { return &configuredRun{reading: newTurn()} })
	}
	if own.reading.take(ctx) == nil {
		if !own.is(mark) {
			c.read(ctx, own, r, mark)
		}
		own.reading.give()
	}
	r.own.Store(own)
}

func (c *Runs) read(ctx context.Context, own *configuredRun, r *Run, mark int64) {
	log := c.log.With("job", r.ID.Job, "run", r.ID.Number)
	rec, err := c.store.Configuration(ctx, store.ConfigurationID{Run: r.ID})
	if errors.Is(err, store.ErrRunNotFound) {
		return // what is still held of it can only be cancelled
	}
	if err != nil && !store.Permanent(err) {
		log.WarnContext(ctx, "cannot read the configuration of a run; it is read again", "error", err)
		return
	}
	next := &readRun{mark: mark, live: c.live}
	if known := own.latest.Load(); known != nil {
		next.live = known.live
	}
	var configured handlers.Configuration
	if err == nil {
		configured, err = handlers.DecodeConfiguration(rec.Document)
	}
	if err == nil {
		next.live = c.live.ForRun(r.Set, configured)
	} else {
		log.ErrorContext(ctx, events.RunConfigurationUnreadable, "version", rec.Version, "error", err)
	}
	own.latest.Store(next)
}
