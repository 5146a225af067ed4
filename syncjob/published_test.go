package syncjob_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

// apart gives the runs of a set a weight, and its tasks a queue, of their own.
var apart = handlers.SetConfig{Attributes: handlers.Attributes{Weight: 7, Queue: "apart"}}

func withQueueAndWeight(queue string, weight float64) func(*syncjob.Configuration) error {
	return func(c *syncjob.Configuration) error {
		c.Set.Queue, c.Set.Weight = queue, weight
		return nil
	}
}

func TestWhoHasNoRegistryGoesByWhatWorkersPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		queues := make(chan string, 1)
		w := managerOn(t, s, set(t, apart, func(_ context.Context, task *handlers.Task[leaf]) error {
			queues <- task.Queue
			return nil
		}))
		work(t, w, syncjob.WorkerConfig{Queues: []syncjob.Queue{{Name: "apart"}, {Name: "other"}}})
		synctest.Wait()
		m := managerOn(t, s, nil)
		obeys := func(queue string, weight float64) {
			run := standing(t, m, syncjob.Job{Name: "a" + queue})
			_, err := run.Enqueue(t.Context(), leaf{}, nil)
			require.NoError(t, err)
			require.Equal(t, queue, <-queues)
			state, err := run.State(t.Context())
			require.NoError(t, err)
			require.InDelta(t, weight, state.Weight, 0)
		}
		obeys("apart", 7)
		_, err := w.Configure(t.Context(), "tree", nil, withQueueAndWeight("other", 3))
		require.NoError(t, err)
		time.Sleep(time.Second)
		obeys("other", 3)
	})
}

func TestPeriodicRunsBeginWithWhatIsInForceThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		m := managerOn(t, s, set(t, apart, noop))
		other := handlers.NewSet("other", handlers.SetConfig{})
		handlers.Handle(other, func(context.Context, *handlers.Task[node]) error { return nil }, nil)
		reg, err := handlers.NewRegistry(other)
		require.NoError(t, err)
		for range 2 { // by replicas that know the set and do not
			for _, ensures := range []*syncjob.Manager{m, managerOn(t, s, nil)} {
				_, err := ensures.Ensure(t.Context(), periodic(syncjob.Schedule{Every: time.Minute}))
				require.NoError(t, err)
			}
		}
		rec, err := s.Job(t.Context(), "nightly")
		require.NoError(t, err)
		require.Equal(t, int64(1), rec.Changes)

		stop := work(t, m, syncjob.WorkerConfig{})
		begins := func(queue string, weight float64) {
			time.Sleep(time.Minute)
			state, err := m.State(t.Context(), "nightly")
			require.NoError(t, err)
			require.Equal(t, queue, state.Run.RootQueue)
			require.InDelta(t, weight, state.Run.Weight, 0)
		}
		time.Sleep(time.Second)
		begins("apart", 7)
		require.NoError(t, stop())
		work(t, managerOn(t, s, reg), syncjob.WorkerConfig{}) // it fires what it cannot run
		begins("apart", 7)
		run, err := m.Latest(t.Context(), "nightly")
		require.NoError(t, err)
		require.NoError(t, run.Stop(t.Context(), nil))
		_, err = m.Configure(t.Context(), "tree", nil, withQueueAndWeight("default", 3))
		require.NoError(t, err)
		begins("default", 3)
	})
}
