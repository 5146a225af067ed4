// Package effective answers what holds for a handler set now: what the set is, and which attributes
// are in force for it and its kinds. Starts, enqueue calls, fetches, attempts, Explain and
// operators all get the same answer, in processes that have the set in their registry and in
// processes that do not.
//
//	registry (code) ────────┐           a set of the registry: its code under what is configured
//	published (by workers) ─┼─▶ Sets ─▶ others: the same, with the code as workers published it
//	configured (documents) ─┘           a set that is neither: nothing
//
// Data from the store is used for at most a second ([Sets.Fresh]). If a process watches the store
// ([Sets.Watch]) and the store signals every change, the data is used until the next signal. The
// type reading implements this rule for all data. If a document cannot be read, the last good one
// stays in force.
//
// A run may have its own configuration. It takes precedence over that of its set. [Runs] knows it
// for the runs whose tasks a worker holds.
package effective

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/syncjob/events"
)

// Config of [Sets].
type Config struct {
	Store    store.Store
	Registry *handlers.Registry // nil if the process has none
	Signals  Signals
	Logger   *slog.Logger
}

// Signals are the signals of the store, as the process gets them.
type Signals interface {
	// Listen calls notify for each signal until leave is called. notify must not block.
	Listen(notify func(store.Signal)) (leave func())
	// TellsAll reports whether listeners now get a signal for every change.
	TellsAll() bool
	// Every returns how often a listener reads without a signal: at the interval that it asks for, or
	// rarely if it gets a signal for every change.
	Every(time.Duration) time.Duration
}

// Sets knows what holds for all handler sets. Its methods may be called concurrently.
type Sets struct {
	cfg   Config
	live  *handlers.Live                     // of the registry; nil without one
	code  map[string]handlers.SetDescription // of the registry
	names []string                           // of the registry, sorted
	told  told

	own      *reading // what is configured of the sets of the registry
	ownDocs  documents
	changes  atomic.Int64                     // how often the attributes in force for them changed
	versions atomic.Pointer[map[string]int64] // of those configurations, never changed

	others     *reading // the sets that workers published, and their configurations
	othersDocs documents
	published  atomic.Pointer[map[string]publishedSet] // never changed
}

// New returns Sets that know only the code of the registry. It makes no call.
func New(cfg Config) *Sets {
	s := &Sets{cfg: cfg, told: told{signals: cfg.Signals}}
	s.own = newReading(&s.told, s.readOwn, cfg.Logger.With("of", "the registry"))
	s.others = newReading(&s.told, s.readOthers, cfg.Logger.With("of", "what workers published"))
	if reg := cfg.Registry; reg != nil {
		s.live, s.names, s.code = handlers.NewLive(reg), reg.Sets(), make(map[string]handlers.SetDescription)
		for _, set := range s.names {
			s.code[set], _ = reg.Describe(set) // the registry has the set
		}
	}
	return s
}

// Live returns what is in force for the sets of the registry, to run their tasks. It is nil without
// a registry.
func (s *Sets) Live() *handlers.Live { return s.live }

// Fresh makes sure that what is known of a set and of the given kinds is at most a second old,
// before a start or an enqueue. In a process that watches, it reads nothing. If the store does not
// answer soon, Fresh does not wait for it.
func (s *Sets) Fresh(ctx context.Context, set string, kinds ...string) {
	_, own := s.code[set]
	if own {
		s.own.ensure(ctx)
	}
	later := func(kind string) bool {
		_, err := s.live.Attributes(set, kind)
		return err != nil
	}
	if !own || slices.ContainsFunc(kinds, later) {
		s.others.ensure(ctx)
	}
}

// Describe describes a set: from the registry if that has the set, otherwise as workers published
// it. It returns false for a set that neither has. The description is shared: do not change it.
func (s *Sets) Describe(set string) (handlers.SetDescription, bool) {
	if d, ok := s.code[set]; ok {
		return d, true
	}
	p, ok := s.publishedSet(set)
	return p.description, ok
}

// Attributes returns the attributes in force for a kind of a set, or for an alias; with an empty
// kind, those of the set itself. A kind that is not in the registry may belong to a later version
// of the set: then it is as workers published it. It returns false for an unknown set or kind.
func (s *Sets) Attributes(set, kind string) (attrs handlers.Attributes, ok bool) {
	if _, own := s.code[set]; own {
		if attrs, err := s.live.Attributes(set, kind); err == nil {
			return attrs, true
		}
	}
	p, _ := s.publishedSet(set)
	attrs, ok = p.attrs[kind]
	return attrs, ok
}

// InForce returns the attributes of a kind, as Attributes does. For an unknown kind it returns
// those of the set. For an unknown set it returns the defaults.
func (s *Sets) InForce(set, kind string) handlers.Attributes {
	for _, name := range []string{kind, ""} {
		if attrs, ok := s.Attributes(set, name); ok {
			return attrs
		}
	}
	return handlers.Attributes{Queue: enqueue.DefaultQueue, Weight: 1}
}

// Queue makes Sets an [enqueue.Router]. In a process with a registry, an unknown set or kind gives
// a [*store.FieldError] for the field "Set" or "Kind". In a process without a registry, every set
// and kind is accepted: workers may publish it later.
func (s *Sets) Queue(set, kind string) (string, error) {
	if s.live != nil {
		return s.live.Queue(set, kind)
	}
	return s.InForce(set, kind).Queue, nil
}

// Watch keeps the configurations of the registry's sets in force until ctx ends. It reads them when
// a change is signalled, and every [pollInterval]; if the store signals every change, it reads
// without a signal only rarely. It calls changed after each change, and after the first read. That
// first call comes also if a configuration cannot be read and a repeat could not help.
func (s *Sets) Watch(ctx context.Context, changed func()) {
	signalled := make(chan struct{}, 1)
	defer s.told.watch(signalled)()
	for known := int64(-1); ctx.Err() == nil; {
		err := s.own.refresh(ctx)
		if now := s.changes.Load(); now != known && (err == nil || store.Permanent(err)) {
			known = now
			changed()
		}
		next := pollInterval
		if err == nil {
			next = s.cfg.Signals.Every(pollInterval)
		}
		select {
		case <-ctx.Done():
		case <-signalled:
		case <-time.After(lifecycle.Jitter(next)):
		}
	}
}

// readOwn reads the configurations of the registry's sets and puts them in force.
func (s *Sets) readOwn(ctx context.Context) error {
	return s.ownDocs.read(
		ctx,
		s.cfg.Store,
		s.names,
		func(set string, version int64, c handlers.Configuration, err error) {
			if err == nil {
				err = s.live.Configure(set, c)
			}
			if err != nil {
				s.cfg.Logger.ErrorContext(
					ctx, events.ConfigurationUnreadable, "set", set, "version", version, "error", err,
				)
				return
			}
			s.inForce(set, version)
			s.changes.Add(1)
			s.cfg.Logger.InfoContext(ctx, events.Configured, "set", set, "version", version)
		},
	)
}

// inForce notes which version of a configuration is in force.
func (s *Sets) inForce(set string, version int64) {
	versions := maps.Clone(s.Versions())
	if versions == nil {
		versions = make(map[string]int64)
	}
	versions[set] = version
	s.versions.Store(&versions)
}

// Versions returns the versions of the configurations that are in force for the registry's sets. A
// set that was never configured is not among them. Do not change the map.
func (s *Sets) Versions() map[string]int64 {
	if versions := s.versions.Load(); versions != nil {
		return *versions
	}
	return nil
}
