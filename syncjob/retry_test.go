package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// brittle is a handler set whose tasks fail until it is mended. It counts how often each succeeds.
type brittle struct {
	mended atomic.Bool
	tried  atomic.Int64
	// onFailure is that of its runs.
	onFailure syncjob.OnFailure
	mu        sync.Mutex
	done      map[int]int
	ended     []states.Counts // what each call of the post-job hook saw
}

func newBrittle(t *testing.T, retries int) (*brittle, *handlers.Registry) {
	b := &brittle{done: make(map[int]int)}
	cfg := handlers.SetConfig{Attributes: handlers.Attributes{MaxRetries: retries}}
	cfg.Hooks.PostJob = func(_ context.Context, r *handlers.Run) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ended = append(b.ended, r.Counts)
		return nil
	}
	return b, set(t, cfg, func(_ context.Context, task *handlers.Task[leaf]) error {
		b.tried.Add(1)
		if !b.mended.Load() {
			return fmt.Errorf("broken %d", task.Args.I)
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.done[task.Args.I]++
		return nil
	})
}

// standing begins an open run in which n tasks fail.
func (b *brittle) standing(t *testing.T, m *syncjob.Manager, n int) *syncjob.Run {
	t.Helper()
	run, err := m.Start(t.Context(), syncjob.Job{Name: "adhoc", Set: "tree", Open: true, OnFailure: b.onFailure}, nil)
	require.NoError(t, err)
	_, err = run.EnqueueAll(t.Context(), leaves(n), nil)
	require.NoError(t, err)
	b.until(t, run, func(c states.Counts) bool { return c.Failed == int64(n) })
	return run
}

// until waits for counts of the run.
func (b *brittle) until(t *testing.T, run *syncjob.Run, reached func(states.Counts) bool) states.Run {
	t.Helper()
	for s, err := range run.Watch(t.Context()) {
		require.NoError(t, err)
		if reached(s.Counts) {
			return s
		}
	}
	t.Fatal("the run ended")
	return states.Run{}
}

// once requires that the tasks from 0 to n succeeded, each once.
func (b *brittle) once(t *testing.T, n int) {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	require.Len(t, b.done, n)
	for i, times := range b.done {
		require.Equal(t, 1, times, "task %d", i)
	}
}

func TestFailedTasksOfAStandingJobAreRetriedInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, reg := newBrittle(t, 2)
		m := manager(t, reg)
		work(t, m, syncjob.WorkerConfig{})
		run := b.standing(t, m, 3)
		require.EqualValues(t, 9, b.tried.Load(), "each was tried three times")
		got, err := run.Retry(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, syncjob.RetryResult{Moved: 3}, got)
		b.until(t, run, func(c states.Counts) bool { return c.Failed == 3 })
		require.EqualValues(t, 18, b.tried.Load(), "and three times again")
		var id string
		for f, err := range run.Failures(t.Context(), nil) {
			require.NoError(t, err)
			require.Equal(t, 2, f.Retry)
			require.Greater(t, f.Place, int64(3))
			id = f.TaskID
		}
		state, err := run.Task(id).State(t.Context())
		require.NoError(t, err)
		require.Len(t, state.Attempts, 5, "the last ones, of both times")

		b.mended.Store(true)
		_, err = run.Enqueue(t.Context(), leaf{I: 3}, nil)
		require.NoError(t, err)
		got, err = run.Retry(t.Context(), &syncjob.RetryOptions{IDs: []string{id, "never was"}})
		require.NoError(t, err)
		require.Equal(t, syncjob.RetryResult{Moved: 1}, got)
		got, err = run.Retry(t.Context(), &syncjob.RetryOptions{Kinds: []string{"node"}})
		require.NoError(t, err)
		require.Zero(t, got)
		got, err = run.Retry(t.Context(), &syncjob.RetryOptions{Kinds: []string{"leaf"}})
		require.NoError(t, err)
		require.Equal(t, syncjob.RetryResult{Moved: 2}, got)
		s := b.until(t, run, func(c states.Counts) bool { return c.Succeeded == 4 })
		require.Empty(t, s.LastError)
		b.once(t, 4)
		require.NoError(t, run.Seal(t.Context()))
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
	})
}

func TestDiscardedFailuresAreCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, reg := newBrittle(t, handlers.NoRetries)
		m := manager(t, reg)
		work(t, m, syncjob.WorkerConfig{})
		run := b.standing(t, m, 600)
		var id string
		for f, err := range run.Failures(t.Context(), &syncjob.FailuresOptions{Limit: 1}) {
			require.NoError(t, err)
			id = f.TaskID
		}
		got, err := run.Discard(t.Context(), &syncjob.RetryOptions{IDs: []string{id}})
		require.NoError(t, err)
		require.Equal(t, syncjob.RetryResult{Moved: 1}, got)
		_, ok, err := run.Task(id).Failure(t.Context())
		require.NoError(t, err)
		require.False(t, ok)
		got, err = run.Discard(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, syncjob.RetryResult{Moved: 599}, got)
		require.NoError(t, run.Seal(t.Context()))
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
		require.Equal(t, states.Counts{Total: 600, Cancelled: 600}, final.Counts)
	})
}

func TestARetrySaysWhatItCannotMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, reg := newBrittle(t, handlers.NoRetries)
		m, err := syncjob.New(memstore.New(nil), syncjob.Config{Registry: reg, FailureCap: 10})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		stop := work(t, m, syncjob.WorkerConfig{})
		run := b.standing(t, m, 25)
		_, err = run.Enqueue(t.Context(), leaf{}, &enqueue.Options{ID: "mine"})
		require.NoError(t, err)
		b.until(t, run, func(c states.Counts) bool { return c.Failed == 26 })
		require.NoError(t, stop())
		_, err = run.Enqueue(t.Context(), leaf{}, &enqueue.Options{ID: "mine"})
		require.NoError(t, err)
		dry, err := run.Retry(t.Context(), &syncjob.RetryOptions{DryRun: true})
		require.NoError(t, err)
		require.Equal(t, syncjob.RetryResult{Moved: 10, Gone: 16}, dry, "which IDs are in use it cannot tell")
		dry, err = run.Discard(t.Context(), &syncjob.RetryOptions{DryRun: true, IDs: []string{"mine"}})
		require.NoError(t, err)
		require.Equal(t, syncjob.RetryResult{Moved: 1, Gone: 16}, dry)
		got, err := run.Retry(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, syncjob.RetryResult{Moved: 9, InUse: 1, Gone: 16}, got)
	})
}

func TestARunThatIsOverRefusesARetryAndPointsToRedrive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, reg := newBrittle(t, handlers.NoRetries)
		m := manager(t, reg)
		work(t, m, syncjob.WorkerConfig{})
		run := b.standing(t, m, 2)
		require.NoError(t, run.Seal(t.Context()))
		_, err := run.Wait(t.Context())
		require.NoError(t, err)
		for _, call := range []func(context.Context, *syncjob.RetryOptions) (syncjob.RetryResult, error){run.Retry, run.Discard} {
			for _, o := range []*syncjob.RetryOptions{nil, {DryRun: true}} {
				_, err = call(t.Context(), o)
				var over *syncjob.RunOverError
				require.ErrorAs(t, err, &over)
				require.Equal(t, "adhoc", over.Run.Job)
				require.ErrorIs(t, err, syncjob.ErrRunFinished)
				require.ErrorContains(t, err, "Redrive")
			}
		}
		stopped := b.standing(t, m, 1)
		require.NoError(t, stopped.Stop(t.Context(), nil))
		for _, o := range []*syncjob.RetryOptions{nil, {DryRun: true}} {
			_, err = stopped.Retry(t.Context(), o)
			require.ErrorIs(t, err, syncjob.ErrJobStopped)
			require.ErrorAs(t, err, new(*syncjob.RunOverError))
		}
		_, err = m.Run("adhoc", 1).Retry(t.Context(), nil)
		require.ErrorIs(t, err, syncjob.ErrRunNotFound)
		for field, o := range map[string]syncjob.RetryOptions{
			"Kinds[0]": {Kinds: []string{"a/b"}}, "IDs[1]": {IDs: []string{"a", ""}}, "Rate": {Rate: -1},
		} {
			_, err = run.Retry(t.Context(), &o)
			var bad *syncjob.FieldError
			require.ErrorAs(t, err, &bad)
			require.Equal(t, field, bad.Field)
		}
	})
}

func TestARetryKeepsItsRateAndCanBeCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, reg := newBrittle(t, handlers.NoRetries)
		m := manager(t, reg)
		stop := work(t, m, syncjob.WorkerConfig{})
		run := b.standing(t, m, 100)
		require.NoError(t, stop())
		ctx, cancel := context.WithTimeout(t.Context(), 3500*time.Millisecond)
		defer cancel()
		got, err := run.Retry(ctx, &syncjob.RetryOptions{Rate: 10})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.EqualValues(t, 40, got.Moved, "at once, and after each second")
		state, err := run.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, []int64{40, 60}, []int64{state.Counts.Pending, state.Counts.Failed})
		began := time.Now()
		got, err = run.Retry(t.Context(), &syncjob.RetryOptions{Rate: 1000})
		require.NoError(t, err)
		require.EqualValues(t, 60, got.Moved)
		require.Equal(t, 60*time.Millisecond, time.Since(began))
	})
}

// Two callers retry at the same time, while replies are lost and a third one dies at every call in
// turn, and while a worker runs what they moved: each task is moved once, and runs once. The run is
// held for its failures, so its post-job hook comes once, and sees the whole.
func TestRetriesMoveEachFailureOnceThoughRepliesAreLostAndAProcessDies(t *testing.T) {
	tasks := int64(20_500)
	if os.Getenv("ROLLCALL_STORM") != "" {
		tasks = 100_000
	}
	server := redistest.Start(t, nil)
	proxy := redistest.NewProxy(t, server.Addr)
	b, reg := newBrittle(t, handlers.NoRetries)
	b.onFailure = syncjob.OnFailureHold
	m, err := syncjob.Open(t.Context(), server.URL(), syncjob.Config{Registry: reg, FailureCap: int(tasks)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	far, err := syncjob.Open(t.Context(), proxy.URL(), syncjob.Config{Registry: reg})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, far.Close()) })
	work(t, m, syncjob.WorkerConfig{Concurrency: 64})
	run := b.standing(t, m, int(tasks))
	require.NoError(t, run.Seal(t.Context()))
	b.mended.Store(true)
	proxy.Inject(redistest.Fault{Kind: redistest.Swallow, Every: 23})

	var callers sync.WaitGroup
	var moved [2]syncjob.RetryResult
	for i := range moved {
		callers.Go(func() {
			var err error
			moved[i], err = far.Run("adhoc", run.Number()).Retry(t.Context(), nil)
			if err != nil && !errors.Is(err, syncjob.ErrRunFinished) { // it is, once all were moved and run
				t.Error(err)
			}
		})
	}
	killed := int64(0) // what those moved that died
	for died := range int64(8) {
		dead := &mortal{Store: far.Store(), applied: died%2 == 0}
		dead.left.Store(died)
		got, err := managerOn(t, dead, reg).Run("adhoc", run.Number()).Retry(t.Context(), nil)
		if killed += got.Moved; err != nil && !errors.Is(err, errKilled) && !errors.Is(err, syncjob.ErrRunFinished) {
			t.Error(err)
		}
	}
	callers.Wait()
	require.Positive(t, proxy.Injected())
	proxy.Clear()
	known := moved[0].Moved + moved[1].Moved + killed
	require.LessOrEqual(t, known, tasks, "nobody counts what another moved")
	require.GreaterOrEqual(t, known, tasks-8*256, "only the last step of one that died is not counted")
	final, err := run.Wait(t.Context())
	require.NoError(t, err, "whoever lived moved all")
	require.Equal(t, states.Succeeded, final.Status)
	require.Equal(t, states.Counts{Total: tasks, Succeeded: tasks}, final.Counts)
	require.Equal(t, []states.Counts{final.Counts}, b.ended, "one post-job hook, which sees the whole")
	b.once(t, int(tasks))
}
