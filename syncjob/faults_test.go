package syncjob_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

// ledger is what handlers saw.
type ledger struct {
	mu    sync.Mutex
	leafs map[string]map[int]bool // by job: leaves whose handler succeeded
	posts map[string]int
}

func (l *ledger) leaf(job string, i int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.leafs[job] == nil {
		l.leafs[job] = make(map[int]bool)
	}
	l.leafs[job][i] = true
}

func (l *ledger) post(job string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posts[job]++
}

// Three workers lose every fifth reply, are cut off, shut down and replaced, and
// runs are paused and resumed, at random. Whatever happens, every run ends, with
// exact counts, every leaf run, and no child twice.
func TestRunsSurviveRandomFaults(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { survive(t, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func survive(t *testing.T, random *rand.Rand) {
	const jobs, size, workers = 6, 600, 3
	seen := &ledger{leafs: make(map[string]map[int]bool), posts: make(map[string]int)}
	reg := set(t, handlers.SetConfig{
		Attributes: handlers.Attributes{MaxRetries: 50, MaxDeliveries: 50},
		Hooks: handlers.Hooks{
			PreJob:  func(context.Context, *handlers.Run) error { return nil },
			PostJob: func(_ context.Context, r *handlers.Run) error { seen.post(r.Job); return nil },
		},
	}, func(ctx context.Context, task *handlers.Task[leaf]) error {
		select {
		case <-time.After(rand.N(200 * time.Millisecond)):
		case <-ctx.Done():
			return ctx.Err()
		}
		if rand.IntN(10) == 0 {
			return errors.New("bad luck")
		}
		seen.leaf(task.Run.Job, task.Args.I)
		return nil
	})

	shared := memstore.New(&memstore.Options{Partitions: 2})
	control := managerOn(t, shared, reg)
	lines := make([]*line, workers)
	stops := make([]func() error, workers)
	begin := func(i int) {
		lines[i] = &line{Store: shared, every: 5}
		m := managerOn(t, lines[i], reg)
		stops[i] = work(t, m, syncjob.WorkerConfig{Concurrency: 4, Lease: 6 * time.Second, Grace: time.Second})
	}
	for i := range workers {
		begin(i)
	}
	runs := make([]*syncjob.Run, jobs)
	for i := range runs {
		run, err := control.Start(t.Context(), syncjob.Job{Name: fmt.Sprint("job", i), Set: "tree", Root: node{N: size}}, nil)
		require.NoError(t, err)
		runs[i] = run
	}
	balanced := func(run *syncjob.Run) {
		s, err := run.State(t.Context())
		require.NoError(t, err)
		require.True(t, s.Counts.Balanced(), "%+v", s.Counts)
		require.LessOrEqual(t, s.Counts.Total, int64(size+1))
	}
	for range 40 {
		i, run := random.IntN(workers), runs[random.IntN(jobs)]
		switch random.IntN(5) {
		case 0:
			lines[i].cut.Store(!lines[i].cut.Load())
		case 1: // it leaves, cut off or not, and another comes
			if err := stops[i](); err != nil {
				require.ErrorIs(t, err, syncjob.ErrUnavailable)
			}
			begin(i)
		case 2:
			if err := run.Pause(t.Context()); err != nil {
				require.ErrorIs(t, err, syncjob.ErrRunFinished)
			}
		case 3:
			if err := run.Resume(t.Context()); err != nil {
				require.ErrorIs(t, err, syncjob.ErrRunFinished)
			}
		}
		time.Sleep(time.Duration(random.Int64N(int64(2 * time.Second))))
		balanced(run)
	}
	for i, l := range lines {
		l.cut.Store(false)
		require.NotNil(t, stops[i])
	}
	for i, run := range runs {
		if err := run.Resume(t.Context()); err != nil {
			require.ErrorIs(t, err, syncjob.ErrRunFinished)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		final, err := run.Wait(ctx)
		cancel()
		if err != nil {
			why, _ := run.Explain(t.Context())
			require.NoError(t, err, why.String())
		}
		require.Equal(t, states.Succeeded, final.Status)
		require.EqualValues(t, size+1, final.Counts.Succeeded)
		require.EqualValues(t, size+1, final.Counts.Total)
		require.Empty(t, final.HookErr)
		seen.mu.Lock()
		require.Len(t, seen.leafs[fmt.Sprint("job", i)], size)
		require.Positive(t, seen.posts[fmt.Sprint("job", i)])
		seen.mu.Unlock()
	}
}

// mute is a store whose signals never arrive.
type mute struct{ store.Store }

func (mute) Subscribe(context.Context, func(store.Signal)) error {
	return errors.New("no subscription")
}

func TestWithoutSignalsEverythingIsSlowerAndRight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := make(chan error, 1)
		m := managerOn(t, mute{memstore.New(nil)}, set(t, handlers.SetConfig{}, func(ctx context.Context, task *handlers.Task[leaf]) error {
			if task.Run.Job == "endless" {
				<-ctx.Done()
				stopped <- context.Cause(ctx)
				return ctx.Err()
			}
			if task.Retry == 0 {
				return handlers.RetryAfter(time.Minute, errors.New("later"))
			}
			return nil
		}))
		work(t, m, syncjob.WorkerConfig{})
		time.Sleep(time.Minute)
		begun := time.Now()
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 10}}, nil)
		require.NoError(t, err)
		endless, err := m.Start(t.Context(), syncjob.Job{Name: "endless", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 10, final.Retried)
		require.Less(t, time.Since(begun), 80*time.Second)
		require.NoError(t, endless.Stop(t.Context(), nil))
		begun = time.Now()
		require.ErrorIs(t, <-stopped, syncjob.ErrJobStopped)
		require.Less(t, time.Since(begun), 10*time.Second, "with the next heartbeat")
		_, err = endless.Wait(t.Context())
		require.NoError(t, err)
	})
}
