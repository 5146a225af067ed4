package syncjob_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
)

func TestAJobsConfigurationHoldsFromItsFirstTaskOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := make(chan time.Duration, 100)
		m := manager(t, timeouts(t, handlers.SetConfig{}, seen))
		work(t, m, syncjob.WorkerConfig{Concurrency: 2})
		_, err := m.Configure(t.Context(), "tree", nil, withTimeout(time.Minute))
		require.NoError(t, err)
		var own syncjob.Configuration
		own.Kind("leaf").Timeout = time.Second
		run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 20}, Configuration: &own}, nil)
		require.NoError(t, err)
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
		require.Len(t, seen, 20)
		for range 20 {
			require.Equal(t, time.Second, <-seen)
		}
		is, err := m.Configuration(t.Context(), "tree", &syncjob.ConfigurationOptions{Run: run})
		require.NoError(t, err)
		require.Equal(t, int64(1), is.Version)
		require.Equal(t, own, is.Configuration)
	})
}

// A run that has ended is refused whatever is asked for it, also if nothing would be written.
func TestARunThatHasEndedIsNotConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := manager(t, timeouts(t, handlers.SetConfig{}, make(chan time.Duration, 100)))
		work(t, m, syncjob.WorkerConfig{})
		var own syncjob.Configuration
		own.Set.Timeout = time.Second
		for _, of := range []*syncjob.Configuration{nil, &own} {
			job := syncjob.Job{Name: "a", Set: "tree", Root: node{}, Configuration: of}
			run, err := m.Start(t.Context(), job, nil)
			require.NoError(t, err)
			_, err = run.Wait(t.Context())
			require.NoError(t, err)
			opts := &syncjob.ConfigureOptions{Run: run}
			nothing := func(*syncjob.Configuration) error { return nil }
			for _, edit := range []func(*syncjob.Configuration) error{nothing, withTimeout(time.Minute)} {
				_, err = m.Configure(t.Context(), "tree", opts, edit)
				require.ErrorIs(t, err, syncjob.ErrRunFinished)
			}
			require.ErrorIs(t, m.ResetConfiguration(t.Context(), "tree", opts), syncjob.ErrRunFinished)
		}
	})
}

// gates is a registry whose leaves tell their timeout and then wait to be let on.
func gates(t *testing.T) (reg *handlers.Registry, seen chan time.Duration, on chan struct{}) {
	seen, on = make(chan time.Duration), make(chan struct{})
	return set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
		deadline, _ := ctx.Deadline()
		select {
		case seen <- time.Until(deadline):
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-on:
		case <-ctx.Done():
		}
		return ctx.Err()
	}), seen, on
}

func TestAChangeOfOneRunReachesItsTasksAndNoOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg, seen, on := gates(t)
		shared := memstore.New(nil)
		operator := managerOn(t, shared, nil)
		work(t, managerOn(t, shared, reg), syncjob.WorkerConfig{Concurrency: 1})
		run, other := standing(t, operator, syncjob.Job{Name: "a"}), standing(t, operator, syncjob.Job{Name: "b"})
		add := func(r *syncjob.Run) {
			_, err := r.Enqueue(t.Context(), leaf{}, nil)
			require.NoError(t, err)
		}
		next := func() time.Duration {
			d := <-seen
			on <- struct{}{}
			return d
		}
		// The worker has taken more tasks of the run than it can start.
		for range 5 {
			add(run)
		}
		d := <-seen
		require.Equal(t, handlers.DefaultTimeout, d)
		synctest.Wait() // the worker has published the set
		_, err := operator.Configure(t.Context(), "tree", &syncjob.ConfigureOptions{Run: run}, withTimeout(time.Minute))
		require.NoError(t, err)
		time.Sleep(reach)
		on <- struct{}{}
		for range 4 {
			require.Equal(t, time.Minute, next(), "also those that the worker had taken before")
		}
		add(other)
		require.Equal(t, handlers.DefaultTimeout, next())
		add(run)
		require.Equal(t, time.Minute, next())
		_, err = operator.Configure(t.Context(), "tree", nil, func(c *syncjob.Configuration) error {
			c.Set.Timeout, c.Set.MaxRetries = time.Second, 1
			return nil
		})
		require.NoError(t, err)
		time.Sleep(reach)
		add(other)
		require.Equal(t, time.Second, next())
		add(run)
		require.Equal(t, time.Minute, next(), "the run's own comes first")
		require.NoError(t, operator.ResetConfiguration(t.Context(), "tree", &syncjob.ConfigureOptions{Run: run}))
		time.Sleep(reach)
		add(run)
		require.Equal(t, time.Second, next())
	})
}

// goesBack is a store whose server can go back to what a run's configuration was earlier.
type goesBack struct {
	store.Store
	to atomic.Pointer[earlier]
}

type earlier struct {
	mark   int64
	record store.ConfigurationRecord
}

func (s *goesBack) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	reply, err := s.Store.Fetch(ctx, p)
	if to := s.to.Load(); to != nil {
		for i := range reply.Deliveries {
			reply.Deliveries[i].Configured = to.mark
		}
	}
	return reply, err
}

func (s *goesBack) Heartbeat(ctx context.Context, p store.HeartbeatParams) (store.HeartbeatReply, error) {
	reply, err := s.Store.Heartbeat(ctx, p)
	if to := s.to.Load(); to != nil {
		for i := range reply.Runs {
			reply.Runs[i].Configured = to.mark
		}
	}
	return reply, err
}

func (s *goesBack) Configuration(ctx context.Context, id store.ConfigurationID) (store.ConfigurationRecord, error) {
	if to := s.to.Load(); to != nil {
		return to.record, nil
	}
	return s.Store.Configuration(ctx, id)
}

// A server that loses a change has the worker go back with it: to the change before, or to what
// holds for all runs.
func TestAWorkerGoesBackWithTheConfigurationOfARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reg, seen, on := gates(t)
		s := &goesBack{Store: memstore.New(nil)}
		m := managerOn(t, s, reg)
		work(t, m, syncjob.WorkerConfig{Concurrency: 1})
		run := standing(t, m, syncjob.Job{Name: "a"})
		next := func() time.Duration {
			_, err := run.Enqueue(t.Context(), leaf{}, nil)
			require.NoError(t, err)
			d := <-seen
			on <- struct{}{}
			return d
		}
		configure := func(timeout time.Duration) {
			_, err := m.Configure(t.Context(), "tree", &syncjob.ConfigureOptions{Run: run}, withTimeout(timeout))
			require.NoError(t, err)
			require.Equal(t, timeout, next())
		}
		configure(time.Minute)
		id := store.RunID{Job: "a", Number: run.Number()}
		first, err := s.Store.Configuration(t.Context(), store.ConfigurationID{Run: id})
		require.NoError(t, err)
		configure(time.Hour)
		s.to.Store(&earlier{1, first})
		require.Equal(t, time.Minute, next(), "the second change was lost")
		s.to.Store(&earlier{})
		require.Equal(t, handlers.DefaultTimeout, next(), "every change was lost")
		s.to.Store(&earlier{1, first})
		require.Equal(t, time.Minute, next())

		// What is held when the server goes back obeys, too: a heartbeat tells.
		for range 3 {
			_, err := run.Enqueue(t.Context(), leaf{}, nil)
			require.NoError(t, err)
		}
		require.Equal(t, time.Minute, <-seen)
		s.to.Store(&earlier{})
		time.Sleep(20 * time.Second)
		on <- struct{}{}
		for range 2 {
			require.Equal(t, handlers.DefaultTimeout, <-seen)
			on <- struct{}{}
		}
	})
}

// asks counts how often configurations are read, which takes a while.
type asks struct {
	store.Store
	delay      time.Duration
	sets, runs atomic.Int64
}

func (s *asks) WatchConfigurations(ctx context.Context, sets []string) ([]store.ConfigurationRecord, error) {
	s.sets.Add(1)
	time.Sleep(s.delay)
	return s.Store.WatchConfigurations(ctx, sets)
}

func (s *asks) Configuration(ctx context.Context, id store.ConfigurationID) (store.ConfigurationRecord, error) {
	s.runs.Add(1)
	return s.Store.Configuration(ctx, id)
}

func TestTasksReadNoConfiguration(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &asks{Store: memstore.New(nil)}
		m := managerOn(t, s, set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{Concurrency: 4})
		time.Sleep(time.Minute)
		var own syncjob.Configuration
		own.Set.MaxRetries = 1
		for _, configured := range []*syncjob.Configuration{nil, &own} {
			sets, runs, start := s.sets.Load(), s.runs.Load(), time.Now()
			run, err := m.Start(t.Context(), syncjob.Job{Name: "a", Set: "tree", Root: node{N: 1000}, Configuration: configured}, nil)
			require.NoError(t, err)
			final, err := run.Wait(t.Context())
			require.NoError(t, err)
			require.Equal(t, int64(1001), final.Counts.Succeeded)
			require.Less(t, s.sets.Load()-sets, 2+5*int64(time.Since(start)/time.Second+1), "by time, not by tasks")
			if configured == nil {
				require.Equal(t, runs, s.runs.Load())
			} else {
				require.Equal(t, runs+1, s.runs.Load(), "once for a run that has one")
			}
		}
	})
}

func TestWorkersOfOneProcessShareTheReadingOfConfigurations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &asks{Store: memstore.New(nil)}
		m := managerOn(t, s, set(t, handlers.SetConfig{}, noop))
		for range 10 {
			work(t, m, syncjob.WorkerConfig{Concurrency: 1})
		}
		time.Sleep(time.Minute)
		require.LessOrEqual(t, s.sets.Load(), int64(6*60), "not four times a second each")
		require.GreaterOrEqual(t, s.sets.Load(), int64(3*60))
	})
}

func TestQueueAndWeightActOnWhatComesAfterTheChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := memstore.New(nil)
		reg := set(t, handlers.SetConfig{}, noop)
		operator, producer, another := managerOn(t, shared, nil), managerOn(t, shared, reg), managerOn(t, shared, reg)
		stop := work(t, managerOn(t, shared, reg), syncjob.WorkerConfig{})
		synctest.Wait()
		before := standing(t, producer, syncjob.Job{Name: "before"})
		before = another.Run(before.Job(), before.Number())
		_, err := before.Enqueue(t.Context(), leaf{}, nil)
		require.NoError(t, err)
		_, err = operator.Configure(t.Context(), "tree", nil, func(c *syncjob.Configuration) error {
			c.Set.Weight = 7
			c.Kind("leaf").Queue = "elsewhere"
			return nil
		})
		require.NoError(t, err)
		time.Sleep(reach)
		after := standing(t, producer, syncjob.Job{Name: "after"})
		_, err = producer.Start(t.Context(), syncjob.Job{Name: "children", Set: "tree", Root: node{N: 3}}, nil)
		require.NoError(t, err)
		_, err = before.Enqueue(t.Context(), leaf{}, nil)
		require.NoError(t, err)
		synctest.Wait()
		for run, weight := range map[*syncjob.Run]float64{before: 1, after: 7} {
			rec, err := shared.Run(t.Context(), runID(run))
			require.NoError(t, err)
			require.InDelta(t, weight, rec.Weight, 0)
		}
		for job, waiting := range map[string]int64{"before": 1, "children": 3} {
			run, err := operator.Latest(t.Context(), job)
			require.NoError(t, err)
			x, err := run.Explain(t.Context())
			require.NoError(t, err)
			require.Len(t, x.Waiting, 1)
			require.Equal(t, "elsewhere", x.Waiting[0].Queue)
			require.Equal(t, waiting, x.Waiting[0].Waiting)
			require.True(t, x.Waiting[0].Unserved, "a worker keeps the queues it was started with")
		}
		require.NoError(t, stop())
		work(t, managerOn(t, shared, reg), syncjob.WorkerConfig{Queues: []syncjob.Queue{{Name: "default"}, {Name: "elsewhere"}}})
		run, err := operator.Latest(t.Context(), "children")
		require.NoError(t, err)
		_, err = run.Wait(t.Context())
		require.NoError(t, err)
	})
}

// A rolling deploy: the new version fans out into a kind that the old one does not have.
func TestAWorkerThatLacksAKindLeavesItsTasksToThoseThatHaveIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shared := memstore.New(nil)
		old := handlers.NewSet("tree", handlers.SetConfig{})
		handlers.Handle(old, func(_ context.Context, _ *handlers.Task[node]) error { return nil }, nil)
		oldReg, err := handlers.NewRegistry(old)
		require.NoError(t, err)
		var ran atomic.Int64
		newReg := set(t, handlers.SetConfig{}, func(context.Context, *handlers.Task[leaf]) error { ran.Add(1); return nil })
		work(t, managerOn(t, shared, oldReg), syncjob.WorkerConfig{Concurrency: 8})
		newer := managerOn(t, shared, newReg)
		run := standing(t, newer, syncjob.Job{Name: "a"})
		for i := range 100 {
			_, err := run.Enqueue(t.Context(), leaf{I: i}, nil)
			require.NoError(t, err)
		}
		_, err = run.Enqueue(t.Context(), node{}, nil)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		s, err := run.State(t.Context())
		require.NoError(t, err)
		require.Equal(t, int64(1), s.Counts.Succeeded, "what both have is done")
		require.Equal(t, int64(100), s.Counts.Pending, "and nothing of what it lacks was touched")
		work(t, newer, syncjob.WorkerConfig{Concurrency: 2})
		require.NoError(t, run.Seal(t.Context()))
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, int64(101), final.Counts.Succeeded)
		require.Equal(t, int64(100), ran.Load())
		require.Zero(t, final.Retried)
	})
}

func TestRunsThatAScheduleOrARedriveBeginAreConfiguredAsTheirJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		seen := make(chan time.Duration, 10)
		broken := atomic.Bool{}
		broken.Store(true)
		m := manager(t, set(t, handlers.SetConfig{}, func(ctx context.Context, _ *handlers.Task[leaf]) error {
			deadline, _ := ctx.Deadline()
			seen <- time.Until(deadline)
			if broken.Load() {
				return handlers.Permanent(errBad)
			}
			return nil
		}))
		work(t, m, syncjob.WorkerConfig{Concurrency: 1})
		own := syncjob.Configuration{Set: handlers.Attributes{Timeout: time.Second}}
		_, err := m.Ensure(t.Context(), syncjob.Job{
			Name: "a", Set: "tree", Root: node{N: 1}, Configuration: &own, Schedule: &schedule.Schedule{Every: time.Hour},
		})
		require.NoError(t, err)
		require.Equal(t, time.Second, <-seen)
		run, err := m.Latest(t.Context(), "a")
		require.NoError(t, err)
		final, err := run.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, int64(1), final.Counts.Failed)
		broken.Store(false)
		again, err := run.Redrive(t.Context(), nil)
		require.NoError(t, err)
		require.Equal(t, time.Second, <-seen)
		final, err = again.Wait(t.Context())
		require.NoError(t, err)
		require.Equal(t, int64(1), final.Counts.Succeeded)
	})
}
