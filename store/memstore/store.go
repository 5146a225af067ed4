// Package memstore keeps the state of Rollcall in the memory of one process. It
// has the semantics of the contract in package store to the letter, and loses
// everything with the process: it is for tests, for tools that run their own
// workers, and for learning.
//
// # Time
//
// The store's clock is [time.Now]. Made inside a testing/synctest bubble, a
// store lives in the bubble's time: delays, leases and retention pass as fast
// as the bubble's clock is moved. The store signals every change, so nobody polls
// it, and a day on which nothing happens costs little more than heartbeats.
//
// # Concurrency
//
// Each partition has one lock, and every method is one critical section of one
// partition. That is what makes each of them atomic. The store starts no
// goroutines: due tasks move with Promote, dead sessions with Sweep, and
// Subscribe delivers in the goroutine that called it.
//
// # Cost
//
// Enqueuing, fetching and settling take constant time per task, apart from a
// logarithm of the number of lanes for turns between runs and of the delayed
// tasks of a lane. Stopping a run takes time in its lanes, not in its tasks.
package memstore

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/rollcall-go/rollcall/internal/guard"
	"github.com/rollcall-go/rollcall/store"
)

// DefaultSweepInterval is how often a partition wants to be swept unless
// configured otherwise.
const DefaultSweepInterval = 5 * time.Second

// Options configure a store. The zero value is usable.
type Options struct {
	// Partitions is the number of partitions. Defaults to 1.
	Partitions int
	// SweepInterval is how long after a sweep a heartbeat reports the next one
	// due. When three of them pass without a sweep, nobody can tell dead workers from a
	// machine that stood still, so the next sweep extends every lease once.
	// Defaults to [DefaultSweepInterval].
	SweepInterval time.Duration
	// Logger is told of sessions that expired and of clock jumps. Defaults to one that discards.
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

// New returns an empty store, behind the checks of [store.Checked]. A nil opts means the defaults.
// Close it to end its subscriptions; an abandoned store is garbage like any other value.
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

// Partitions is the number of partitions.
func (s *backend) Partitions() int { return len(s.partitions) }

// Ping fails if the store is closed or ctx has ended.
func (s *backend) Ping(ctx context.Context) error { return s.open(ctx) }

// Close ends every subscription and makes later calls fail with
// [store.ErrClosed]. It may be called twice.
func (s *backend) Close() error {
	s.once.Do(func() { close(s.closed) })
	return nil
}

// open reports whether a call may go on: a call whose ctx has ended does nothing.
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
	return p, nil
}

// of locks the partition of a job for one call. The caller unlocks it.
func (s *backend) of(ctx context.Context, job string) (*partition, error) {
	return s.at(ctx, store.PartitionOf(job, len(s.partitions)))
}
