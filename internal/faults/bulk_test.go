package faults

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

const roleOperator = "operator"

// operate is a process that retries the failed tasks of many jobs, and stands still amid it if its
// order says so.
func operate(ctx context.Context, o order, l *ledger) error {
	return withManager(ctx, o, nil, func(m *syncjob.Manager) error {
		if err := errors.Join(l.note(event{What: ready, Text: o.Name}), l.await(ctx, "leaf")); err != nil {
			return err
		}
		steps := 0
		_, err := m.RetryAll(ctx, &syncjob.BulkOptions{
			Jobs: syncjob.JobsOptions{Prefix: o.Job},
			Progress: func(_ states.BulkJob, sum states.BulkResult) {
				if steps++; steps == o.Halt {
					_ = errors.Join(l.note(event{What: halted, Run: sum.Tasks}), l.await(ctx, "operator"))
				}
			},
		})
		return err
	})
}

// patients are units that fail until they are cured. It counts how often each then succeeds.
type patients struct {
	cured atomic.Bool
	mu    sync.Mutex
	done  map[int]int
}

func (p *patients) registry(t *testing.T) *handlers.Registry {
	s := handlers.NewSet("ward", handlers.SetConfig{Attributes: handlers.Attributes{MaxRetries: handlers.NoRetries}})
	handlers.Handle(s, func(_ context.Context, task *handlers.Task[unit]) error {
		if !p.cured.Load() {
			return errMood
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.done[task.Args.N]++
		return nil
	}, nil)
	reg, err := handlers.NewRegistry(s)
	require.NoError(t, err)
	return reg
}

// TestFailuresOfManyJobsAreRetriedOnce retries all failed tasks of many jobs from two callers and
// from processes that are killed amid it, while replies are lost. Each task is moved once, and a
// repeat goes on with what is left. With ROLLCALL_STORM=1, these are 100,000 failed tasks.
func TestFailuresOfManyJobsAreRetriedOnce(t *testing.T) {
	jobs, each := 8, 300
	if os.Getenv(stormEnv) != "" {
		jobs, each = 100, 1000
	}
	w := newWorld(t, longLease, nil)
	p := &patients{done: make(map[int]int)}
	s, err := redisstore.Open(t.Context(), w.server.URL(), redisstore.Config{Namespace: w.namespace})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	m, err := syncjob.New(s, syncjob.Config{Registry: p.registry(t), FailureCap: each, Logger: w.logger})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	worker, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 32})
	require.NoError(t, err)
	stopped := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	go func() { stopped <- worker.Run(ctx) }()
	defer func() {
		stop()
		require.NoError(t, <-stopped)
	}()
	var runs []*syncjob.Run
	for job := range jobs {
		run, err := m.Start(t.Context(), syncjob.Job{Name: fmt.Sprintf("ward/%03d", job), Set: "ward", Open: true}, nil)
		require.NoError(t, err)
		runs = append(runs, run)
		_, err = run.EnqueueAll(t.Context(), func(yield func(enqueue.Item, error) bool) {
			for i := range each {
				if !yield(enqueue.Task(unit{job*each + i}, nil), nil) {
					return
				}
			}
		}, nil)
		require.NoError(t, err)
	}
	awaitCounts(t, runs, func(c states.Counts) bool { return c.Failed == int64(each) })
	filter := syncjob.BulkOptions{Jobs: syncjob.JobsOptions{Prefix: "ward/"}, DryRun: true}
	all := int64(jobs * each)
	dry, err := w.m.RetryAll(t.Context(), &filter)
	require.NoError(t, err)
	require.Equal(t, states.BulkResult{DryRun: true, Matched: jobs, Changed: jobs, Tasks: all}, dry)
	p.cured.Store(true)

	victims := []*process{
		w.enlist(order{Role: roleOperator, Job: "ward/", Halt: 1}),
		w.enlist(order{Role: roleOperator, Job: "ward/", Halt: jobs / 2}),
	}
	w.proxy.Inject(redistest.Fault{Kind: redistest.Swallow, Match: w.script("redo_failures"), Every: 3})
	w.open()
	filter.DryRun = false
	var callers sync.WaitGroup
	var moved [2]states.BulkResult
	for i := range moved {
		callers.Go(func() {
			var err error
			if moved[i], err = w.m.RetryAll(t.Context(), &filter); err != nil {
				t.Error(err)
			}
		})
	}
	events := w.await("both in the midst", seen(halted, len(victims)))
	killed := int64(0)
	for _, e := range about(events, halted, "") {
		killed += e.Run
	}
	for _, v := range victims {
		v.kill()
	}
	callers.Wait()
	require.Positive(t, w.proxy.Injected())
	w.proxy.Clear()
	again, err := w.m.RetryAll(t.Context(), &filter)
	require.NoError(t, err)
	require.Equal(t, all, moved[0].Tasks+moved[1].Tasks+killed+again.Tasks, "each was moved by one")
	for _, r := range moved {
		require.Equal(t, []int{jobs, 0}, []int{r.Matched, r.Failed})
	}
	awaitCounts(t, runs, func(c states.Counts) bool { return c.Succeeded == int64(each) })
	require.Len(t, p.done, int(all))
	for n, times := range p.done {
		require.Equal(t, 1, times, "unit %d", n)
	}
	t.Logf("of %d failures, two callers moved %d and %d, those that died %d, a repeat %d",
		all, moved[0].Tasks, moved[1].Tasks, killed, again.Tasks)
}

// awaitCounts waits until each run has reached counts.
func awaitCounts(t *testing.T, runs []*syncjob.Run, reached func(states.Counts) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, run := range runs {
		for s, err := range run.Watch(ctx) {
			require.NoError(t, err)
			if reached(s.Counts) {
				break
			}
		}
	}
}
