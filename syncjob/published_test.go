package syncjob_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/observe"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
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

// losesPublished is a store whose server forgets what was published, and the sessions that came
// after it.
type losesPublished struct {
	store.Store
	mu    sync.Mutex
	has   map[string]bool
	loses map[int]bool // partitions that lost their session, and whose worker has not heard so
}

func (s *losesPublished) lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.has, s.loses = make(map[string]bool), make(map[int]bool)
	for p := range s.Partitions() {
		s.loses[p] = true
	}
}

func (s *losesPublished) PublishSet(ctx context.Context, r store.SetRecord) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.has[r.Name] = true
	return s.Store.PublishSet(ctx, r)
}

func (s *losesPublished) Sets(ctx context.Context, partition int) ([]store.SetRecord, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, err := s.Store.Sets(ctx, partition)
	return slices.DeleteFunc(all, func(r store.SetRecord) bool { return !s.has[r.Name] }), err
}

func (s *losesPublished) Heartbeat(ctx context.Context, p store.HeartbeatParams) (store.HeartbeatReply, error) {
	s.mu.Lock()
	lost := s.loses[p.Session.Partition]
	delete(s.loses, p.Session.Partition)
	s.mu.Unlock()
	if lost {
		return store.HeartbeatReply{}, store.ErrLeaseLost
	}
	return s.Store.Heartbeat(ctx, p)
}

func TestWhatTheStoreLostIsPublishedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &losesPublished{Store: memstore.New(&memstore.Options{Partitions: 4}), has: make(map[string]bool)}
		sets := []*handlers.Set{handlers.NewSet("a", apart), handlers.NewSet("b", apart), handlers.NewSet("c", apart)}
		for _, set := range sets {
			handlers.Handle(set, func(context.Context, *handlers.Task[leaf]) error { return nil }, nil)
		}
		reg, err := handlers.NewRegistry(sets...)
		require.NoError(t, err)
		work(t, managerOn(t, s, reg), syncjob.WorkerConfig{})
		operator := managerOn(t, s, nil)
		names := func() (names []string) {
			synctest.Wait()
			all, err := operator.Sets(t.Context())
			require.NoError(t, err)
			for _, set := range all {
				names = append(names, set.Name)
			}
			return names
		}
		require.Equal(t, []string{"a", "b", "c"}, names())
		s.lose()
		require.Empty(t, names())
		time.Sleep(time.Minute) // each worker has heard by its next heartbeat
		require.Equal(t, []string{"a", "b", "c"}, names())
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
				_, err := ensures.Ensure(t.Context(), periodic(schedule.Schedule{Every: time.Minute}))
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

// deliveries runs one leaf of a job that is started without a registry, and counts what is
// delivered of it, hooks included.
func deliveries(t *testing.T, cfg handlers.SetConfig) (n int64) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		var attempts atomic.Int64
		w, err := syncjob.New(s, syncjob.Config{
			Registry: set(t, cfg, noop),
			Observer: observe.Observer{AttemptStarted: func(context.Context, observe.Attempt) { attempts.Add(1) }},
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, w.Close()) })
		work(t, w, syncjob.WorkerConfig{})
		synctest.Wait()
		run, err := managerOn(t, s, nil).Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Succeeded, final.Status)
		n = attempts.Load()
	})
	return n
}

func TestWhoHasNoRegistryStartsRunsWithThePublishedHooks(t *testing.T) {
	hook := func(context.Context, *handlers.Run) error { return nil }
	require.EqualValues(t, 1, deliveries(t, handlers.SetConfig{}))
	require.EqualValues(t, 2, deliveries(t, handlers.SetConfig{Hooks: handlers.Hooks{PreJob: hook}}))
	require.EqualValues(t, 2, deliveries(t, handlers.SetConfig{Hooks: handlers.Hooks{PostJob: hook}}))
	require.EqualValues(t, 3, deliveries(t, handlers.SetConfig{Hooks: handlers.Hooks{PreJob: hook, PostJob: hook}}))
}

func TestWhoHasNoRegistryRedrivesWithThePublishedHooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		w := managerOn(t, s, set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error {
			return handlers.Permanent(errors.New("broken"))
		}))
		stop := work(t, w, syncjob.WorkerConfig{})
		run, err := w.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: leaf{}}, nil)
		require.NoError(t, err)
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		require.NoError(t, stop())
		again, err := managerOn(t, s, nil).Run("a", run.Number()).Redrive(t.Context(), nil)
		require.NoError(t, err)
		state, err := again.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, states.Running, state.Status, "it waits for no hook")
	})
}

func TestWhoHasNoRegistryRefusesConfiguredKindsThatNobodyPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		work(t, managerOn(t, s, set(t, handlers.SetConfig{}, noop)), syncjob.WorkerConfig{})
		synctest.Wait()
		job := syncjob.Job{Name: "a", Set: "tree", Root: leaf{}, Configuration: &syncjob.Configuration{}}
		job.Configuration.Kind("twig").Timeout = time.Minute
		_, err := managerOn(t, s, nil).Start(t.Context(), job, nil)
		var field *syncjob.FieldError
		require.ErrorAs(t, err, &field)
		require.Equal(t, `Configuration.Kinds["twig"]`, field.Field)
	})
}

type twig struct{}

func (twig) Kind() string { return "twig" }

func TestAJobConfiguresKindsOfALaterVersionOfItsSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		earlier := managerOn(t, s, set(t, handlers.SetConfig{}, noop))
		configures := func(name, kind string) error {
			job := syncjob.Job{Name: name, Set: "tree", Root: leaf{}, Configuration: &syncjob.Configuration{}}
			job.Configuration.Kind(kind).Timeout = time.Minute
			_, err := earlier.Start(t.Context(), job, nil)
			return err
		}
		require.ErrorIs(t, configures("a", "twig"), syncjob.ErrInvalid)
		tree := handlers.NewSet("tree", handlers.SetConfig{})
		handlers.Handle(tree, func(context.Context, *handlers.Task[twig]) error { return nil }, nil)
		later, err := handlers.NewRegistry(tree)
		require.NoError(t, err)
		work(t, managerOn(t, s, later), syncjob.WorkerConfig{})
		synctest.Wait()
		require.NoError(t, configures("b", "twig"))
		require.ErrorIs(t, configures("c", "branch"), syncjob.ErrInvalid)
	})
}

func TestAWorkerFiresAKindOfALaterVersionAsThatIsPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		tree := handlers.NewSet("tree", handlers.SetConfig{})
		handlers.Handle(tree, func(context.Context, *handlers.Task[twig]) error { return nil }, &handlers.KindOptions{
			Attributes: handlers.Attributes{Queue: "twigs", MaxRunning: 2},
		})
		reg, err := handlers.NewRegistry(tree)
		require.NoError(t, err)
		earlier, later := managerOn(t, s, set(t, handlers.SetConfig{}, noop)), managerOn(t, s, reg)
		work(t, earlier, syncjob.WorkerConfig{})
		synctest.Wait()
		stop := work(t, later, syncjob.WorkerConfig{})
		synctest.Wait()
		require.NoError(t, stop())
		job := periodic(schedule.Schedule{Every: time.Minute})
		job.Root = twig{}
		_, err = later.Ensure(t.Context(), job)
		require.NoError(t, err)
		time.Sleep(time.Minute + time.Second)
		for _, m := range []*syncjob.Manager{earlier, later, managerOn(t, s, nil)} {
			run, err := m.Latest(t.Context(), "nightly")
			require.NoError(t, err)
			why, err := run.Explain(t.Context())
			require.NoError(t, err)
			require.Equal(t, "twigs", why.Run.RootQueue)
			require.Equal(t, []states.Limit{{Set: "tree", Kind: "twig", MaxRunning: 2}}, why.Limits)
		}
	})
}

func TestAWorkerFiresInReadOnlyModeWhatOthersPublishedAsMarkedForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		m := managerOn(t, s, set(t, handlers.SetConfig{RunsInReadOnly: true}, noop))
		stop := work(t, m, syncjob.WorkerConfig{})
		synctest.Wait()
		require.NoError(t, stop())
		other := handlers.NewSet("other", handlers.SetConfig{})
		handlers.Handle(other, func(context.Context, *handlers.Task[node]) error { return nil }, nil)
		reg, err := handlers.NewRegistry(other)
		require.NoError(t, err)
		require.NoError(t, m.SetMode(t.Context(), syncjob.ModeReadOnly))
		_, err = m.Ensure(t.Context(), periodic(schedule.Schedule{Every: time.Minute}))
		require.NoError(t, err)
		work(t, managerOn(t, s, reg), syncjob.WorkerConfig{}) // it fires what it cannot run
		time.Sleep(time.Minute + time.Second)
		runs, err := m.JobRuns(t.Context(), "nightly")
		require.NoError(t, err)
		require.Len(t, runs, 1)
	})
}
