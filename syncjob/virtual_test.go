package syncjob_test

import (
	"context"
	"errors"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/syncjob"
)

// tally counts the calls that reach a store in memory. What it says of itself is as the store says.
type tally struct {
	store.Store
	mu    sync.Mutex
	calls map[string]int
}

func newTally() *tally {
	return &tally{Store: memstore.New(&memstore.Options{Partitions: 2}), calls: make(map[string]int)}
}

func (c *tally) SignalsAreComplete() bool { return store.SignalsAreComplete(c.Store) }

func (c *tally) count(method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[method]++
}

// during counts the calls that are made while a time passes.
func (c *tally) during(d time.Duration) map[string]int {
	c.mu.Lock()
	clear(c.calls)
	c.mu.Unlock()
	time.Sleep(d)
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.calls)
}

func (c *tally) WatchConfigurations(ctx context.Context, sets []string) ([]store.ConfigurationRecord, error) {
	c.count("WatchConfigurations")
	return c.Store.WatchConfigurations(ctx, sets)
}

func (c *tally) Sets(ctx context.Context, partition int) ([]store.SetRecord, error) {
	c.count("Sets")
	return c.Store.Sets(ctx, partition)
}

func (c *tally) Reconsider(ctx context.Context, partition int, routes []store.Route) error {
	c.count("Reconsider")
	return c.Store.Reconsider(ctx, partition, routes)
}

func (c *tally) Fetch(ctx context.Context, p store.FetchParams) (store.FetchReply, error) {
	c.count("Fetch")
	return c.Store.Fetch(ctx, p)
}

func (c *tally) Heartbeat(ctx context.Context, p store.HeartbeatParams) (store.HeartbeatReply, error) {
	c.count("Heartbeat")
	return c.Store.Heartbeat(ctx, p)
}

func (c *tally) Sweep(ctx context.Context, partition int) (store.SweepReply, error) {
	c.count("Sweep")
	return c.Store.Sweep(ctx, partition)
}

func (c *tally) Promote(ctx context.Context, partition int) (store.PromoteReply, error) {
	c.count("Promote")
	return c.Store.Promote(ctx, partition)
}

func (c *tally) Run(ctx context.Context, id store.RunID) (store.RunRecord, error) {
	c.count("Run")
	return c.Store.Run(ctx, id)
}

// plain hides what a store can do beyond the contract.
type plain struct{ store.Store }

// idle has a worker wait for tasks of a standing job, and somebody for its end.
func idle(t *testing.T, s store.Store) {
	m := managerOn(t, s, limited(t, handlers.SetConfig{}, handlers.Attributes{MaxRunning: 1, MaxRunningPerJob: 1}, noop))
	work(t, m, syncjob.WorkerConfig{})
	run := standing(t, m, syncjob.Job{Name: "standing"})
	go func() { _, _ = run.Wait(t.Context()) }()
	time.Sleep(time.Minute)
}

func TestAnIdleDayOnAStoreThatTellsIsHeartbeatsAndSweeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTally()
		idle(t, c)
		calls := c.during(24 * time.Hour)
		t.Log(calls)
		for method, most := range map[string]int{
			"Heartbeat": 40_000, "Sweep": 40_000, // two partitions, each third of a lease
			"Fetch": 400, "WatchConfigurations": 200, "Run": 200,
		} {
			require.LessOrEqual(t, calls[method], most, method)
			delete(calls, method)
		}
		require.Empty(t, calls)
	})
}

func TestAStoreThatDoesNotTellIsPolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newTally()
		idle(t, plain{c})
		calls := c.during(time.Hour)
		t.Log(calls)
		require.Greater(t, calls["WatchConfigurations"], 3*3600, "four times a second")
		require.Greater(t, calls["Fetch"], 2*600, "each 5 s in each partition")
		require.Greater(t, calls["Run"], 1500, "each 2 s")
	})
}

func TestAStoreThatTellsHasChangesActAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{Partitions: 2})
		seen := make(chan time.Duration, 10)
		here, there := managerOn(t, s, timeouts(t, handlers.SetConfig{}, seen)), managerOn(t, s, nil)
		run := standing(t, here, syncjob.Job{Name: "a"}) // the manager has just read what is configured
		work(t, here, syncjob.WorkerConfig{Concurrency: 1})
		synctest.Wait()
		begun := time.Now()
		for i := range 20 {
			timeout := time.Minute + time.Duration(i)*time.Second
			_, err := there.Configure(t.Context(), "tree", nil, withTimeout(timeout))
			require.NoError(t, err)
			synctest.Wait()
			_, err = run.Enqueue(t.Context(), leaf{}, nil)
			require.NoError(t, err)
			synctest.Wait()
			require.Equal(t, timeout, <-seen)
		}
		require.Equal(t, begun, time.Now())
	})
}

func TestAWorkerThatStartsOnAStoreThatTellsReadsWhatWasToldToNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(nil)
		seen := make(chan time.Duration, 1)
		reg := timeouts(t, handlers.SetConfig{}, seen)
		here, there := managerOn(t, s, reg), managerOn(t, s, reg)
		defer here.Listen(func(int, signals.Type) {})() // the subscription is there before the worker
		synctest.Wait()
		run := standing(t, here, syncjob.Job{Name: "a"}) // what is configured has just been read
		_, err := there.Configure(t.Context(), "tree", nil, withTimeout(time.Second))
		require.NoError(t, err)
		synctest.Wait()
		work(t, here, syncjob.WorkerConfig{Concurrency: 1})
		_, err = run.Enqueue(t.Context(), leaf{}, nil)
		require.NoError(t, err)
		require.Equal(t, time.Second, <-seen)
	})
}

func TestAStoreThatTellsHasLimitsActAtOnce(t *testing.T) {
	for name, limits := range map[string]func(n int) handlers.Attributes{
		"of all jobs": func(n int) handlers.Attributes { return handlers.Attributes{MaxRunning: n} },
		"of each job": func(n int) handlers.Attributes { return handlers.Attributes{MaxRunningPerJob: n} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memstore.New(&memstore.Options{Partitions: 2})
				m := managerOn(t, s, limited(t, handlers.SetConfig{}, limits(1), sleeping(time.Hour)))
				work(t, m, syncjob.WorkerConfig{Concurrency: 20, Grace: syncjob.NoGrace})
				start(t, m, 1, 20)
				time.Sleep(time.Minute)
				require.EqualValues(t, 1, running(t.Context(), s, "leaf"))
				begun := time.Now()
				for _, n := range []int{2, 5, 7} {
					_, err := m.Configure(t.Context(), "tree", nil, func(c *syncjob.Configuration) error {
						a := limits(n)
						c.Kind("leaf").MaxRunning, c.Kind("leaf").MaxRunningPerJob = a.MaxRunning, a.MaxRunningPerJob
						return nil
					})
					require.NoError(t, err)
					synctest.Wait()
					require.EqualValues(t, n, running(t.Context(), s, "leaf"))
				}
				require.Equal(t, begun, time.Now())
			})
		})
	}
}

// dropping is a store that tells, and whose subscriptions can be ended.
type dropping struct {
	*tally
	down atomic.Bool
	drop chan struct{}
}

func (d *dropping) Subscribe(ctx context.Context, fn func(store.Signal)) error {
	if d.down.Load() {
		return errors.New("nobody can subscribe")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-d.drop:
			cancel()
		case <-ctx.Done():
		}
	}()
	if err := d.Store.Subscribe(ctx, fn); err != nil {
		return err
	}
	return errors.New("the subscription was dropped")
}

func TestWhileNobodyTellsWorkersPollAndThenSleepAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &dropping{tally: newTally(), drop: make(chan struct{})}
		seen := make(chan time.Duration, 1)
		m := managerOn(t, d, timeouts(t, handlers.SetConfig{}, seen))
		work(t, m, syncjob.WorkerConfig{Concurrency: 1})
		run := standing(t, m, syncjob.Job{Name: "a"})
		synctest.Wait()
		require.Zero(t, d.during(5 * time.Minute)["WatchConfigurations"])

		d.down.Store(true)
		d.drop <- struct{}{}
		require.Greater(t, d.during(time.Hour)["WatchConfigurations"], 3*3600)
		_, err := m.Configure(t.Context(), "tree", nil, withTimeout(time.Second))
		require.NoError(t, err)
		time.Sleep(reach)
		_, err = run.Enqueue(t.Context(), leaf{}, nil)
		require.NoError(t, err)
		require.Equal(t, time.Second, <-seen)

		d.down.Store(false)
		time.Sleep(5 * time.Second)
		require.LessOrEqual(t, d.during(time.Hour)["WatchConfigurations"], 10)
	})
}

func TestAVirtualDayOfAnIdleWorkerIsShort(t *testing.T) {
	const days = 2
	begun := time.Now()
	synctest.Test(t, func(t *testing.T) {
		m := managerOn(t, memstore.New(nil), set(t, handlers.SetConfig{}, noop))
		work(t, m, syncjob.WorkerConfig{})
		time.Sleep(days * 24 * time.Hour)
	})
	t.Logf("a virtual day with an idle worker takes %v", time.Since(begun)/days) // it depends on the machine
}
