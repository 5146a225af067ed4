package syncjob_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/internal/redistest"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/memstore"
	"github.com/rollcall-go/rollcall/store/redisstore"
	"github.com/rollcall-go/rollcall/syncjob"
)

// wakePartitions is enough for jobs of one test to lie in several.
const wakePartitions = 4

// What leaves do, by their number.
const (
	passes  = iota // nothing
	blocks         // wait until the test lets one go
	breaks         // fail for good the first time
	retries        // fail, and run again at once
	snoozes        // run again 50 ms later
)

// fan enqueues leaves.
type fan struct {
	N       int
	Options enqueue.Options
	Claimed bool
}

func (fan) Kind() string { return "fan" }

// sleepers are workers that look for work only when they are woken, and who wakes them.
type sleepers struct {
	t        *testing.T
	store    store.Store
	m        *syncjob.Manager // of the first worker, which serves the queue default
	caller   *syncjob.Manager // does what the transition is
	workers  []*syncjob.Worker
	began    chan string // "leaf N", "fan", "pre" or "post", as each attempt begins
	let      chan struct{}
	letHook  chan struct{} // nil: the pre-job hook passes at once
	bubble   bool
	seen     sync.Map // IDs of tasks that ran
	registry *handlers.Registry
}

func (w *sleepers) hooks() handlers.Hooks {
	tell := func(what string, until *chan struct{}) func(context.Context, *handlers.Run) error {
		return func(ctx context.Context, _ *handlers.Run) error {
			w.began <- what
			if *until != nil {
				<-*until
			}
			return ctx.Err()
		}
	}
	var none chan struct{}
	return handlers.Hooks{PreJob: tell("pre", &w.letHook), PostJob: tell("post", &none)}
}

func (w *sleepers) leaf(ctx context.Context, task *handlers.Task[leaf]) error {
	w.began <- fmt.Sprintf("leaf %d", task.Args.I)
	_, again := w.seen.LoadOrStore(task.ID, true)
	switch {
	case task.Args.I == blocks:
		select {
		case <-w.let:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	case task.Args.I == breaks:
		return handlers.Permanent(errors.New("broken"))
	case task.Args.I == retries && !again:
		return handlers.RetryAfter(0, errors.New("again"))
	case task.Args.I == snoozes && !again:
		return handlers.Snooze(50 * time.Millisecond)
	}
	return nil
}

func (w *sleepers) fan(ctx context.Context, task *handlers.Task[fan]) error {
	w.began <- "fan"
	for i := range task.Args.N {
		opts := task.Args.Options
		if task.Args.Claimed {
			opts.ID = fmt.Sprint(i)
		}
		if _, err := task.Enqueue(ctx, leaf{}, &opts); err != nil {
			return err
		}
	}
	return nil
}

// sleep makes the workers, and waits until they sleep.
func sleep(t *testing.T, s store.Store, c transition, registered, bubble bool) *sleepers {
	w := &sleepers{t: t, store: s, began: make(chan string, 10_000), let: make(chan struct{}), bubble: bubble}
	cfg := c.set
	if c.hooked {
		cfg.Hooks = w.hooks()
	}
	tree := handlers.NewSet("tree", cfg)
	handlers.Handle(tree, w.leaf, &handlers.KindOptions{Attributes: c.leaves})
	handlers.Handle(tree, w.fan, nil)
	if !registered && !bubble { // a store may treat workers of many kinds in another way
		for i := range 100 {
			handlers.HandleRaw(tree, fmt.Sprint("idle", i), func(context.Context, *handlers.Task[json.RawMessage]) error { return nil }, nil)
		}
	}
	var err error
	w.registry, err = handlers.NewRegistry(tree)
	require.NoError(t, err)
	w.m = managerOn(t, s, w.registry)
	w.caller = managerOn(t, s, nil)
	if registered {
		w.caller = managerOn(t, s, w.registry)
	}
	w.subscribe()
	if !c.alone {
		w.work("default")
	}
	return w
}

// subscribe waits until signals of every partition are heard.
func (w *sleepers) subscribe() {
	w.t.Helper()
	if w.bubble {
		return
	}
	synced := make(chan int, 100)
	defer w.m.Listen(func(partition int, kind store.SignalType) {
		if kind == store.SignalSync {
			synced <- partition
		}
	})()
	for range wakePartitions {
		select {
		case <-synced:
		case <-time.After(5 * time.Second):
			w.t.Fatal("the store does not say that it listens")
		}
	}
}

// work adds a worker that serves the queues.
func (w *sleepers) work(queues ...string) (stop func() error) {
	cfg := syncjob.WorkerConfig{Name: fmt.Sprintf("w%d", len(w.workers)), Concurrency: 4, Grace: syncjob.NoGrace}
	for _, q := range queues {
		cfg.Queues = append(cfg.Queues, syncjob.Queue{Name: q})
	}
	cfg.PollEvery(time.Hour)
	m := w.m
	if len(w.workers) > 0 {
		m = managerOn(w.t, w.store, w.registry)
	}
	worker, err := m.NewWorker(cfg)
	require.NoError(w.t, err)
	ctx, cancel := context.WithCancel(w.t.Context())
	done := make(chan error, 1)
	go func() { done <- worker.Run(ctx) }()
	w.workers = append(w.workers, worker)
	ended := false
	stop = func() error {
		cancel()
		if ended {
			return nil
		}
		ended = true
		return <-done
	}
	w.t.Cleanup(func() { _ = stop() })
	w.rest()
	return stop
}

// rest waits until every signal so far was heard and acted on, so that only what comes next wakes the workers.
func (w *sleepers) rest() {
	w.t.Helper()
	if w.bubble {
		synctest.Wait()
		return
	}
	// A signal of one partition is behind all before it. It wakes workers, too: so they are waited for.
	for range 2 {
		heard := make(chan int, 100)
		leave := w.m.Listen(func(partition int, kind store.SignalType) {
			if kind == store.SignalMode {
				heard <- partition
			}
		})
		mode, err := w.m.Mode(w.t.Context())
		require.NoError(w.t, err)
		require.NoError(w.t, w.m.SetMode(w.t.Context(), mode))
		for range wakePartitions {
			select {
			case <-heard:
			case <-time.After(5 * time.Second):
				w.t.Fatal("no signal is heard")
			}
		}
		leave()
		require.Eventually(w.t, func() bool {
			for _, worker := range w.workers {
				if !worker.Idle() {
					return false
				}
			}
			return true
		}, 10*time.Second, time.Millisecond, "a worker never sleeps")
	}
}

// starts requires that each of the attempts begins within a second.
func (w *sleepers) starts(attempts ...string) {
	w.t.Helper()
	within := time.After(time.Second)
	for _, want := range attempts {
		select {
		case got := <-w.began:
			require.Equal(w.t, want, got)
		case <-within:
			w.t.Fatalf("%s does not start", want)
		}
	}
}

// quiet requires that nothing has begun that was not expected.
func (w *sleepers) quiet() {
	w.t.Helper()
	w.rest()
	select {
	case got := <-w.began:
		w.t.Fatalf("%s began", got)
	default:
	}
}

func (w *sleepers) must(err error) {
	w.t.Helper()
	require.NoError(w.t, err)
}

// start begins a run of tree.
func (w *sleepers) start(name string, root enqueue.Args) *syncjob.Run {
	w.t.Helper()
	run, err := w.caller.Start(w.t.Context(), syncjob.Job{Name: name, Set: "tree", Root: root, Open: root == nil}, nil)
	require.NoError(w.t, err)
	return run
}

func (w *sleepers) enqueue(run *syncjob.Run, args enqueue.Args, opts *enqueue.Options) {
	w.t.Helper()
	_, err := run.Enqueue(w.t.Context(), args, opts)
	require.NoError(w.t, err)
}

func (w *sleepers) release() {
	w.t.Helper()
	select {
	case w.let <- struct{}{}:
	case <-time.After(5 * time.Second):
		w.t.Fatal("no leaf waits")
	}
}

func (w *sleepers) configure(edit func(*syncjob.Configuration)) {
	w.t.Helper()
	_, err := w.caller.Configure(w.t.Context(), "tree", nil, func(c *syncjob.Configuration) error { edit(c); return nil })
	require.NoError(w.t, err)
}

func inMemory(t *testing.T, c transition, registered bool) {
	synctest.Test(t, func(t *testing.T) {
		s := memstore.New(&memstore.Options{Partitions: wakePartitions})
		c.run(sleep(t, s, c, registered, true))
	})
}

func onRedis(t *testing.T, c transition, registered bool) {
	server, namespace := redistest.Shared(t)
	s, err := redisstore.Open(t.Context(), server.URL(), redisstore.Config{Namespace: namespace, Partitions: wakePartitions})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	c.run(sleep(t, s, c, registered, false))
}

func TestEveryTransitionWakesWhoCanRunIt(t *testing.T) {
	for _, on := range []struct {
		store string
		play  func(*testing.T, transition, bool)
	}{{"memory", inMemory}, {"Redis", onRedis}} {
		for _, c := range slices.Concat(transitions, limitTransitions) {
			for _, registered := range []bool{true, false} {
				who := "without a registry"
				if registered {
					who = "with a registry"
				}
				t.Run(fmt.Sprintf("%s/%s/%s", on.store, c.name, who), func(t *testing.T) {
					on.play(t, c, registered)
				})
			}
		}
	}
}
