package syncjob

import (
	"context"
	"errors"
	"log/slog"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/recent"
	"github.com/rollcall-go/rollcall/store"
)

// maxConfiguredRuns bounds what a worker remembers of configured runs.
const maxConfiguredRuns = 256

// runConfigurations knows what is in force for runs that have a configuration of their own, each read once for each version. Workers
// learn the versions from the replies to fetches and heartbeats, so other runs cost nothing.
type runConfigurations struct {
	store store.Configurations
	live  *handlers.Live
	log   *slog.Logger
	known *recent.Map[int64, *runConfiguration] // by number of the run
}

// runConfiguration is one version of what is in force for a run.
type runConfiguration struct {
	version int64
	live    *handlers.Live
}

func newRunConfigurations(s store.Configurations, live *handlers.Live, log *slog.Logger) *runConfigurations {
	return &runConfigurations{store: s, live: live, log: log, known: recent.New[int64, *runConfiguration](maxConfiguredRuns)}
}

// find returns what is in force for a run whose configuration has at least the given version. If that cannot be read it is
// what was known before, or nil.
func (c *runConfigurations) find(ctx context.Context, run store.RunID, set string, version int64) *runConfiguration {
	known, _ := c.known.Find(run.Number)
	if known != nil && known.version >= version {
		return known
	}
	rec, err := c.store.Configuration(ctx, store.ConfigurationID{Run: run})
	if errors.Is(err, store.ErrRunNotFound) {
		return known // what is still held of it can only be cancelled
	}
	if err != nil && !permanent(err) {
		c.log.WarnContext(ctx, "cannot read the configuration of a run; it is read again", "job", run.Job, "run", run.Number, "error", err)
		return known
	}
	next := &runConfiguration{version: max(rec.Version, version)}
	var configured Configuration
	if err == nil {
		configured, err = handlers.DecodeConfiguration(rec.Document)
	}
	if err == nil {
		next.live = c.live.ForRun(set, configured)
	} else {
		c.log.ErrorContext(ctx, EventRunConfigurationUnreadable,
			"job", run.Job, "run", run.Number, "version", next.version, "error", err)
		if next.live = c.live; known != nil {
			next.live = known.live
		}
	}
	return c.known.Update(run.Number, func(was *runConfiguration, _ bool) *runConfiguration {
		if was != nil && was.version >= next.version {
			return was // somebody else has read a later version meanwhile
		}
		return next
	})
}

// configure has the tasks of runs obey the runs' own configurations, before any of them starts.
func (s *session) configure(ctx context.Context, tasks []task) {
	for i := range tasks {
		d := tasks[i].delivery
		if version := d.Configured; version != 0 {
			tasks[i].run.obey(ctx, s.e.configuredRuns, d.Lease.Lane.Route.Set, version)
		}
	}
}

// reconfigure does the same for what is held when a heartbeat tells of later versions.
func (s *session) reconfigure(ctx context.Context, runs []store.RunSignal) {
	for _, r := range runs {
		if r.Configured == 0 {
			continue
		}
		s.mu.Lock()
		held := s.held[r.Run.Number]
		s.mu.Unlock()
		if held != nil {
			held.obey(ctx, s.e.configuredRuns, held.set, r.Configured)
		}
	}
}

// obey puts a version of the run's configuration in force for the tasks that are held of it.
func (r *heldRun) obey(ctx context.Context, c *runConfigurations, set string, version int64) {
	if now := r.configured.Load(); now != nil && now.version >= version {
		return
	}
	if next := c.find(ctx, r.id, set, version); next != nil {
		r.configured.Store(next)
	}
}
