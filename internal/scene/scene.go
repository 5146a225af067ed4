// Package scene is what tests of pages and commands look at: a handler set, a worker, runs in all
// states, and one fixed store on a virtual clock, which looks the same in each test.
package scene

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
)

// Place is a manager and what a test does with it.
type Place struct {
	M  *syncjob.Manager
	tb testing.TB
}

// New returns a place on the store, by default on one in memory with two partitions that remembers
// how busy it was. The manager is closed when the test ends.
func New(tb testing.TB, s store.Store) *Place {
	tb.Helper()
	if s == nil {
		s = remembers{memstore.New(&memstore.Options{Partitions: 2})}
	}
	m, err := syncjob.New(s, syncjob.Config{Registry: Registry(tb)})
	require.NoError(tb, err)
	return managed(tb, m)
}

// Open is New at the URL of a store.
func Open(tb testing.TB, url string) *Place {
	tb.Helper()
	m, err := syncjob.Open(tb.Context(), url, syncjob.Config{Registry: Registry(tb)})
	require.NoError(tb, err)
	return managed(tb, m)
}

func managed(tb testing.TB, m *syncjob.Manager) *Place {
	tb.Cleanup(func() { require.NoError(tb, m.Close()) })
	return &Place{M: m, tb: tb}
}

// Work runs the worker w1 until the test ends.
func (p *Place) Work() { p.tb.Helper(); p.work("w1", "v1.2.3") }

func (p *Place) work(name, version string) {
	p.tb.Helper()
	w, err := p.M.NewWorker(syncjob.WorkerConfig{Name: name, Version: version, Grace: syncjob.NoGrace})
	require.NoError(p.tb, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	p.tb.Cleanup(func() { stop(); require.NoError(p.tb, <-done) })
}

// Started starts an open run with these tasks.
func (p *Place) Started(job string, tasks ...Leaf) *syncjob.Run {
	p.tb.Helper()
	r, err := p.M.Start(p.tb.Context(), syncjob.Job{
		Name: job, Set: Set, Open: true,
		Headers: map[string]string{"secret": "in-a-header"}, Labels: map[string]string{"tenant": "acme"},
	}, nil)
	require.NoError(p.tb, err)
	for _, task := range tasks {
		p.Enqueued(r, task, nil)
	}
	return r
}

// Enqueued adds a task to a run and returns its ID.
func (p *Place) Enqueued(r *syncjob.Run, task Leaf, opts *enqueue.Options) string {
	p.tb.Helper()
	receipt, err := r.Enqueue(p.tb.Context(), task, opts)
	require.NoError(p.tb, err)
	return receipt.ID
}

// Ended seals a run and waits for its end.
func (p *Place) Ended(r *syncjob.Run) *syncjob.Run {
	p.tb.Helper()
	require.NoError(p.tb, r.Seal(p.tb.Context()))
	_, err := r.Wait(p.tb.Context())
	require.NoError(p.tb, err)
	return r
}

// Nightly declares a periodic job.
func (p *Place) Nightly(ctx context.Context, job string) {
	p.tb.Helper()
	_, err := p.M.Ensure(ctx, syncjob.Job{
		Name: job, Set: Set, Root: Leaf{}, Schedule: &schedule.Schedule{Cron: "0 3 * * *", Zone: "Europe/Berlin"},
	})
	require.NoError(p.tb, err)
}

// Reporting waits until a task of the run reports progress, and returns its ID.
func (p *Place) Reporting(r *syncjob.Run) (task string) {
	p.tb.Helper()
	p.Eventually("a task reports progress", func() bool {
		s, err := r.State(p.tb.Context())
		require.NoError(p.tb, err)
		if len(s.Reporting) > 0 {
			task = s.Reporting[0].ID
		}
		return task != ""
	})
	return task
}

// Eventually waits until a condition holds that nothing signals.
func (p *Place) Eventually(what string, holds func() bool) {
	p.tb.Helper()
	require.Eventually(p.tb, holds, 20*time.Second, 5*time.Millisecond, what)
}
