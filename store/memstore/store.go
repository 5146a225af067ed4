// Package memstore keeps the state of Rollcall in the memory of one process. It implements the
// contract of package store exactly. Everything is lost when the process ends. It is for tests, for
// tools that run their own workers, and for learning.
//
// # Time
//
// The store's clock is [time.Now]. A store that is made inside a testing/synctest bubble uses the
// bubble's time: delays, leases and retention pass as fast as the bubble's clock. The store signals
// every change, so nothing has to poll it. A day without work costs little more than heartbeats.
//
// # Concurrency
//
// Each partition has one lock, and each method holds the lock of one partition. So each method is
// atomic. The store starts no goroutines: Promote moves due tasks, Sweep closes dead sessions, and
// Subscribe calls its function on the caller's goroutine.
//
// # Cost
//
// Enqueuing, fetching and settling take constant time per task. To this add the logarithm of the
// number of lanes, for turns between runs, and of the number of delayed tasks of a lane. The time
// to stop a run depends on the number of its lanes, not of its tasks.
package memstore

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/store"
)

// DefaultSweepInterval is the default of Options.SweepInterval.
const DefaultSweepInterval = 5 * time.Second

// Options configure a store. The zero value is usable.
type Options struct {
	// Partitions returns the number of partitions. Defaults to 1.
	Partitions int
	// SweepInterval is how long after a sweep heartbeats ask for the next one. If three intervals pass
	// without a sweep, the store cannot know whether workers died or the machine was paused. Then the
	// next sweep extends every lease once. Defaults to [DefaultSweepInterval].
	SweepInterval time.Duration
	// Logger gets records of sessions that expired and of clock jumps. Defaults to
	// [slog.DiscardHandler].
	Logger *slog.Logger
}

// backend is a [store.Store] in memory, behind the checks.
type backend struct {
	partitions []*partition
	hub        *hub

	once   sync.Once
	closed chan struct{}
}

var (
	_ store.Store           = (*backend)(nil)
	_ store.CompleteSignals = (*backend)(nil)
)

// New returns an empty store, behind the checks of [store.Checked]. Nil opts means all defaults.
// Close it to end its subscriptions. A store that is not closed is garbage like any other value.
func New(opts *Options) store.Store { return store.Checked(newBackend(opts)) }

func newBackend(opts *Options) *backend {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.SweepInterval <= 0 {
		o.SweepInterval = DefaultSweepInterval
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Logger = guard.Logger(o.Logger)
	s := &backend{hub: newHub(), closed: make(chan struct{})}
	for i := range max(o.Partitions, 1) {
		s.partitions = append(s.partitions, newPartition(i, s.hub, o))
	}
	return s
}

// Partitions returns the number of partitions.
func (s *backend) Partitions() int { return len(s.partitions) }

// Ping returns an error if the store is closed or ctx has ended.
func (s *backend) Ping(ctx context.Context) error { return s.open(ctx) }

// Close ends every subscription and makes later calls fail with
// [store.ErrClosed]. It may be called twice.
func (s *backend) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// open returns an error if a call must not go on, because the store is closed or ctx has ended.
func (s *backend) open(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.closed:
		return store.ErrClosed
	default:
		return nil
	}
}

// at locks a partition for one call. The caller unlocks it.
func (s *backend) at(ctx context.Context, index int) (*partition, error) {
	if err := s.open(ctx); err != nil {
		return nil, err
	}
	p := s.partitions[index]
	p.mu.Lock()
	p.called = p.now()
	return p, nil
}

// of locks the partition of a job for one call. The caller unlocks it.
func (s *backend) of(ctx context.Context, job string) (*partition, error) {
	return s.at(ctx, store.PartitionOf(job, len(s.partitions)))
}
