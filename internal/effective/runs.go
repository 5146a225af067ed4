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

// maxRuns is how many configured runs a worker remembers.
const maxRuns = 256

// Runs knows what is in force for runs that have their own configuration. Fetches and heartbeats
// return a mark for such runs. If the mark changes, the worker reads the configuration once, so
// other runs cost nothing. Marks are only compared for equality: a server that lost writes may
// return an earlier mark again.
type Runs struct {
	store store.Configurations
	live  *handlers.Live
	log   *slog.Logger
	known *recent.Map[int64, *configuredRun] // by run number
}

// NewRuns returns Runs that know no run yet. live has what is in force for all runs.
func NewRuns(s store.Configurations, live *handlers.Live, log *slog.Logger) *Runs {
	return &Runs{store: s, live: live, log: log, known: recent.New[int64, *configuredRun](maxRuns)}
}

// Run is a run whose tasks a worker holds.
type Run struct {
	ID  store.RunID
	Set string

	own atomic.Pointer[configuredRun] // nil if it has no configuration of its own
}

// configuredRun is what is in force for a run. All holders of its tasks share it.
type configuredRun struct {
	latest  atomic.Pointer[readRun] // nil until it was read
	reading turn                    // so that an earlier read does not replace a later one
}

// readRun is a configuration that was read after a mark was received. It is that of the mark or a
// later one.
type readRun struct {
	mark int64
	live *handlers.Live
}

func (c *configuredRun) is(mark int64) bool {
	now := c.latest.Load()
	return now != nil && now.mark == mark
}

// Live returns what is in force for this run only. It is nil if the run has no configuration of its
// own.
func (r *Run) Live() *handlers.Live {
	if own := r.own.Load(); own != nil {
		if latest := own.latest.Load(); latest != nil {
			return latest.live
		}
	}
	return nil
}

// Obey puts the configuration of a run in force for the held tasks of the run. The mark says which
// change is meant. It is 0 if the run has no configuration, also if the store lost it. If the
// configuration cannot be read before ctx ends, the last one stays in force.
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
		return // the run is gone: its held tasks can only be cancelled
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
		var live *handlers.Live
		if live, err = c.live.ForRun(r.Set, configured); err == nil {
			next.live = live
		}
	}
	if err != nil {
		log.ErrorContext(ctx, events.RunConfigurationUnreadable, "version", rec.Version, "error", err)
	}
	own.latest.Store(next)
}
