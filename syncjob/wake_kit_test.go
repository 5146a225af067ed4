package syncjob_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/rollcall-go/rollcall/enqueue"
	"github.com/rollcall-go/rollcall/handlers"
	"github.com/rollcall-go/rollcall/store"
	"github.com/rollcall-go/rollcall/store/signals"
	"github.com/rollcall-go/rollcall/syncjob"
	"github.com/rollcall-go/rollcall/syncjob/schedule"
	"github.com/rollcall-go/rollcall/syncjob/states"
)

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
	store    *retold
	m        *syncjob.Manager // of the first worker, which serves the queue default
	caller   *syncjob.Manager // does what the transition is
	workers  []*syncjob.Worker
	began    chan string // "leaf N", "fan", "pre" or "post", as each attempt begins
	let      chan struct{}
	letHook  chan struct{} // nil: the pre-job hook passes at once
	bubble   bool
	within   time.Duration // of a transition
	seen     sync.Map      // IDs of tasks that ran
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
	w := &sleepers{
		t: t, store: &retold{Store: s, waits: make(map[string]bool)},
		began: make(chan string, 10_000), let: make(chan struct{}), bubble: bubble, within: patience,
	}
	if bubble {
		w.within = time.Second
	}
	cfg := c.set
	if c.hooked {
		cfg.Hooks = w.hooks()
	}
	tree := handlers.NewSet("tree", cfg)
	handlers.Handle(tree, w.leaf, &handlers.KindOptions{Attributes: c.leaves})
	handlers.Handle(tree, w.fan, nil)
	if !registered && !bubble { // a store may treat workers of many kinds in another way
		for i := range 100 {
			handlers.HandleRaw(
				tree, fmt.Sprint("idle", i), func(context.Context, *handlers.Task[json.RawMessage]) error { return nil }, nil,
			)
		}
	}
	var err error
	w.registry, err = handlers.NewRegistry(tree)
	require.NoError(t, err)
	w.m = managerOn(t, w.store, w.registry)
	w.caller = managerOn(t, w.store, nil)
	if registered {
		w.caller = managerOn(t, w.store, w.registry)
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
	defer w.m.Listen(func(partition int, kind signals.Type) {
		if kind == signals.Sync {
			synced <- partition
		}
	})()
	for range wakePartitions {
		select {
		case <-synced:
		case <-time.After(patience):
			w.t.Fatal("the store does not say that it listens")
		}
	}
}

// work adds a worker that serves the queues.
func (w *sleepers) work(queues ...string) (stop func() error) {
	cfg := syncjob.WorkerConfig{Name: fmt.Sprintf("w%d", len(w.workers)), Concurrency: 4, Grace: syncjob.NoGrace, Lease: late}
	for _, q := range queues {
		cfg.Queues = append(cfg.Queues, syncjob.Queue{Name: q})
	}
	cfg.PollEvery(late)
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

// rest waits until every signal so far was heard and acted on, so that only what comes next wakes
// the workers.
func (w *sleepers) rest() {
	w.t.Helper()
	if w.bubble {
		synctest.Wait()
		return
	}
	// A signal of one partition is behind all before it. It wakes workers, too: so they are waited
	// for.
	for range 2 {
		heard := make(chan int, 100)
		leave := w.m.Listen(func(partition int, kind signals.Type) {
			if kind == signals.Pause {
				heard <- partition
			}
		})
		mode, err := w.m.Mode(w.t.Context())
		require.NoError(w.t, err)
		require.NoError(w.t, w.m.SetMode(w.t.Context(), mode))
		for range wakePartitions {
			select {
			case <-heard:
			case <-time.After(patience):
				w.t.Fatal("no signal is heard")
			}
		}
		leave()
		w.until(func() bool {
			for _, worker := range w.workers {
				if !worker.Idle() {
					return false
				}
			}
			return true
		}, "a worker never sleeps")
	}
}

// starts requires that the attempts begin, one after the other: within a second of virtual time, or
// at all.
func (w *sleepers) starts(attempts ...string) {
	w.t.Helper()
	within := time.After(w.within)
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

// open begins an open run of tree.
func (w *sleepers) open(name string, j syncjob.Job) *syncjob.Run {
	w.t.Helper()
	j.Name, j.Set, j.Open = name, "tree", true
	run, err := w.caller.Start(w.t.Context(), j, nil)
	require.NoError(w.t, err)
	return run
}

// ends requires that a run ends within the time of a transition.
func (w *sleepers) ends(run *syncjob.Run, as states.Status) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), w.within)
	defer cancel()
	final, err := run.Wait(ctx)
	require.NoError(w.t, err)
	require.Equal(w.t, as, final.Status)
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
	case <-time.After(patience):
		w.t.Fatal("no leaf waits")
	}
}

// until waits for a condition.
func (w *sleepers) until(is func() bool, what string) {
	w.t.Helper()
	require.Eventually(w.t, is, patience, time.Millisecond, what)
}

func (w *sleepers) configure(edit func(*syncjob.Configuration)) {
	w.t.Helper()
	_, err := w.caller.Configure(w.t.Context(), "tree", nil, func(c *syncjob.Configuration) error { edit(c); return nil })
	require.NoError(w.t, err)
}

// startBoth is starts in any order.
func (w *sleepers) startBoth(a, b string) {
	w.t.Helper()
	within := time.After(w.within)
	var got []string
	for range 2 {
		select {
		case what := <-w.began:
			got = append(got, what)
		case <-within:
			w.t.Fatalf("of %q and %q only %q start", a, b, got)
		}
	}
	require.ElementsMatch(w.t, []string{a, b}, got)
}

func (w *sleepers) ensure(j syncjob.Job) {
	w.t.Helper()
	j.Set = "tree"
	_, err := w.caller.Ensure(w.t.Context(), j)
	require.NoError(w.t, err)
}

func (w *sleepers) schedule(s schedule.Schedule, does int) {
	w.t.Helper()
	w.ensure(syncjob.Job{Name: "p", Root: leaf{does}, Schedule: &s})
}

// dead is a session that nobody renews, where job a lies.
var dead = store.SessionID{Partition: store.PartitionOf("a", wakePartitions), ID: "dead"}

// lease has the dead session lease leaves of a queue.
func (w *sleepers) lease(queue string, n int, limits ...store.RunLimit) []store.Delivery {
	w.t.Helper()
	w.must(w.store.OpenSession(w.t.Context(), dead, store.WorkerInfo{}, late))
	route := store.Route{Queue: queue, Set: "tree", Kind: "leaf"}
	reply, err := w.store.Fetch(w.t.Context(), store.FetchParams{
		Session: dead, Number: 1, Max: n, Queues: []store.FetchQueue{{Queue: queue, Routes: []store.Route{route}}}, PerRun: limits,
	})
	w.must(err)
	return reply.Deliveries
}

// hold has the dead session lease n leaves that block, before a worker could.
func (w *sleepers) hold(n int, limits ...store.RunLimit) {
	w.t.Helper()
	run := w.start("a", nil)
	for range n {
		w.enqueue(run, leaf{blocks}, elsewhere)
	}
	require.Len(w.t, w.lease("elsewhere", n, limits...), n)
	w.work("elsewhere")
}
