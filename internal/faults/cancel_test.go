package faults

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/lifecycle"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/store/statuses"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

func cancelledTaskOfADeadWorker(t *testing.T) {
	w := newWorld(t, shortLease, nil)
	victim := w.worker(2)
	s := w.grow(node{Path: "root", Fan: []int{6}, Leaf: waits})
	events := w.await("two leaves in hand", seen(started, 3))
	begun := about(events, started, "")
	asked := begun[len(begun)-1].Task
	victim.pause() // so that it does not hear of it
	result, err := s.Task(asked).Cancel(t.Context())
	require.NoError(t, err)
	require.Equal(t, syncjob.CancelRequested, result)
	victim.kill()
	other := w.worker(4)
	w.open()
	final := s.finish()
	require.Equal(t, states.Counts{Total: 7, Succeeded: 6, Cancelled: 1}, final.Counts)
	for _, e := range about(s.events(), started, "") {
		require.False(t, e.Task == asked && e.Worker == other.name, "it began again")
	}
	result, err = s.Task(asked).Cancel(t.Context())
	require.NoError(t, err)
	require.Equal(t, syncjob.CancelRequested, result, "a repeat")
	other.drain()
	s.requireNothingLeft()
}

// unit is a task of a herd.
type unit struct{ N int }

func (unit) Kind() string { return "unit" }

// herd is what became of its units, by their IDs.
type herd struct {
	slow      int // one in so many takes 20 ms
	mu        sync.Mutex
	began     map[string]int
	succeeded map[string]int
}

func (c *herd) note(m map[string]int, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m[id]++
}

// registry has a handler that now and then asks to be tried again, or snoozes.
func (c *herd) registry(t *testing.T) *handlers.Registry {
	s := handlers.NewSet("crowd", handlers.SetConfig{})
	handlers.Handle(s, func(ctx context.Context, task *handlers.Task[unit]) error {
		c.note(c.began, task.ID)
		switch n := task.Args.N; {
		case n%50 == 0 && task.Retry == 0:
			return handlers.RetryAfter(20*time.Millisecond, errMood)
		case n%50 == 1 && task.Snoozes == 0:
			return handlers.Snooze(20 * time.Millisecond)
		case n%c.slow == 0:
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(20 * time.Millisecond):
			}
		}
		c.note(c.succeeded, task.ID)
		return nil
	}, nil)
	reg, err := handlers.NewRegistry(s)
	require.NoError(t, err)
	return reg
}

// TestCancelledTasksRunOrAreCancelledNeverBoth cancels tasks at random while eight workers drain the
// run and replies are lost. With ROLLCALL_CANCELS=1, these are 1,000 of a million, and no command may
// take the server 10 ms: run that on a quiet machine.
func TestCancelledTasksRunOrAreCancelledNeverBoth(t *testing.T) {
	tasks, cancels, slow := 6000, 150, 2
	whole := os.Getenv("ROLLCALL_CANCELS") != ""
	if whole {
		tasks, cancels, slow = million, 1000, 10
	}
	_, random := seed(t)
	w := newWorld(t, longLease, nil)
	c := &herd{slow: slow, began: make(map[string]int), succeeded: make(map[string]int)}
	s, err := redisstore.Open(t.Context(), w.url, redisstore.Config{Namespace: w.namespace})
	require.NoError(t, err)
	m, err := syncjob.New(s, syncjob.Config{Registry: c.registry(t), Logger: w.logger})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	run, err := m.Start(t.Context(), syncjob.Job{Name: jobName, Set: "crowd", Open: true}, nil)
	require.NoError(t, err)
	_, err = run.EnqueueAll(t.Context(), func(yield func(enqueue.Item, error) bool) {
		for i := range tasks {
			o := &enqueue.Options{ID: fmt.Sprint("unit-", i)}
			if i%5 > 0 {
				o = &enqueue.Options{} // an ID is made up
			}
			if !yield(enqueue.Task(unit{i}, o), nil) {
				return
			}
		}
	}, nil)
	require.NoError(t, err)
	chosen := w.choose(run, random, cancels)
	subject := w.observe(run, growth{quiet: true})

	require.NoError(t, w.server.Do(t.Context(), "CONFIG", "SET", "slowlog-log-slower-than", "10000"))
	require.NoError(t, w.server.Do(t.Context(), "SLOWLOG", "RESET"))
	w.proxy.Inject(redistest.Fault{Kind: redistest.Swallow, Every: 300})
	workers := lifecycle.New(t.Context())
	for range 8 {
		worker, err := m.NewWorker(syncjob.WorkerConfig{Concurrency: 4, Lease: w.lease})
		require.NoError(t, err)
		workers.Go(func(ctx context.Context) { _ = worker.Run(ctx) })
	}
	results := cancelAll(t, run, chosen)
	require.Positive(t, w.proxy.Injected())
	w.proxy.Clear()
	require.NoError(t, run.Seal(t.Context()))
	final := subject.finish()
	workers.Stop(errNoMore)

	succeeded := int64(len(c.succeeded))
	require.Equal(t, states.Counts{
		Total: int64(tasks), Succeeded: succeeded, Cancelled: int64(tasks) - succeeded,
	}, final.Counts)
	said := make(map[syncjob.CancelResult]int)
	for id, result := range results {
		said[result]++
		switch result {
		case syncjob.CancelDone:
			require.Zero(t, c.succeeded[id], "%s was cancelled while it waited", id)
		case syncjob.CancelNotFound:
			require.Equal(t, 1, c.succeeded[id], "%s had ended", id)
		}
	}
	require.LessOrEqual(t, int(final.Counts.Cancelled), said[syncjob.CancelDone]+said[syncjob.CancelRequested])
	require.GreaterOrEqual(t, int(final.Counts.Cancelled), said[syncjob.CancelDone])
	for id, n := range c.succeeded {
		require.Equal(t, 1, n, id)
	}
	late := w.slow()
	t.Logf("of %d cancellations: %v; counts %+v; commands that took 10 ms: %v", cancels, said, final.Counts, late)
	if whole {
		require.Empty(t, late)
	}
	w.requireBalanced()
	report, err := w.oracle.Repair(t.Context(), jobName, nil)
	require.NoError(t, err)
	require.Empty(t, report.Damage)
}

// slow lists the commands in the slow log of the server, scripts by name, with their µs.
func (w *world) slow() (all []string) {
	w.t.Helper()
	entries, err := w.server.Client.Do(w.t.Context(), w.server.Client.B().SlowlogGet().Count(1000).Build()).ToArray()
	require.NoError(w.t, err)
	for _, e := range entries {
		fields, err := e.ToArray()
		require.NoError(w.t, err)
		words, err := fields[3].AsStrSlice()
		require.NoError(w.t, err)
		took, err := fields[2].AsInt64()
		require.NoError(w.t, err)
		name := words[0]
		if len(words) > 1 {
			name += " " + cmp.Or(w.scripts.nameOf(words[1]), words[1][:min(len(words[1]), 40)])
		}
		all = append(all, fmt.Sprintf("%s: %d", name, took))
	}
	return all
}

// cancelAll cancels tasks, some at a time, and returns what each call answered.
func cancelAll(t *testing.T, run *syncjob.Run, ids []string) map[string]syncjob.CancelResult {
	t.Helper()
	var mu sync.Mutex
	results := make(map[string]syncjob.CancelResult)
	users := lifecycle.New(t.Context())
	for part := range slices.Chunk(ids, (len(ids)+5)/6) {
		users.Go(func(ctx context.Context) {
			for _, id := range part {
				result, err := run.Task(id).Cancel(ctx)
				mu.Lock()
				if results[id] = result; err != nil {
					t.Errorf("cancel %s: %v", id, err)
				}
				mu.Unlock()
			}
		})
	}
	users.Wait()
	return results
}

// choose draws IDs of tasks that wait, each as likely.
func (w *world) choose(run *syncjob.Run, random *rand.Rand, n int) (ids []string) {
	w.t.Helper()
	for task, err := range run.Tasks(w.t.Context(), &syncjob.TasksOptions{State: statuses.TaskWaiting}) {
		require.NoError(w.t, err)
		ids = append(ids, task.ID)
	}
	slices.Sort(ids)
	random.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
	return ids[:n]
}
