// Package effective answers what holds for a handler set now: what the set is, and which attributes
// are in force for it and its kinds. Whoever asks gets the one answer: starts, enqueue calls,
// fetches, attempts, Explain and operators, in a process that has the set in its registry or in one
// that has not.
//
//	registry (code) ────────┐           a set of the registry: its code under what is configured
//	published (by workers) ─┼─▶ Sets ─▶ others: the same, with the code as workers published it
//	configured (documents) ─┘           a set that is neither: nothing
//
// What was read from the store is used for at most a second ([Sets.Fresh]). A process that watches
// a store ([Sets.Watch]) which signals every change uses it until a change is signalled. One type,
// the reading, has that rule for all that is read. If a document cannot be read, the last good one
// stays in force.
//
// A run may have a configuration of its own, over that of its set: [Runs] knows it for the runs of
// which a worker holds tasks.
package effective

import (
	"context"
	"log/slog"
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
	Registry *handlers.Registry // nil in a process that has none
	Signals  Signals
	Logger   *slog.Logger
}

// Signals are those of the store, as the process hears them.
type Signals interface {
	// Listen has notify called for each signal until leave is called. notify must not block.
	Listen(notify func(store.Signal)) (leave func())
	// TellsAll reports whether listeners are told of every change now.
	TellsAll() bool
	// Every is how often a listener looks by itself: as often as asked, or rarely if it is told of
	// every change.
	Every(time.Duration) time.Duration
}

// Sets knows what holds for all handler sets. Its methods may be called concurrently.
type Sets struct {
	cfg   Config
	live  *handlers.Live                     // of the registry; nil without one
	code  map[string]handlers.SetDescription // of the registry
	names []string                           // of the registry, sorted
	told  told

	own     *reading // what is configured of the sets of the registry
	ownDocs documents
	changes atomic.Int64 // how often what is in force for them has changed

	others     *reading // the sets that workers published, and what is configured of those
	othersDocs documents
	published  atomic.Pointer[map[string]publishedSet] // never changed
}

// New returns what the code of the registry says. It makes no call.
func New(cfg Config) *Sets {
	s := &Sets{cfg: cfg, told: told{signals: cfg.Signals}}
	s.own = newReading(&s.told, s.readOwn, cfg.Logger.With("of", "the registry"))
	s.others = newReading(&s.told, s.readOthers, cfg.Logger.With("of", "what workers published"))
	if reg := cfg.Registry; reg != nil {
		s.live, s.names, s.code = handlers.NewLive(reg), reg.Sets(), make(map[string]handlers.SetDescription)
		for _, set := range s.names {
			s.code[set], _ = reg.Describe(set) // it has it
		}
	}
	return s
}

// Live is what is in force for the sets of the registry, for those who run their tasks; nil without
// one.
func (s *Sets) Live() *handlers.Live { return s.live }

// Fresh makes what is known of a set, and of some of its kinds, no older than a second, for whoever
// starts or enqueues something: where the process watches, it reads nothing. A store that does not
// answer soon is not waited for.
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

// Describe tells what a set is: by the registry, or else as workers have published it. It reports
// false of one that is in neither. The description is shared: it must not be changed.
func (s *Sets) Describe(set string) (handlers.SetDescription, bool) {
	if d, ok := s.code[set]; ok {
		return d, true
	}
	p, ok := s.publishedSet(set)
	return p.description, ok
}

// Attributes are those in force for a kind, or an alias, of a set; with an empty kind for the set
// itself. A kind that the registry has not may be one of a later version of the set, and is then as
// its workers published it. It reports false of what is not known.
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

// InForce are the attributes of a kind as Attributes has them. A kind that is not known has those
// of its set, and a set that is not known the defaults.
func (s *Sets) InForce(set, kind string) handlers.Attributes {
	for _, name := range []string{kind, ""} {
		if attrs, ok := s.Attributes(set, name); ok {
			return attrs
		}
	}
	return handlers.Attributes{Queue: enqueue.DefaultQueue, Weight: handlers.DefaultWeight}
}

// Queue makes Sets an [enqueue.Router]. In a process with a registry, a set or kind that it has not
// is a [*store.FieldError] for the field "Set" or "Kind"; in one without, nothing is unknown:
// workers may yet come.
func (s *Sets) Queue(set, kind string) (string, error) {
	if s.live != nil {
		return s.live.Queue(set, kind)
	}
	return s.InForce(set, kind).Queue, nil
}

// Watch keeps what is configured of the sets of the registry in force until ctx ends: it reads it
// when a change is signalled, and every [pollInterval], or rarely where every change is signalled.
// It calls changed when it is in force for the first time, also if it cannot be read and a repeat
// could not help, and whenever it has changed.
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

// readOwn puts in force what is configured of the sets of the registry.
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
			s.changes.Add(1)
			s.cfg.Logger.InfoContext(ctx, events.Configured, "set", set, "version", version)
		},
	)
}
