// Package scene is what tests of pages and commands look at: a handler set, a worker, runs in all
// states, and one fixed store on a virtual clock, which looks the same in each test.
package scene

import (
	"cmp"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

// Set is the name of the handler set.
const Set = "tree"

// Leaf is a task that fails, fails for now, blocks or succeeds, as its arguments say.
type Leaf struct {
	Fail  string `json:"fail,omitempty"`
	Flaky string `json:"flaky,omitempty"` // fails so, and is tried again
	Block bool   `json:"block,omitempty"` // reports progress, and runs until its context ends
	Note  string `json:"note,omitempty"`

	Nap   time.Duration `json:"nap,omitempty"`   // takes so long
	Bytes int64         `json:"bytes,omitempty"` // is added to the counter of that name
}

// Kind implements enqueue.Args.
func (Leaf) Kind() string { return "leaf" }

// Registry returns the handler set. A retry waits for ten minutes.
func Registry(tb testing.TB) *handlers.Registry {
	tb.Helper()
	set := handlers.NewSet(Set, handlers.SetConfig{Attributes: handlers.Attributes{
		Backoff: handlers.Exponential{First: 10 * time.Minute, Factor: 1, Jitter: handlers.NoJitter},
	}})
	counted := handlers.NewCounter(set, "bytes")
	handlers.Handle(set, func(ctx context.Context, task *handlers.Task[Leaf]) error {
		if task.Args.Bytes != 0 {
			counted.Add(task, task.Args.Bytes)
		}
		return leaf(ctx, task)
	}, nil)
	reg, err := handlers.NewRegistry(set)
	require.NoError(tb, err)
	return reg
}

func leaf(ctx context.Context, task *handlers.Task[Leaf]) error {
	if task.Args.Nap > 0 {
		time.Sleep(task.Args.Nap)
	}
	switch {
	case task.Args.Block:
		task.Progress(ctx, 1, 3, cmp.Or(task.Args.Note, "half way"))
		<-ctx.Done()
		return ctx.Err()
	case task.Args.Fail != "":
		return handlers.Permanent(errors.New(task.Args.Fail))
	case task.Args.Flaky != "":
		return errors.New(task.Args.Flaky)
	}
	return task.SetResult(task.Args.Bytes)
}

// Place is a manager and what a test does with it.
type Place struct {
	M  *syncjob.Manager
	tb testing.TB
}

// New returns a place on the store, by default on one in memory with two partitions. The manager is
// closed when the test ends.
func New(tb testing.TB, s store.Store) *Place {
	tb.Helper()
	if s == nil {
		s = memstore.New(&memstore.Options{Partitions: 2})
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
		Name: job, Set: Set, Root: Leaf{}, Schedule: &syncjob.Schedule{Cron: "0 3 * * *", Zone: "Europe/Berlin"},
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
